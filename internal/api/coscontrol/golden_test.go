package coscontrol

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

func TestDescribeJobGolden(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"copy", "restore", "delete", "tagging"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			j := w.create(file + ".xml")
			resp, body := w.send(alice, "GET", "/jobs/"+string(j.ID), "")
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/xml" {
				t.Fatalf("%d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
			}
			golden(t, "describe-"+file+".golden", body)
		})
	}
	t.Run("failed", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		j := w.create("restore.xml")
		w.jobs.Set(j.ID, func(j *job.Job) {
			j.Status, j.StatusReason = job.Failed, "Too many tasks failed"
			j.SuspendedCause, j.Suspended = "Awaiting confirmation", noon.Add(time.Minute)
			j.Terminated = noon.Add(time.Hour)
			j.Priority = 77
			j.Progress = job.Progress{Total: 3000, Succeeded: 499, Failed: 501}
			j.Failures = []job.Failure{{Code: "TooManyFailedTasks", Reason: strings.Repeat("é", 200)}, {Code: "Second", Reason: "<tag>"}}
		})
		_, body := w.send(alice, "GET", "/jobs/"+string(j.ID), "")
		golden(t, "describe-failed.golden", body)
	})
}

// A job of another protocol is shown in COS's words, and what has none there is left out.
func TestDescribeJobOfAnotherProtocolGolden(t *testing.T) {
	t.Parallel()
	s := job.Spec{
		Account: alice.Account, Region: "local",
		Manifest: job.Manifest{Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey}, Location: job.Location{Bucket: "lists", Key: "in/a b&c.csv", ETag: "abc"}},
		Operation: &operation.Copy{
			TargetBucket: "target", PrefixReplace: true, PrefixTo: "p/",
			Grants:          []object.Grant{{Grantee: object.Grantee{URI: "http://acs.amazonaws.com/groups/global/AllUsers"}, Permission: "READ"}},
			NewMetadata:     object.Metadata{ContentLanguage: "de"},
			IfModifiedSince: noon,
		},
		Report: job.Report{Enabled: true, Bucket: "lists", Scope: job.AllTasks},
		Role:   job.Role{ARN: "arn:aws:iam::100000000001:role/batch", Account: "100000000001", Name: "batch"},
	}
	var b strings.Builder
	if err := writeXML(recorder{&b, http.Header{}}, http.StatusOK, describe(job.Job{ID: "job-00001", Spec: s, Status: job.Active, Created: noon})); err != nil {
		t.Fatal(err)
	}
	golden(t, "describe-translated.golden", b.String())
}

type recorder struct {
	*strings.Builder
	header http.Header
}

func (r recorder) Header() http.Header { return r.header }
func (r recorder) WriteHeader(int)     {}

func TestOtherAnswersGolden(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, body := w.send(alice, "GET", "/jobs", "")
	golden(t, "list-empty.golden", body)
	_, body = w.send(alice, "POST", "/jobs", read(t, "copy.xml"))
	golden(t, "create.golden", body)
	w.create("delete.xml")
	w.create("restore.xml")
	_, body = w.send(alice, "GET", "/jobs?maxResults=2", "")
	golden(t, "list.golden", body)
	_, body = w.send(alice, "POST", "/jobs/job-00001/priority?priority=0", "")
	golden(t, "priority.golden", body)
	_, body = w.send(alice, "POST", "/jobs/job-00001/status?requestedJobStatus=Ready&statusUpdateReason=a+b%26c", "")
	golden(t, "status.golden", body)
	resp, body := w.send(alice, "GET", "/jobs/no-such-job", "")
	golden(t, "error.golden", strings.ReplaceAll(body, strings.TrimPrefix(w.url, "http://"), "HOST"))
	for name, want := range map[string]string{
		"X-Cos-Request-Id": "request-id-1", "X-Cos-Trace-Id": "request-id-1", "Server": "drover", "Content-Type": "application/xml",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Every code of the domain has an answer, and what has no code is an internal error that tells nothing but its id.
func TestErrorsOfTheService(t *testing.T) {
	t.Parallel()
	for code, want := range answers {
		w := setup(t)
		w.jobs.Err = func(string) error { return job.Errorf(code, "The sentence.") }
		resp, body := w.send(alice, "GET", "/jobs/job-00001", "")
		if resp.StatusCode != want.status || !strings.Contains(body, "<Code>"+want.code+"</Code><Message>The sentence.</Message>") {
			t.Errorf("%s: %d %s", code, resp.StatusCode, body)
		}
	}
	w := setup(t)
	w.jobs.Err = func(string) error { return errors.New("disk /var/secret is full") }
	resp, body := w.send(alice, "GET", "/jobs/job-00001", "")
	if resp.StatusCode != 500 || !strings.Contains(body, "<Code>InternalError</Code>") || !strings.Contains(body, "request-id-1") || strings.Contains(body, "disk") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if !strings.Contains(w.log.String(), "disk /var/secret is full") || !strings.Contains(w.log.String(), "requestID=request-id-1") {
		t.Errorf("log: %s", w.log)
	}
}

// docs/api.md has every error that this package answers, with its status.
func TestDocsShowEveryError(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(read(t, "../../../../docs/api.md"), "| Code | HTTP | when |")
	table, _, _ = strings.Cut(table, "## JSON API")
	for code, a := range answers {
		found := false
		for line := range strings.SplitSeq(table, "\n") {
			found = found || strings.Contains(line, a.code) && strings.Contains(line, "| "+strconv.Itoa(a.status)+" |")
		}
		if !found {
			t.Errorf("%s: %s %d is not there", code, a.code, a.status)
		}
	}
}
