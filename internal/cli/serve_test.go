package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/telemetry"
)

var quietLog = slog.New(slog.DiscardHandler)

// writeCertificate writes a new self-signed pair for a name, with a time of its own.
func writeCertificate(t *testing.T, dir, name string, modified time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

func TestTheCertificateIsReadAnewWhenItChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	began := time.Now().Add(-time.Hour)
	cert, err := newCertificate(first2(writeCertificate(t, dir, "first", began)), filepath.Join(dir, "key.pem"), quietLog)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startServer(t.Context(), serverOptions{
		listen: "127.0.0.1:0", certificate: cert, logger: quietLog, handler: http.NotFoundHandler(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	serverName := func() string {
		t.Helper()
		c, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	lookAgain := func() {
		cert.mu.Lock()
		cert.looked = time.Time{}
		cert.mu.Unlock()
	}
	if got := serverName(); got != "first" {
		t.Errorf("at first: %s", got)
	}
	writeCertificate(t, dir, "second", began.Add(time.Minute))
	lookAgain()
	if got := serverName(); got != "second" {
		t.Errorf("after a change: %s", got)
	}
	// Half of a change: the old pair stays.
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	lookAgain()
	if got := serverName(); got != "second" {
		t.Errorf("after half of a change: %s", got)
	}
}

func first2(a, _ string) string { return a }

// noJobs is a jobs service without jobs.
type noJobs struct{ api.Jobs }

func (noJobs) List(context.Context, api.Caller, api.Filter, api.Page) ([]job.Job, bool, error) {
	return nil, false, nil
}

func (noJobs) Counts(context.Context, api.Caller, api.Filter) (map[job.Status]int64, error) {
	return nil, nil
}

func testMux(t *testing.T, p access.Principal, admit func(access.Principal) error, token string) (*httptest.Server, *telemetry.Metrics) {
	t.Helper()
	m := telemetry.New("test")
	directory := access.Static(p)
	jobs := &guardedJobs{noJobs{}, access.NewAuthorizer(directory), "local"}
	s := httptest.NewServer(newMux(muxOptions{
		jobs: jobs, verifier: access.NewVerifier(directory, nil).Limited(admit), region: "local", logger: quietLog, metrics: m,
		metricsToken: token, ready: func() error { return nil }, known: func(job.Region) bool { return true },
		mount: map[string]http.Handler{"GET /panic": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("on purpose") })},
	}))
	t.Cleanup(s.Close)
	return s, m
}

func TestOnePrincipalTooFastIsToldSoInEachProtocol(t *testing.T) {
	t.Parallel()
	p := access.Principal{AccessKey: "a", SecretKey: "s", Account: job.Account{UIN: "1", AppID: "2"}, Policy: access.FullAccess()}
	l := &limiter{rate: 0.001, burst: 1, metrics: telemetry.New("test")}
	s, _ := testMux(t, p, l.admit, "")
	list := func(secret string) error {
		c, err := client.New(client.Options{Server: s.URL, AccessKey: "a", SecretKey: secret})
		if err == nil {
			_, err = c.Jobs(t.Context(), client.ListOptions{})
		}
		return err
	}
	if err := list("s"); err != nil {
		t.Fatalf("the first request: %v", err)
	}
	codeOf := func(err error) string {
		if e, ok := errors.AsType[*client.Error](err); ok {
			return e.Code
		}
		return ""
	}
	if err := list("s"); codeOf(err) != "Throttled" {
		t.Errorf("the second request: %v", err)
	}
	if err := list("another"); codeOf(err) != "BadSignature" {
		t.Errorf("a request with a wrong signature counts as the principal's: %v", err)
	}
}

func TestMetricsAreNotForEverybody(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})
	for name, c := range map[string]struct {
		token, from, sent string
		want              int
	}{
		"loopback without a token":  {"", "127.0.0.1:1", "", 200},
		"IPv6 loopback":             {"", "[::1]:1", "", 200},
		"elsewhere without a token": {"", "192.0.2.1:1", "", 403},
		"with the token":            {"t", "192.0.2.1:1", "Bearer t", 200},
		"loopback with a token set": {"t", "127.0.0.1:1", "", 403},
		"with another token":        {"t", "127.0.0.1:1", "Bearer x", 403},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
		r.RemoteAddr = c.from
		r.Header.Set("Authorization", c.sent)
		w := httptest.NewRecorder()
		guardMetrics(c.token, h).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
}

func TestAPanicIsA500AndIsCounted(t *testing.T) {
	t.Parallel()
	s, m := testMux(t, access.Principal{AccessKey: "a", SecretKey: "s"}, nil, "")
	resp, err := http.Get(s.URL + "/panic")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if resp.StatusCode != 500 || !strings.Contains(w.Body.String(), `{api="other",method="GET",status="500"} 1`) {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// TestEveryJobsCallNeedsItsRight calls the guard as a principal that may do nothing, over a service that panics.
func TestEveryJobsCallNeedsItsRight(t *testing.T) {
	t.Parallel()
	account := job.Account{UIN: "1"}
	g := &guardedJobs{nil, access.NewAuthorizer(access.Static(access.Principal{AccessKey: "a", SecretKey: "s", Account: account})), "local"}
	c := api.Caller{Account: account, Principal: "a"}
	ctx := t.Context()
	one := func(_ job.Job, err error) error { return err }
	_, _, list := g.List(ctx, c, api.Filter{}, api.Page{})
	_, report := g.ReportManifest(ctx, c, "abcde")
	for action, err := range map[string]error{
		"cos:CreateJob":         one(g.Create(ctx, c, job.Spec{})),
		"cos:DescribeJob":       one(g.Job(ctx, c, "abcde")),
		"cos:ListJobs":          list,
		"cos:UpdateJobPriority": one(g.SetPriority(ctx, c, "abcde", 1)),
		"cos:UpdateJobStatus":   one(g.Confirm(ctx, c, "abcde", "")),
		"cos:UpdateJobStatus ":  one(g.Cancel(ctx, c, "abcde", "")),
		"cos:UpdateJobStatus  ": one(g.Pause(ctx, c, "abcde", "")),
		" cos:UpdateJobStatus":  one(g.Resume(ctx, c, "abcde", "")),
		"cos:DeleteJob":         g.Delete(ctx, c, "abcde"),
		"cos:DescribeJob ":      report,
		" cos:DescribeJob":      g.Watch(ctx, c, "abcde", nil),
	} {
		if job.CodeOf(err) != job.AccessDenied || !strings.Contains(err.Error(), strings.TrimSpace(action)) {
			t.Errorf("%s: %v", action, err)
		}
	}
}

// What ServeMux would redirect, with a page of HTML and before anybody looked at the signature, is each protocol's to
// refuse.
func TestPathsThatAreNotCleanAreRefusedByTheirProtocol(t *testing.T) {
	t.Parallel()
	p := access.Principal{AccessKey: "a", SecretKey: "s", Account: job.Account{UIN: "1", AppID: "2"}, Policy: access.FullAccess()}
	s, _ := testMux(t, p, func(access.Principal) error { return nil }, "")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for path, want := range map[string]string{
		"/jobs//x":                        "<Error><Code>AccessDenied</Code>",
		"/jobs/../jobs/job-00001":         "<Error><Code>AccessDenied</Code>",
		"/jobs/./job-00001":               "<Error><Code>AccessDenied</Code>",
		"/v20180820//jobs":                "<ErrorResponse",
		"/v20180820/jobs/../jobs":         "<ErrorResponse",
		"/api/v1//jobs":                   `"code":"AccessDenied"`,
		"/api/v1/jobs/x/../y":             `"code":"AccessDenied"`,
		"/api/v1/principals/../jobs":      `"code":"AccessDenied"`,
		"/api/v1/roles/a/../../jobs/a/..": `"code":"AccessDenied"`,
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Path, r.URL.Opaque = path, path
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != 403 || !strings.Contains(string(b), want) {
				t.Errorf("%s %s: %s %s %v", method, path, resp.Status, b, err)
			}
		}
	}
}
