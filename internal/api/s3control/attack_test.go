package s3control

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// signing says how a request is signed; the zero value is how the stock SDK does it.
type signing struct {
	by      time.Duration // from now
	hash    string        // "" = the body's
	service string        // "" = s3
}

// sign signs a request with the stock signer.
func (s signing) sign(t *testing.T, p access.Principal, r *http.Request, body string) {
	t.Helper()
	if s.hash == "" {
		s.hash = hexSHA256(body)
	}
	if s.service == "" {
		s.service = "s3"
	}
	r.Header.Set("X-Amz-Content-Sha256", s.hash)
	keys := aws.Credentials{AccessKeyID: p.AccessKey, SecretAccessKey: p.SecretKey}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(t.Context(), keys, r, s.hash, s.service, "snow", time.Now().Add(s.by)); err != nil {
		t.Fatal(err)
	}
}

func setBody(r *http.Request, body string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

func setAuth(r *http.Request, from, to string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
}

func setTarget(t *testing.T, r *http.Request, target string) {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	r.URL, r.RequestURI = u, target
}

// Each attack has a request that alice, or bob, could have sent, and alters it. None may make or move a job of alice's.
func TestAttacksOnSignatures(t *testing.T) {
	t.Parallel()
	const create, cancel, raise, list = "POST " + root1, "POST " + job1 + "/status?requestedJobStatus=Cancelled", "POST " + job1 + "/priority?priority=5", "GET " + root1
	const tag = "PUT " + job1 + "/tagging"
	same := func(*testing.T, *http.Request) {}
	header := func(name, value string) func(*testing.T, *http.Request) {
		return func(_ *testing.T, r *http.Request) { r.Header.Set(name, value) }
	}
	target := func(to string) func(*testing.T, *http.Request) {
		return func(t *testing.T, r *http.Request) { setTarget(t, r, to) }
	}
	auth := func(from, to string) func(*testing.T, *http.Request) {
		return func(_ *testing.T, r *http.Request) { setAuth(r, from, to) }
	}
	const otherBody = "<CreateJobRequest><Priority>1</Priority></CreateJobRequest>"
	for name, tc := range map[string]struct {
		signer  access.Principal
		request string
		before  func(*testing.T, *http.Request) // changes the request that is signed
		signing signing
		attack  func(*testing.T, *http.Request) // changes the signed request
		code    string
	}{
		"nothing, as the yardstick": {alice, list, same, signing{}, same, ""},
		"a key of another account":  {bob, create, header(accountHeader, alice.Account.UIN), signing{}, same, "AccessDenied"},
		"another account's host":    {bob, create, func(_ *testing.T, r *http.Request) { r.Host = alice.Account.UIN + ".s3-control.example.com" }, signing{}, same, "AccessDenied"},
		"another account's job":     {bob, cancel, same, signing{}, same, "NotFoundException"},
		"another account's tags":    {bob, tag, same, signing{}, same, "NotFoundException"},
		"an access key swapped in":  {bob, cancel, same, signing{}, auth(bob.AccessKey, alice.AccessKey), "SignatureDoesNotMatch"},
		"an access key of nobody":   {access.Principal{AccessKey: "AKIDnobody", SecretKey: "x", Account: alice.Account}, create, same, signing{}, same, "InvalidAccessKeyId"},
		"a guessed secret":          {access.Principal{AccessKey: alice.AccessKey, SecretKey: "x", Account: alice.Account}, create, same, signing{}, same, "SignatureDoesNotMatch"},
		"signed long ago":           {alice, create, same, signing{by: -16 * time.Minute}, same, "RequestTimeTooSkewed"},
		"signed in the future":      {alice, create, same, signing{by: 16 * time.Minute}, same, "RequestTimeTooSkewed"},
		"a date moved": {alice, create, same, signing{by: -16 * time.Minute}, func(_ *testing.T, r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
		}, "SignatureDoesNotMatch"},
		"a date left out":        {alice, create, same, signing{}, func(_ *testing.T, r *http.Request) { r.Header.Del("X-Amz-Date") }, "AccessDenied"},
		"for another service":    {alice, create, same, signing{service: "s3-control"}, same, "AccessDenied"},
		"another service put in": {alice, create, same, signing{service: "sts"}, auth("/sts/", "/s3/"), "SignatureDoesNotMatch"},
		"another region put in":  {alice, create, same, signing{}, auth("/snow/", "/ap-chengdu/"), "SignatureDoesNotMatch"},
		"another algorithm":      {alice, create, same, signing{}, auth("HMAC-SHA256", "HMAC-SHA1"), "AccessDenied"},
		"no signature":           {alice, create, same, signing{}, func(_ *testing.T, r *http.Request) { r.Header.Del("Authorization") }, "AccessDenied"},
		"a signature cut short": {alice, create, same, signing{}, func(_ *testing.T, r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-2])
		}, "AccessDenied"},
		"two headers of signatures": {alice, create, same, signing{}, func(_ *testing.T, r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, "AccessDenied"},
		"a part of it twice":        {alice, create, same, signing{}, auth("SignedHeaders=", "Credential=x, SignedHeaders="), "AccessDenied"},
		"a presigned request":       {alice, list, same, signing{}, target(root1 + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"), "AccessDenied"},
		"a host not signed":         {alice, list, same, signing{}, auth("host;", ""), "AccessDenied"},
		"an account not signed":     {alice, list, same, signing{}, auth("x-amz-account-id;", ""), "AccessDenied"},
		"the account left out":      {alice, list, same, signing{}, func(_ *testing.T, r *http.Request) { r.Header.Del(accountHeader) }, "SignatureDoesNotMatch"},
		"another account":           {alice, list, same, signing{}, header(accountHeader, bob.Account.UIN), "SignatureDoesNotMatch"},
		"a second account":          {alice, list, same, signing{}, func(_ *testing.T, r *http.Request) { r.Header.Add(accountHeader, bob.Account.UIN) }, "SignatureDoesNotMatch"},
		"two accounts, both signed": {alice, list, func(_ *testing.T, r *http.Request) { r.Header.Add(accountHeader, bob.Account.UIN) }, signing{}, same, "AccessDenied"},
		"an x-amz header put in":    {alice, create, same, signing{}, header("X-Amz-Security-Token", "t"), "AccessDenied"},
		"a signed header taken out": {alice, create, header("Content-Type", "application/xml"), signing{}, func(_ *testing.T, r *http.Request) { r.Header.Del("Content-Type") }, "SignatureDoesNotMatch"},
		"another host":              {alice, create, same, signing{}, func(_ *testing.T, r *http.Request) { r.Host = "other.example.com" }, "SignatureDoesNotMatch"},
		"an altered body":           {alice, create, same, signing{}, func(_ *testing.T, r *http.Request) { setBody(r, otherBody) }, "XAmzContentSHA256Mismatch"},
		"an altered body and its hash": {alice, create, same, signing{}, func(_ *testing.T, r *http.Request) {
			setBody(r, otherBody)
			r.Header.Set("X-Amz-Content-Sha256", hexSHA256(otherBody))
		}, "SignatureDoesNotMatch"},
		"no body":                     {alice, create, same, signing{}, func(_ *testing.T, r *http.Request) { setBody(r, "") }, "XAmzContentSHA256Mismatch"},
		"a body that is not signed":   {alice, create, same, signing{hash: "UNSIGNED-PAYLOAD"}, same, "AccessDenied"},
		"a body signed in pieces":     {alice, create, same, signing{hash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, same, "AccessDenied"},
		"the hash left out, a body":   {alice, create, same, signing{}, func(_ *testing.T, r *http.Request) { r.Header.Del("X-Amz-Content-Sha256"); setBody(r, otherBody) }, "SignatureDoesNotMatch"},
		"another method":              {alice, list, same, signing{}, func(_ *testing.T, r *http.Request) { r.Method = "POST" }, "SignatureDoesNotMatch"},
		"another job":                 {alice, raise, same, signing{}, target("/v20180820/jobs/job-00002/priority?priority=5"), "SignatureDoesNotMatch"},
		"another call":                {alice, raise, same, signing{}, target(job1 + "/status?priority=5"), "SignatureDoesNotMatch"},
		"a slash in other letters":    {alice, cancel, same, signing{}, target("/v20180820/jobs/job-00001%2Fstatus?requestedJobStatus=Cancelled"), "SignatureDoesNotMatch"},
		"a path that climbs":          {alice, cancel, same, signing{}, target("/v20180820/jobs/x/../job-00001/status?requestedJobStatus=Cancelled"), "SignatureDoesNotMatch"},
		"a path that climbs, signed":  {alice, cancel, target("/v20180820/jobs/x/../job-00001/status?requestedJobStatus=Cancelled"), signing{}, same, "BadRequestException"},
		"a doubled slash, signed":     {alice, cancel, target("/v20180820/jobs//job-00001/status?requestedJobStatus=Cancelled"), signing{}, same, "BadRequestException"},
		"a value altered":             {alice, raise, same, signing{}, target(job1 + "/priority?priority=9"), "SignatureDoesNotMatch"},
		"a value given again":         {alice, raise, same, signing{}, target(job1 + "/priority?priority=9&priority=5"), "SignatureDoesNotMatch"},
		"a value given twice, signed": {alice, raise, target(job1 + "/priority?priority=9&priority=5"), signing{}, same, "BadRequestException"},
		"a name in other letters":     {alice, raise, same, signing{}, target(job1 + "/priority?PRIORITY=5"), "SignatureDoesNotMatch"},
		"a parameter put in":          {alice, cancel, same, signing{}, target(job1 + "/status?requestedJobStatus=Cancelled&statusUpdateReason=x"), "SignatureDoesNotMatch"},
		"a parameter taken out":       {alice, cancel, same, signing{}, target(job1 + "/status"), "SignatureDoesNotMatch"},
		"a query that does not read":  {alice, cancel, same, signing{}, func(_ *testing.T, r *http.Request) { r.URL.RawQuery = "requestedJobStatus=Cancelled&%zz" }, "BadRequestException"},
		"a query with semicolons":     {alice, cancel, same, signing{}, func(_ *testing.T, r *http.Request) { r.URL.RawQuery = "requestedJobStatus=Cancelled;priority=1" }, "BadRequestException"},
		"an empty list of signed headers": {alice, list, same, signing{}, func(_ *testing.T, r *http.Request) {
			a := r.Header.Get("Authorization")
			from, to := strings.Index(a, "SignedHeaders="), strings.Index(a, ", Signature=")
			r.Header.Set("Authorization", a[:from]+"SignedHeaders="+a[to:])
		}, "AccessDenied"},
	} {
		w := setup(t)
		w.create("cli-copy.xml")
		method, to, _ := strings.Cut(tc.request, " ")
		body := ""
		switch tc.request {
		case create:
			body = read(t, "cli-restore.xml")
		case tag:
			body = "<PutJobTaggingRequest><Tags><member><Key>a</Key><Value>b</Value></member></Tags></PutJobTaggingRequest>"
		}
		r := httptest.NewRequest(method, "http://batch.example.com"+to, strings.NewReader(body))
		r.Header.Set(accountHeader, tc.signer.Account.UIN)
		tc.before(t, r)
		tc.signing.sign(t, tc.signer, r, body)
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
		if j := w.job("job-00001"); j.Status != job.New || j.Priority != j.Spec.Priority || w.made() != 1 {
			t.Errorf("%s: the job is %s with priority %d, and there are %d jobs", name, j.Status, j.Priority, w.made())
		}
	}
}
