package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/probe"
)

// ended is a job that has ended, with failed tasks in its report.
func (f *fixture) ended(files ...string) job.ID {
	f.Helper()
	id := f.add(spec(func(s *job.Spec) { s.Description = "nightly" }), func(j *job.Job) {
		j.Status, j.Terminated, j.Started = job.Complete, j.Created.Add(time.Hour), j.Created
		j.ReportManifest = "reports/job-1/manifest.json"
		j.Progress = job.Progress{Total: 500, Succeeded: 200, Failed: 300, ByCode: []job.CodeCount{{Code: "NoSuchKey", Count: 299}, {Code: hostile, Count: 1}}}
	})
	f.jobs.SetReport(id, []byte(`{}`))
	f.jobs.AddReportFile(id, job.ReportFile{Name: "00000001-succeeded.csv", Status: job.TaskSucceeded, Bucket: "lists", Key: "r/00000001-succeeded.csv"}, []byte("photos,a,,succeeded,,200,\n"))
	for i, body := range files {
		name := fmt.Sprintf("%08d-failed.csv", i+1)
		f.jobs.AddReportFile(id, job.ReportFile{Name: name, Status: job.TaskFailed, Bucket: "lists", Key: job.Key("r/" + name), MD5: "bb"}, []byte(body))
	}
	return id
}

func TestFailedTasks(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	odd := "photos,%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE%1B" + strings.Repeat("k", 1024) + ",v1,failed," + hostileCode + ",503,\"" + strings.ReplaceAll(hostile, `"`, `""`) + "\"\n"
	id := f.ended(odd+strings.Repeat("photos,gone.jpg,,failed,NoSuchKey,404,The key is not there.\n", 3), strings.Repeat("photos,b%20c.jpg,,failed,NoSuchKey,404,The key is not there.\n", 296))
	at := "/jobs/" + string(id)
	_, page := f.get(at + "/failures?code=" + url.QueryEscape(hostile))
	if strings.Contains(page, "<script>alert") || strings.ContainsAny(page, "\u202e\x1b") {
		t.Error("hostile text comes through")
	}
	f.golden("failures-hostile", page)
	_, page = f.get(at + "/failures?code=NoSuchKey")
	if n := strings.Count(page, "<tr>") - 1; n != shownFailures || !strings.Contains(page, "There are more") {
		t.Errorf("%d rows are shown", n)
	}
	_, page = f.get(at + "/failures?code=Nothing")
	f.golden("failures-none", page)
	_, page = f.get("/jobs/" + string(id) + "/report/00000001-failed.csv")
	if page != odd+strings.Repeat("photos,gone.jpg,,failed,NoSuchKey,404,The key is not there.\n", 3) {
		t.Error("the file is not what the report has")
	}
	for _, body := range []string{"photos,a\n", "\"\n"} {
		broken := f.ended(body)
		if res, page := f.get("/jobs/" + string(broken) + "/failures"); res.StatusCode != http.StatusOK || !strings.Contains(page, "is damaged") {
			t.Errorf("a damaged file answers %d", res.StatusCode)
		}
	}
	running := f.add(spec(nil), func(j *job.Job) { j.Status = job.Active })
	_, page = f.get("/jobs/" + string(running) + "/failures")
	f.golden("failures-running", page)
	silent := f.add(spec(func(s *job.Spec) { s.Report = job.Report{} }), func(j *job.Job) { j.Status = job.Complete })
	if _, page := f.get("/jobs/" + string(silent) + "/failures"); !strings.Contains(page, "without a report") {
		t.Error("that there is no report is not said")
	}
	if res, _ := f.get("/jobs/" + string(id) + "/report/nothing.csv"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a file that is not there answers %d", res.StatusCode)
	}
}

const hostileCode = `"<script>alert(1)</script>` + "\u202e\x1b[31m" + `""'&"`

