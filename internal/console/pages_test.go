package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// zoo makes one job of every status, the last with a hostile caller.
func (f *fixture) zoo() {
	f.Helper()
	for _, st := range job.Statuses() {
		f.pass(time.Minute)
		f.add(spec(func(s *job.Spec) { s.Description = "in " + string(st) }), func(j *job.Job) {
			j.Status = st
			j.Progress = job.Progress{Total: 1_204_331, Succeeded: 1_000_000, Failed: 31, ActiveFor: time.Hour}
			j.Started = j.Created.Add(10 * time.Second)
			if st.Final() {
				j.Terminated = j.Created.Add(time.Hour)
			}
			if st == job.New || st == job.Preparing {
				j.Started, j.Progress = time.Time{}, job.Progress{}
			}
			j.PausedByUser = st == job.Paused
		})
	}
	f.pass(time.Minute)
	f.add(spec(nil), func(j *job.Job) {
		j.Spec.Description = hostile // the service would refuse it
		j.Status = job.Failed
		j.StatusReason = hostile
		j.Failures = []job.Failure{{Code: "ManifestUnreadable", Reason: hostile}}
		j.Progress = job.Progress{Total: 2, Failed: 2, ByCode: []job.CodeCount{{Code: hostile, Count: 2, Samples: []job.Key{hostile, job.Key(strings.Repeat("k", 1024))}}}}
		j.Events = append(j.Events, job.Event{Time: j.Created.Add(time.Second), From: job.New, To: job.Failed, Actor: hostile, Reason: hostile})
	})
}

const hostile = "<script>alert(1)</script>\u202e\x1b[31m\"'&"

func TestPages(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	_, page := f.get("/")
	f.golden("overview-empty", page)
	_, page = f.get("/jobs")
	f.golden("jobs-empty", page)
	f.zoo()
	ids := map[job.Status]string{}
	for i, st := range job.Statuses() {
		ids[st] = fmt.Sprintf("job-%05d", i+1)
	}
	complete := job.ID(ids[job.Complete])
	f.jobs.SetReport(complete, []byte(`{}`))
	f.jobs.AddReportFile(complete, job.ReportFile{Name: "00000001-succeeded.csv", Status: job.TaskSucceeded, Bucket: "lists", Key: "reports/job-1/results/00000001-succeeded.csv", MD5: "aa"}, nil)
	f.jobs.AddReportFile(complete, job.ReportFile{Name: "00000001-failed.csv", Status: job.TaskFailed, Bucket: "lists", Key: "reports/job-1/results/00000001-failed.csv", MD5: "bb"}, nil)
	f.jobs.Set(job.ID(ids[job.Complete]), func(j *job.Job) {
		j.ReportManifest = "reports/job-1/manifest.json"
		j.Progress.ByCode = []job.CodeCount{{Code: "NoSuchKey", Count: 30, Samples: []job.Key{"a/b.txt"}}, {Code: "Odd", Count: 1}}
	})
	f.jobs.Set(job.ID(ids[job.Failed]), func(j *job.Job) { j.ReportManifest, j.Spec.Operation = "gone", &operation.Delete{} })
	f.jobs.Set(job.ID(ids[job.Suspended]), func(j *job.Job) {
		j.Spec.Operation, j.Sizes = &operation.Delete{}, &job.Sizes{Bytes: 5_400_000_000_000, Largest: 6 << 30}
	})
	f.jobs.Set(job.ID(ids[job.Cancelled]), func(j *job.Job) {
		j.Spec.Report, j.Spec.Operation = job.Report{}, &operation.Restore{Days: 3, Tier: "Bulk"}
	})
	for name, path := range map[string]string{
		"overview":        "/",
		"jobs":            "/jobs",
		"jobs-failed":     "/jobs?tab=failed&live=off&search=IN",
		"jobs-none":       "/jobs?search=nothing-like-this",
		"job-hostile":     "/jobs/job-00014",
		"job-suspended":   "/jobs/" + ids[job.Suspended],
		"job-active":      "/jobs/" + ids[job.Active],
		"job-paused":      "/jobs/" + ids[job.Paused],
		"job-ready":       "/jobs/" + ids[job.Ready] + "?done=confirm",
		"job-complete":    "/jobs/" + ids[job.Complete],
		"job-failed":      "/jobs/" + ids[job.Failed],
		"job-cancelled":   "/jobs/" + ids[job.Cancelled],
		"confirm-delete":  "/jobs/" + ids[job.Suspended] + "/confirm",
		"cancel":          "/jobs/" + ids[job.Active] + "/cancel",
		"priority":        "/jobs/" + ids[job.Active] + "/priority",
		"delete-record":   "/jobs/" + ids[job.Complete] + "/delete",
		"storage":         "/storage",
		"error-no-such":   "/jobs/absent-job",
		"error-conflict":  "/jobs/" + ids[job.Complete] + "/cancel",
		"error-no-page":   "/nothing",
		"error-no-action": "/jobs/" + ids[job.Active] + "/explode",
		"wizard-clone":    "/jobs/new?clone=" + ids[job.Cancelled],
	} {
		_, page := f.get(path)
		if strings.Contains(page, "<script>alert") || strings.ContainsAny(page, "\u202e\x1b") {
			t.Errorf("%s lets hostile text through", path)
		}
		f.golden(name, page)
	}
	_, page = f.get("/jobs/"+ids[job.Active], "HX-Request", "true")
	f.golden("job-renewal", page)
	if strings.Contains(page, "<html") {
		t.Error("a renewal sends the whole page")
	}
	_, page = f.get("/jobs", "Accept-Language", "zh-CN")
	f.golden("jobs-chinese", page)
	_, page = f.get("/jobs/"+ids[job.Complete], "Accept-Language", "zh-CN")
	f.golden("job-chinese", page)
}

