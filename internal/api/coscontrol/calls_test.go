package coscontrol

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

func TestCallsThatAreRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 257)
	for _, tc := range []struct {
		name, method, target string
		body                 string
		headers              []string
		status               int
		code                 string
	}{
		{"no appid", "GET", "/jobs", "", []string{"X-Cos-Appid", "-"}, 400, "InvalidArgument"},
		{"the appid that an SDK without one sends", "GET", "/jobs", "", []string{"X-Cos-Appid", "0"}, 403, "AccessDenied"},
		{"another's appid", "GET", "/jobs", "", []string{"X-Cos-Appid", "1250000002"}, 403, "AccessDenied"},
		{"another's host", "GET", "/jobs", "", []string{"Host", "100000000002.cos-control.ap-chengdu.myqcloud.com"}, 403, "AccessDenied"},
		{"an empty body", "POST", "/jobs", "", nil, 400, "InvalidRequest"},
		{"a body that is no XML", "POST", "/jobs", "{}", nil, 400, "MalformedXML"},
		{"a body too long", "POST", "/jobs", strings.Repeat(" ", maxBody+1), nil, 400, "InvalidRequest"},
		{"another MD5", "POST", "/jobs", "<a/>", []string{"Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg=="}, 400, "BadDigest"},
		{"no MD5", "POST", "/jobs", "<a/>", []string{"Content-Md5", "-"}, 400, "InvalidRequest"},
		{"an MD5 of hexadecimal digits", "POST", "/jobs", "<a/>", []string{"Content-Md5", "d41d8cd98f00b204e9800998ecf8427e"}, 400, "BadDigest"},
		{"a body where none belongs", "POST", "/jobs/job-00001/priority?priority=1", "priority=2", nil, 400, "InvalidRequest"},
		{"a body of a reading call", "GET", "/jobs/job-00001", "x", nil, 400, "InvalidRequest"},
		{"a parameter twice", "POST", "/jobs/job-00001/priority?priority=1&priority=2", "", nil, 400, "InvalidArgument"},
		{"a status twice", "POST", "/jobs/job-00001/status?requestedJobStatus=Ready&requestedJobStatus=Cancelled", "", nil, 400, "InvalidArgument"},
		{"a reason twice", "POST", "/jobs/job-00001/status?requestedJobStatus=Ready&statusUpdateReason=a&statusUpdateReason=b", "", nil, 400, "InvalidArgument"},
		{"a limit twice", "GET", "/jobs?maxResults=1&maxResults=2", "", nil, 400, "InvalidArgument"},
		{"a parameter in other letters", "POST", "/jobs/job-00001/priority?Priority=1", "", nil, 400, "InvalidRequest"},
		{"a priority of nothing", "POST", "/jobs/job-00001/priority?priority=", "", nil, 400, "InvalidArgument"},
		{"a negative priority", "POST", "/jobs/job-00001/priority?priority=-1", "", nil, 400, "InvalidArgument"},
		{"a doubled slash", "GET", "//jobs", "", nil, 400, "InvalidRequest"},
		{"a path that climbs", "GET", "/jobs/job-00001/../job-00001", "", nil, 400, "InvalidRequest"},
		{"an id with a slash", "POST", "/jobs/job-00001%2Fstatus?requestedJobStatus=Cancelled", "", nil, 405, "MethodNotAllowed"},
		{"an MD5 that is none", "POST", "/jobs", "<a/>", []string{"Content-Md5", "x"}, 400, "BadDigest"},
		{"an id that no job can have", "GET", "/jobs/a.b.c.d", "", nil, 404, "NoSuchJob"},
		{"a job that is not there", "GET", "/jobs/no-such-job", "", nil, 404, "NoSuchJob"},
		{"the priority of a job that is not there", "POST", "/jobs/no-such-job/priority?priority=1", "", nil, 404, "NoSuchJob"},
		{"the status of a job that is not there", "POST", "/jobs/no-such-job/status?requestedJobStatus=Ready", "", nil, 404, "NoSuchJob"},
		{"deleting a job that is not there", "DELETE", "/jobs/no-such-job", "", nil, 404, "NoSuchJob"},
		{"no job id", "GET", "/jobs/", "", nil, 400, "InvalidRequest"},
		{"another path", "GET", "/jobs/job-00001/log", "", nil, 400, "InvalidRequest"},
		{"another method", "PUT", "/jobs", "", nil, 405, "MethodNotAllowed"},
		{"another method of a job", "POST", "/jobs/job-00001", "", nil, 405, "MethodNotAllowed"},
		{"no priority", "POST", "/jobs/job-00001/priority", "", nil, 400, "InvalidRequest"},
		{"a priority that is no number", "POST", "/jobs/job-00001/priority?priority=high", "", nil, 400, "InvalidArgument"},
		{"a priority too large", "POST", "/jobs/job-00001/priority?priority=2147483648", "", nil, 400, "InvalidArgument"},
		{"no status", "POST", "/jobs/job-00001/status", "", nil, 400, "InvalidArgument"},
		{"a status that cannot be asked for", "POST", "/jobs/job-00001/status?requestedJobStatus=Paused", "", nil, 400, "InvalidArgument"},
		{"a reason too long", "POST", "/jobs/job-00001/status?requestedJobStatus=Ready&statusUpdateReason=" + long, "", nil, 400, "InvalidArgument"},
		{"an unknown status filter", "GET", "/jobs?jobStatuses=Active,Canceled", "", nil, 400, "InvalidArgument"},
		{"no results at all", "GET", "/jobs?maxResults=0", "", nil, 400, "InvalidArgument"},
		{"too many results", "GET", "/jobs?maxResults=1001", "", nil, 400, "InvalidArgument"},
		{"results that are no number", "GET", "/jobs?maxResults=all", "", nil, 400, "InvalidArgument"},
		{"a token of no listing", "GET", "/jobs?nextToken=job-99999", "", nil, 400, "InvalidArgument"},
		{"a token that can be none", "GET", "/jobs?nextToken=..", "", nil, 400, "InvalidArgument"},
		{"deleting a job that has not ended", "DELETE", "/jobs/job-00001", "", nil, 400, "InvalidRequest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.create("delete.xml")
			resp, body := w.send(alice, tc.method, tc.target, tc.body, tc.headers...)
			if resp.StatusCode != tc.status || !strings.Contains(body, "<Code>"+tc.code+"</Code>") {
				t.Errorf("%d %s, want %d %s", resp.StatusCode, body, tc.status, tc.code)
			}
			if len(w.log.String()) > 0 {
				t.Errorf("logged: %s", w.log)
			}
		})
	}
}

