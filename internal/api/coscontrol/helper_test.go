package coscontrol

import (
	"crypto/md5"
	"encoding/base64"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tencentyun/cos-go-sdk-v5"

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
	jobs    *apitest.Jobs
	handler http.Handler
	client  *cos.Client
	log     *strings.Builder
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, jobs: apitest.New(func() time.Time { return noon }), log: new(strings.Builder)}
	w.handler = New(w.jobs, access.NewVerifier(access.Static(alice, bob), nil), Options{
		DefaultRegion: "local",
		Logger:        slog.New(slog.NewTextHandler(w.log, nil)),
		NewRequestID:  func() string { return "request-id-1" },
		Now:           func() time.Time { return noon },
	})
	srv := httptest.NewServer(w.handler)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.client = cos.NewClient(&cos.BaseURL{BatchURL: u}, &http.Client{
		Transport: &cos.AuthorizationTransport{SecretID: alice.AccessKey, SecretKey: alice.SecretKey},
	})
	return w
}

// send signs a raw request as p and gives its answer. Headers come as pairs; the value "-" takes a header out.
func (w *world) send(p access.Principal, method, target, body string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Cos-Appid", p.Account.AppID)
	if body != "" {
		sum := md5.Sum([]byte(body))
		r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	for i := 0; i < len(headers); i += 2 {
		switch {
		case headers[i+1] == "-":
			r.Header.Del(headers[i])
		case headers[i] == "Host":
			r.Host = headers[i+1]
		default:
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	cos.AddAuthorizationHeader(p.AccessKey, p.SecretKey, "", r, cos.NewAuthTime(time.Hour))
	resp, err := http.DefaultClient.Do(r)
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

// create makes a job of the request in testdata, and gives its spec as the service got it.
func (w *world) create(file string, headers ...string) job.Job {
	w.t.Helper()
	resp, body := w.send(alice, "POST", "/jobs", read(w.t, file), headers...)
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

func read(t *testing.T, file string) string {
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
