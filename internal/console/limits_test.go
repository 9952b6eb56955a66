package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
)

// clocked are limits of every kind.
var clocked = job.Limits{
	Bounds: job.Bounds{Rate: 12.5, Calls: 4, Bytes: 3 << 20}, Zone: "Asia/Shanghai",
	Hours: []job.Hours{{From: 22 * 60, To: 6 * 60}, {From: 12 * 60, To: 13*60 + 30, Bounds: job.Bounds{Rate: 0.25, Calls: 64, Bytes: 50_000_001}}},
}

func TestLimitsComeThroughTheFormAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]job.Limits{
		"none": {}, "of every kind": clocked, "hours only": {Hours: clocked.Hours, Zone: "UTC"}, "bounds only": {Bounds: clocked.Bounds},
	} {
		var p job.Problems
		got := formOfLimits(want).limits(english, &p)
		if diff := cmp.Diff(want, got); diff != "" || p.Err() != nil {
			t.Errorf("%s (-want +got), %v:\n%s", name, p.Err(), diff)
		}
	}
}

// TestWhatIsNoLimitIsRefused has what a browser lets through.
func TestWhatIsNoLimitIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		form url.Values
		want string // a part of the message
	}{
		"a word":                    {url.Values{"limit-rate": {"much"}}, "Limits.Rate: give a number"},
		"no number":                 {url.Values{"limit-rate": {"NaN"}}, "Limits.Rate: give a number"},
		"a negative one":            {url.Values{"limit-calls": {"-3"}}, "Limits.Calls: give a number"},
		"half a call":               {url.Values{"limit-calls": {"0.5"}}, "Limits.Calls: give a whole number"},
		"no end of bytes":           {url.Values{"limit-bytes": {"Inf"}}, "Limits.Bytes: give a number"},
		"hours without an end":      {url.Values{"hours-from": {"", "22:00"}, "hours-to": {"", ""}}, `Limits.Hours[0]: "" is no time`},
		"hours of no day":           {url.Values{"hours-from": {"25:00"}, "hours-to": {"06:00"}}, `Limits.Hours[0]: "25:00" is no time`},
		"a limit without its hours": {url.Values{"hours-from": {""}, "hours-rate": {"5"}}, `Limits.Hours[0]: "" is no time`},
		"a word at certain hours":   {url.Values{"hours-from": {"22:00"}, "hours-to": {"06:00"}, "hours-bytes": {"x"}}, "Limits.Hours[0].Bytes: give a number"},
	} {
		var p job.Problems
		form{c.form}.limits(english, &p)
		if len(p) != 1 || !strings.Contains(p[0].Message, c.want) {
			t.Errorf("%s gives %v, want one problem with %q", name, p, c.want)
		}
	}
}

