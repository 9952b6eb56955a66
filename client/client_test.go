package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api/apitest"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/job"
)

var (
	alice = access.Principal{AccessKey: "AKIDalice", SecretKey: "secret-of-alice", Account: job.Account{UIN: "100000000001", AppID: "1250000000"}}
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

type world struct {
	jobs   *apitest.Jobs
	server *httptest.Server
	client *client.Client
}

// setup starts the real API over jobs in memory; wrap, when given, stands before it like a proxy.
func setup(t *testing.T, wrap func(http.Handler) http.Handler) *world {
	t.Helper()
	w := &world{jobs: apitest.New(func() time.Time { return noon })}
	h := rest.New(w.jobs, access.NewVerifier(access.Static(alice), nil), rest.Options{
		DefaultRegion: "local", Heartbeat: time.Millisecond, NewRequestID: func() string { return "request-id-1" },
	})
	if wrap != nil {
		h = wrap(h)
	}
	w.server = httptest.NewServer(h)
	t.Cleanup(w.server.Close)
	w.client = w.as(t, alice.SecretKey)
	return w
}

func (w *world) as(t *testing.T, secret string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Server: w.server.URL + "/", AccessKey: alice.AccessKey, SecretKey: secret, RetryDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func spec() client.Spec {
	return client.Spec{
		Description: "copy all",
		Manifest:    client.Manifest{Format: "COSBatchOperations_CSV_V1", Fields: []string{"Bucket", "Key"}, Bucket: "lists", Key: "a b+c.csv", ETag: "abc"},
		Operation:   client.Operation{Copy: &client.Copy{TargetBucket: "target", NewTags: []client.Tag{{Key: "k", Value: "v"}}, IfModifiedSince: noon}},
		Priority:    3,
		Report:      client.Report{Enabled: true, Bucket: "lists", Scope: "AllTasks"},
		Role:        "qcs::cam::uin/100000000001:roleName/batch",
	}
}

func wantError(t *testing.T, err error, code string, status int) {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Code != code || e.Status != status || e.Message == "" || e.RequestID != "request-id-1" {
		t.Errorf("%#v (%v), want %s %d", e, err, code, status)
	}
}

func TestEveryCall(t *testing.T) {
	t.Parallel()
	w := setup(t, nil)
	c, ctx := w.client, t.Context()
	made, err := c.CreateJob(ctx, spec())
	if err != nil {
		t.Fatal(err)
	}
	want := spec()
	want.Region, want.Token = "local", made.Spec.Token
	if want.Token == "" {
		t.Error("no token was made up")
	}
	if diff := cmp.Diff(want, made.Spec); diff != "" {
		t.Errorf("(-sent +made):\n%s", diff)
	}
	got, err := c.Job(ctx, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, got); diff != "" {
		t.Errorf("(-made +got):\n%s", diff)
	}
	id := made.ID
	for _, step := range []struct {
		name string
		from job.Status
		call func() (client.Job, error)
		want job.Status
	}{
		{"confirm", job.Suspended, func() (client.Job, error) { return c.Confirm(ctx, id, "go on: ä & b") }, job.Ready},
		{"pause", job.Active, func() (client.Job, error) { return c.Pause(ctx, id, "") }, job.Pausing},
		{"resume", job.Paused, func() (client.Job, error) { return c.Resume(ctx, id, "") }, job.Active},
		{"priority", job.Active, func() (client.Job, error) { return c.SetPriority(ctx, id, 0) }, job.Active},
		{"cancel", job.Active, func() (client.Job, error) { return c.Cancel(ctx, id, "enough") }, job.Cancelling},
	} {
		w.jobs.Set(job.ID(id), func(j *job.Job) { j.Status = step.from })
		got, err := step.call()
		if err != nil || got.Status != string(step.want) {
			t.Errorf("%s: %s, %v", step.name, got.Status, err)
		}
		if step.name == "confirm" && got.StatusReason != "go on: ä & b" {
			t.Errorf("reason %q", got.StatusReason)
		}
		if step.name == "priority" && got.Priority != 0 {
			t.Errorf("priority %d", got.Priority)
		}
	}
	w.jobs.SetReport(job.ID(id), []byte(`{"Format":"Report_CSV_V1"}`))
	if b, err := c.Report(ctx, id); err != nil || string(b) != `{"Format":"Report_CSV_V1"}` {
		t.Errorf("report %s, %v", b, err)
	}
	w.jobs.AddReportFile(job.ID(id), job.ReportFile{Name: "a b.csv", Status: job.TaskFailed, Bucket: "lists", Key: "out/results/a b.csv", MD5: "m"}, []byte("rows"))
	files, err := c.ReportFiles(ctx, id)
	want2 := []client.ReportFile{{Name: "a b.csv", Status: "failed", Bucket: "lists", Key: "out/results/a b.csv", MD5: "m", Link: "/api/v1/jobs/" + id + "/report/files/a%20b.csv"}}
	if diff := cmp.Diff(want2, files); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	body, err := c.ReportFile(ctx, id, "a b.csv")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(body); string(b) != "rows" || errors.Join(err, body.Close()) != nil {
		t.Errorf("file %q, %v", b, err)
	}
	for name, code := range map[string]string{"manifest.json": "NoSuchFile", "../manifest.json": "InvalidRequest", "x/a b.csv": "NoSuchFile"} {
		_, err = c.ReportFile(ctx, id, name)
		wantError(t, err, code, 404)
	}
	w.jobs.SetWork(job.ID(id), job.Work{Chunks: 3, Segments: []job.Segment{{Number: 1, Files: []job.SegmentFile{{Name: "a", Rows: 2}}}}})
	if got, err := c.Work(ctx, id); err != nil || got.Chunks != 3 || got.Segments[0].Files[0].Rows != 2 {
		t.Errorf("work %+v, %v", got, err)
	}
	wantError(t, c.DeleteJob(ctx, id), "Conflict", 409)
	w.jobs.Set(job.ID(id), func(j *job.Job) { j.Status = job.Cancelled })
	if err := c.DeleteJob(ctx, id); err != nil {
		t.Error(err)
	}
	_, err = c.Job(ctx, id)
	wantError(t, err, "NoSuchJob", 404)
}

func TestRetryMakesAJobOfTheFailedTasks(t *testing.T) {
	t.Parallel()
	w := setup(t, nil)
	old, err := w.client.CreateJob(t.Context(), spec())
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.client.Retry(t.Context(), old.ID, client.Retry{})
	wantError(t, err, "Conflict", 409)
	w.jobs.Set(job.ID(old.ID), func(j *job.Job) { j.Status, j.Progress.Failed = job.Complete, 2 })
	again, err := w.client.Retry(t.Context(), old.ID, client.Retry{})
	if err != nil || again.RetryOf != old.ID || again.Spec.Token == "" || again.Spec.Description != "copy all" || again.Priority != 3 {
		t.Errorf("%+v, %v", again, err)
	}
	confirm, about, priority := true, "", int32(0)
	again, err = w.client.Retry(t.Context(), old.ID, client.Retry{Token: "t", ConfirmationRequired: &confirm, Description: &about, Priority: &priority})
	if err != nil || again.Spec.Token != "t" || !again.Spec.ConfirmationRequired || again.Spec.Description != "" || again.Priority != 0 {
		t.Errorf("%+v, %v", again, err)
	}
}

// Two people look at a job; who decides second, on what is no longer so, is refused.
func TestChangesOnACondition(t *testing.T) {
	t.Parallel()
	w := setup(t, nil)
	seen, err := w.client.CreateJob(t.Context(), spec())
	if err != nil {
		t.Fatal(err)
	}
	c := w.client.If(seen.Revision)
	if got, err := c.SetPriority(t.Context(), seen.ID, 7); err != nil || got.Revision == seen.Revision {
		t.Errorf("revision %q after %q, %v", got.Revision, seen.Revision, err)
	}
	for name, call := range map[string]func() (client.Job, error){
		"priority": func() (client.Job, error) { return c.SetPriority(t.Context(), seen.ID, 8) },
		"confirm":  func() (client.Job, error) { return c.Confirm(t.Context(), seen.ID, "") },
		"pause":    func() (client.Job, error) { return c.Pause(t.Context(), seen.ID, "") },
		"resume":   func() (client.Job, error) { return c.Resume(t.Context(), seen.ID, "") },
		"cancel":   func() (client.Job, error) { return c.Cancel(t.Context(), seen.ID, "") },
	} {
		_, err := call()
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "Precondition" || e.Status != 412 {
			t.Errorf("%s: %v", name, err)
		}
	}
	now, err := c.Job(t.Context(), seen.ID)
	if err != nil || now.Priority != 7 || now.Status != "New" {
		t.Errorf("%+v, %v", now, err)
	}
	if _, err := c.If(now.Revision).Cancel(t.Context(), seen.ID, ""); err != nil {
		t.Error(err)
	}
}

func TestErrorsAreTyped(t *testing.T) {
	t.Parallel()
	w := setup(t, nil)
	s := spec()
	s.Operation.Delete = &client.Delete{}
	_, err := w.client.CreateJob(t.Context(), s)
	wantError(t, err, "InvalidArgument", 400)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Field != "operation" {
		t.Errorf("field of %v", err)
	}
	_, err = w.client.Job(t.Context(), "a/b?c")
	wantError(t, err, "NoSuchJob", 404)
	forger := w.as(t, "guessed")
	_, err = forger.Jobs(t.Context(), client.ListOptions{})
	wantError(t, err, "BadSignature", 401)
	wantError(t, forger.Watch(t.Context(), "job-00001", nil), "BadSignature", 401)
}

func TestAProxysErrorKeepsItsStatus(t *testing.T) {
	t.Parallel()
	w := setup(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) })
	})
	_, err := w.client.Job(t.Context(), "job-00001")
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Status != 502 || !strings.Contains(err.Error(), "502") {
		t.Errorf("%v", err)
	}
}

