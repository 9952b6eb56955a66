package s3control

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3control"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

const (
	root1 = "/v20180820/jobs"
	job1  = root1 + "/job-00001"
)

func TestCallsThatAreRefused(t *testing.T) {
	t.Parallel()
	tags := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<member><Key>k%d</Key><Value/></member>", i)
		}
		return "<PutJobTaggingRequest><Tags>" + b.String() + "</Tags></PutJobTaggingRequest>"
	}
	for _, tc := range []struct {
		name, method, target string
		body                 string
		headers              []string
		status               int
		code                 string
	}{
		{"no account", "GET", root1, "", []string{"X-Amz-Account-Id", "-"}, 400, "BadRequestException"},
		{"another's account", "GET", root1, "", []string{"X-Amz-Account-Id", "-", "X-Amz-Account-Id", "100000000002"}, 403, "AccessDenied"},
		{"another's account as well", "GET", root1, "", []string{"X-Amz-Account-Id", "100000000002"}, 403, "AccessDenied"},
		{"another's host", "GET", root1, "", []string{"Host", "100000000002.s3-control.us-east-1.amazonaws.com"}, 403, "AccessDenied"},
		{"an empty body", "POST", root1, "", nil, 400, "BadRequestException"},
		{"a body that is no XML", "POST", root1, "{}", nil, 400, "BadRequestException"},
		{"a body too long", "POST", root1, strings.Repeat(" ", maxBody+1), nil, 400, "BadRequestException"},
		{"an id that no job can have", "GET", root1 + "/a.b.c.d", "", nil, 404, "NotFoundException"},
		{"an id with a slash", "GET", root1 + "/job%2F00001", "", nil, 404, "NotFoundException"},
		{"a job that is not there", "GET", root1 + "/no-such-job", "", nil, 404, "NotFoundException"},
		{"the priority of a job that is not there", "POST", root1 + "/no-such-job/priority?priority=1", "", nil, 404, "NotFoundException"},
		{"the status of a job that is not there", "POST", root1 + "/no-such-job/status?requestedJobStatus=Ready", "", nil, 404, "NotFoundException"},
		{"the tags of a job that is not there", "GET", root1 + "/no-such-job/tagging", "", nil, 404, "NotFoundException"},
		{"tags for a job that is not there", "PUT", root1 + "/no-such-job/tagging", tags(1), nil, 404, "NotFoundException"},
		{"no tags for a job that is not there", "DELETE", root1 + "/no-such-job/tagging", "", nil, 404, "NotFoundException"},
		{"no job id", "GET", root1 + "/", "", nil, 400, "BadRequestException"},
		{"another path", "GET", job1 + "/log", "", nil, 400, "BadRequestException"},
		{"another version", "GET", "/v20200101/jobs", "", nil, 400, "BadRequestException"},
		{"a path prefix", "GET", "/s3control" + root1, "", nil, 400, "BadRequestException"},
		{"two slashes", "GET", "/" + root1, "", nil, 400, "BadRequestException"},
		{"dots", "GET", root1 + "/../jobs", "", nil, 400, "BadRequestException"},
		{"encoded dots", "GET", root1 + "/%2e%2e/jobs", "", nil, 400, "BadRequestException"},
		{"another method", "PUT", root1, "", nil, 405, "MethodNotAllowed"},
		{"deleting a job, which S3 cannot", "DELETE", job1, "", nil, 405, "MethodNotAllowed"},
		{"reading a priority", "GET", job1 + "/priority", "", nil, 405, "MethodNotAllowed"},
		{"no priority", "POST", job1 + "/priority", "", nil, 400, "BadRequestException"},
		{"a priority that is no number", "POST", job1 + "/priority?priority=high", "", nil, 400, "BadRequestException"},
		{"a priority too large", "POST", job1 + "/priority?priority=2147483648", "", nil, 400, "BadRequestException"},
		{"two priorities", "POST", job1 + "/priority?priority=1&priority=2", "", nil, 400, "BadRequestException"},
		{"no status", "POST", job1 + "/status", "", nil, 400, "BadRequestException"},
		{"a status that cannot be asked for", "POST", job1 + "/status?requestedJobStatus=Paused", "", nil, 400, "BadRequestException"},
		{"a reason too long", "POST", job1 + "/status?requestedJobStatus=Ready&statusUpdateReason=" + strings.Repeat("x", 257), "", nil, 400, "BadRequestException"},
		{"confirming a job that runs", "POST", root1 + "/job-00002/status?requestedJobStatus=Ready", "", nil, 400, "JobStatusException"},
		{"cancelling a job that has ended", "POST", root1 + "/job-00003/status?requestedJobStatus=Cancelled", "", nil, 400, "JobStatusException"},
		{"an unknown status filter", "GET", root1 + "?jobStatuses=Canceled", "", nil, 400, "InvalidRequestException"},
		{"statuses with a comma", "GET", root1 + "?jobStatuses=Active,New", "", nil, 400, "InvalidRequestException"},
		{"too many results", "GET", root1 + "?maxResults=1001", "", nil, 400, "InvalidRequestException"},
		{"results that are no number", "GET", root1 + "?maxResults=all", "", nil, 400, "InvalidRequestException"},
		{"fewer results than none", "GET", root1 + "?maxResults=-1", "", nil, 400, "InvalidRequestException"},
		{"a token of no listing", "GET", root1 + "?nextToken=" + nextToken("job-99999"), "", nil, 400, "InvalidNextTokenException"},
		{"a token that can be none", "GET", root1 + "?nextToken=..", "", nil, 400, "InvalidNextTokenException"},
		{"a job's id for a token", "GET", root1 + "?nextToken=job-00001", "", nil, 400, "InvalidNextTokenException"},
		{"two tokens", "GET", root1 + "?nextToken=a&nextToken=b", "", nil, 400, "InvalidRequestException"},
		{"too many tags", "PUT", job1 + "/tagging", tags(51), nil, 400, "TooManyTagsException"},
		{"a tag without a key", "PUT", job1 + "/tagging", strings.Replace(tags(1), "k0", "", 1), nil, 400, "BadRequestException"},
		{"no element for tags", "PUT", job1 + "/tagging", "<PutJobTaggingRequest/>", nil, 400, "BadRequestException"},
		{"an empty body for tags", "PUT", job1 + "/tagging", "", nil, 400, "BadRequestException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			for _, file := range []string{"cli-copy.xml", "cli-restore.xml", "cli-tagging.xml"} {
				w.create(file)
			}
			w.jobs.Set("job-00002", func(j *job.Job) { j.Status = job.Active })
			w.jobs.Set("job-00003", func(j *job.Job) { j.Status = job.Complete })
			resp, body := w.send(alice, tc.method, tc.target, tc.body, tc.headers...)
			if resp.StatusCode != tc.status || !strings.Contains(body, "<Code>"+tc.code+"</Code>") {
				t.Errorf("%d %s, want %d %s", resp.StatusCode, body, tc.status, tc.code)
			}
			if resp.Header.Get("X-Amz-Request-Id") == "" || resp.Header.Get("X-Amz-Id-2") == "" {
				t.Errorf("headers %v", resp.Header)
			}
			if w.log.String() != "" {
				t.Errorf("logged: %s", w.log)
			}
		})
	}
}

