package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// control runs `aws s3control` against the server's API: region snow takes the endpoint as it is.
func (s *server) control(args ...string) map[string]any {
	s.t.Helper()
	store := s.ready.Store
	s.ready.Store = s.ready.API // aws() names the endpoint
	defer func() { s.ready.Store = store }()
	out, err := s.aws(s.t.TempDir(), append([]string{"--region", "snow", "s3control", args[0], "--account-id", "100000000001"}, args[1:]...)...)
	if err != nil {
		s.t.Fatalf("aws s3control %v: %v\n%s", args, err, out)
	}
	var v map[string]any
	if strings.TrimSpace(out) != "" {
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			s.t.Fatalf("aws s3control %v: %v\n%s", args, err, out)
		}
	}
	return v
}

// describe waits until the job has the status.
func (s *server) describe(id, want string) map[string]any {
	s.t.Helper()
	for range 120 {
		j := s.control("describe-job", "--job-id", id)["Job"].(map[string]any)
		if j["Status"] == want {
			return j
		}
		<-time.After(100 * time.Millisecond)
	}
	s.t.Fatalf("job %s does not become %s", id, want)
	return nil
}

// TestAWSCLIDrivesJobs takes two jobs from create to Complete and to Cancelled with the AWS CLI as it is.
func TestAWSCLIDrivesJobs(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed") // TestAWSCLIUsesTheStore fails for that in CI
	}
	s := newServer(t)
	s.fillBucket("source", 40, chaosKey)
	s.fillBucket("target", 0, nil)
	keys := make([]string, 40)
	for i := range keys {
		keys[i] = chaosKey(i)
	}
	etag := s.putManifest("target", "list.csv", "source", keys)
	create := func(token string) string {
		return s.control("create-job", "--client-request-token", token, "--priority", "7", "--confirmation-required",
			"--role-arn", s.role(), "--description", "by the AWS CLI",
			"--operation", `{"S3PutObjectCopy":{"TargetResource":"arn:aws:s3:::target","TargetKeyPrefix":"copies","StorageClass":"STANDARD_IA"}}`,
			"--manifest", fmt.Sprintf(`{"Spec":{"Format":"S3BatchOperations_CSV_20180820","Fields":["Bucket","Key"]},"Location":{"ObjectArn":"arn:aws:s3:::target/list.csv","ETag":%q}}`, etag),
			"--report", `{"Enabled":true,"Bucket":"arn:aws:s3:::target","Prefix":"reports","Format":"Report_CSV_20180820","ReportScope":"AllTasks"}`,
		)["JobId"].(string)
	}
	id := create("first")
	if again := create("first"); again != id {
		t.Errorf("the same request made %s and %s", id, again)
	}
	other := create("second")
	s.describe(id, "Suspended")
	if v := s.control("update-job-priority", "--job-id", id, "--priority", "99"); v["Priority"] != 99.0 {
		t.Errorf("priority: %v", v)
	}
	if jobs := s.control("list-jobs", "--job-statuses", "Suspended", "Preparing", "New")["Jobs"].([]any); len(jobs) != 2 {
		t.Errorf("jobs: %v", jobs)
	}
	s.control("put-job-tagging", "--job-id", id, "--tags", "Key=team,Value=batch")
	s.control("update-job-status", "--job-id", id, "--requested-job-status", "Ready", "--status-update-reason", "looks right")
	j := s.describe(id, "Complete")
	if p := j["ProgressSummary"].(map[string]any); p["TotalNumberOfTasks"] != 40.0 || p["NumberOfTasksSucceeded"] != 40.0 {
		t.Errorf("progress: %v", p)
	}
	if tags := fmt.Sprint(s.control("get-job-tagging", "--job-id", id)); !strings.Contains(tags, "batch") {
		t.Errorf("tags: %v", tags)
	}
	s.describe(other, "Suspended")
	s.control("update-job-status", "--job-id", other, "--requested-job-status", "Cancelled")
	s.describe(other, "Cancelled")
	out, err := s.aws(t.TempDir(), "s3", "cp", "--quiet", "s3://target/reports/job-"+id+"/manifest.json", "-")
	if err != nil || !strings.Contains(out, `"Format":"Report_CSV_20180820"`) {
		t.Errorf("report: %v\n%s", err, out)
	}
	if out, err := s.aws(t.TempDir(), "s3api", "head-object", "--bucket", "target", "--key", "copies/"+keys[3]); err != nil || !strings.Contains(out, "STANDARD_IA") {
		t.Errorf("copy: %v\n%s", err, out)
	}
}

// TestAWSCLIHasItsManifestMade lets the server list a bucket, and copy what a filter lets through.
func TestAWSCLIHasItsManifestMade(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed") // TestAWSCLIUsesTheStore fails for that in CI
	}
	s := newServer(t)
	s.fillBucket("source", 40, chaosKey)
	s.fillBucket("target", 0, nil)
	wanted := chaosKey(7)
	for name, c := range map[string]struct {
		filter string
		place  string
		total  float64
	}{
		"all":  {`{}`, `"EnableManifestOutput":false`, 40},
		"some": {fmt.Sprintf(`{"KeyNameConstraint":{"MatchAnyPrefix":[%q]}}`, wanted), `"EnableManifestOutput":true,"ManifestOutputLocation":{"Bucket":"arn:aws:s3:::target","ManifestPrefix":"lists","ManifestFormat":"S3InventoryReport_CSV_20211130"}`, 1},
	} {
		id := s.control("create-job", "--priority", "7", "--no-confirmation-required", "--role-arn", s.role(),
			"--operation", `{"S3PutObjectCopy":{"TargetResource":"arn:aws:s3:::target","TargetKeyPrefix":"`+name+`"}}`,
			"--manifest-generator", `{"S3JobManifestGenerator":{"SourceBucket":"arn:aws:s3:::source",`+c.place+`,"Filter":`+c.filter+`}}`,
			"--report", `{"Enabled":true,"Bucket":"arn:aws:s3:::target","Prefix":"reports","Format":"Report_CSV_20180820","ReportScope":"AllTasks"}`,
		)["JobId"].(string)
		j := s.describe(id, "Complete")
		if p := j["ProgressSummary"].(map[string]any); p["NumberOfTasksSucceeded"] != c.total || p["TotalNumberOfTasks"] != c.total {
			t.Errorf("%s: %v", name, p)
		}
		made := j["GeneratedManifestDescriptor"].(map[string]any)["Location"].(map[string]any)["ObjectArn"].(string)
		if out, err := s.aws(t.TempDir(), "s3", "cp", "--quiet", "s3://"+strings.TrimPrefix(made, "arn:aws:s3:::"), filepath.Join(t.TempDir(), "m")); err != nil {
			t.Errorf("%s: %s: %v\n%s", name, made, err, out)
		}
		if out, err := s.aws(t.TempDir(), "s3api", "head-object", "--bucket", "target", "--key", name+"/"+wanted); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// role is the AWS spelling of dev's role.
func (s *server) role() string { return "arn:aws:iam::100000000001:role/COSBatch_QcsRole" }
