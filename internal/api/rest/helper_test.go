package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api/apitest"
	"github.com/drover-batch/drover/internal/job"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	alice = access.Principal{AccessKey: "AKIDalice", SecretKey: "secret-of-alice", Account: job.Account{UIN: "100000000001", AppID: "1250000000"}}
	bob   = access.Principal{AccessKey: "AKIDbob", SecretKey: "secret-of-bob", Account: job.Account{UIN: "100000000002", AppID: "1250000002"}}
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

const restoreJSON = `{
	"token": "t1",
	"confirmationRequired": true,
	"description": "bring back",
	"manifest": {"format": "COSBatchOperations_CSV_V1", "fields": ["Bucket", "Key"], "bucket": "lists", "key": "in/list.csv", "etag": "\"abc\""},
	"operation": {"restore": {"days": 7, "tier": "Bulk"}},
	"priority": 10,
	"report": {"enabled": true, "bucket": "lists", "prefix": "out", "scope": "FailedTasksOnly"},
	"role": "batch"
}`

// log collects what a server logs.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// engineOf is what the world's engine says of itself.
var engineOf = client.Engine{
	Server:  "n1",
	Streams: []client.EngineStream{{Name: "JOBS", Replicas: 1, Messages: 7}},
	Nodes:   []client.EngineNode{{Name: "n1", ID: "1", Jobs: []string{"a"}, Disk: &client.EngineDisk{Free: 1, Size: 2}}},
	Workers: []client.EngineWorker{},
}

type world struct {
	t    *testing.T
	url  string
	jobs *apitest.Jobs
	log  *log
}

func setup(t *testing.T, heartbeat time.Duration) *world {
	t.Helper()
	w := &world{t: t, jobs: apitest.New(func() time.Time { return noon }), log: new(log)}
	book := openBook(t)
	srv := httptest.NewServer(watched.watch(New(w.jobs, access.NewVerifier(book, nil), Options{
		Access:        access.NewAdmin(book, leastOf{}),
		Session:       sessionOf,
		Engine:        func(context.Context) (client.Engine, error) { return engineOf, nil },
		DefaultRegion: "local",
		Logger:        slog.New(slog.NewTextHandler(w.log, nil)),
		NewRequestID:  func() string { return "request-id-1" },
		Heartbeat:     heartbeat,
	})))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// open signs a request as p, with headers in pairs; the test closes the answer's body.
func (w *world) open(p access.Principal, method, target, body string, headers ...string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	creds := aws.Credentials{AccessKeyID: p.AccessKey, SecretAccessKey: p.SecretKey}
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(w.t.Context(), creds, r, hash, "s3", "local", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp
}

func (w *world) send(p access.Principal, method, target, body string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	resp := w.open(p, method, target, body, headers...)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(b)
}

func (w *world) create() {
	w.t.Helper()
	if resp, body := w.send(alice, "POST", "/api/v1/jobs", restoreJSON); resp.StatusCode != http.StatusCreated {
		w.t.Fatalf("create: %d %s", resp.StatusCode, body)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