func TestSignaturesAreRequired(t *testing.T) {
	t.Parallel()
	w := setup(t)
	resp, err := http.Get(w.url + root1)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("unsigned: %s", resp.Status)
	}
	stranger, forger := alice, alice
	stranger.AccessKey, forger.SecretKey = "AKIDnobody", "guessed"
	for who, tc := range map[string]struct {
		p    access.Principal
		code string
	}{"stranger": {stranger, "InvalidAccessKeyId"}, "forger": {forger, "SignatureDoesNotMatch"}} {
		if resp, body := w.send(tc.p, "GET", root1, ""); resp.StatusCode != 403 || !strings.Contains(body, "<Code>"+tc.code+"</Code>") {
			t.Errorf("%s: %d %s", who, resp.StatusCode, body)
		}
	}
	// What was signed must be what arrives.
	for name, change := range map[string]func(*http.Request){
		"another body":      func(r *http.Request) { r.Body = http.NoBody; r.ContentLength = 0 },
		"another path":      func(r *http.Request) { r.URL.Path = job1 + "/status" },
		"another query":     func(r *http.Request) { r.URL.RawQuery = "priority=2" },
		"a broken query":    func(r *http.Request) { r.URL.RawQuery = "x=%zz" },
		"another account":   func(r *http.Request) { r.Header.Set("X-Amz-Account-Id", "100000000002") },
		"an unsigned x-amz": func(r *http.Request) { r.Header.Set("X-Amz-Other", "1") },
	} {
		body := read(t, "cli-copy.xml")
		r, err := http.NewRequest("POST", w.url+root1, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Account-Id", alice.Account.UIN)
		sign(t, r, alice, body, "snow")
		change(r)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 || resp.StatusCode > 403 {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	if w.made() != 0 {
		t.Error("a job was made")
	}
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	w := setup(t)
	j := w.create("cli-copy.xml")
	for _, call := range [][3]string{
		{"GET", "", ""},
		{"POST", "/priority?priority=1", ""},
		{"POST", "/status?requestedJobStatus=Cancelled", ""},
		{"GET", "/tagging", ""},
		{"PUT", "/tagging", "<PutJobTaggingRequest><Tags/></PutJobTaggingRequest>"},
		{"DELETE", "/tagging", ""},
	} {
		resp, body := w.send(bob, call[0], root1+"/"+string(j.ID)+call[1], call[2])
		_, none := w.send(bob, call[0], root1+"/job-00009"+call[1], call[2])
		if resp.StatusCode != 404 || strings.ReplaceAll(body, "00001", "00009") != none {
			t.Errorf("%s %s: %d %s, but of a job that is not there %s", call[0], call[1], resp.StatusCode, body, none)
		}
	}
	if _, body := w.send(bob, "GET", root1, ""); strings.Contains(body, string(j.ID)) {
		t.Errorf("listed: %s", body)
	}
	// A token is its account's own.
	if resp, body := w.send(bob, "POST", root1, read(t, "cli-copy.xml")); resp.StatusCode != 200 || strings.Contains(body, string(j.ID)) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestTheRegionIsTheScopesWhenItIsKnown(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string]job.Region{"ap-chengdu": "ap-chengdu", "snow": "local", "us-east-1": "local", "local": "local"} {
		w := setup(t)
		if got := w.create("cli-copy.xml", "Region", scope); got.Spec.Region != want || got.Spec.Account != alice.Account {
			t.Errorf("%s: region %q of %v, want %q", scope, got.Spec.Region, got.Spec.Account, want)
		}
	}
	w := setup(t)
	w.create("cli-copy.xml", "Region", "cn-north-1")
	if _, body := w.send(alice, "GET", job1, ""); !strings.Contains(body, "<JobArn>arn:aws-cn:s3:cn-north-1:100000000001:job/job-00001</JobArn>") {
		t.Error(body)
	}
}

func TestTheAccountMayBeInTheHostAlone(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for host, want := range map[string]int{
		"100000000001.s3-control.us-east-1.amazonaws.com": 200,
		"100000000001.s3-control.batch.example.com:8600":  200,
		"s3-control.us-east-1.amazonaws.com":              400,
		"100000000001.127.0.0.1:8600":                     400,
		"100000000002.s3-control.us-east-1.amazonaws.com": 403,
		"[::1]:8600": 400,
		"100000000001.S3-Control.us-east-1.amazonaws.com:8600": 200,
	} {
		if resp, body := w.send(alice, "GET", root1, "", "X-Amz-Account-Id", "-", "Host", host); resp.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", host, resp.StatusCode, body, want)
		}
	}
	if resp, body := w.send(alice, "GET", root1, "", "Host", "anything.127.0.0.1:8600"); resp.StatusCode != 200 {
		t.Errorf("another label: %d %s", resp.StatusCode, body)
	}
}

// Clients that are sent through a proxy write the whole URL into the request line.
func TestAbsoluteRequestTargets(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r, err := http.NewRequest("GET", "http://s3-control.anything"+root1, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Account-Id", alice.Account.UIN)
	sign(t, r, alice, "", "snow")
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := r.WriteProxy(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	// The stock client on the same way, its account in front of the endpoint's host.
	proxy, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	o := w.client.Options()
	o.Region, o.BaseEndpoint = "us-east-1", aws.String("http://s3-control.anything")
	o.HTTPClient = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	if _, err := s3control.New(o).ListJobs(t.Context(), &s3control.ListJobsInput{AccountId: aws.String(alice.Account.UIN)}); err != nil {
		t.Error(err)
	}
}

func TestListFiltersAndPages(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, file := range []string{"cli-copy.xml", "cli-restore.xml", "cli-tagging.xml", "cli-acl.xml"} {
		w.create(file)
	}
	w.jobs.Set("job-00003", func(j *job.Job) { j.Status = job.Active })
	all := []string{"job-00001", "job-00002", "job-00003", "job-00004"}
	for target, want := range map[string][]string{
		"":                                    all,
		"?maxResults=0":                       all,
		"?maxResults=1000":                    all,
		"?maxResults=&nextToken=":             all,
		"?jobStatuses=Active":                 {"job-00003"},
		"?jobStatuses=Active&jobStatuses=New": all,
		"?jobStatuses=Cancelled&maxResults=5": nil,
		"?maxResults=1":                       {"job-00001", "next:" + nextToken("job-00001")},
		"?maxResults=2&nextToken=" + nextToken("job-00001"):                 {"job-00002", "job-00003", "next:" + nextToken("job-00003")},
		"?nextToken=" + nextToken("job-00003"):                              {"job-00004"},
		"?jobStatuses=New&maxResults=1&nextToken=" + nextToken("job-00002"): {"job-00004"},
	} {
		resp, body := w.send(alice, "GET", root1+target, "")
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", target, resp.StatusCode, body)
			continue
		}
		var got []string
		for part := range strings.SplitSeq(body, "<JobId>") {
			if id, _, ok := strings.Cut(part, "</JobId>"); ok {
				got = append(got, id)
			}
		}
		if _, rest, ok := strings.Cut(body, "<NextToken>"); ok {
			next, _, _ := strings.Cut(rest, "<")
			got = append(got, "next:"+next)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
	}
}

func TestATokenMakesOneJob(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first := w.create("cli-copy.xml")
	body := read(t, "cli-copy.xml")
	reordered := strings.Replace(strings.Replace(body, "<Priority>10</Priority>", "", 1), "<Operation>", "<Priority>10</Priority><Operation>", 1)
	for name, again := range map[string]string{"the same": body, "in another order": reordered} {
		if resp, answer := w.send(alice, "POST", root1, again); resp.StatusCode != 200 || !strings.Contains(answer, "<JobId>"+string(first.ID)+"<") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, answer)
		}
	}
	for name, change := range map[string][2]string{
		"priority": {"<Priority>10", "<Priority>11"}, "description": {"keep", "lose"}, "tags": {"team", "teams"}, "target": {":::target", ":::targets"},
		"confirmation": {"<Priority>", "<ConfirmationRequired>false</ConfirmationRequired><Priority>"}, "report": {"AllTasks", "FailedTasksOnly"},
	} {
		if resp, answer := w.send(alice, "POST", root1, strings.ReplaceAll(body, change[0], change[1])); resp.StatusCode != 400 || !strings.Contains(answer, "<Code>IdempotencyException<") {
			t.Errorf("another %s: %d %s", name, resp.StatusCode, answer)
		}
	}
	if w.made() != 1 {
		t.Errorf("%d jobs", w.made())
	}
}
