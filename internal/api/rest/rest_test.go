package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

func TestJobGolden(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	resp, body := w.send(alice, "POST", "/api/v1/jobs", restoreJSON)
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("Location") != "/api/v1/jobs/job-00001" || resp.Header.Get("X-Request-Id") != "request-id-1" {
		t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	w.jobs.Set("job-00001", func(j *job.Job) {
		j.Status, j.StatusReason, j.PausedByUser = job.Failed, "over half failed", true
		j.SuspendedCause, j.Suspended, j.Started, j.Terminated = "waits", noon.Add(time.Minute), noon.Add(2*time.Minute), noon.Add(time.Hour)
		j.Progress = job.Progress{Total: 3, Succeeded: 1, Failed: 2, ActiveFor: 1500 * time.Millisecond, Provisional: true, ByCode: []job.CodeCount{{Code: "NoSuchKey", Count: 2, Samples: []job.Key{"a", "b c"}}}}
		j.Failures = []job.Failure{{Code: "TooManyFailedTasks", Reason: "2 of 3"}}
		j.Events = append(j.Events, job.Event{Time: noon, From: job.New, To: job.Preparing, Actor: "system", Reason: "r"})
		j.ReportManifest, j.Sizes = "out/job-job-00001/manifest.json", &job.Sizes{Bytes: 5 << 40, Largest: 6 << 30}
	})
	_, body = w.send(alice, "GET", "/api/v1/jobs/job-00001", "")
	var got bytes.Buffer
	if err := json.Indent(&got, []byte(body), "", "  "); err != nil {
		t.Fatal(err)
	}
	const path = "testdata/job.golden"
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, path), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCallsThatAreRefused(t *testing.T) {
	t.Parallel()
	change := func(old, new string) string {
		if !strings.Contains(restoreJSON, old) {
			t.Fatalf("%q does not stand in the request", old)
		}
		return strings.Replace(restoreJSON, old, new, 1)
	}
	const jobs, one = "/api/v1/jobs", "/api/v1/jobs/job-00001"
	for _, tc := range []struct {
		name, method, target, body string
		status                     int
		code                       job.Code
		field                      string
	}{
		{"no body", "POST", jobs, "", 400, job.InvalidRequest, ""},
		{"a body that is no JSON", "POST", jobs, "<a/>", 400, job.InvalidRequest, ""},
		{"two values", "POST", jobs, restoreJSON + "{}", 400, job.InvalidRequest, ""},
		{"a body too long", "POST", jobs, `"` + strings.Repeat("x", maxBody) + `"`, 400, job.InvalidRequest, ""},
		{"an unknown field", "POST", jobs, change(`"description"`, `"descriptoin"`), 400, job.InvalidArgument, "descriptoin"},
		{"an unknown field below", "POST", jobs, change(`"days"`, `"day"`), 400, job.InvalidArgument, "day"},
		{"a local file as the manifest", "POST", jobs, change(`"bucket": "lists", "key"`, `"path": "/etc/passwd", "key"`), 400, job.InvalidArgument, "path"},
		{"a field of another type", "POST", jobs, change(`"days": 7`, `"days": "7"`), 400, job.InvalidArgument, "operation.restore.days"},
		{"a time that is none", "POST", jobs, change(`{"restore": {"days": 7, "tier": "Bulk"}}`, `{"copy": {"targetBucket": "b", "ifModifiedSince": "today"}}`), 400, job.InvalidArgument, ""},
		{"two operations", "POST", jobs, change(`{"restore"`, `{"delete": {}, "restore"`), 400, job.InvalidArgument, "operation"},
		{"no operation", "POST", jobs, change(`"restore": {"days": 7, "tier": "Bulk"}`, ``), 400, job.InvalidArgument, "operation"},
		{"no role", "POST", jobs, change(`"role": "batch"`, `"role": ""`), 400, job.InvalidArgument, "role"},
		{"a role that is none", "POST", jobs, change(`"role": "batch"`, `"role": "a/b"`), 400, job.InvalidArgument, "role"},
		{"a token again", "POST", jobs, restoreJSON, 409, job.Duplicate, ""},
		{"a job that is not there", "GET", jobs + "/no-such-job", "", 404, job.NoSuchJob, ""},
		{"an id that no job can have", "GET", jobs + "/a.b.c.d", "", 404, job.NoSuchJob, ""},
		{"the events of no job", "GET", jobs + "/no-such-job/events", "", 404, job.NoSuchJob, ""},
		{"the report of no job", "GET", jobs + "/no-such-job/report", "", 404, job.NoSuchJob, ""},
		{"a report that is not there", "GET", one + "/report", "", 409, job.Conflict, ""},
		{"a status filter that is none", "GET", jobs + "?status=Runing", "", 400, job.InvalidArgument, "status"},
		{"a limit too large", "GET", jobs + "?limit=1001", "", 400, job.InvalidArgument, "limit"},
		{"a limit of nothing", "GET", jobs + "?limit=0", "", 400, job.InvalidArgument, "limit"},
		{"a cursor that is none", "GET", jobs + "?cursor=..", "", 400, job.InvalidArgument, "cursor"},
		{"a reason too long", "POST", one + "/cancel", `{"reason":"` + strings.Repeat("x", 257) + `"}`, 400, job.InvalidArgument, "reason"},
		{"a reason misspelt", "POST", one + "/cancel", `{"raison":"x"}`, 400, job.InvalidArgument, "raison"},
		{"resuming what is not paused", "POST", one + "/resume", "", 409, job.Conflict, ""},
		{"no priority", "PUT", one + "/priority", "{}", 400, job.InvalidArgument, "priority"},
		{"a negative priority", "PUT", one + "/priority", `{"priority":-1}`, 400, job.InvalidArgument, "priority"},
		{"a priority too large", "PUT", one + "/priority", `{"priority":2147483648}`, 400, job.InvalidArgument, "priority"},
		{"deleting a job that has not ended", "DELETE", one, "", 409, job.Conflict, ""},
		{"an order that is none", "GET", jobs + "?order=up", "", 400, job.InvalidArgument, "order"},
		{"an operation that is none", "GET", jobs + "?operation=move", "", 400, job.InvalidArgument, "operation"},
		{"a search too long", "GET", jobs + "?search=" + strings.Repeat("x", 257), "", 400, job.InvalidArgument, "search"},
		{"a parameter twice", "GET", jobs + "?limit=1&limit=2", "", 400, job.InvalidArgument, "limit"},
		{"a parameter misspelt", "GET", jobs + "?statuses=New", "", 400, job.InvalidArgument, "statuses"},
		{"a parameter where none belongs", "POST", one + "/cancel?reason=x", "", 400, job.InvalidArgument, "reason"},
		{"a cursor of no listing", "GET", jobs + "?cursor=YXNjLng", "", 400, job.InvalidArgument, "cursor"},
		{"a cursor of the other order", "GET", jobs + "?order=desc&cursor=YXNjLmRuMXExOG0zbmswMC5qb2ItMDAwMDI", "", 400, job.InvalidArgument, "cursor"},
		{"retrying a job that has not ended", "POST", one + "/retry", "", 409, job.Conflict, ""},
		{"retrying with a field misspelt", "POST", one + "/retry", `{"prio":1}`, 400, job.InvalidArgument, "prio"},
		{"retrying no job", "POST", jobs + "/no-such-job/retry", "", 404, job.NoSuchJob, ""},
		{"the work of no job", "GET", jobs + "/no-such-job/work", "", 404, job.NoSuchJob, ""},
		{"files of a report that is not there", "GET", one + "/report/files", "", 409, job.Conflict, ""},
		{"a file that is not there", "GET", one + "/report/files/x.csv", "", 404, job.NoSuchFile, ""},
		{"a path with a doubled slash", "GET", "/api/v1//jobs", "", 404, job.InvalidRequest, ""},
		{"a path that climbs", "GET", one + "/report/files/../../../job-00001", "", 404, job.InvalidRequest, ""},
		{"another method", "PATCH", one, "", 405, job.MethodNotAllowed, ""},
		{"another path", "GET", "/api/v1/job", "", 404, job.InvalidRequest, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, 0)
			w.create()
			resp, body := w.send(alice, tc.method, tc.target, tc.body)
			var p client.Error
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			if resp.StatusCode != tc.status || p.Status != tc.status || p.Code != string(tc.code) || p.Field != tc.field {
				t.Errorf("%d %s, want %d %s field %q", resp.StatusCode, body, tc.status, tc.code, tc.field)
			}
			if p.Title == "" || p.Message == "" || p.Type != "about:blank" || p.RequestID != "request-id-1" || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("incomplete: %s", body)
			}
		})
	}
}

