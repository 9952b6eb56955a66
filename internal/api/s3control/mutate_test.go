package s3control

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api/apitest"
	"github.com/drover-batch/drover/internal/job"
)

// mutant is a request that was valid once.
type mutant struct {
	method, target, body string
	headers              http.Header
}

// oddities are put into requests.
var oddities = []string{
	"", " ", "\x00", "\xff", "%", "%zz", "%00", "&", "<", ">", "<a>", "</a>", "<member/>", "<member></member>", "]]>", "<![CDATA[x]]>", "<!-- -->", "<?xml version=\"1.1\"?>",
	"&#0;", "&#x10ffff;", "-1", "0", "2147483648", "99999999999999999999", "1e9", "true", "null", "../..", "//", "arn:aws:s3:::", "arn:aws:s3:::b/" + strings.Repeat("k", 1100),
	strings.Repeat("x", 3000), strings.Repeat("<a>", 30), "9999-12-31T23:59:59.999999999Z", "0000-00-00T00:00:00Z", "\u202e", "\r\n", "é", "WRITE", "READ", "KMS",
}

// mutate changes one thing of s: it takes a run out, doubles it, moves it, or puts an oddity in its place. Runs begin and end
// at tags more often than not.
func mutate(r *rand.Rand, s string) string {
	edge := func() int {
		i := r.IntN(len(s) + 1)
		if r.IntN(3) > 0 {
			if j := strings.IndexAny(s[i:], "<>&=/?"); j >= 0 {
				i += j + r.IntN(2)
			}
		}
		return i
	}
	a, b := edge(), edge()
	if a > b {
		a, b = b, a
	}
	switch r.IntN(5) {
	case 0:
		return s[:a] + s[b:]
	case 1:
		return s[:b] + s[a:]
	case 2:
		c := edge()
		return s[:c] + s[a:b] + s[c:]
	case 3:
		return s[:a] + oddities[r.IntN(len(oddities))] + s[a:]
	default:
		return s[:a] + oddities[r.IntN(len(oddities))] + s[b:]
	}
}

// requests are valid calls of every kind.
func requests(t *testing.T) []mutant {
	t.Helper()
	files, err := filepath.Glob("testdata/cli-*.xml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all []mutant
	for _, file := range files {
		all = append(all, mutant{method: "POST", target: root1, body: read(t, filepath.Base(file))})
	}
	return append(all,
		mutant{method: "GET", target: root1 + "?jobStatuses=New&jobStatuses=Active&maxResults=2&nextToken=" + nextToken("job-00001")},
		mutant{method: "GET", target: job1},
		mutant{method: "POST", target: job1 + "/priority?priority=7"},
		mutant{method: "POST", target: job1 + "/status?requestedJobStatus=Ready&statusUpdateReason=because"},
		mutant{method: "GET", target: job1 + "/tagging"},
		mutant{method: "PUT", target: job1 + "/tagging", body: "<PutJobTaggingRequest><Tags><member><Key>a</Key><Value>b</Value></member></Tags></PutJobTaggingRequest>"},
		mutant{method: "DELETE", target: job1 + "/tagging"},
	)
}

// mutated changes up to three things of a request. What it changes before signing is what a strange client sends, after
// it what a proxy or an attacker makes of it.
func (m mutant) mutated(t *testing.T, r *rand.Rand) *http.Request {
	before, after := 1+r.IntN(3), 0
	if r.IntN(4) == 0 {
		before, after = 0, 1
	}
	m.headers = http.Header{"X-Amz-Account-Id": {alice.Account.UIN}}
	for range before {
		switch {
		case r.IntN(8) == 0:
			m.method = []string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "X"}[r.IntN(7)]
		case r.IntN(8) == 0:
			m.headers[[]string{"X-Amz-Account-Id", "Content-Type", "Content-Md5", "X-Amz-Odd"}[r.IntN(4)]] = []string{oddities[r.IntN(len(oddities))]}
		case m.body == "" || r.IntN(8) == 0:
			m.target = "/" + strings.TrimPrefix(mutate(r, m.target), "/")
		default:
			m.body = mutate(r, m.body)
		}
	}
	req, err := http.NewRequest(m.method, "http://batch.example.com"+m.target, strings.NewReader(m.body))
	if err != nil { // no client could send it
		return nil
	}
	req.Header = m.headers
	sign(t, req, alice, m.body, "snow")
	if after > 0 {
		switch name := []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Account-Id", "body", "query"}[r.IntN(6)]; name {
		case "body":
			m.body = mutate(r, m.body)
		case "query":
			req.URL.RawQuery = mutate(r, req.URL.RawQuery)
		default:
			req.Header.Set(name, mutate(r, req.Header.Get(name)))
		}
	}
	got := httptest.NewRequest(req.Method, "/", strings.NewReader(m.body))
	got.URL, got.Host, got.Header, got.RequestURI = req.URL, "batch.example.com", req.Header, req.URL.RequestURI()
	return got
}

