package rest

import (
	"net/http"
	"testing"

	"pgregory.net/rapid"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

func drawBounds(t *rapid.T) job.Bounds {
	return job.Bounds{
		Rate: rapid.Float64Range(0.001, 1e6).Draw(t, "rate"), Bytes: rapid.Int64Range(0, 1<<40).Draw(t, "bytes"),
		Calls: rapid.IntRange(0, 1000).Draw(t, "calls"),
	}
}

func drawLimits(t *rapid.T) job.Limits {
	if rapid.Bool().Draw(t, "no limits") {
		return job.Limits{}
	}
	l := job.Limits{Bounds: drawBounds(t)}
	for range rapid.IntRange(0, 3).Draw(t, "hours") {
		l.Zone = "UTC"
		minute := rapid.IntRange(0, 24*60-1)
		l.Hours = append(l.Hours, job.Hours{From: minute.Draw(t, "from"), To: minute.Draw(t, "to"), Bounds: drawBounds(t)})
	}
	return l
}

func TestLimitsAreSetAndShown(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.create()
	const path = "/api/v1/jobs/job-00001/limits"
	resp, body := w.send(alice, "PUT", path, `{"rate":100,"bytes":50000000,"calls":8,"hours":[{"from":"22:00","to":"06:00"}],"zone":"Asia/Shanghai"}`)
	j := answered[client.Job](t, body)
	if resp.StatusCode != http.StatusOK || j.Limits == nil || j.Limits.Rate != 100 || j.Limits.Hours[0].From != "22:00" || j.Limits.Zone != "Asia/Shanghai" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for name, body := range map[string]string{
		"no time of the day": `{"hours":[{"from":"25:00","to":"06:00"}],"zone":"UTC"}`,
		"no zone":            `{"hours":[{"from":"22:00","to":"06:00"}]}`,
		"a negative rate":    `{"rate":-1}`,
		"an unknown field":   `{"speed":1}`,
		"nothing":            ``,
	} {
		if resp, text := w.send(alice, "PUT", path, body); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	_, body = w.send(alice, "PUT", path, `{}`)
	if j := answered[client.Job](t, body); j.Limits != nil {
		t.Errorf("limits that were taken off: %s", body)
	}
}