func TestErrorsOfTheService(t *testing.T) {
	t.Parallel()
	for code, status := range statuses {
		w := setup(t, 0)
		w.jobs.Err = func(string) error { return job.Errorf(code, "The sentence.") }
		resp, body := w.send(alice, "GET", "/api/v1/jobs/job-00001", "")
		if resp.StatusCode != status || !strings.Contains(body, "The sentence.") || strings.Contains(body, "XML") {
			t.Errorf("%s: %d %s", code, resp.StatusCode, body)
		}
		if retry := resp.Header.Get("Retry-After"); (retry != "") != (status == 429 || status == 503) {
			t.Errorf("%s: Retry-After %q", code, retry)
		}
	}
	w := setup(t, 0)
	w.jobs.Err = func(string) error { return errors.New("disk /var/secret is full") }
	resp, body := w.send(alice, "GET", "/api/v1/jobs/job-00001", "")
	if resp.StatusCode != 500 || !strings.Contains(body, "request-id-1") || strings.Contains(body, "disk") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if got := w.log.String(); !strings.Contains(got, "disk /var/secret is full") || !strings.Contains(got, "requestID=request-id-1") {
		t.Errorf("log: %s", got)
	}
}

func TestSignaturesAreRequired(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.create()
	for _, rt := range routes {
		target := strings.NewReplacer("{id}", "job-00001", "{name}", "00000001-failed.csv").Replace(rt.path)
		r, err := http.NewRequest(rt.method, w.url+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("unsigned %s %s: %s", rt.method, target, resp.Status)
		}
		if strings.HasPrefix(target, "/api/v1/jobs/") {
			body := ""
			switch {
			case strings.HasSuffix(target, "/priority"):
				body = `{"priority":1}`
			case strings.HasSuffix(target, "/tags") && rt.method == "PUT":
				body = `{"tags":[]}`
			}
			if strings.HasSuffix(target, "/limits") {
				body = `{"rate":1}`
			}
			if resp, _ := w.send(bob, rt.method, target, body); resp.StatusCode != http.StatusNotFound {
				t.Errorf("another account's %s %s: %s", rt.method, target, resp.Status)
			}
		}
	}
	forger := alice
	forger.SecretKey = "guessed"
	if resp, _ := w.send(forger, "GET", "/api/v1/jobs", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("forger: %s", resp.Status)
	}
	if _, body := w.send(bob, "GET", "/api/v1/jobs", ""); strings.TrimSpace(body) != `{"jobs":[],"counts":{}}` {
		t.Errorf("another account lists %s", body)
	}
}