func TestLimitsOnTheCommandLine(t *testing.T) {
	t.Parallel()
	for want, all := range map[string]job.Limits{
		"drover job limit ID --unlimited": {},
		"drover job limit ID --limit-rate 12.5 --limit-calls 4 --limit-bytes 3MiB --limit-hours 22:00-06:00=unlimited " +
			"--limit-hours 12:00-13:30=rate:0.25,calls:64,bytes:50000001 --limit-zone Asia/Shanghai": clocked,
	} {
		if got := limitCommand("drover job limit ID", "limit-", all); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLimitsAreSetAndShown(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	id := f.add(spec(func(s *job.Spec) { s.Limits = clocked }), func(j *job.Job) { j.Limits = j.Spec.Limits })
	_, page := f.get("/jobs/" + string(id))
	for _, want := range []string{
		"12.5 calls a second, 4 calls at a time, 3.0 MiB a second; 22:00–06:00 Asia/Shanghai: no limit; 12:00–13:30 Asia/Shanghai: 0.25 calls a second,",
		"--limit-hours 22:00-06:00=unlimited",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	_, page = f.get("/jobs/new?clone=" + string(id))
	_, page = f.step(page, "next")
	_, page = f.step(page, "next")
	f.atStep(page, 3)
	f.golden("wizard-3-limits", page)
	_, again := f.step(page, "next", "limit-calls", "-3", "limit-bytes", "much", "limit-zone", "Mars")
	if f.atStep(again, 3); strings.Count(again, "give a number above zero") != 2 || !strings.Contains(again, "is no time zone") {
		t.Error("bad limits are not explained")
	}
	_, page = f.step(page, "drop:0")
	f.atStep(page, 3)
	_, page = f.step(page, "next", "limit-rate", "100", "limit-bytes", "0.5")
	_, _ = f.step(page, "create", "manifest-etag", "0f343b0931126a20f133d67c2b018a3b")
	j, err := f.jobs.Job(t.Context(), jobCaller, "job-00002")
	want := job.Limits{Bounds: job.Bounds{Rate: 100, Calls: 4, Bytes: 1 << 19}, Hours: clocked.Hours[1:], Zone: clocked.Zone}
	if diff := cmp.Diff(want, j.Spec.Limits); err != nil || diff != "" {
		t.Errorf("the job's limits (-want +got), %v:\n%s", err, diff)
	}
}

func TestLimitsOfARunningJobAreChanged(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	id := f.add(spec(func(s *job.Spec) { s.Limits = clocked }), func(j *job.Job) { j.Status, j.Limits = job.Active, j.Spec.Limits })
	path := "/jobs/" + string(id) + "/limits"
	_, page := f.get(path)
	f.golden("limits", page)
	_, page = f.get(path, "Accept-Language", "zh-CN")
	f.golden("limits-chinese", page)
	revision := func() string {
		t.Helper()
		j, err := f.jobs.Job(t.Context(), jobCaller, id)
		if err != nil {
			t.Fatal(err)
		}
		return j.Revision
	}
	typed := url.Values{
		"limit-rate": {"-1"}, "limit-calls": {"8"}, "limit-bytes": {""}, "revision": {revision()},
		"hours-from": {"", "08:00", "25:00"}, "hours-to": {"", "08:00", "06:00"}, "hours-rate": {"", "50", ""}, "hours-calls": {"", "", ""}, "hours-bytes": {"", "", ""},
	}
	res, page := f.post(path, typed)
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("what is no number answers %d", res.StatusCode)
	}
	f.golden("limits-refused", page)
	typed.Set("limit-rate", "")
	typed["hours-from"] = []string{"", "08:00"}
	if res, page = f.post(path, typed); res.StatusCode != http.StatusBadRequest || !strings.Contains(page, "Row 1: begin and end at 08:00") || !strings.Contains(page, "name the time zone") {
		t.Errorf("what the service refuses answers %d: %s", res.StatusCode, page)
	}
	typed["hours-to"], typed["limit-zone"] = []string{"", "18:30"}, []string{"UTC"}
	for what, rows := range map[string]int{"rows": 7, "drop:0": 2, "drop:9": 2, "drop:x": 2} {
		typed.Set("do", what)
		if res, page := f.post(path, typed); res.StatusCode != http.StatusOK || strings.Count(page, `name="hours-from"`) != rows || !strings.Contains(page, `id="limit-calls" type="number" min="0" step="any" value="8"`) {
			t.Errorf("%s answers %d with %d rows, want %d, and all that was typed", what, res.StatusCode, strings.Count(page, `name="hours-from"`), rows)
		}
	}
	typed.Set("do", "set")
	if res, _ := f.post(path, typed); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the change answers %d", res.StatusCode)
	}
	j, err := f.jobs.Job(t.Context(), jobCaller, id)
	want := job.Limits{Bounds: job.Bounds{Calls: 8}, Zone: "UTC", Hours: []job.Hours{{From: 8 * 60, To: 18*60 + 30, Bounds: job.Bounds{Rate: 50}}}}
	if diff := cmp.Diff(want, j.Limits); err != nil || diff != "" {
		t.Errorf("the job's limits (-want +got), %v:\n%s", err, diff)
	}
	// The form that was open meanwhile is overtaken, and its second sending is not.
	typed.Set("limit-calls", "9")
	res, page = f.post(path, typed)
	if res.StatusCode != http.StatusConflict || !strings.Contains(page, `value="9"`) || !strings.Contains(page, `name="revision" value="`+revision()+`"`) {
		t.Errorf("a form that was overtaken answers %d", res.StatusCode)
	}
	f.golden("limits-overtaken", page)
	typed.Set("revision", revision())
	if res, _ := f.post(path, typed); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the second time it answers %d", res.StatusCode)
	}
	f.jobs.Set(id, func(j *job.Job) { j.Status = job.Complete })
	if res, _ := f.get(path); res.StatusCode != http.StatusConflict {
		t.Errorf("the form of a job that has ended answers %d", res.StatusCode)
	}
}
