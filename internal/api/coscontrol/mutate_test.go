package coscontrol

import (
	"encoding/xml"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drover-batch/drover/internal/job"
)

// mutants is how many requests each of the two tests below sends.
const mutants = 5000

// bits are what requests are spoilt with: pieces of the protocol, and what parsers trip over.
var bits = []string{
	"", "\x00", "\xff\xfe", "%", "%00", "%2F", "..", "//", "&", "=", ";", "<", ">", "<a>", "</a>", "]]>", "<![CDATA[", "<!DOCTYPE a [<!ENTITY e 'x'>]>", "&e;",
	"&#0;", "&#xD800;", "<?xml?>", "-1", "0", "1e9", "2147483648", "9223372036854775808", "true", "NaN", " ", "\r\n", "\t", "'", `"`, "\u202e", "\U0010FFFF",
	"qcs::cos:::", "arn:aws:s3:::b/k", "COSDeleteObject", "COSPutObjectCopy", "<Manifest></Manifest>", "<Operation><COSDeleteObject/></Operation>",
	"priority", "jobStatuses", "requestedJobStatus", "Ready", "Cancelled", "nextToken=", "maxResults=0", "Content-Md5", "sha1", "q-ak", strings.Repeat("A", 5000), strings.Repeat("<a>", 50),
}

// mutator spoils texts, the same way for the same seed.
type mutator struct{ *rand.Rand }

func (m mutator) text(s string) string {
	for range 1 + m.IntN(3) {
		i := m.IntN(len(s) + 1)
		j := min(len(s), i+m.IntN(1+m.IntN(30)))
		switch m.IntN(5) {
		case 0:
			s = s[:i] + bits[m.IntN(len(bits))] + s[j:]
		case 1:
			s = s[:i] + s[j:]
		case 2:
			s = s[:j] + s[i:]
		case 3:
			s = s[:i] + string(rune(m.IntN(256))) + s[min(len(s), i+1):]
		case 4:
			k := m.IntN(len(s) + 1)
			s = s[:i] + s[min(k, i):max(k, i)] + s[i:]
		}
	}
	return s
}

// seeds are good requests of every call.
func seeds(t *testing.T) []seed {
	out := []seed{
		{"GET", "/jobs?jobStatuses=New,Active&maxResults=10&nextToken=job-00001", ""},
		{"GET", "/jobs/job-00001", ""},
		{"POST", "/jobs/job-00001/priority?priority=5", ""},
		{"POST", "/jobs/job-00001/status?requestedJobStatus=Cancelled&statusUpdateReason=a+b", ""},
		{"DELETE", "/jobs/job-00001", ""},
	}
	for _, file := range []string{"copy.xml", "restore.xml", "tagging.xml", "copy.xml"} {
		out = append(out, seed{"POST", "/jobs", read(t, file)})
	}
	return out
}

type seed struct{ method, target, body string }

// request makes a request of a target that need not be a URL; net/http's server would have refused some of them already.
func (s seed) request() *http.Request {
	r := message(alice, "GET", "/", s.body)
	r.Method, r.RequestURI = s.method, s.target
	path, query, _ := strings.Cut(s.target, "?")
	u := *r.URL
	if parsed, err := u.Parse(s.target); err == nil && strings.HasPrefix(s.target, "/") {
		r.URL = parsed
	} else {
		r.URL.Path, r.URL.RawQuery = path, query
	}
	if s.body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(s.body)), int64(len(s.body))
	}
	return r
}

func answerOf(w *world, r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer
}

// wellFormed holds an answer to what clients can read.
func wellFormed(t *testing.T, n int, s seed, answer *httptest.ResponseRecorder) {
	t.Helper()
	if answer.Code >= 500 || answer.Code >= 300 && answer.Code < 400 {
		t.Errorf("mutant %d, %s %q: %d %s", n, s.method, s.target, answer.Code, answer.Body)
	}
	var e errorBody
	if answer.Code >= 400 && (xml.Unmarshal(answer.Body.Bytes(), &e) != nil || e.Code == "" || e.Message == "" || e.RequestID == "") {
		t.Errorf("mutant %d, %s %q: %d with no readable error: %q", n, s.method, s.target, answer.Code, answer.Body)
	}
}

// Requests that were altered after they were signed: whatever was altered, no job is made or moved.
func TestMutantsOfSignedRequestsDoNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.create("delete.xml")
	m := mutator{rand.New(rand.NewPCG(1, 2))}
	seeds := seeds(t)
	headers := []string{"Authorization", "Content-Md5", "X-Cos-Appid", "Content-Type", "Host"}
	for n := range mutants {
		s := seeds[m.IntN(len(seeds))]
		r := s.request()
		signing{}.sign(alice, r)
		before, host := s, r.Host
		switch m.IntN(4) {
		case 0:
			s.body = m.text(s.body)
		case 1:
			s.target = m.text(s.target)
		case 2:
			s.method = []string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "BREW"}[m.IntN(8)]
		case 3:
			name := headers[m.IntN(len(headers))]
			if value := m.text(r.Header.Get(name)); name == "Host" {
				r.Host = m.text(r.Host)
			} else {
				r.Header.Set(name, value)
			}
		}
		altered := s.request()
		altered.Header, altered.Host = r.Header, r.Host
		answer := answerOf(w, altered)
		if s.method != "HEAD" {
			wellFormed(t, n, s, answer)
		}
		j := w.job("job-00001")
		if w.jobs.Len() == 1 && j.Status == job.New && j.Priority == j.Spec.Priority {
			continue
		}
		if !sameCall(before, s) || r.Host != host {
			t.Fatalf("mutant %d, %s %q of %q, made or moved a job: %d jobs, %s", n, s.method, s.target, before.target, w.jobs.Len(), j.Status)
		}
		w = setup(t) // nothing was altered in truth, such as a method replaced by itself, and the call was done
		w.create("delete.xml")
	}
	if text := w.log.String(); text != "" {
		t.Errorf("logged: %s", text)
	}
}

// sameCall reports whether two requests mean the same: the signature covers the path decoded.
func sameCall(a, b seed) bool {
	x, y := a.request(), b.request()
	return x.Method == y.Method && x.URL.Path == y.URL.Path && x.URL.Query().Encode() == y.URL.Query().Encode() && a.body == b.body
}

// Requests that are signed as altered: they get to the parsers. A job is made only of what makes sense.
func TestMutantsThatAreSignedBreakNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.create("delete.xml")
	m := mutator{rand.New(rand.NewPCG(3, 4))}
	seeds := seeds(t)
	for n := range mutants {
		s := seeds[m.IntN(len(seeds))]
		if s.body != "" && m.IntN(4) > 0 {
			s.body = m.text(s.body)
		} else {
			s.target = m.text(s.target)
		}
		r := s.request()
		signing{}.sign(alice, r)
		before := w.jobs.Len()
		answer := answerOf(w, r)
		wellFormed(t, n, s, answer)
		made := w.jobs.Len() != before
		if made && answer.Code != 200 {
			t.Errorf("mutant %d: %d %s, and a job was made", n, answer.Code, answer.Body)
		}
		if made || w.job("job-00001").Status != job.New { // tokens must be fresh again
			w = setup(t)
			w.create("delete.xml")
		}
	}
	if text := w.log.String(); text != "" {
		t.Errorf("logged: %s", text)
	}
}