func TestFailedObjectsMakeANewJob(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	row := "photos,gone.jpg,,failed,NoSuchKey,404,\n"
	one, two := f.ended(row), f.ended(row, row)
	_, page := f.get("/jobs/" + string(one))
	if !strings.Contains(page, "/retry") {
		t.Error("the job's page does not offer it")
	}
	_, page = f.get("/jobs/" + string(one) + "/retry")
	f.golden("retry", page)
	_, page = f.get("/jobs/new?failed=" + string(one))
	f.golden("wizard-of-failed", page)
	_, page = f.get("/jobs/" + string(two) + "/retry")
	if strings.Contains(page, "in-wizard") {
		t.Error("the wizard is offered for two files, of which it can take one")
	}
	if res, _ := f.get("/jobs/new?failed=" + string(two)); res.StatusCode != http.StatusConflict {
		t.Errorf("the wizard takes one of two files: %d", res.StatusCode)
	}
	form := url.Values{"token": {"token-of-the-form"}, "priority": {"0"}, "description": {"again"}}
	res, page := f.post("/jobs/"+string(one)+"/retry", form)
	if res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("priority 0 answers %d", res.StatusCode)
	}
	f.golden("retry-refused", page)
	form.Set("priority", "12")
	res, _ = f.post("/jobs/"+string(one)+"/retry", form)
	if res.StatusCode != http.StatusSeeOther || !strings.HasSuffix(res.Header.Get("Location"), "done=created") {
		t.Fatalf("it answers %d, %s", res.StatusCode, res.Header.Get("Location"))
	}
	made := f.jobs.Len()
	res, _ = f.post("/jobs/"+string(one)+"/retry", form)
	if f.jobs.Len() != made || !strings.HasSuffix(res.Header.Get("Location"), "done=duplicate") {
		t.Errorf("twice sent is not once made: %d jobs, %s", f.jobs.Len(), res.Header.Get("Location"))
	}
	active := f.add(spec(nil), func(j *job.Job) { j.Status = job.Active })
	if res, _ := f.post("/jobs/"+string(active)+"/retry", url.Values{"token": {"t-2"}, "priority": {"1"}}); res.StatusCode != http.StatusConflict {
		t.Errorf("a running job answers %d", res.StatusCode)
	}
}

func TestTheWorkOfAJob(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	low := f.add(spec(func(s *job.Spec) { s.Description = "waits" }), func(j *job.Job) { j.Status = job.Ready })
	id := f.add(spec(func(s *job.Spec) { s.Tags, s.Priority = []job.Tag{{Key: "team", Value: `<b>"'&`}}, 99 }), func(j *job.Job) {
		j.Status, j.Started, j.Priority = job.Active, j.Created, 99
		j.Progress = job.Progress{Total: 1_000_000, Succeeded: 250_000, Failed: 12, ActiveFor: time.Minute, Rate: 4200, Requested: 7}
	})
	w := job.Work{Chunks: 1000, ChunkRows: 1000, Waiting: 6, Running: 4}
	for i := range 60 {
		w.Pace = append(w.Pace, job.Sample{Time: start.Add(time.Duration(i) * time.Second), Done: int64(i * (4000 + i)), Failed: int64(i / 5)})
	}
	for i := range int64(11) {
		w.Segments = append(w.Segments, job.Segment{Number: i + 1, Files: []job.SegmentFile{
			{Status: job.TaskSucceeded, Rows: 24_000, Size: 1 << 20}, {Status: job.TaskFailed, Rows: 1, Size: 80},
		}})
	}
	f.jobs.SetWork(id, w)
	_, page := f.get("/jobs/" + string(id))
	f.golden("job-work", page)
	_, page = f.get("/jobs/" + string(low))
	if !strings.Contains(page, "(priority 99)</a>") {
		t.Error("a job that waits does not name the one that runs")
	}
	f.jobs.Err = func(call string) error {
		if call == "Work" || call == "Tags" {
			return job.Errorf(job.AccessDenied, "No.")
		}
		return nil
	}
	if res, _ := f.get("/jobs/" + string(id)); res.StatusCode != http.StatusOK {
		t.Errorf("without its work the page answers %d", res.StatusCode)
	}
}

func TestAListThatIsMadeIsDescribed(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	larger := int64(1 << 20)
	id := f.add(spec(func(s *job.Spec) {
		s.Manifest = job.Manifest{}
		s.Generator = &job.Generator{Source: "photos-1250000000", Filter: job.ObjectFilter{
			Prefixes: []string{"2026/", "<b>"}, CreatedBefore: start, LargerThan: &larger, Classes: []string{"STANDARD"},
		}}
	}), func(j *job.Job) { j.Status = job.Suspended })
	_, page := f.get("/jobs/" + string(id))
	f.golden("job-generator", page)
	f.jobs.Set(id, func(j *job.Job) {
		j.Generated = job.Manifest{Format: job.FormatInventory, Location: job.Location{Bucket: "lists", Key: "made/manifest.json", ETag: "0f343b0931126a20f133d67c2b018a3b"}}
	})
	for _, path := range []string{"/jobs/" + string(id), "/jobs/new?clone=" + string(id)} {
		if _, page := f.get(path); !strings.Contains(page, "made/manifest.json") {
			t.Errorf("%s does not name the list that was made", path)
		}
	}
}