func TestListingGoesThroughAllPages(t *testing.T) {
	t.Parallel()
	w := setup(t, nil)
	for range 5 {
		if _, err := w.client.CreateJob(t.Context(), spec()); err != nil {
			t.Fatal(err)
		}
	}
	w.jobs.Set("job-00002", func(j *job.Job) { j.Status = job.Active })
	page, err := w.client.Jobs(t.Context(), client.ListOptions{Limit: 2})
	if err != nil || len(page.Jobs) != 2 || page.Next == "" || page.Counts["New"] != 4 || page.Counts["Active"] != 1 {
		t.Errorf("page %+v, %v", page, err)
	}
	for want, o := range map[string]client.ListOptions{
		"12345": {Limit: 2},
		"1345":  {Limit: 3, Statuses: []string{"New", "Complete"}},
		"2":     {Statuses: []string{"Active"}},
		"345":   {Cursor: page.Next},
		"54321": {Limit: 2, NewestFirst: true},
		"5431":  {Limit: 1, NewestFirst: true, Statuses: []string{"New"}, Operation: "copy", Search: "COPY all"},
		"3":     {Search: "00003"},
		"":      {Operation: "delete"},
	} {
		var got strings.Builder
		for j, err := range w.client.AllJobs(t.Context(), o) {
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(j.ID[len(j.ID)-1:])
		}
		if got.String() != want {
			t.Errorf("%+v: %s, want %s", o, got.String(), want)
		}
	}
	for _, o := range []client.ListOptions{{Limit: 5000}, {Cursor: page.Next, NewestFirst: true}, {Operation: "move"}} {
		for _, err := range w.client.AllJobs(t.Context(), o) {
			wantError(t, err, "InvalidArgument", 400)
		}
	}
}

