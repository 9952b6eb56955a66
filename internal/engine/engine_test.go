package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

func TestJobRunsToCompletion(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.store.onCopy = func(_ context.Context, k job.Key) error {
		if strings.HasSuffix(string(k), "7%.txt") {
			return &object.Error{Op: "Copy", Code: object.CodeNoSuchKey, Status: 404, Message: "gone"}
		}
		return nil
	}
	s := r.start()
	spec := r.spec(2345)
	id := create(t, s, spec)
	j := waitFor(t, s, id, final)
	wantWhole(t, spec, j, 2345)
	if total, most := r.store.calls(); total != 2345 || most != 1 {
		t.Errorf("%d calls, at most %d a key; want 2345 and 1", total, most)
	}
	if len(j.Progress.ByCode) != 1 || j.Progress.ByCode[0].Code != "NoSuchKey" || j.Progress.ByCode[0].Count != 234 || len(j.Progress.ByCode[0].Samples) != 20 {
		t.Errorf("failures by code: %+v", j.Progress.ByCode)
	}
	var moves []job.Status
	for _, e := range j.Events {
		moves = append(moves, e.To)
	}
	want := []job.Status{job.New, job.Preparing, job.Ready, job.Active, job.Completing, job.Complete}
	if !slices.Equal(moves, want) {
		t.Errorf("moved through %v, want %v", moves, want)
	}
	list, more, err := s.List(t.Context(), caller, job.Filter{}, job.Page{Max: 10})
	if err != nil || more || len(list) != 1 || list[0].ID != id {
		t.Errorf("list: %v, %v, %v", list, more, err)
	}
}

func TestJobWaitsForConfirmation(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	spec := r.spec(10)
	spec.ConfirmationRequired = true
	id := create(t, s, spec)
	j := waitFor(t, s, id, status(job.Suspended))
	if j.Progress.Total != 10 || j.Suspended.IsZero() || j.SuspendedCause == "" {
		t.Errorf("suspended job: %+v", j)
	}
	if n, _ := r.store.calls(); n != 0 {
		t.Errorf("%d calls before the confirmation", n)
	}
	j, err := s.Confirm(t.Context(), caller, id, "looks right")
	if err != nil || j.Status != job.Ready || j.StatusReason != "looks right" {
		t.Fatalf("confirm: %s %q %v", j.Status, j.StatusReason, err)
	}
	if _, err := s.Confirm(t.Context(), caller, id, ""); job.CodeOf(err) != job.Conflict {
		t.Errorf("second confirmation: %v", err)
	}
	wantWhole(t, spec, waitFor(t, s, id, final), 10)
}

func TestFailureRuleEndsTheJob(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.store.onCopy = func(context.Context, job.Key) error {
		return &object.Error{Op: "Copy", Code: object.CodeAccessDenied, Status: 403}
	}
	s := r.start()
	spec := r.spec(20_000)
	j := waitFor(t, s, create(t, s, spec), final)
	if j.Status != job.Failed || len(j.Failures) != 1 || j.Failures[0].Code != "TooManyFailedTasks" {
		t.Fatalf("job is %s, %v", j.Status, j.Failures)
	}
	ok, failed := reportRows(t, spec, j)
	total, _ := r.store.calls()
	if len(ok) != 0 || len(failed) != total || j.Progress.Failed != int64(total) || total < 1000 || total == 20_000 {
		t.Errorf("%d rows, %d calls, %+v", len(failed), total, j.Progress)
	}
}

func TestUnderAThousandTasksNothingStopsAJob(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.store.onCopy = func(context.Context, job.Key) error {
		return &object.Error{Op: "Copy", Code: object.CodeAccessDenied, Status: 403}
	}
	s := r.start()
	spec := r.spec(999)
	wantWhole(t, spec, waitFor(t, s, create(t, s, spec), final), 999)
}

