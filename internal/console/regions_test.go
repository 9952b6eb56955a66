package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

const ofChengdu = "/storage/regions/ap-chengdu"

// region is the region of the configuration as it is now.
func (f *fixture) region() access.Region {
	f.Helper()
	all, err := f.admin.ListRegions(f.Context(), jobCaller)
	if err != nil || len(all) != 1 {
		f.Fatalf("the regions are %v, %v", all, err)
	}
	return all[0]
}

func TestLimitsOfARegionAreChanged(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	_, page := f.get(ofChengdu + "/limits")
	f.golden("region", page)
	typed := url.Values{
		"revision": {f.region().Revision}, "do": {"set"}, "limit-rate": {"100"}, "limit-calls": {""}, "limit-bytes": {"0.5"}, "limit-zone": {""},
		"hours-from": {"07:00", ""}, "hours-to": {"19:00", ""}, "hours-rate": {"20", ""}, "hours-calls": {"", ""}, "hours-bytes": {"", ""},
	}
	res, page := f.post(ofChengdu+"/limits", typed)
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("hours without a zone answer %d", res.StatusCode)
	}
	f.golden("region-refused", page)
	typed.Set("limit-zone", "UTC")
	if res, _ := f.post(ofChengdu+"/limits", typed); res.StatusCode != http.StatusSeeOther || !strings.HasSuffix(res.Header.Get("Location"), "/storage?done=region-limits") {
		t.Fatalf("the change answers %d, %s", res.StatusCode, res.Header.Get("Location"))
	}
	want := job.Limits{Bounds: job.Bounds{Rate: 100, Bytes: 1 << 19}, Zone: "UTC", Hours: []job.Hours{{From: 7 * 60, To: 19 * 60, Bounds: job.Bounds{Rate: 20}}}}
	if diff := cmp.Diff(want, f.region().Limits); diff != "" {
		t.Errorf("the region's limits (-want +got):\n%s", diff)
	}
	f.pass(3 * time.Minute)
	_, page = f.get("/storage?done=region-limits") // at 08:03
	f.golden("storage-region-limited", page)
	_, page = f.get("/storage", "Accept-Language", "zh-CN")
	f.golden("storage-chinese", page)
	f.pass(12 * time.Hour)
	f.signIn("alice")
	if _, page = f.get("/storage"); !strings.Contains(page, "100 calls a second, 512.0 KiB a second<br>") {
		t.Error("in the evening the limits in force are not those of other hours")
	}

	// The form that was open meanwhile is overtaken, as is going back by it.
	typed.Set("limit-rate", "1")
	for _, to := range []string{"/limits", "/clear"} {
		res, page := f.post(ofChengdu+to, typed)
		if now := f.region(); res.StatusCode != http.StatusConflict || now.Limits.Rate != 100 || !strings.Contains(page, `name="revision" value="`+now.Revision+`"`) {
			t.Errorf("%s answers %d to a form that was overtaken, and the limits are %+v", to, res.StatusCode, now.Limits)
		}
		f.golden("region-overtaken", page)
	}
	typed.Set("revision", f.region().Revision)
	res, _ = f.post(ofChengdu+"/clear", typed)
	if now := f.region(); res.StatusCode != http.StatusSeeOther || !now.FromConfig || !strings.HasSuffix(res.Header.Get("Location"), "/storage?done=region-cleared") {
		t.Errorf("going back answers %d, and there is %+v", res.StatusCode, now)
	}
	for _, name := range []string{"mars", "%2F"} {
		if res, _ := f.get("/storage/regions/" + name + "/limits"); res.StatusCode != http.StatusNotFound {
			t.Errorf("the limits of the region %q answer %d", name, res.StatusCode)
		}
	}
}

// TestWhoMayNotChangeARegionIsNotAskedTo has carol, who may look, and bob, who may not.
func TestWhoMayNotChangeARegionIsNotAskedTo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for who, golden := range map[string]string{"carol": "storage-look", "bob": "storage-denied"} {
		f.signIn(who)
		_, page := f.get("/storage")
		f.golden(golden, page)
		if strings.Contains(page, `data-action="limits"`) || strings.Contains(page, "200 calls") != (who == "carol") {
			t.Errorf("%s is offered to change the limits, or sees the wrong ones", who)
		}
		if res, _ := f.get(ofChengdu + "/limits"); res.StatusCode != http.StatusForbidden {
			t.Errorf("the form answers %s %d", who, res.StatusCode)
		}
		for _, to := range []string{"/limits", "/clear"} {
			res, page := f.post(ofChengdu+to, url.Values{"limit-rate": {"1"}, "do": {"set"}})
			if res.StatusCode != http.StatusForbidden || !strings.Contains(page, "cos:UpdateRegionLimits") {
				t.Errorf("%s answers %s %d", to, who, res.StatusCode)
			}
		}
	}
	if now := f.region(); !now.FromConfig {
		t.Errorf("what was refused is in force: %+v", now)
	}
}
