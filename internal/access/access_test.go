package access_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

const secret = "s3cr3t/+with=signs"

var (
	alice = access.Principal{AccessKey: "AKIDalice", SecretKey: secret, Account: job.Account{UIN: "100000000001", AppID: "1250000000"}}
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

func verifierAt(t time.Time, ps ...access.Principal) *access.Verifier {
	return access.NewVerifier(access.Static(ps...), func() time.Time { return t })
}

// receive sends a request through the wire's text, as a server would get it.
func receive(t rapid.TB, r *http.Request) (*http.Request, []byte) {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatalf("write request: %v", err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatalf("read request: %v", err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return got, body
}

func wantCode(t rapid.TB, err error, want job.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %s", want)
	}
	if got := job.CodeOf(err); got != want {
		t.Fatalf("code %s (%v), want %s", got, err, want)
	}
	if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), alice.AccessKey) {
		t.Fatalf("the error tells a key: %v", err)
	}
	if job.MessageOf(err) == "" {
		t.Fatal("the error has no sentence")
	}
}

func TestPrincipalNeverPrintsItsSecret(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "p", alice)
	for _, s := range []string{fmt.Sprint(alice), fmt.Sprintf("%+v", alice), fmt.Sprintf("%#v", alice), fmt.Sprintf("%s", []access.Principal{alice}), log.String()} {
		if strings.Contains(s, secret) {
			t.Errorf("secret in %q", s)
		}
		if !strings.Contains(s, alice.AccessKey) {
			t.Errorf("no access key in %q", s)
		}
	}
}

// drawRequest makes a request with an arbitrary path, query, headers and body.
func drawRequest(t *rapid.T, paramName, paramValue *rapid.Generator[string]) (*http.Request, []byte) {
	method := rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE"}).Draw(t, "method")
	path := "/" + rapid.StringMatching(`[a-zA-Z0-9 %+~!'()*é,:=@-]{0,12}(/[a-z %&;]{1,5}){0,2}`).Draw(t, "path")
	var body []byte
	if method == "POST" || method == "PUT" {
		body = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "body")
	}
	r, err := http.NewRequest(method, "http://100000000001.cos-control.ap-chengdu.example.com:8600/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Path = path
	if rapid.Bool().Draw(t, "escape all") {
		r.URL.RawPath = strings.ReplaceAll(r.URL.EscapedPath()[1:], "/", "%2F")
		r.URL.RawPath = "/" + r.URL.RawPath
	}
	q := r.URL.Query()
	for range rapid.IntRange(0, 4).Draw(t, "params") {
		q.Set(paramName.Draw(t, "name"), paramValue.Draw(t, "value"))
	}
	r.URL.RawQuery = q.Encode()
	r.Header.Set("Content-Type", rapid.SampledFrom([]string{"application/xml", "text/plain; a=b"}).Draw(t, "type"))
	r.Header.Set("X-Other", rapid.StringMatching(`[a-z ,;=]{0,9}`).Draw(t, "other"))
	return r, body
}