// Whatever is done to valid requests, no answer is a fault of ours, each refusal is a whole answer, and what makes a job
// all the same makes one that can be shown.
func TestMutatedRequestsAreNeverAFaultOfOurs(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2018, 820))
	all := requests(t)
	made, refused := 0, 0
	for n := range 10_000 {
		jobs := apitest.New(func() time.Time { return noon })
		var log bytes.Buffer
		h := New(jobs, access.NewVerifier(access.Static(alice, bob), nil), Options{DefaultRegion: "local", Logger: slog.New(slog.NewTextHandler(&log, nil))})
		send := func(req *http.Request) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			return w
		}
		show := func(target string) *httptest.ResponseRecorder {
			req := httptest.NewRequest("GET", target, nil)
			req.Header.Set("X-Amz-Account-Id", alice.Account.UIN)
			sign(t, req, alice, "", "snow")
			return send(req)
		}
		m := all[n%len(all)]
		if m.target != root1 { // those are about a job that is there
			first := all[0]
			req := httptest.NewRequest(first.method, first.target, strings.NewReader(first.body))
			req.Header.Set("X-Amz-Account-Id", alice.Account.UIN)
			sign(t, req, alice, first.body, "snow")
			if w := send(req); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		req := m.mutated(t, r)
		if req == nil {
			continue
		}
		what := req.Method + " " + req.URL.String()
		w := send(req)
		body := w.Body.String()
		switch {
		case w.Code >= 500 || w.Code >= 300 && w.Code < 400:
			t.Fatalf("%s: %d %s", what, w.Code, body)
		case w.Code >= 400:
			refused++
			if !strings.Contains(body, "<ErrorResponse xmlns=") || !strings.Contains(body, "<Code>") || w.Header().Get("X-Amz-Request-Id") == "" {
				t.Fatalf("%s: %d %s", what, w.Code, body)
			}
			if left, _, err := jobs.List(t.Context(), job.Caller{Account: alice.Account}, job.Filter{}, job.Page{Max: 10}); err != nil || m.target == root1 && len(left) > 0 {
				t.Fatalf("%s was refused, and made a job: %v", what, err)
			}
		case strings.Contains(body, "<CreateJobResult"):
			made++
			if w := show(job1); w.Code != 200 {
				t.Fatalf("%s made a job that cannot be shown: %d %s", what, w.Code, w.Body)
			}
			jobs.Set("job-00001", func(j *job.Job) { j.Spec.Request = job.Request{} })
			if w := show(job1); w.Code != 200 {
				t.Fatalf("%s made a job that cannot be translated: %d %s", what, w.Code, w.Body)
			}
		}
		if log.Len() > 0 {
			t.Fatalf("%s: logged %s", what, log.String())
		}
	}
	t.Logf("%d refused, %d made a job", refused, made)
	if refused < 1000 {
		t.Errorf("only %d of 2,000 were refused: the test has lost its teeth", refused)
	}
}
