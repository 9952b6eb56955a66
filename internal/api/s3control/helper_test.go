package s3control

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api/apitest"
	"github.com/drover-batch/drover/internal/job"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	alice = access.Principal{AccessKey: "AKIDalice", SecretKey: "secret-of-alice", Account: job.Account{UIN: "100000000001", AppID: "1250000000"}}
	bob   = access.Principal{AccessKey: "AKIDbob", SecretKey: "secret-of-bob", Account: job.Account{UIN: "100000000002", AppID: "1250000002"}}
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)
)

// world is a server over jobs in memory, and the stock client of alice.
type world struct {
	t       *testing.T
	url     string
	handler http.Handler
	jobs    *apitest.Jobs
	client  *s3control.Client
	log     *lockedBuilder
	// seen is the last request's body.
	seen lockedBuilder
}

// lockedBuilder is a strings.Builder for several goroutines.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) set(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
	l.b.WriteString(s)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, jobs: apitest.New(func() time.Time { return noon }), log: new(lockedBuilder)}
	h := New(w.jobs, access.NewVerifier(access.Static(alice, bob), nil), Options{
		DefaultRegion: "local",
		Known:         func(r job.Region) bool { return r == "ap-chengdu" || r == "cn-north-1" },
		Logger:        slog.New(slog.NewTextHandler(w.log, nil)),
		NewRequestID:  func() string { return "request-id-1" },
	})
	w.handler = h
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.seen.set(string(b))
		r.Body = io.NopCloser(strings.NewReader(string(b)))
		h.ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	w.client = w.clientOf(alice)
	return w
}

// clientOf makes a stock client; the region snow lets it use the endpoint as it is.
func (w *world) clientOf(p access.Principal) *s3control.Client {
	return s3control.New(s3control.Options{
		Region: "snow", BaseEndpoint: aws.String(w.url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(p.AccessKey, p.SecretKey, ""),
	})
}

func hexSHA256(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// sign signs a request as p for a region.
func sign(t testing.TB, r *http.Request, p access.Principal, body, region string) {
	t.Helper()
	hash := hexSHA256(body)
	r.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: p.AccessKey, SecretAccessKey: p.SecretKey}, r, hash, "s3", region, time.Now())
	if err != nil {
		t.Fatal(err)
	}
}

// send signs a raw request as p and gives its answer. Headers come as pairs; the value "-" takes a header out, the name
// Region sets the credential scope's.
func (w *world) send(p access.Principal, method, target, body string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Amz-Account-Id", p.Account.UIN)
	region := "snow"
	for i := 0; i < len(headers); i += 2 {
		switch {
		case headers[i] == "Region":
			region = headers[i+1]
		case headers[i+1] == "-":
			r.Header.Del(headers[i])
		case headers[i] == "Host":
			r.Host = headers[i+1]
		default:
			r.Header.Add(headers[i], headers[i+1])
		}
	}
	sign(w.t, r, p, body, region)
	// A redirect would be a request that nobody signed.
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(b)
}

// create makes a job of the request in testdata, and gives it as the service got it.
func (w *world) create(file string, headers ...string) job.Job {
	w.t.Helper()
	resp, body := w.send(alice, "POST", "/v20180820/jobs", read(w.t, file), headers...)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("create %s: %d %s", file, resp.StatusCode, body)
	}
	_, rest, _ := strings.Cut(body, "<JobId>")
	id, _, _ := strings.Cut(rest, "<")
	return w.job(job.ID(id))
}

func (w *world) job(id job.ID) job.Job {
	w.t.Helper()
	var found job.Job
	w.jobs.Set(id, func(j *job.Job) { found = *j })
	if found.ID == "" {
		w.t.Fatalf("no job %q", id)
	}
	return found
}

// made counts the jobs that there are.
func (w *world) made() int {
	w.t.Helper()
	jobs, _, err := w.jobs.List(w.t.Context(), job.Caller{Account: alice.Account}, job.Filter{}, job.Page{Max: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(jobs)
}

func read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// golden compares with testdata/name, which -update writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	// One element a line reads better in a diff; the answers themselves are compact.
	got = strings.ReplaceAll(got, "><", ">\n<") + "\n"
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, name), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
