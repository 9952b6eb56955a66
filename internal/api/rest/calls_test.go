package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

func answered[T any](t *testing.T, body string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

// many makes jobs that are described as J1, J2, ….
func (w *world) many(n int) {
	w.t.Helper()
	for i := range n {
		body := strings.Replace(restoreJSON, `"t1"`, fmt.Sprintf(`"t%d"`, i+1), 1)
		body = strings.Replace(body, "bring back", fmt.Sprintf("J%d", i+1), 1)
		if resp, text := w.send(alice, "POST", "/api/v1/jobs", body); resp.StatusCode != http.StatusCreated {
			w.t.Fatalf("create: %d %s", resp.StatusCode, text)
		}
	}
}

func TestAJobsOwnTags(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.create()
	const at = "/api/v1/jobs/job-00001/tags"
	if got := ask[client.Tags](w, "GET", at, "", 200); len(got.Tags) != 0 {
		t.Errorf("at first %v", got)
	}
	want := client.Tags{Tags: []client.Tag{{Key: "team", Value: "a"}, {Key: "empty"}}}
	ask[client.Tags](w, "PUT", at, `{"tags":[{"key":"team","value":"a"},{"key":"empty","value":""}]}`, 200)
	if got := ask[client.Tags](w, "GET", at, "", 200); !slices.Equal(got.Tags, want.Tags) {
		t.Errorf("got %v", got)
	}
	if got := ask[client.Tags](w, "PUT", at, `{"tags":[]}`, 200); len(got.Tags) != 0 {
		t.Errorf("taken away: %v", got)
	}
	if resp, body := w.send(alice, "PUT", at, `{}`); resp.StatusCode != 400 || !strings.Contains(body, `"field":"tags"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestListingsPageByPage(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.many(7)
	for id, status := range map[job.ID]job.Status{"job-00002": job.Complete, "job-00005": job.Complete, "job-00006": job.Failed} {
		w.jobs.Set(id, func(j *job.Job) { j.Status = status })
	}
	for query, tc := range map[string]struct{ want, counts string }{
		"limit=3":                                {"1234567", "Complete:2 Failed:1 New:4"},
		"limit=1&order=desc":                     {"7654321", "Complete:2 Failed:1 New:4"},
		"limit=7":                                {"1234567", "Complete:2 Failed:1 New:4"},
		"limit=2&status=Complete,Failed":         {"256", "Complete:2 Failed:1 New:4"},
		"limit=1&status=Complete&status=New":     {"123457", "Complete:2 Failed:1 New:4"},
		"limit=1&order=desc&status=Failed":       {"6", "Complete:2 Failed:1 New:4"},
		"limit=5&operation=restore&search=j1":    {"1", "New:1"},
		"limit=5&search=job-00005&status=Failed": {"", "Complete:1"},
		"operation=copy":                         {"", ""},
	} {
		var got strings.Builder
		cursor := ""
		for range 10 {
			_, body := w.send(alice, "GET", "/api/v1/jobs?"+query+cursor, "")
			page := answered[client.JobList](t, body)
			for _, j := range page.Jobs {
				got.WriteString(j.ID[len(j.ID)-1:])
			}
			if counts := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(page.Counts), "map["), "]"); counts != tc.counts {
				t.Errorf("%s: counts %s, want %s", query, counts, tc.counts)
			}
			if page.Next == "" {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(page.Next)
		}
		if got.String() != tc.want {
			t.Errorf("%s: %s, want %s", query, got.String(), tc.want)
		}
	}
}

func TestRetryAndReportFiles(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.create()
	const one = "/api/v1/jobs/job-00001"
	w.jobs.Set("job-00001", func(j *job.Job) { j.Status, j.Progress.Failed = job.Complete, 2 })
	w.jobs.SetReport("job-00001", []byte(`{"Format":"Report_CSV_V1"}`))
	rows := "b,k,,failed,NoSuchKey,404,\"<script>\"\n"
	w.jobs.AddReportFile("job-00001", job.ReportFile{Name: `00000001-"ü"-failed.csv`, Status: job.TaskFailed, Bucket: "lists", Key: "k", MD5: "m"}, []byte(rows))
	w.jobs.SetWork("job-00001", job.Work{Chunks: 2, ChunkRows: 1000, Waiting: 1, Running: 1, Segments: []job.Segment{{Number: 1, Files: []job.SegmentFile{{Name: "a", Status: job.TaskFailed, Size: 9, Rows: 1}}}}})

	_, body := w.send(alice, "GET", one+"/report/files", "")
	files := answered[client.ReportFiles](t, body).Files
	if len(files) != 1 {
		t.Fatalf("%+v", files)
	}
	resp, body := w.send(alice, "GET", files[0].Link, "")
	if body != rows || resp.Header.Get("Content-Type") != "text/csv; charset=utf-8" || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment; filename") {
		t.Errorf("%q %v", body, resp.Header)
	}
	if resp, body := w.send(alice, "HEAD", files[0].Link, ""); resp.ContentLength != int64(len(rows)) || body != "" {
		t.Errorf("HEAD: %d bytes, %q", resp.ContentLength, body)
	}
	if _, body := w.send(alice, "GET", one+"/report", ""); body != `{"Format":"Report_CSV_V1"}` {
		t.Errorf("manifest %s", body)
	}
	_, body = w.send(alice, "GET", one+"/work", "")
	if work := answered[client.Work](t, body); work.Chunks != 2 || work.Running != 1 || work.Segments[0].Files[0].Rows != 1 {
		t.Errorf("work %s", body)
	}
	resp, body = w.send(alice, "POST", one+"/retry", `{"priority": 5}`)
	again := answered[client.Job](t, body)
	if resp.StatusCode != 201 || resp.Header.Get("Location") != "/api/v1/jobs/job-00002" || again.RetryOf != "job-00001" || again.Spec.Priority != 5 || again.Spec.Token == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := w.send(alice, "DELETE", one, ""); resp.StatusCode != 204 || body != "" {
		t.Errorf("delete: %d %s", resp.StatusCode, body)
	}
}

func TestEveryMoveIsAnsweredWithTheJob(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.create()
	const one = "/api/v1/jobs/job-00001"
	tag := func(status job.Status) string {
		w.jobs.Set("job-00001", func(j *job.Job) { j.Status = status })
		resp, _ := w.send(alice, "GET", one, "")
		return resp.Header.Get("ETag")
	}
	for _, tc := range []struct {
		method, path, body string
		from, to           job.Status
	}{
		{"POST", "/confirm", `{"reason":"go"}`, job.Suspended, job.Ready},
		{"POST", "/pause", "", job.Active, job.Pausing},
		{"POST", "/resume", "{}", job.Paused, job.Active},
		{"PUT", "/priority", `{"priority":2147483647}`, job.Active, job.Active},
		{"PUT", "/limits", `{"rate":0.5,"hours":[{"from":"22:00","to":"06:00","calls":9}],"zone":"UTC"}`, job.Active, job.Active},
		{"POST", "/cancel", `{"reason":""}`, job.Active, job.Cancelling},
	} {
		for name, c := range map[string]struct {
			tag    string
			status int
		}{
			"no condition":  {"", 200},
			"as it is":      {"now", 200},
			"any":           {"*", 200},
			"as it was":     {`"long ago"`, 412},
			"a weak tag":    {`W/"1"`, 400},
			"several tags":  {`"1", "2"`, 400},
			"without quote": {"1", 400},
			"empty":         {`""`, 400},
		} {
			now := tag(tc.from)
			if c.tag == "now" {
				c.tag = now
			}
			headers := []string{}
			if c.tag != "" {
				headers = []string{"If-Match", c.tag}
			}
			resp, body := w.send(alice, tc.method, one+tc.path, tc.body, headers...)
			if resp.StatusCode != c.status {
				t.Errorf("%s, %s: %d %s", tc.path, name, resp.StatusCode, body)
				continue
			}
			if c.status != 200 {
				continue
			}
			j := answered[client.Job](t, body)
			if j.Status != string(tc.to) || resp.Header.Get("ETag") != `"`+j.Revision+`"` || resp.Header.Get("ETag") == now {
				t.Errorf("%s, %s: ETag %s after %s, %s", tc.path, name, resp.Header.Get("ETag"), now, body)
			}
		}
	}
}
