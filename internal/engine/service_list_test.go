package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// listed gives the descriptions of all jobs that a listing gives page by page; meanwhile is called between pages.
func listed(t *testing.T, s *engine.Service, f job.Filter, p job.Page, byTime bool, meanwhile func(page int, last job.Job)) string {
	t.Helper()
	var got []string
	for page := 0; ; page++ {
		jobs, more, err := s.List(t.Context(), caller, f, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs {
			got = append(got, j.Spec.Description)
		}
		if !more {
			return strings.Join(got, " ")
		}
		last := jobs[len(jobs)-1]
		p.After = last.ID
		if byTime {
			p.AfterCreated = last.Created
		}
		if meanwhile != nil {
			meanwhile(page, last)
		}
	}
}

func TestListingsGoBothWaysOverOpenAndFinishedJobs(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var hours atomic.Int64
	now := func() time.Time { return start.Add(time.Duration(hours.Load()) * time.Hour) }
	r := newRig(t, func(o *engine.Options) { o.Now = now })
	s := r.start()
	ids := map[string]job.ID{}
	for i := range 7 {
		spec := r.spec(1)
		spec.Description = fmt.Sprintf("J%d", i)
		spec.ConfirmationRequired = i%3 == 0 // 0, 3 and 6 stay open
		if i >= 5 {
			spec.Operation = &operation.Delete{}
		}
		id := create(t, s, spec)
		ids[spec.Description] = id
		if spec.ConfirmationRequired {
			waitFor(t, s, id, status(job.Suspended))
		} else {
			waitFor(t, s, id, final)
		}
		if i != 2 { // 2 and 3 were created at the same time
			hours.Add(1)
		}
	}
	same := []job.ID{ids["J2"], ids["J3"]}
	slices.Sort(same)
	middle := "J2 J3"
	if same[0] != ids["J2"] {
		middle = "J3 J2"
	}
	forward := "J0 J1 " + middle + " J4 J5 J6"
	backward := strings.Split(forward, " ")
	slices.Reverse(backward)
	for _, size := range []int{1, 2, 3, 1000} {
		for _, byTime := range []bool{false, true} {
			if got := listed(t, s, job.Filter{}, job.Page{Max: size}, byTime, nil); got != forward {
				t.Errorf("pages of %d: %s, want %s", size, got, forward)
			}
			if got, want := listed(t, s, job.Filter{}, job.Page{Max: size, NewestFirst: true}, byTime, nil), strings.Join(backward, " "); got != want {
				t.Errorf("pages of %d, newest first: %s, want %s", size, got, want)
			}
		}
	}
	for name, tc := range map[string]struct {
		f    job.Filter
		want string
	}{
		"open":                 {job.Filter{Statuses: []job.Status{job.Suspended}}, "J0 J3 J6"},
		"of the last hours":    {job.Filter{Since: now().Add(-3 * time.Hour)}, "J4 J5 J6"},
		"of an operation":      {job.Filter{Operation: "delete"}, "J5 J6"},
		"by description":       {job.Filter{Search: "j4"}, "J4"},
		"by id":                {job.Filter{Search: strings.ToUpper(string(ids["J1"]))}, "J1"},
		"of nothing":           {job.Filter{Search: "nothing"}, ""},
		"open and of deletion": {job.Filter{Statuses: []job.Status{job.Suspended}, Operation: "delete"}, "J6"},
	} {
		if got := listed(t, s, tc.f, job.Page{Max: 1}, true, nil); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		n, err := s.Counts(t.Context(), caller, tc.f)
		all := int64(0)
		for _, k := range n {
			all += k
		}
		if len(tc.f.Statuses) == 0 && all != int64(len(strings.Fields(tc.want))) || err != nil {
			t.Errorf("%s: counts %v, %v", name, n, err)
		}
	}
	if n, err := s.Counts(t.Context(), caller, job.Filter{Statuses: []job.Status{job.Complete}}); n[job.Suspended] != 3 || err != nil {
		t.Errorf("counts %v, %v", n, err)
	}
	// A page goes on behind a job that is gone, where its place is known.
	got := listed(t, s, job.Filter{}, job.Page{Max: 2}, true, func(page int, last job.Job) {
		if page == 0 {
			if err := s.Delete(t.Context(), caller, ids["J1"]); err != nil {
				t.Fatal(err)
			}
		}
	})
	if got != forward {
		t.Errorf("with a job deleted: %s", got)
	}
	if _, _, err := s.List(t.Context(), caller, job.Filter{}, job.Page{Max: 1, After: ids["J1"]}); job.CodeOf(err) != job.InvalidArgument {
		t.Errorf("behind a job that is gone: %v", err)
	}
	stranger := job.Caller{Account: job.Account{UIN: "2"}}
	if jobs, _, err := s.List(t.Context(), stranger, job.Filter{}, job.Page{Max: 10}); len(jobs) != 0 || err != nil {
		t.Errorf("another account sees %v, %v", jobs, err)
	}
	if _, _, err := s.List(t.Context(), stranger, job.Filter{}, job.Page{Max: 1, After: ids["J0"]}); job.CodeOf(err) != job.InvalidArgument {
		t.Errorf("another account's job as the place: %v", err)
	}
	if n, err := s.Counts(t.Context(), stranger, job.Filter{}); len(n) != 0 || err != nil {
		t.Errorf("another account counts %v, %v", n, err)
	}
}

func TestChangesHoldToARevision(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	spec := r.spec(5)
	spec.ConfirmationRequired = true
	id := create(t, s, spec)
	seen := waitFor(t, s, id, status(job.Suspended))
	then := caller
	then.IfRevision = seen.Revision
	changed, err := s.SetPriority(t.Context(), then, id, 77)
	if err != nil || changed.Revision == seen.Revision {
		t.Fatalf("revision %q after %q, %v", changed.Revision, seen.Revision, err)
	}
	if again, err := s.Job(t.Context(), caller, id); err != nil || again.Revision != changed.Revision {
		t.Errorf("revision %q, answered %q, %v", again.Revision, changed.Revision, err)
	}
	_, err = s.SetPriority(t.Context(), then, id, 78)
	for name, do := range map[string]func(context.Context, job.Caller, job.ID, string) (job.Job, error){
		"confirm": s.Confirm, "cancel": s.Cancel, "pause": s.Pause, "resume": s.Resume,
	} {
		if _, moved := do(t.Context(), then, id, ""); job.CodeOf(moved) != job.Precondition {
			t.Errorf("%s: %v", name, moved)
		}
	}
	if job.CodeOf(err) != job.Precondition {
		t.Errorf("priority: %v", err)
	}
	then.IfRevision = changed.Revision
	if _, err := s.Confirm(t.Context(), then, id, ""); err != nil {
		t.Error(err)
	}
	done := waitFor(t, s, id, final)
	if done.Priority != 77 || done.Status != job.Complete {
		t.Errorf("%s with priority %d", done.Status, done.Priority)
	}
}

// A running job has a rate and an end in sight, and its chunks and segments can be seen.
func TestARunningJobShowsItsRateAndItsWork(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *engine.Options) { o.Concurrency, o.ChunkRows = 2, 50 })
	s := r.start()
	hold := make(chan struct{})
	r.store.onCopy = func(ctx context.Context, k job.Key) error {
		select {
		case <-hold:
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	}
	id := create(t, s, r.spec(20_000))
	j := waitFor(t, s, id, func(j job.Job) bool { return j.Progress.Rate > 0 })
	left, ok := j.Progress.Remaining()
	if j.Status != job.Active || !ok || left <= 0 || left > time.Hour {
		t.Errorf("%s, %v tasks a second, %v remain", j.Status, j.Progress.Rate, left)
	}
	var w job.Work
	waitFor(t, s, id, func(job.Job) bool {
		var err error
		if w, err = s.Work(t.Context(), caller, id); err != nil {
			t.Fatal(err)
		}
		return w.Running > 0 && len(w.Segments) > 0
	})
	if w.Chunks != 400 || w.ChunkRows != 50 || w.Segments[0].Files[0].Rows == 0 || strings.Contains(w.Segments[0].Files[0].Name, "/") {
		t.Errorf("work %+v", w)
	}
	close(hold)
	if j := waitFor(t, s, id, final); j.Progress.Rate != 0 {
		t.Errorf("rate %v at the end", j.Progress.Rate)
	}
	if w, err := s.Work(t.Context(), caller, id); err != nil || w.Chunks != 0 || w.Segments != nil {
		t.Errorf("work at the end: %+v, %v", w, err)
	}
	if _, err := s.Work(t.Context(), job.Caller{Account: job.Account{UIN: "2"}}, id); job.CodeOf(err) != job.NoSuchJob {
		t.Errorf("another account: %v", err)
	}
}
