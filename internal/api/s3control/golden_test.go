package s3control

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

func TestDescribeJobGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"copy", "restore", "tagging", "delete-tagging", "acl", "generator"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.create("cli-" + name + ".xml")
			resp, body := w.send(alice, "GET", job1, "")
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/xml" {
				t.Fatalf("%d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
			}
			golden(t, "describe-"+name+".golden", body)
		})
	}
	t.Run("failed", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.create("cli-restore.xml")
		w.jobs.Set("job-00001", func(j *job.Job) {
			j.Status, j.StatusReason = job.Failed, "Too many tasks failed"
			j.SuspendedCause, j.Suspended = "Awaiting confirmation", noon.Add(time.Minute)
			j.Terminated = noon.Add(time.Hour)
			j.Priority = 77
			j.Progress = job.Progress{Total: 3000, Succeeded: 499, Failed: 501, ActiveFor: 61900 * time.Millisecond}
			j.Failures = []job.Failure{{Code: "TooManyFailedTasks", Reason: strings.Repeat("é", 200)}, {Code: "Second", Reason: "<tag>"}}
		})
		_, body := w.send(alice, "GET", job1, "")
		golden(t, "describe-failed.golden", body)
	})
}

// A job of another protocol is shown in S3's words.
func TestDescribeJobOfAnotherProtocolGolden(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.create("cli-restore.xml")
	w.jobs.Set("job-00001", func(j *job.Job) {
		j.Spec.Request = job.Request{Protocol: "cos"}
		j.Spec.Role = job.Role{ARN: "qcs::cam::uin/100000000001:roleName/batch", Account: "100000000001", Name: "batch"}
		j.Spec.Manifest = job.Manifest{
			Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey},
			Location: job.Location{Region: "ap-chengdu", Bucket: "lists-1250000000", Key: "in/a b&c.csv", ETag: "abc"},
		}
		j.Spec.Report = job.Report{Enabled: true, Region: "ap-chengdu", Bucket: "lists-1250000000", Scope: job.AllTasks}
		j.Spec.Operation = &operation.Copy{
			TargetRegion: "ap-beijing", TargetBucket: "target-1250000000", PrefixReplace: true, PrefixTo: "p/", StorageClass: "standard_ia",
			Grants:          []object.Grant{{Grantee: object.Grantee{URI: "http://acs.amazonaws.com/groups/global/AllUsers"}, Permission: "READ"}},
			NewMetadata:     object.Metadata{ContentLanguage: "de", Expires: "never"},
			IfModifiedSince: noon,
		}
	})
	_, body := w.send(alice, "GET", job1, "")
	golden(t, "describe-translated.golden", body)
	w.jobs.Set("job-00001", func(j *job.Job) { j.Spec.Operation, j.Spec.Report = &operation.Delete{}, job.Report{} })
	_, body = w.send(alice, "GET", job1, "")
	golden(t, "describe-delete.golden", body)
	_, body = w.send(alice, "GET", root1, "")
	golden(t, "list-delete.golden", body)
}

func TestOtherAnswersGolden(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, body := w.send(alice, "GET", root1, "")
	golden(t, "list-empty.golden", body)
	_, body = w.send(alice, "POST", root1, read(t, "cli-copy.xml"))
	golden(t, "create.golden", body)
	w.create("cli-delete-tagging.xml")
	w.create("cli-restore.xml")
	_, body = w.send(alice, "GET", root1+"?maxResults=2", "")
	golden(t, "list.golden", body)
	_, body = w.send(alice, "POST", job1+"/priority?priority=0", "")
	golden(t, "priority.golden", body)
	_, body = w.send(alice, "POST", job1+"/status?requestedJobStatus=Ready&statusUpdateReason=a+b%26c", "")
	golden(t, "status.golden", body)
	_, body = w.send(alice, "GET", job1+"/tagging", "")
	golden(t, "tagging.golden", body)
	resp, body := w.send(alice, "PUT", job1+"/tagging", "<PutJobTaggingRequest><Tags><member><Key>a</Key><Value>&lt;</Value></member></Tags></PutJobTaggingRequest>")
	if resp.StatusCode != 200 || body != "" {
		t.Errorf("put tags: %d %q", resp.StatusCode, body)
	}
	resp, body = w.send(alice, "DELETE", job1+"/tagging", "")
	if resp.StatusCode != 204 || body != "" {
		t.Errorf("delete tags: %d %q", resp.StatusCode, body)
	}
	_, body = w.send(alice, "GET", job1+"/tagging", "")
	golden(t, "tagging-empty.golden", body)
	resp, body = w.send(alice, "GET", root1+"/no-such-job", "")
	golden(t, "error.golden", body)
	for name, want := range map[string]string{
		"X-Amz-Request-Id": "request-id-1", "X-Amz-Id-2": "request-id-1", "Server": "drover", "Content-Type": "application/xml",
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
		for target, own := range map[string]string{job1: "", root1: codeInvalidRequest} {
			w := setup(t)
			w.jobs.Err = func(string) error { return job.Errorf(code, "The sentence.") }
			resp, body := w.send(alice, "GET", target, "")
			expected := want.code
			if own != "" && want.status == http.StatusBadRequest {
				expected = own
			}
			if resp.StatusCode != want.status || !strings.Contains(body, "<Code>"+expected+"</Code><Message>The sentence.</Message>") {
				t.Errorf("%s of %s: %d %s, want %d %s", code, target, resp.StatusCode, body, want.status, expected)
			}
		}
	}
	w := setup(t)
	w.jobs.Err = func(string) error { return errors.New("disk /var/secret is full") }
	resp, body := w.send(alice, "GET", job1, "")
	if resp.StatusCode != 500 || !strings.Contains(body, "<Code>InternalServiceException</Code>") || !strings.Contains(body, "request-id-1") || strings.Contains(body, "disk") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if !strings.Contains(w.log.String(), "disk /var/secret is full") || !strings.Contains(w.log.String(), "requestID=request-id-1") {
		t.Errorf("log: %s", w.log)
	}
}
