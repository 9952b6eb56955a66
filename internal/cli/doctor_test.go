package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drover-batch/drover/internal/localstore"
)

// startStore runs an embedded store with a bucket, and gives its URL.
func startStore(t *testing.T, bucket string) string {
	t.Helper()
	store, err := localstore.Open(t.Context(), localstore.Options{
		Dir: t.TempDir(), AccessKey: devAccessKey, SecretKey: devSecretKey, Region: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	stock := s3.New(s3.Options{
		BaseEndpoint: aws.String(store.URL()), Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(devAccessKey, devSecretKey, ""),
	})
	if _, err := stock.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	return store.URL()
}

func TestDoctorOnAStoreThatDoesWhatItSays(t *testing.T) {
	t.Parallel()
	const bucket = "scratch-1250000000"
	endpoint := startStore(t, bucket)
	for _, dialect := range []string{"s3", "cos"} {
		code, stdout, stderr := drover(t, nil, "doctor", "--endpoint-url", endpoint, "--bucket", bucket, "--dialect", dialect)
		if code != exitOK || stderr != "trying what the store does, in the bucket "+bucket+"\n" {
			t.Errorf("%s: exit code %d, stderr %q", dialect, code, stderr)
		}
		for _, want := range []string{
			"CAPABILITY\tVERDICT\tDETAIL\n", "\ncopy-tags-replaced\tworks\t\n", "\nversion-copy\tunknown\tthe bucket keeps no versions\n",
			" work, 0 are ignored, 0 refused, 3 unknown\n",
		} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: %q is not in\n%s", dialect, want, stdout)
			}
		}
	}
}

// silentOn stands before a store and keeps a header of its answers back.
func silentOn(t *testing.T, endpoint, header string) string {
	t.Helper()
	at, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(at)
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Header.Del(header)
		return nil
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

func TestDoctorOnAStoreThatIgnoresEncryption(t *testing.T) {
	t.Parallel()
	const bucket = "scratch"
	endpoint := silentOn(t, startStore(t, bucket), "X-Amz-Server-Side-Encryption")
	code, stdout, stderr := drover(t, nil, "--quiet", "doctor", "--endpoint-url", endpoint, "--bucket", bucket)
	if code != exitError || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{
		"\nput-encryption\tignored\tthe encryption is \"\" and not AES256\n", " work, 2 are ignored, 0 refused,",
		"\ncopy-encryption is ignored: Copies are stored without the encryption asked for",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	code, stdout, _ = drover(t, nil, "doctor", "--endpoint-url", endpoint, "--bucket", bucket, "--output", "json")
	var d diagnosis
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != exitError || d.Bucket != bucket || d.Versioned {
		t.Errorf("exit code %d, %v, %+v", code, err, d)
	}
	at := slices.IndexFunc(d.Capabilities, func(c capability) bool { return c.Name == "copy-encryption" })
	if at < 0 || d.Capabilities[at].Verdict != "ignored" || d.Capabilities[at].Meaning == "" {
		t.Errorf("%+v", d.Capabilities)
	}
}

func TestDoctorWithoutABucketToTry(t *testing.T) {
	t.Parallel()
	endpoint := startStore(t, "scratch")
	for bucket, want := range map[string]int{"none": exitNotFound, "No Bucket": exitUsage} {
		code, stdout, stderr := drover(t, nil, "doctor", "--endpoint-url", endpoint, "--bucket", bucket)
		if code != want || stdout != "" || !strings.Contains(stderr, "drover: ") {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", bucket, code, stdout, stderr)
		}
	}
}