// next moves a job through its life, one step each time it is seen.
func next(w *world, seen *[]string) func(client.Job) error {
	return func(j client.Job) error {
		*seen = append(*seen, j.Status)
		to := map[string]job.Status{"New": job.Ready, "Ready": job.Active, "Active": job.Completing, "Completing": job.Complete}
		if s, ok := to[j.Status]; ok {
			w.jobs.Set(job.ID(j.ID), func(j *job.Job) { j.Status = s })
		}
		return nil
	}
}

func TestWatchSeesEveryChange(t *testing.T) {
	t.Parallel()
	w := setup(t, nil)
	if _, err := w.client.CreateJob(t.Context(), spec()); err != nil {
		t.Fatal(err)
	}
	var seen []string
	if err := w.client.Watch(t.Context(), "job-00001", next(w, &seen)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"New", "Ready", "Active", "Completing", "Complete"}, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// cutter is an answer's writer that breaks the connection at its second event.
type cutter struct {
	http.ResponseWriter
	events int
}

func (c *cutter) Write(b []byte) (int, error) {
	if strings.HasPrefix(string(b), "event: ") {
		if c.events++; c.events > 1 {
			panic(http.ErrAbortHandler)
		}
	}
	return c.ResponseWriter.Write(b)
}

func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func TestWatchConnectsAgain(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	w := setup(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch n := calls.Add(1); {
			case !strings.HasSuffix(r.URL.Path, "/events"):
				h.ServeHTTP(w, r)
			case n%3 == 0:
				http.Error(w, "out of order", http.StatusServiceUnavailable)
			default:
				h.ServeHTTP(&cutter{ResponseWriter: w}, r)
			}
		})
	})
	if _, err := w.client.CreateJob(t.Context(), spec()); err != nil {
		t.Fatal(err)
	}
	var seen []string
	if err := w.client.Watch(t.Context(), "job-00001", next(w, &seen)); err != nil {
		t.Fatal(err)
	}
	if len(seen) == 0 || seen[0] != "New" || seen[len(seen)-1] != "Complete" {
		t.Errorf("saw %v", seen)
	}
	if calls.Load() < 4 {
		t.Errorf("%d calls: it never had to connect again", calls.Load())
	}
}