func TestSignaturesAreRequired(t *testing.T) {
	t.Parallel()
	w := setup(t)
	resp, err := http.Get(w.url + "/jobs")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("unsigned: %s", resp.Status)
	}
	stranger, forger := alice, alice
	stranger.AccessKey, forger.SecretKey = "AKIDnobody", "guessed"
	if resp, body := w.send(stranger, "GET", "/jobs", ""); resp.StatusCode != 403 || !strings.Contains(body, "<Code>InvalidAccessKeyId</Code>") {
		t.Errorf("stranger: %d %s", resp.StatusCode, body)
	}
	if resp, body := w.send(forger, "GET", "/jobs", ""); resp.StatusCode != 403 || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
		t.Errorf("forger: %d %s", resp.StatusCode, body)
	}
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	w := setup(t)
	j := w.create("delete.xml")
	for _, call := range [][2]string{{"GET", ""}, {"POST", "/priority?priority=1"}, {"POST", "/status?requestedJobStatus=Cancelled"}, {"DELETE", ""}} {
		resp, body := w.send(bob, call[0], "/jobs/"+string(j.ID)+call[1], "")
		if resp.StatusCode != 404 {
			t.Errorf("%s %s: %d %s", call[0], call[1], resp.StatusCode, body)
		}
	}
	if _, body := w.send(bob, "GET", "/jobs", ""); strings.Contains(body, string(j.ID)) {
		t.Errorf("listed: %s", body)
	}
}

func TestRegionAndAccountComeFromTheHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]job.Region{
		"100000000001.cos-control.ap-chengdu.myqcloud.com":      "ap-chengdu",
		"100000000001.COS-control.ap-chengdu.myqcloud.com:8600": "ap-chengdu",
		"cos-control.ap-beijing":                                "ap-beijing",
		"cos-control":                                           "local",
		"127.0.0.1:8600":                                        "local",
		"[::1]:8600":                                            "local",
		"batch.example.com":                                     "local",
	} {
		w := setup(t)
		if got := w.create("delete.xml", "Host", host); got.Spec.Region != want || got.Spec.Account != alice.Account {
			t.Errorf("%s: region %q of %v, want %q", host, got.Spec.Region, got.Spec.Account, want)
		}
	}
}

func TestListFiltersAndPages(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, file := range []string{"copy.xml", "restore.xml", "delete.xml", "tagging.xml"} {
		w.create(file)
	}
	w.jobs.Set("job-00001", func(j *job.Job) { j.Created = noon.Add(-90*24*time.Hour - time.Second) })
	w.jobs.Set("job-00002", func(j *job.Job) { j.Created = noon.Add(-90 * 24 * time.Hour) })
	w.jobs.Set("job-00003", func(j *job.Job) { j.Status = job.Active })
	for target, want := range map[string][]string{
		"/jobs":                                 {"job-00002", "job-00003", "job-00004"},
		"/jobs?jobStatuses=Active,%20Complete,": {"job-00003"},
		"/jobs?jobStatuses=Active&jobStatuses=New":         {"job-00002", "job-00003", "job-00004"},
		"/jobs?jobStatuses=&nextToken=":                    {"job-00002", "job-00003", "job-00004"},
		"/jobs?maxResults=1":                               {"job-00002", "next:job-00002"},
		"/jobs?maxResults=1&nextToken=job-00002":           {"job-00003", "next:job-00003"},
		"/jobs?maxResults=1000&nextToken=job-00003":        {"job-00004"},
		"/jobs?maxResults=2&nextToken=job-00002":           {"job-00003", "job-00004"},
		"/jobs?maxResults=2&jobStatuses=Active":            {"job-00003"},
		"/jobs?jobStatuses=Cancelled&maxResults=5":         nil,
		"/jobs?jobStatuses=New&maxResults=1&nextToken=":    {"job-00002", "next:job-00002"},
		"/jobs?jobStatuses=New&nextToken=job-00002&x=y":    {"job-00004"},
		"/jobs?jobStatuses=Complete&jobStatuses=Preparing": nil,
	} {
		resp, body := w.send(alice, "GET", target, "")
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
		_, rest, _ := strings.Cut(body, "<NextToken>")
		if next, _, _ := strings.Cut(rest, "<"); next != "" {
			got = append(got, "next:"+next)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
	}
}