func TestChartIsDrawnWithinItsBox(t *testing.T) {
	t.Parallel()
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	for _, few := range [][]job.Sample{nil, {{Time: at(0)}, {Time: at(1), Done: 5}}, {{Time: at(0)}, {Time: at(0)}, {Time: at(0)}}, {{Time: at(0)}, {Time: at(1)}, {Time: at(2)}}} {
		if c := english.chart(few); c != nil {
			t.Errorf("%v make a chart", few)
		}
	}
	c := english.chart([]job.Sample{{Time: at(0)}, {Time: at(1), Done: 10}, {Time: at(2), Done: 70, Failed: 30}, {Time: at(2.05), Done: 90}, {Time: at(4), Done: 70}})
	if c.Line != "M0.0 90.0 L300.0 40.0 L600.0 100.0" || c.Bad == "" || c.Top != "100" || c.Middle != "50" || c.From != "08:00:00" {
		t.Errorf("%+v", c)
	}
	if c := english.chart([]job.Sample{{Time: at(0)}, {Time: at(90_000), Done: 9}, {Time: at(100_000), Done: 10_000}}); c.From != "03-01 08:00" || c.Top != "2" {
		t.Errorf("over two days: %+v", c)
	}
}

func TestWorkersPage(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	_, page := f.get("/workers")
	f.golden("workers-none", page)
	f.add(spec(nil), func(j *job.Job) { j.Status = job.Active })
	f.living = Living{
		Nodes: []LiveNode{{ID: "n1", Name: "alpha" + hostile, Started: start.Add(-time.Hour), Leads: 3, Disk: 7, DiskLow: true}},
		Workers: []LiveWorker{
			{ID: "w1", Name: "alpha", Started: start.Add(-time.Hour), Concurrency: 64, Chunks: 4}, {ID: "w2", Started: start.Add(-3 * time.Second), Concurrency: 64},
		},
	}
	_, page = f.get("/workers")
	f.golden("workers", page)
	if _, page = f.get("/workers", "HX-Request", "true"); strings.Contains(page, "<html") {
		t.Error("a renewal sends the whole page")
	}
	f.livingErr = errors.New("away")
	if res, _ := f.get("/workers"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("with nobody to ask it answers %d", res.StatusCode)
	}
}

func TestAStoreIsTried(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.openStore()
	f.put("kept.txt", "stays")
	form := url.Values{"region": {"ap-chengdu"}, "bucket": {"lists"}, "role": {role.ARN}}
	if res, _ := f.post("/storage/probe", form); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("it answers %d", res.StatusCode)
	}
	_, page := f.get("/storage?done=probe")
	if n := strings.Count(page, "<code>copy-"); n < 10 || !strings.Contains(page, "The store was tried") {
		t.Errorf("%d capabilities of copies are told", n)
	}
	left := 0
	for _, err := range f.stores.store.List(t.Context(), "lists", object.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		left++
	}
	if left != 1 {
		t.Errorf("%d objects are there afterwards, want 1", left)
	}
	asked := f.stores.asked
	for what, c := range map[string]struct {
		change url.Values
		status int
	}{
		"a bucket that cannot be": {url.Values{"bucket": {"no bucket " + hostile}}, http.StatusUnprocessableEntity},
		"a bucket that is not":    {url.Values{"bucket": {"nothing-here"}}, http.StatusUnprocessableEntity},
		"another's role":          {url.Values{"role": {"qcs::cam::uin/100000000002:roleName/x"}}, http.StatusUnprocessableEntity},
		"no region":               {url.Values{"region": {"mars"}}, http.StatusBadRequest},
	} {
		changed := url.Values{}
		for name, v := range form {
			changed[name] = v
		}
		for name, v := range c.change {
			changed[name] = v
		}
		if res, page := f.post("/storage/probe", changed); res.StatusCode != c.status || strings.Contains(page, "<script>") && strings.Contains(page, "alert(1)</script>") {
			t.Errorf("%s answers %d, want %d", what, res.StatusCode, c.status)
		}
	}
	if f.stores.asked > asked+1 {
		t.Error("a store was opened that may not be")
	}
}

// TestStoragePageTellsTheVerdicts shows each of them, the dangerous one first.
func TestStoragePageTellsTheVerdicts(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.server.probes.keep(someone.UIN, probed{at: start.Add(-time.Minute), region: "ap-chengdu", role: role.ARN, report: probe.Report{
		Bucket: "scratch", Versioned: true, Capabilities: []probe.Capability{
			{Name: "put-get", Verdict: probe.Works},
			{Name: "copy-tags", Verdict: probe.Refused, Detail: hostile, Meaning: "Tags cannot be copied."},
			{Name: "copy-class", Verdict: probe.Ignored, Meaning: "Copies stay in STANDARD."},
			{Name: "restore", Verdict: probe.Unknown, Detail: "nothing is archived"},
		},
	}})
	_, page := f.get("/storage")
	f.golden("storage-tried", page)
	if strings.Index(page, "copy-class") > strings.Index(page, "put-get") {
		t.Error("what is ignored does not stand first")
	}
	f.server.probes.now[someone.UIN] = true
	if res, _ := f.post("/storage/probe", url.Values{"region": {"ap-chengdu"}, "bucket": {"lists"}, "role": {role.ARN}}); res.StatusCode != http.StatusConflict {
		t.Errorf("two at once answer %d", res.StatusCode)
	}
}