func TestWatchGivesUp(t *testing.T) {
	t.Parallel()
	w := setup(t, nil)
	if _, err := w.client.CreateJob(t.Context(), spec()); err != nil {
		t.Fatal(err)
	}
	t.Run("on a job that is not there", func(t *testing.T) {
		wantError(t, w.client.Watch(t.Context(), "no-such-job", nil), "NoSuchJob", 404)
	})
	t.Run("when its callback fails", func(t *testing.T) {
		full := errors.New("full")
		if err := w.client.Watch(t.Context(), "job-00001", func(client.Job) error { return full }); !errors.Is(err, full) {
			t.Errorf("%v", err)
		}
	})
	t.Run("when the job is deleted", func(t *testing.T) {
		err := w.client.Watch(t.Context(), "job-00001", func(client.Job) error {
			w.jobs.Set("job-00001", func(j *job.Job) { j.Spec.Account = job.Account{} })
			return nil
		})
		wantError(t, err, "NoSuchJob", 404)
	})
	t.Run("when nothing listens", func(t *testing.T) {
		w.server.Close()
		if err := w.client.Watch(t.Context(), "job-00001", nil); err == nil {
			t.Error("no error")
		}
	})
}

func TestWatchTakesSilenceForDeath(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	w := setup(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// The second stream says nothing at all until its client leaves.
			if strings.HasSuffix(r.URL.Path, "/events") && calls.Add(1) == 2 {
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				return
			}
			h.ServeHTTP(&cutter{ResponseWriter: w}, r)
		})
	})
	c, err := client.New(client.Options{
		// The first stream has that long to come too, and a machine may be busy.
		Server: w.server.URL, AccessKey: alice.AccessKey, SecretKey: alice.SecretKey, RetryDelay: time.Millisecond, IdleTimeout: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateJob(t.Context(), spec()); err != nil {
		t.Fatal(err)
	}
	var seen []string
	if err := c.Watch(t.Context(), "job-00001", next(w, &seen)); err != nil {
		t.Fatal(err)
	}
	if seen[len(seen)-1] != "Complete" || calls.Load() < 3 {
		t.Errorf("saw %v in %d calls", seen, calls.Load())
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, o := range []client.Options{
		{Server: "127.0.0.1:8600", AccessKey: "a", SecretKey: "s"},
		{Server: "ftp://h", AccessKey: "a", SecretKey: "s"},
		{Server: "http://", AccessKey: "a", SecretKey: "s"},
		{AccessKey: "a", SecretKey: "s"},
		{Server: "http://h", SecretKey: "s"},
		{Server: "http://h", AccessKey: "a"},
	} {
		if _, err := client.New(o); err == nil {
			t.Errorf("%+v accepted", o)
		}
	}
}
