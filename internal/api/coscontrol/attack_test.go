package coscontrol

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// signing says what a signature covers; the zero value is how the stock SDK does it.
type signing struct {
	from, to   time.Duration // from now; 0, 0 = an hour
	omitHeader string
	omitQuery  string
	algorithm  string
	signTime   string
}

// message builds a request as it would arrive, without its signature.
func message(p access.Principal, method, target, body string) *http.Request {
	r := httptest.NewRequest(method, "http://100000000001.cos-control.local.myqcloud.com"+target, strings.NewReader(body))
	r.Header.Set("X-Cos-Appid", p.Account.AppID)
	if body != "" {
		setMD5(r, body)
		r.Header.Set("Content-Type", "application/xml")
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
	return r
}

func setMD5(r *http.Request, body string) {
	sum := md5.Sum([]byte(body))
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
}

func hmacHex(key, text string) string {
	h := hmac.New(sha1.New, []byte(key))
	io.WriteString(h, text)
	return hex.EncodeToString(h.Sum(nil))
}

func percent(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// joined writes names and values as COS signs them, and the list of names.
func joined(values map[string]string) (pairs, names string) {
	var ps, ns []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		ps, ns = append(ps, name+"="+percent(values[name])), append(ns, name)
	}
	return strings.Join(ps, "&"), strings.Join(ns, ";")
}

// sign is Tencent Cloud 436/7778, step by step.
func (s signing) sign(p access.Principal, r *http.Request) {
	if s.from == 0 && s.to == 0 {
		s.to = time.Hour
	}
	keyTime := fmt.Sprintf("%d;%d", time.Now().Add(s.from).Unix(), time.Now().Add(s.to).Unix())
	headers, params := map[string]string{"host": r.Host}, map[string]string{}
	for name := range r.Header {
		headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	for name, values := range r.URL.Query() {
		params[strings.ToLower(percent(name))] = values[0]
	}
	delete(headers, s.omitHeader)
	delete(params, s.omitQuery)
	headerPairs, headerNames := joined(headers)
	paramPairs, paramNames := joined(params)
	text := strings.ToLower(r.Method) + "\n" + r.URL.Path + "\n" + paramPairs + "\n" + headerPairs + "\n"
	digest := sha1.Sum([]byte(text))
	signature := hmacHex(hmacHex(p.SecretKey, keyTime), "sha1\n"+keyTime+"\n"+hex.EncodeToString(digest[:])+"\n")
	if s.algorithm == "" {
		s.algorithm = "sha1"
	}
	if s.signTime == "" {
		s.signTime = keyTime
	}
	r.Header.Set("Authorization", "q-sign-algorithm="+s.algorithm+"&q-ak="+p.AccessKey+"&q-sign-time="+s.signTime+"&q-key-time="+keyTime+
		"&q-header-list="+headerNames+"&q-url-param-list="+paramNames+"&q-signature="+signature)
}

func setBody(r *http.Request, body string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

func setTarget(t *testing.T, r *http.Request, target string) {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	r.URL, r.RequestURI = u, target
}

func setAuth(r *http.Request, old, new string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
}

// Each attack has a request that alice, or bob, could have sent, and alters it. None may make or move a job of alice's.
func TestAttacksOnSignatures(t *testing.T) {
	t.Parallel()
	const create, cancel, raise, list = "POST /jobs", "POST /jobs/job-00001/status?requestedJobStatus=Cancelled", "POST /jobs/job-00001/priority?priority=5", "GET /jobs"
	same := func(*testing.T, *http.Request) {}
	for name, tc := range map[string]struct {
		signer  access.Principal
		request string
		before  func(t *testing.T, r *http.Request) // changes the request that is signed
		signing signing
		attack  func(t *testing.T, r *http.Request) // changes the signed request
		code    string
	}{
		"nothing, as the yardstick": {alice, list, same, signing{}, same, ""},
		"a key of another account":  {bob, create, func(t *testing.T, r *http.Request) { r.Header.Set("X-Cos-Appid", alice.Account.AppID) }, signing{}, same, "AccessDenied"},
		"another account's host":    {bob, create, same, signing{}, same, "AccessDenied"},
		"another account's job":     {bob, cancel, func(t *testing.T, r *http.Request) { r.Host = "127.0.0.1" }, signing{}, same, "NoSuchJob"},
		"an access key swapped in":  {bob, cancel, same, signing{}, func(t *testing.T, r *http.Request) { setAuth(r, bob.AccessKey, alice.AccessKey) }, "SignatureDoesNotMatch"},
		"an access key of nobody":   {access.Principal{AccessKey: "AKIDnobody", SecretKey: "x", Account: alice.Account}, create, same, signing{}, same, "InvalidAccessKeyId"},
		"a guessed secret":          {access.Principal{AccessKey: alice.AccessKey, SecretKey: "x", Account: alice.Account}, create, same, signing{}, same, "SignatureDoesNotMatch"},
		"an expired key":            {alice, create, same, signing{from: -2 * time.Hour, to: -time.Second}, same, "RequestTimeTooSkewed"},
		"a key of the future":       {alice, create, same, signing{from: 16 * time.Minute, to: time.Hour}, same, "RequestTimeTooSkewed"},
		"a key that ends before":    {alice, create, same, signing{from: time.Minute, to: -time.Minute}, same, "AccessDenied"},
		"a sign time of its own":    {alice, create, same, signing{signTime: "1;9999999999"}, same, "AccessDenied"},
		"an end moved":              {alice, create, same, signing{from: -2 * time.Hour, to: -time.Second}, moveEnd, "SignatureDoesNotMatch"},
		"another algorithm":         {alice, create, same, signing{algorithm: "none"}, same, "AccessDenied"},
		"no signature":              {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { r.Header.Del("Authorization") }, "AccessDenied"},
		"an empty signature":        {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { cutSignature(r, 0) }, "AccessDenied"},
		"half a signature":          {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { cutSignature(r, 20) }, "AccessDenied"},
		"two headers of signatures": {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, "AccessDenied"},
		"a signature in the query": {alice, list, same, signing{}, func(t *testing.T, r *http.Request) {
			setTarget(t, r, "/jobs?"+strings.ReplaceAll(r.Header.Get("Authorization"), ";", "%3B"))
		}, "AccessDenied"},
		"a part of it twice":        {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { setAuth(r, "&q-ak=", "&q-ak=AKIDbob&q-ak=") }, "AccessDenied"},
		"a list cut short":          {alice, cancel, same, signing{}, func(t *testing.T, r *http.Request) { setAuth(r, "requestedjobstatus", "") }, "SignatureDoesNotMatch"},
		"a list made longer":        {alice, list, same, signing{}, func(t *testing.T, r *http.Request) { setAuth(r, "q-url-param-list=", "q-url-param-list=maxresults") }, "SignatureDoesNotMatch"},
		"an altered body":           {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { setBody(r, otherBody) }, "BadDigest"},
		"an altered body and MD5":   {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { setBody(r, otherBody); setMD5(r, otherBody) }, "SignatureDoesNotMatch"},
		"a body cut off":            {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { setBody(r, "<CreateJobRequest>") }, "BadDigest"},
		"no body":                   {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { setBody(r, "") }, "InvalidRequest"},
		"a second MD5":              {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { r.Header.Add("Content-Md5", "x") }, "SignatureDoesNotMatch"},
		"an MD5 left out":           {alice, create, func(t *testing.T, r *http.Request) { r.Header.Del("Content-Md5") }, signing{}, same, "InvalidRequest"},
		"an MD5 not signed":         {alice, create, same, signing{omitHeader: "content-md5"}, func(t *testing.T, r *http.Request) { setBody(r, otherBody); setMD5(r, otherBody) }, "InvalidRequest"},
		"a host not signed":         {alice, create, same, signing{omitHeader: "host"}, same, "AccessDenied"},
		"another host":              {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { r.Host = "100000000001.cos-control.elsewhere.myqcloud.com" }, "SignatureDoesNotMatch"},
		"a signed header taken out": {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { r.Header.Del("Content-Type") }, "SignatureDoesNotMatch"},
		"another appid":             {alice, create, same, signing{}, func(t *testing.T, r *http.Request) { r.Header.Set("X-Cos-Appid", "1250000002") }, "SignatureDoesNotMatch"},
		"an appid not signed":       {alice, create, same, signing{omitHeader: "x-cos-appid"}, func(t *testing.T, r *http.Request) { r.Header.Set("X-Cos-Appid", "1250000002") }, "AccessDenied"},
		"another method":            {alice, list, same, signing{}, func(t *testing.T, r *http.Request) { r.Method = "POST" }, "SignatureDoesNotMatch"},
		"another job":               {alice, raise, same, signing{}, func(t *testing.T, r *http.Request) { setTarget(t, r, "/jobs/job-00002/priority?priority=5") }, "SignatureDoesNotMatch"},
		"another call":              {alice, raise, same, signing{}, func(t *testing.T, r *http.Request) { setTarget(t, r, "/jobs/job-00001/status?priority=5") }, "SignatureDoesNotMatch"},
		"a slash in other letters": {alice, cancel, same, signing{}, func(t *testing.T, r *http.Request) {
			setTarget(t, r, "/jobs/job-00001%2Fstatus?requestedJobStatus=Cancelled")
		}, "MethodNotAllowed"},
		"a path that climbs": {alice, cancel, same, signing{}, func(t *testing.T, r *http.Request) {
			setTarget(t, r, "/jobs/x/../job-00001/status?requestedJobStatus=Cancelled")
		}, "SignatureDoesNotMatch"},
		"a value altered":         {alice, raise, same, signing{}, func(t *testing.T, r *http.Request) { setTarget(t, r, "/jobs/job-00001/priority?priority=9") }, "SignatureDoesNotMatch"},
		"a value given again":     {alice, raise, same, signing{}, func(t *testing.T, r *http.Request) { setTarget(t, r, "/jobs/job-00001/priority?priority=9&priority=5") }, "SignatureDoesNotMatch"},
		"a name in other letters": {alice, raise, same, signing{}, func(t *testing.T, r *http.Request) { setTarget(t, r, "/jobs/job-00001/priority?PRIORITY=5") }, "InvalidRequest"},
		"a parameter taken out":   {alice, cancel, same, signing{}, func(t *testing.T, r *http.Request) { setTarget(t, r, "/jobs/job-00001/status") }, "SignatureDoesNotMatch"},
		"a parameter put in": {alice, cancel, same, signing{}, func(t *testing.T, r *http.Request) {
			setTarget(t, r, "/jobs/job-00001/status?requestedJobStatus=Cancelled&statusUpdateReason=x")
		}, "AccessDenied"},
		"a parameter not signed":     {alice, cancel, same, signing{omitQuery: "requestedjobstatus"}, same, "AccessDenied"},
		"a query that does not read": {alice, cancel, same, signing{}, func(t *testing.T, r *http.Request) { r.URL.RawQuery = "requestedJobStatus=Cancelled&%zz" }, "InvalidRequest"},
		"a query with semicolons":    {alice, cancel, same, signing{}, func(t *testing.T, r *http.Request) { r.URL.RawQuery = "requestedJobStatus=Cancelled;priority=1" }, "InvalidRequest"},
	} {
		w := setup(t)
		w.create("delete.xml")
		method, target, _ := strings.Cut(tc.request, " ")
		body := ""
		if tc.request == create {
			body = read(t, "restore.xml")
		}
		r := message(tc.signer, method, target, body)
		tc.before(t, r)
		tc.signing.sign(tc.signer, r)
		tc.attack(t, r)
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		if tc.code == "" {
			if answer.Code != 200 {
				t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
			}
			continue
		}
		if answer.Code < 400 || answer.Code > 499 || !strings.Contains(answer.Body.String(), "<Code>"+tc.code+"</Code>") {
			t.Errorf("%s: %d %s, want %s", name, answer.Code, answer.Body, tc.code)
		}
		if j := w.job("job-00001"); j.Status != job.New || j.Priority != j.Spec.Priority || w.jobs.Len() != 1 {
			t.Errorf("%s: the job is %s with priority %d, and there are %d jobs", name, j.Status, j.Priority, w.jobs.Len())
		}
	}
}

const otherBody = "<CreateJobRequest><Priority>1</Priority></CreateJobRequest>"

func moveEnd(_ *testing.T, r *http.Request) {
	auth := r.Header.Get("Authorization")
	_, rest, _ := strings.Cut(auth, "q-key-time=")
	old, _, _ := strings.Cut(rest, "&")
	start, _, _ := strings.Cut(old, ";")
	r.Header.Set("Authorization", strings.ReplaceAll(auth, old, start+";9999999999"))
}

func cutSignature(r *http.Request, n int) {
	auth := r.Header.Get("Authorization")
	i := strings.Index(auth, "q-signature=") + len("q-signature=")
	r.Header.Set("Authorization", auth[:i+n])
}

// The signer of these tests and the stock SDK's agree; else the table above would show nothing.
func TestOwnSignerSignsEveryCall(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, tc := range []struct {
		method, target, body string
		status               int
	}{
		{"POST", "/jobs", read(t, "restore.xml"), 200},
		{"GET", "/jobs?jobStatuses=New&maxResults=1", "", 200},
		{"GET", "/jobs/job-00001", "", 200},
		{"POST", "/jobs/job-00001/priority?priority=5", "", 200},
		{"POST", "/jobs/job-00001/status?requestedJobStatus=Cancelled&statusUpdateReason=a+b%26c", "", 200},
		{"DELETE", "/jobs/job-00001", "", 400},
	} {
		r := message(alice, tc.method, tc.target, tc.body)
		signing{}.sign(alice, r)
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		if answer.Code != tc.status {
			t.Errorf("%s %s: %d %s", tc.method, tc.target, answer.Code, answer.Body)
		}
	}
	if got := w.job("job-00001").StatusReason; got != "a b&c" {
		t.Errorf("reason %q", got)
	}
}
