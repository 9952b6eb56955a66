package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/client"
)

func TestLimitsOfARegionAreSetShownAndCleared(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	fifty := &client.Limits{Bounds: client.Bounds{Rate: 50}}
	ofConfig := client.Region{Name: "local", Default: true, FromConfig: true, Limits: fifty, Configured: fifty, Revision: "0"}
	far := client.Region{Name: "far", FromConfig: true, Revision: "0"}
	regions := func() []client.Region {
		t.Helper()
		return ask[client.Regions](w, "GET", "/api/v1/regions", "", 200).Regions
	}
	if diff := cmp.Diff([]client.Region{far, ofConfig}, regions()); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	const path = "/api/v1/regions/local/limits"
	set := ask[client.Region](w, "PUT", path, `{"rate":100,"calls":8,"hours":[{"from":"22:00","to":"06:00"}],"zone":"Asia/Shanghai"}`, 200)
	if set.FromConfig || set.Limits == nil || set.Limits.Calls != 8 || set.Limits.Hours[0].From != "22:00" || set.By != alice.AccessKey || set.Changed == nil ||
		!cmp.Equal(set.Configured, fifty) {
		t.Errorf("set %+v", set)
	}
	if diff := cmp.Diff([]client.Region{far, set}, regions()); diff != "" {
		t.Errorf("once they are set (-want +got):\n%s", diff)
	}
	// None at all is something else than those of the configuration.
	if got := ask[client.Region](w, "PUT", path, `{}`, 200); got.Limits != nil || got.FromConfig {
		t.Errorf("without limits %+v", got)
	}
	cleared := ask[client.Region](w, "DELETE", path, "", 200)
	want := ofConfig
	want.Changed, want.By, want.Revision = cleared.Changed, alice.AccessKey, cleared.Revision
	if diff := cmp.Diff(want, cleared); diff != "" || cleared.Changed == nil || cleared.Revision == set.Revision {
		t.Errorf("cleared (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(cleared, ask[client.Region](w, "DELETE", path, "", 200)); diff != "" {
		t.Errorf("cleared once more (-first +second):\n%s", diff)
	}
	if got := ask[client.Region](w, "PUT", path, `{"bytes":7}`, 200); got.Limits.Bytes != 7 { // and once more
		t.Errorf("set again %+v", got)
	}
}

func TestLimitsOfARegionAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	const path = "/api/v1/regions/local/limits"
	for name, body := range map[string]string{
		"no time of the day": `{"hours":[{"from":"25:00","to":"06:00"}],"zone":"UTC"}`,
		"no zone":            `{"hours":[{"from":"22:00","to":"06:00"}]}`,
		"a negative rate":    `{"rate":-1}`,
		"an unknown field":   `{"burst":1}`,
		"nothing":            ``,
	} {
		if resp, text := w.send(alice, "PUT", path, body); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/api/v1/regions", ""}, {"PUT", path, `{"rate":1}`}, {"DELETE", path, ""},
	} {
		if resp, text := w.send(bob, c.method, c.path, c.body); resp.StatusCode != http.StatusForbidden || !strings.Contains(text, "egion") {
			t.Errorf("%s %s without the right: %d %s", c.method, c.path, resp.StatusCode, text)
		}
	}
	for _, method := range []string{"PUT", "DELETE"} {
		if resp, text := w.send(alice, method, "/api/v1/regions/mars/limits", `{}`); resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "mars") {
			t.Errorf("%s an unknown region: %d %s", method, resp.StatusCode, text)
		}
	}
	if got := ask[client.Regions](w, "GET", "/api/v1/regions", "", 200); !got.Regions[1].FromConfig {
		t.Errorf("what was refused is in force: %+v", got.Regions[1])
	}
}

// Of two who look and then change the limits, the second is told.
func TestLimitsOfARegionAreChangedAsSeen(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	const path = "/api/v1/regions/local/limits"
	put := func(tag, body string, want int) client.Region {
		t.Helper()
		resp, text := w.send(alice, "PUT", path, body, "If-Match", tag)
		if resp.StatusCode != want {
			t.Fatalf("If-Match %s: %d %s, want %d", tag, resp.StatusCode, text, want)
		}
		if want != http.StatusOK {
			return client.Region{}
		}
		r := answered[client.Region](t, text)
		if tag := resp.Header.Get("ETag"); tag != `"`+r.Revision+`"` {
			t.Errorf("ETag %s of revision %s", tag, r.Revision)
		}
		return r
	}
	first := put(`"0"`, `{"rate":100}`, 200)
	put(`"0"`, `{"rate":1}`, 412)
	put(`"`+first.Revision, `{"rate":1}`, 400)
	second := put(`"`+first.Revision+`"`, `{"rate":200}`, 200)
	put(`*`, `{"rate":200}`, 200)
	for tag, want := range map[string]int{second.Revision: 412, "0": 412} {
		if resp, text := w.send(alice, "DELETE", path, "", "If-Match", `"`+tag+`"`); resp.StatusCode != want {
			t.Errorf("clear at %s: %d %s", tag, resp.StatusCode, text)
		}
	}
	if got := ask[client.Regions](w, "GET", "/api/v1/regions", "", 200).Regions[1]; got.Limits.Rate != 200 {
		t.Errorf("in force is %+v", got)
	}
}
