package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api/apitest"
)

// oddities are put into requests.
var oddities = []string{
	"", " ", "\x00", "\xff", "%", "%zz", "%2F", "%00", "&", "{", "}", "[]", "null", "true", "-1", "1e9", "2147483648", "99999999999999999999", `"`, `\`, `\u0000`, `\ud800`,
	"//", "../..", ";", "é", "\u202e", "\r\n", strings.Repeat("[", 2000), strings.Repeat("x", 3000), `"token":"t2",`, `"generator":{"sourceBucket":"b"},`,
}

// mutate changes one thing of s: it takes a run out, moves or doubles it, or puts an oddity in its place.
func mutate(r *rand.Rand, s string) string {
	a, b := r.IntN(len(s)+1), r.IntN(len(s)+1)
	if a > b {
		a, b = b, a
	}
	switch r.IntN(5) {
	case 0:
		return s[:a] + s[b:]
	case 1:
		return s[:b] + s[a:]
	case 2:
		return s[b:] + s[a:b] + s[:a]
	case 3:
		return s[:a] + oddities[r.IntN(len(oddities))] + s[a:]
	default:
		return s[:a] + oddities[r.IntN(len(oddities))] + s[b:]
	}
}

// Whatever is done to valid requests, before they are signed or after, no answer is a fault of ours, each refusal is a
// whole problem, and a refused request made no job.
func TestMutatedRequestsAreNeverAFaultOfOurs(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9457, 31))
	const one = "/api/v1/jobs/job-00001"
	requests := []struct{ method, target, body string }{
		{"POST", "/api/v1/jobs", restoreJSON},
		{"POST", "/api/v1/jobs", strings.Replace(restoreJSON, `"restore": {"days": 7, "tier": "Bulk"}`, `"copy": {"targetBucket": "t", "newTags": [{"key": "a", "value": "b"}], "ifModifiedSince": "2026-01-02T03:04:05Z"}`, 1)},
		{"GET", "/api/v1/jobs?status=New,Active&limit=10&order=desc&search=x&operation=copy", ""},
		{"GET", one, ""},
		{"PUT", one + "/priority", `{"priority": 7}`},
		{"PUT", one + "/tags", `{"tags": [{"key": "a", "value": "b"}]}`},
		{"POST", one + "/cancel", `{"reason": "enough"}`},
		{"POST", one + "/retry", `{"token": "r1", "priority": 2}`},
		{"POST", "/api/v1/roles", `{"name": "r", "credentials": {"*": {"from": "lender"}}, "policy": ` + readAll + `}`},
		{"POST", "/api/v1/policies/least", `{"spec": ` + restoreJSON + `, "sourceBuckets": ["b"]}`},
		{"POST", "/api/v1/principals", `{"description": "d", "policy": ` + readAll + `}`},
	}
	book := openBook(t)
	refused := 0
	for n := range 4000 {
		jobs := apitest.New(func() time.Time { return noon })
		h := New(jobs, access.NewVerifier(book, nil), Options{DefaultRegion: "local", Access: access.NewAdmin(book, leastOf{})})
		m := requests[n%len(requests)]
		if m.target != "/api/v1/jobs" {
			if w := sent(t, h, "POST", "/api/v1/jobs", restoreJSON, nil); w.Code != 201 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		before := jobs.Len()
		var after func(*http.Request)
		switch r.IntN(6) {
		case 0:
			m.target = "/" + strings.TrimPrefix(mutate(r, m.target), "/")
		case 1:
			m.method = []string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "X"}[r.IntN(7)]
		case 2:
			name := []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "If-Match", "X-Amz-Odd"}[r.IntN(5)]
			after = func(q *http.Request) { q.Header.Set(name, mutate(r, q.Header.Get(name))) }
		default:
			m.body = mutate(r, m.body)
		}
		w := sent(t, h, m.method, m.target, m.body, after)
		if w == nil { // no client could send it
			continue
		}
		what := m.method + " " + m.target + " " + m.body
		if w.Code >= 500 || w.Code >= 300 && w.Code < 400 {
			t.Fatalf("%s: %d %s", what, w.Code, w.Body)
		}
		if w.Code < 400 {
			continue
		}
		refused++
		var p client.Error
		if m.method != "HEAD" && (json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Status != w.Code || p.Code == "" || p.Message == "" || p.RequestID == "") {
			t.Fatalf("%s: %d %s", what, w.Code, w.Body)
		}
		if jobs.Len() != before {
			t.Fatalf("%s was refused and made a job", what)
		}
	}
	if refused < 1000 {
		t.Errorf("%d were refused: the mutants are too tame", refused)
	}
}

// sent signs a request of alice's, changes it, and gives its answer; nil when no client could send it.
func sent(t *testing.T, h http.Handler, method, target, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	req, err := http.NewRequest(method, "http://drover.example.com"+target, strings.NewReader(body))
	if err != nil {
		return nil
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	keys := aws.Credentials{AccessKeyID: alice.AccessKey, SecretAccessKey: alice.SecretKey}
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(), keys, req, hash, "s3", "local", time.Now()); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	got := httptest.NewRequest(method, "/", strings.NewReader(body))
	got.URL, got.Host, got.Header, got.RequestURI = req.URL, req.Host, req.Header, req.URL.RequestURI()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, got)
	return w
}
