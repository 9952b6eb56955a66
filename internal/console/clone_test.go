package console

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// A clone that goes through all steps untouched asks for what its job asked for, also for what only the APIs' users begin
// with.
func TestACloneAsksForAllThatItsJobAskedFor(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.openStore()
	f.put("in/list.csv", "photos,a+b.jpg,,,,,,,\n")
	want := spec(func(s *job.Spec) {
		s.Manifest.Location = job.Location{Bucket: "lists", Key: "in/list.csv", ETag: "of-an-older-list"}
		s.Manifest.Fields, s.Manifest.PlusSpace = append(s.Manifest.Fields, "Ignore", "Ignore", "Ignore", "Ignore", "Ignore", "Ignore", "Ignore"), true
		s.Operation = &operation.Copy{
			TargetBucket: "backup", StorageClass: "STANDARD", SSE: "aws:kms", SSEKey: "key-1",
			Metadata: operation.DirectiveCopy, Tagging: operation.DirectiveCopy,
		}
		s.Report.Region = "ap-beijing"
	})
	_, page := f.get("/jobs/new?clone=" + string(f.add(want, nil)))
	for step := 2; step <= lastStep; step++ {
		_, page = f.step(page, "next")
		f.atStep(page, step)
	}
	for _, shown := range []string{"is a blank", "aws:kms", "key-1", "ap-beijing"} {
		if !strings.Contains(page, shown) {
			t.Errorf("the review does not show %q", shown)
		}
	}
	if res, _ := f.step(page, "create"); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("creating answers %d", res.StatusCode)
	}
	j, err := f.jobs.Job(t.Context(), jobCaller, "job-00002")
	if err != nil {
		t.Fatal(err)
	}
	want.Token, want.Manifest.Location.ETag = j.Spec.Token, j.Spec.Manifest.Location.ETag
	if diff := cmp.Diff(want, j.Spec); diff != "" {
		t.Errorf("the clone is another job (-want +got):\n%s", diff)
	}
}

func TestAClonePreviewsTheVersionOfItsList(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.openStore()
	_, err := f.sdk.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String("lists"), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	put := func(body string) string {
		t.Helper()
		res, err := f.sdk.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lists"), Key: aws.String("list.csv"), Body: strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(res.VersionId)
	}
	version := put("photos,old.jpg\n")
	put("photos,new.jpg\n")
	f.put("other.csv", "photos,other.jpg\n")
	id := f.add(spec(func(s *job.Spec) {
		s.Manifest.Location = job.Location{Bucket: "lists", Key: "list.csv", Version: job.Version(version), ETag: "any"}
	}), nil)
	_, first := f.get("/jobs/new?clone=" + string(id))
	if _, page := f.step(first, "preview"); !strings.Contains(page, "old.jpg") || strings.Contains(page, "new.jpg") {
		t.Error("another version of the list is previewed")
	}
	if _, page := f.step(first, "pick:other.csv"); !strings.Contains(page, "other.jpg") || strings.Contains(page, version) {
		t.Error("the version stays when another list is picked")
	}
}

func TestACloneTellsWhatTheFormCannotSay(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	for name, tc := range map[string]struct {
		op  job.Operation
		all bool // the form says all of it
	}{
		"restore":                 {&operation.Restore{Days: 3, Tier: "Bulk", Wait: true}, true},
		"restore by inventory":    {&operation.Restore{Days: 3, Tier: "Bulk", TrustInventory: true}, false},
		"restore from the tiers":  {&operation.Restore{Tier: "Bulk", IntelligentTiering: true}, false},
		"access list":             {&operation.PutACL{Canned: "private"}, false},
		"delete":                  {&operation.Delete{}, true},
		"copy with a key":         {&operation.Copy{TargetBucket: "backup", SSE: "aws:kms", SSEKey: "k"}, true},
		"copy without directives": {&operation.Copy{TargetBucket: "backup", NewTags: []job.Tag{{Key: "a"}}, CannedACL: "private"}, true},
	} {
		_, page := f.get("/jobs/new?clone=" + string(f.add(spec(func(s *job.Spec) { s.Operation = tc.op }), nil)))
		if told := strings.Contains(page, "has no words for"); told == tc.all {
			t.Errorf("%s: told %v", name, told)
		}
	}
}

func TestFailedRowsInAnotherRegionMakeNoForm(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	id := f.add(spec(func(s *job.Spec) { s.Report.Region = "ap-beijing" }), func(j *job.Job) { j.Status = job.Complete })
	f.jobs.SetReport(id, []byte(`{}`))
	f.jobs.AddReportFile(id, job.ReportFile{Name: "00000001-failed.csv", Status: job.TaskFailed, Bucket: "lists", Key: "x.csv"}, nil)
	if res, page := f.get("/jobs/new?failed=" + string(id)); res.StatusCode != http.StatusConflict || !strings.Contains(page, "ap-beijing") {
		t.Errorf("answers %d", res.StatusCode)
	}
}