func TestSignInPages(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, page := f.get("/sign-in?next=/console/jobs")
	f.golden("sign-in", page)
	_, page = f.post("/sign-in", url.Values{"access-key": {hostile}, "secret-key": {"x"}})
	f.golden("sign-in-refused", page)
	res, page := f.post("/sign-in", url.Values{"access-key": {"broken"}, "secret-key": {"s3cret"}})
	if res.StatusCode != http.StatusInternalServerError || strings.Contains(page, "fire") || !strings.Contains(page, "REQUEST") {
		t.Errorf("a broken directory answers %d: %s", res.StatusCode, page)
	}
	f.golden("error-internal", page)
}

func TestJobsOfOtherAccountsAreNotThere(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	id := f.add(spec(func(s *job.Spec) { s.Account, s.Description = other, "theirs" }), func(j *job.Job) { j.Status = job.Active })
	for _, path := range []string{"", "/cancel", "/failures", "/retry", "/report/manifest.json", "/report/00000001-failed.csv"} {
		if res, page := f.get("/jobs/" + string(id) + path); res.StatusCode != http.StatusNotFound || strings.Contains(page, "theirs") {
			t.Errorf("%s answers %d", path, res.StatusCode)
		}
	}
	for _, path := range []string{"/cancel", "/retry"} {
		if res, _ := f.post("/jobs/"+string(id)+path, url.Values{"priority": {"1"}}); res.StatusCode != http.StatusNotFound {
			t.Errorf("posting to %s answers %d", path, res.StatusCode)
		}
	}
	for _, path := range []string{"/jobs", "/", "/jobs?search=theirs"} {
		if _, page := f.get(path); strings.Contains(page, ">theirs") {
			t.Errorf("%s shows it", path)
		}
	}
	if res, _ := f.get("/jobs/new?clone=" + string(id)); res.StatusCode != http.StatusNotFound {
		t.Errorf("cloning answers %d", res.StatusCode)
	}
}

