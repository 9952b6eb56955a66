package coscontrol

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tencentyun/cos-go-sdk-v5"
)

// outgoing keeps what goes out: the request line, the headers that say something, what is signed, and the body.
type outgoing struct{ b bytes.Buffer }

// RoundTrip implements http.RoundTripper.
func (r *outgoing) RoundTrip(req *http.Request) (*http.Response, error) {
	fmt.Fprintf(&r.b, "%s %s\n", req.Method, req.URL.RequestURI())
	for _, name := range []string{"Content-Type", "Content-Md5", "X-Cos-Appid", "Content-Length"} {
		if v := req.Header.Get(name); v != "" {
			fmt.Fprintf(&r.b, "%s: %s\n", name, v)
		}
	}
	for _, list := range []string{"q-header-list", "q-url-param-list"} {
		fmt.Fprintf(&r.b, "%s: %s\n", list, strings.Join(signedNames(req, list), ";"))
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		r.b.Write(body)
		if len(body) > 0 {
			r.b.WriteByte('\n')
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.b.WriteByte('\n')
	return http.DefaultTransport.RoundTrip(req)
}

// What cos-go-sdk-v5 sends for each of its calls: a change of it, or of what is asked here, shows in the golden file.
func TestRequestsOfTheStockClientGolden(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	seen := new(outgoing)
	c := cos.NewClient(&cos.BaseURL{BatchURL: u}, &http.Client{
		Transport: &cos.AuthorizationTransport{SecretID: alice.AccessKey, SecretKey: alice.SecretKey, Transport: seen},
	})
	must := func(_ *cos.Response, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, batch := t.Context(), c.Batch
	for name, op := range map[string]*cos.BatchJobOperation{
		"copy":    nil,
		"restore": {RestoreObject: &cos.BatchInitiateRestoreObject{ExpirationInDays: 3, JobTier: "Standard"}},
		"tagging": {PutObjectTagging: &cos.BatchPutObjectTagging{TaggingDirective: "Replaced", TagSet: &cos.BatchNewObjectTagging{COSTag: []cos.BatchCOSTag{{Key: "a", Value: "1"}}}}},
	} {
		opt := sdkCopy("token-" + name)
		if op != nil {
			opt.Operation = op
			opt.Manifest.Spec = &cos.BatchJobManifestSpec{Format: "COSInventoryReport_CSV_V1"}
		}
		seen.b.Reset()
		_, resp, err := batch.CreateJob(ctx, opt, sdkHeaders)
		must(resp, err)
		golden(t, "go-"+name+".golden", seen.b.String())
	}
	seen.b.Reset()
	_, resp, err := batch.DescribeJob(ctx, "job-00001", sdkHeaders)
	must(resp, err)
	_, resp, err = batch.ListJobs(ctx, &cos.BatchListJobsOptions{JobStatuses: "New,Active", MaxResults: 2}, sdkHeaders)
	must(resp, err)
	_, resp, err = batch.UpdateJobPriority(ctx, &cos.BatchUpdatePriorityOptions{JobId: "job-00001", Priority: 3}, sdkHeaders)
	must(resp, err)
	_, resp, err = batch.UpdateJobStatus(ctx, &cos.BatchUpdateStatusOptions{JobId: "job-00001", RequestedJobStatus: "Cancelled", StatusUpdateReason: "a b&c"}, sdkHeaders)
	must(resp, err)
	golden(t, "go-calls.golden", seen.b.String())
}