func TestReportScopes(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.store.onCopy = func(_ context.Context, k job.Key) error {
		if k == key(3) {
			return &object.Error{Op: "Copy", Code: object.CodeNoSuchKey, Status: 404}
		}
		return nil
	}
	s := r.start()
	failedOnly, off := r.spec(500), r.spec(500)
	failedOnly.Report.Scope = job.FailedTasksOnly
	off.Report = job.Report{}
	j := waitFor(t, s, create(t, s, failedOnly), final)
	ok, failed := reportRows(t, failedOnly, j)
	if len(ok) != 0 || len(failed) != 1 || j.Progress.Succeeded != 499 || j.Progress.Failed != 1 {
		t.Errorf("failed tasks only: %d + %d rows, %+v", len(ok), len(failed), j.Progress)
	}
	j = waitFor(t, s, create(t, s, off), final)
	if j.Status != job.Complete || j.Progress.Succeeded != 499 || j.Progress.Failed != 1 || j.ReportManifest != "" {
		t.Errorf("no report: %s %+v %q", j.Status, j.Progress, j.ReportManifest)
	}
}

func TestRestartGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	var n atomic.Int64
	third := make(chan struct{})
	r.store.onCopy = func(ctx context.Context, _ job.Key) error {
		if n.Add(1) == 1000 {
			close(third)
		}
		return nil
	}
	s := r.start()
	spec := r.spec(5000)
	id := create(t, s, spec)
	<-third
	r.stop()
	s = r.start()
	wantWhole(t, spec, waitFor(t, s, id, final), 5000)
	if total, most := r.store.calls(); total != 5000 || most != 1 {
		t.Errorf("%d calls, at most %d a key: a drained engine repeats nothing", total, most)
	}
	r.stop()
	s = r.start()
	if j, err := s.Job(t.Context(), caller, id); err != nil || j.Status != job.Complete {
		t.Errorf("after another restart: %v, %v", j.Status, err)
	}
}