func TestButtonsAreAllowedByStatus(t *testing.T) {
	t.Parallel()
	want := map[job.Status]string{
		job.New: "cancel priority limits", job.Preparing: "cancel priority limits", job.Suspended: "confirm cancel priority limits",
		job.Ready: "pause cancel priority limits", job.Active: "pause cancel priority limits", job.Pausing: "cancel priority limits",
		job.Paused: "pause cancel priority limits", job.Completing: "priority limits", job.Complete: "delete",
		job.Cancelling: "priority limits", job.Cancelled: "delete", job.Failing: "priority limits", job.Failed: "delete",
	}
	for _, st := range job.Statuses() {
		var got []string
		for _, b := range english.buttons(job.Job{Status: st}) {
			if b.Allowed {
				got = append(got, b.Action)
			}
		}
		if s := strings.Join(got, " "); s != want[st] {
			t.Errorf("%s allows %q, want %q", st, s, want[st])
		}
	}
	if !resume.allowed(job.Job{Status: job.Paused, PausedByUser: true}) || resume.allowed(job.Job{Status: job.Paused}) {
		t.Error("who paused a job may resume it; nobody resumes what waits for another job")
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	id := f.add(spec(nil), func(j *job.Job) { j.Status = job.Suspended })
	get := func() job.Job {
		j, err := f.jobs.Job(t.Context(), jobCaller, id)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	do := func(action string, form url.Values, want int) string {
		t.Helper()
		res, page := f.post("/jobs/"+string(id)+"/"+action, form)
		if res.StatusCode != want {
			t.Errorf("%s answers %d, want %d", action, res.StatusCode, want)
		}
		return page
	}
	do("confirm", url.Values{"reason": {"looked at it"}}, http.StatusSeeOther)
	if j := get(); j.Status != job.Ready || j.StatusReason != "looked at it" {
		t.Errorf("after confirming: %s, %q", j.Status, j.StatusReason)
	}
	do("confirm", url.Values{}, http.StatusConflict)
	for _, bad := range []string{"", "-1", "x", "2147483648"} {
		if page := do("priority", url.Values{"priority": {bad}}, http.StatusBadRequest); !strings.Contains(page, "Priority:") {
			t.Errorf("priority %q is not explained", bad)
		}
	}
	do("priority", url.Values{"priority": {"77"}}, http.StatusSeeOther)
	do("pause", url.Values{"reason": {strings.Repeat("x", 257)}}, http.StatusBadRequest)
	do("pause", url.Values{}, http.StatusSeeOther)
	do("resume", url.Values{}, http.StatusSeeOther)
	do("cancel", url.Values{"reason": {"no"}}, http.StatusSeeOther)
	if j := get(); j.Priority != 77 || j.Status != job.Cancelling {
		t.Errorf("in the end: %d, %s", j.Priority, j.Status)
	}
	f.jobs.Set(id, func(j *job.Job) { j.Status = job.Cancelled })
	do("delete", url.Values{}, http.StatusSeeOther)
	do("delete", url.Values{}, http.StatusNotFound)
	do("explode", url.Values{}, http.StatusNotFound)
}

func TestAJobThatDeletesIsConfirmedByAWord(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	id := f.add(spec(func(s *job.Spec) { s.Operation = &operation.Delete{} }), func(j *job.Job) { j.Status = job.Suspended })
	if res, _ := f.post("/jobs/"+string(id)+"/confirm", url.Values{}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("without the word it answers %d", res.StatusCode)
	}
	if res, page := f.post("/jobs/actions", url.Values{"action": {"confirm"}, "id": {string(id)}}); res.StatusCode != http.StatusConflict || !strings.Contains(page, "deletes objects") {
		t.Errorf("among many it answers %d", res.StatusCode)
	}
	if res, _ := f.post("/jobs/"+string(id)+"/confirm", url.Values{"word": {"delete"}}); res.StatusCode != http.StatusSeeOther {
		t.Errorf("with the word it answers %d", res.StatusCode)
	}
}

func TestManyJobsAtOnce(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	active := f.add(spec(nil), func(j *job.Job) { j.Status = job.Active })
	ended := f.add(spec(nil), func(j *job.Job) { j.Status = job.Complete })
	theirs := f.add(spec(func(s *job.Spec) { s.Account = other }), func(j *job.Job) { j.Status = job.Active })
	res, page := f.post("/jobs/actions", url.Values{"action": {"pause"}, "id": {string(active), string(ended), string(theirs), "../../x"}})
	if res.StatusCode != http.StatusConflict || strings.Count(page, "<li>") < 3 {
		t.Errorf("it answers %d", res.StatusCode)
	}
	if j, _ := f.jobs.Job(t.Context(), jobCaller, active); j.Status != job.Pausing {
		t.Errorf("the one that could be paused is %s", j.Status)
	}
	if res, _ := f.post("/jobs/actions", url.Values{"action": {"pause"}}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("with nothing ticked it answers %d", res.StatusCode)
	}
	if res, _ := f.post("/jobs/actions", url.Values{"action": {"delete"}, "id": {string(ended)}}); res.StatusCode != http.StatusNotFound {
		t.Errorf("an action that is none for many answers %d", res.StatusCode)
	}
	res, _ = f.post("/jobs/actions", url.Values{"action": {"cancel"}, "id": {string(active)}, "back": {base + "/jobs?tab=active"}})
	if got := res.Header.Get("Location"); got != base+"/jobs?tab=active" {
		t.Errorf("it leads to %q", got)
	}
}

func TestPagesOfTheListFollowEachOther(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	const n = 2*pageSize + 3
	for range n {
		f.add(spec(nil), nil)
	}
	path, seen := "/jobs", map[string]bool{}
	for pages := 1; ; pages++ {
		_, page := f.get(path)
		rows := strings.Split(page, `<tr id="job-`)[1:]
		for _, row := range rows {
			id, _, _ := strings.Cut(row, `"`)
			if seen[id] {
				t.Fatalf("%s comes twice", id)
			}
			seen[id] = true
		}
		_, rest, more := strings.Cut(page, `id="next-page" href="`)
		if !more {
			if pages != 3 || len(seen) != n {
				t.Errorf("%d jobs on %d pages", len(seen), pages)
			}
			return
		}
		next, _, _ := strings.Cut(rest, `"`)
		path = strings.TrimPrefix(strings.ReplaceAll(next, "&amp;", "&"), base)
	}
}
