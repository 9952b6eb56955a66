package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// aws runs the AWS CLI against the server's store.
func (s *server) aws(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(s.t.Context(), "aws", append([]string{"--endpoint-url", s.ready.Store, "--output", "json"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"AWS_ACCESS_KEY_ID="+s.ready.AccessKey, "AWS_SECRET_ACCESS_KEY="+s.ready.SecretKey, "AWS_DEFAULT_REGION="+s.ready.Region,
		"AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return stderr.String(), err
	}
	return string(out), nil
}

// TestAWSCLIUsesTheStore drives the embedded store with the AWS CLI as it is.
func TestAWSCLIUsesTheStore(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the AWS CLI is not installed; tools/setup.sh does it on Debian as root")
		}
		t.Skip("the AWS CLI is not installed")
	}
	s := newServer(t, "--restore-delay", "1h")
	dir := t.TempDir()
	small, large := []byte("hello\n"), bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // the latter goes up in parts
	for name, b := range map[string][]byte{"small": small, "large": large} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const odd = "dir a/é +%/x y.txt"
	for _, step := range []struct {
		args  string // separated by |
		want  string // stands in the output
		fails bool
	}{
		{args: "s3|mb|s3://cli-1250000000"},
		{args: "s3|cp|--quiet|small|s3://cli-1250000000/" + odd},
		{args: "s3|cp|--quiet|large|s3://cli-1250000000/large"},
		{args: "s3|ls|--recursive|s3://cli-1250000000", want: odd},
		{args: "s3|cp|--quiet|s3://cli-1250000000/" + odd + "|small.back"},
		{args: "s3|cp|--quiet|s3://cli-1250000000/large|large.back"},
		{args: "s3|cp|--quiet|s3://cli-1250000000/large|s3://cli-1250000000/large copy"},
		{args: "s3api|put-object|--bucket|cli-1250000000|--key|cold|--body|small|--storage-class|DEEP_ARCHIVE"},
		{args: "s3api|get-object|--bucket|cli-1250000000|--key|cold|x", want: "InvalidObjectState", fails: true},
		{args: `s3api|restore-object|--bucket|cli-1250000000|--key|cold|--restore-request|{"Days":3,"GlacierJobParameters":{"Tier":"Standard"}}`},
		{args: `s3api|restore-object|--bucket|cli-1250000000|--key|cold|--restore-request|{"Days":3,"GlacierJobParameters":{"Tier":"Standard"}}`, want: "RestoreAlreadyInProgress", fails: true},
		{args: "s3api|head-object|--bucket|cli-1250000000|--key|cold", want: `ongoing-request=\"true\"`},
		{args: `s3api|put-object-tagging|--bucket|cli-1250000000|--key|large|--tagging|{"TagSet":[{"Key":"team","Value":"batch"}]}`},
		{args: "s3api|get-object-tagging|--bucket|cli-1250000000|--key|large", want: `"team"`},
		{args: "s3api|put-object-acl|--bucket|cli-1250000000|--key|large|--acl|public-read"},
		{args: "s3api|get-object-acl|--bucket|cli-1250000000|--key|large", want: "groups/global/AllUsers"},
		{args: "s3api|copy-object|--bucket|cli-1250000000|--key|copy|--copy-source|cli-1250000000/large|--metadata-directive|REPLACE|--metadata|a=b|--storage-class|STANDARD_IA"},
		{args: "s3api|head-object|--bucket|cli-1250000000|--key|copy", want: "STANDARD_IA"},
		{args: "s3api|put-bucket-versioning|--bucket|cli-1250000000|--versioning-configuration|Status=Enabled"},
		{args: "s3|cp|--quiet|small|s3://cli-1250000000/copy"},
		{args: "s3api|list-object-versions|--bucket|cli-1250000000|--prefix|copy", want: `"IsLatest": false`},
		{args: "s3|rm|--quiet|s3://cli-1250000000/copy"},
		{args: "s3api|head-object|--bucket|cli-1250000000|--key|copy", want: "404", fails: true},
		{args: "s3|rb|s3://cli-1250000000", want: "BucketNotEmpty", fails: true},
	} {
		out, err := s.aws(dir, strings.Split(step.args, "|")...)
		if (err != nil) != step.fails || !strings.Contains(out, step.want) {
			t.Errorf("aws %s: %v, want %q in:\n%s", step.args, err, step.want, out)
		}
	}
	for name, want := range map[string][]byte{"small.back": small, "large.back": large} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s came back with %d bytes, want %d: %v", name, len(got), len(want), err)
		}
	}
	var list struct{ Contents []struct{ Key string } }
	out, err := s.aws(dir, "s3api", "list-objects-v2", "--bucket", "cli-1250000000")
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err != nil || len(list.Contents) != 4 {
		t.Errorf("listing: %v\n%s", err, out)
	}
}