func TestPreparingRefusesWithThePlace(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	write := func(spec *job.Spec, text string) {
		if err := os.WriteFile(spec.Manifest.Location.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.store.buckets["elsewhere"] = object.BucketInfo{Region: "mars"}
	tests := []struct {
		name  string
		spoil func(*job.Spec)
		code  string
		words []string
	}{
		{"short row", func(s *job.Spec) { write(s, "src,a\nsrc\n") }, "InvalidManifestContent", []string{"list.csv", "2"}},
		{"bad escape", func(s *job.Spec) { write(s, "src,a%zz\n") }, "InvalidManifestContent", []string{"list.csv", "Key"}},
		{"empty", func(s *job.Spec) { write(s, "") }, "ManifestEmpty", []string{"list.csv"}},
		{"unknown bucket", func(s *job.Spec) { write(s, "src,a\nnowhere,b\n") }, "NoSuchBucket", []string{"nowhere", "2", "list.csv"}},
		{"other region", func(s *job.Spec) { write(s, "elsewhere,a\n") }, "RegionMismatch", []string{"elsewhere", "mars", "list.csv"}},
		{"manifest in other region", func(s *job.Spec) { s.Manifest.Location.Region = "mars" }, "RegionMismatch", []string{"mars", "local"}},
		{"report not writable", func(s *job.Spec) {
			p := s.Report.Path
			if err := os.WriteFile(p, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "", []string{"report"}},
	}
	for _, tt := range tests {
		spec := r.spec(10)
		tt.spoil(&spec)
		j := waitFor(t, s, create(t, s, spec), final)
		if j.Status != job.Failed || len(j.Failures) != 1 {
			t.Errorf("%s: job is %s, %v", tt.name, j.Status, j.Failures)
			continue
		}
		f := j.Failures[0]
		if tt.code != "" && f.Code != tt.code {
			t.Errorf("%s: code %s, want %s (%s)", tt.name, f.Code, tt.code, f.Reason)
		}
		for _, w := range tt.words {
			if !strings.Contains(f.Reason, w) {
				t.Errorf("%s: %q does not name %q", tt.name, f.Reason, w)
			}
		}
	}
	if n, _ := r.store.calls(); n != 0 {
		t.Errorf("%d objects were touched", n)
	}
}

func TestCreateRefusesBeforeAJobExists(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	for name, tt := range map[string]struct {
		spoil func(*job.Spec)
		code  job.Code
	}{
		"no operation":    {func(s *job.Spec) { s.Operation = nil }, ""},
		"long text":       {func(s *job.Spec) { s.Description = strings.Repeat("x", 257) }, job.InvalidArgument},
		"unknown region":  {func(s *job.Spec) { s.Region = "mars" }, job.InvalidArgument},
		"role of no one":  {func(s *job.Spec) { s.Role.Name = "nobody" }, job.AccessDenied},
		"unknown columns": {func(s *job.Spec) { s.Manifest.Fields = []job.Field{"Bucket", "Colour"} }, job.InvalidArgument},
	} {
		spec := r.spec(1)
		tt.spoil(&spec)
		_, err := s.Create(t.Context(), caller, spec)
		if err == nil || tt.code != "" && job.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, _, err := s.List(t.Context(), caller, job.Filter{}, job.Page{Max: 10}); err != nil || len(list) != 0 {
		t.Errorf("jobs exist: %v, %v", list, err)
	}
}

func TestTokenMakesOneJob(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	spec := r.spec(5)
	id := create(t, s, spec)
	refused := func(when string, spec job.Spec, same bool) {
		t.Helper()
		_, err := s.Create(t.Context(), caller, spec)
		e, ok := errors.AsType[*job.Error](err)
		if !ok || e.Code != job.Duplicate || e.Job != id || e.Same != same {
			t.Errorf("%s: %+v, want a duplicate of %s, same %v", when, err, id, same)
		}
	}
	written := spec
	written.Request.Body = []byte("in another order")
	changed := spec
	changed.Tags = []job.Tag{{Key: "k"}}
	refused("same request again", spec, true)
	refused("same request, written in another way", written, true)
	refused("another request", changed, false)
	waitFor(t, s, id, final)
	refused("same request after the end", spec, true)
	refused("another request after the end", changed, false)
	other := job.Caller{Account: job.Account{UIN: "200000000002", AppID: "1250000001"}}
	if _, err := s.Job(t.Context(), other, id); job.CodeOf(err) != job.NoSuchJob {
		t.Errorf("another account sees the job: %v", err)
	}
	if _, err := s.Create(t.Context(), other, spec); err != nil {
		t.Errorf("another account's token: %v", err)
	}
	if err := s.Delete(t.Context(), caller, id); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := s.Job(t.Context(), caller, id); job.CodeOf(err) != job.NoSuchJob {
		t.Errorf("deleted job: %v", err)
	}
}

// tagsOf are a job's tags in one line.
func tagsOf(t *testing.T, s *engine.Service, c job.Caller, id job.ID) string {
	t.Helper()
	tags, err := s.Tags(t.Context(), c, id)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(tags)
}

func TestTagsOutliveTheJobsEndAndARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	spec := r.spec(5)
	spec.Tags = []job.Tag{{Key: "made", Value: "with"}}
	spec.ConfirmationRequired = true
	id := create(t, s, spec)
	if got := tagsOf(t, s, caller, id); got != "[{made with}]" {
		t.Errorf("made with %s", got)
	}
	if err := s.SetTags(t.Context(), caller, id, []job.Tag{{Key: "open", Value: "1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Confirm(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, s, id, final)
	if got := tagsOf(t, s, caller, id); got != "[{open 1}]" {
		t.Errorf("after the end: %s", got)
	}
	if err := s.SetTags(t.Context(), caller, id, []job.Tag{{Key: "done", Value: "2"}}); err != nil {
		t.Errorf("of a finished job: %v", err)
	}
	r.stop()
	s = r.start()
	if got := tagsOf(t, s, caller, id); got != "[{done 2}]" {
		t.Errorf("after a restart: %s", got)
	}
	if err := s.SetTags(t.Context(), caller, id, nil); err != nil || tagsOf(t, s, caller, id) != "[]" {
		t.Errorf("taken away: %v, %s", err, tagsOf(t, s, caller, id))
	}
	if err := s.SetTags(t.Context(), caller, id, make([]job.Tag, 51)); job.CodeOf(err) != job.InvalidArgument {
		t.Errorf("51 tags: %v", err)
	}
	other := job.Caller{Account: job.Account{UIN: "200000000002"}}
	if err := s.SetTags(t.Context(), other, id, nil); job.CodeOf(err) != job.NoSuchJob {
		t.Errorf("another account: %v", err)
	}
	if _, err := s.Tags(t.Context(), other, id); job.CodeOf(err) != job.NoSuchJob {
		t.Errorf("another account: %v", err)
	}
	if err := s.Delete(t.Context(), caller, id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Tags(t.Context(), caller, id); job.CodeOf(err) != job.NoSuchJob {
		t.Errorf("of a deleted job: %v", err)
	}
}

func TestUnconfirmedJobFailsAfterThirtyDays(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	r := newRig(t, func(o *engine.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())).UTC() }
	})
	s := r.start()
	spec := r.spec(10)
	spec.ConfirmationRequired = true
	id := create(t, s, spec)
	waitFor(t, s, id, status(job.Suspended))
	r.stop()
	later.Store(int64(31 * 24 * time.Hour))
	s = r.start()
	j := waitFor(t, s, id, final)
	if j.Status != job.Failed || len(j.Failures) != 1 || j.Failures[0].Code != "NotConfirmed" {
		t.Errorf("job is %s, %v", j.Status, j.Failures)
	}
}

func TestPanicIsOneTasksOutcome(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.store.onCopy = func(_ context.Context, k job.Key) error {
		if k == key(7) {
			panic("a programmer's mistake")
		}
		return nil
	}
	s := r.start()
	spec := r.spec(100)
	j := waitFor(t, s, create(t, s, spec), final)
	wantWhole(t, spec, j, 100)
	if j.Progress.Failed != 1 || j.Progress.ByCode[0].Code != "InternalError" {
		t.Errorf("%+v", j.Progress)
	}
}

func TestAccountHasABoundOfUnfinishedJobs(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *engine.Options) { o.MaxJobs = 2 })
	s := r.start()
	var ids []job.ID
	for range 2 {
		spec := r.spec(1)
		spec.ConfirmationRequired = true
		ids = append(ids, create(t, s, spec))
	}
	if _, err := s.Create(t.Context(), caller, r.spec(1)); job.CodeOf(err) != job.TooManyJobs {
		t.Errorf("a third job: %v", err)
	}
	if _, err := s.Cancel(t.Context(), caller, ids[0], ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, s, ids[0], final)
	if err := s.Delete(t.Context(), caller, ids[0]); err != nil { // waits until it is among the finished ones
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), caller, r.spec(1)); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}

// Who gets no answer sends the request again, and the job that it made may be the one that filled the account.
func TestARequestSentAgainFindsItsJobWhateverHasChangedSince(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *engine.Options) { o.MaxJobs = 1 })
	s := r.start()
	spec := r.spec(1)
	spec.ConfirmationRequired = true
	id := create(t, s, spec)
	other := spec
	other.Role.Name = "nobody"
	for name, tt := range map[string]struct {
		spec job.Spec
		same bool
	}{
		"the account is full":                    {spec, true},
		"another request, of a role that is not": {other, false},
	} {
		_, err := s.Create(t.Context(), caller, tt.spec)
		if e, ok := errors.AsType[*job.Error](err); !ok || e.Code != job.Duplicate || e.Job != id || e.Same != tt.same {
			t.Errorf("%s: %v, want a duplicate of %s, same %v", name, err, id, tt.same)
		}
	}
	if _, err := s.Create(t.Context(), caller, r.spec(1)); job.CodeOf(err) != job.TooManyJobs {
		t.Errorf("a new request: %v", err)
	}
}
