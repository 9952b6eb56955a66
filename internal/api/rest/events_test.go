package rest

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

func TestEventsFollowAJobToItsEnd(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.create()
	resp := w.open(alice, "GET", "/api/v1/jobs/job-00001/events", "")
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	for _, status := range []job.Status{job.New, job.Active, job.Complete} {
		if status != job.New {
			w.jobs.Set("job-00001", func(j *job.Job) { j.Status = status })
		}
		for _, want := range []string{"event: job", `"status":"` + string(status) + `"`, ""} {
			if !lines.Scan() || !strings.Contains(lines.Text(), want) {
				t.Fatalf("%q, want %q (%v)", lines.Text(), want, lines.Err())
			}
		}
	}
	if lines.Scan() {
		t.Errorf("after the end: %q", lines.Text())
	}
}

func TestEventsHaveHeartbeats(t *testing.T) {
	t.Parallel()
	w := setup(t, time.Millisecond)
	w.create()
	resp := w.open(alice, "GET", "/api/v1/jobs/job-00001/events", "")
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	beats := 0
	for beats < 3 && lines.Scan() {
		if strings.HasPrefix(lines.Text(), ": ") {
			beats++
		}
	}
	if beats < 3 {
		t.Errorf("%d heartbeats, then %v", beats, lines.Err())
	}
}

// What goes wrong after the first event can have no status of its own: it becomes an event.
func TestAnErrorEndsTheStreamAsAnEvent(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.create()
	resp := w.open(alice, "GET", "/api/v1/jobs/job-00001/events", "")
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for range 3 {
		lines.Scan()
	}
	// The job goes to another account, so that watching it ends.
	w.jobs.Set("job-00001", func(j *job.Job) { j.Spec.Account = bob.Account })
	var rest []string
	for lines.Scan() {
		rest = append(rest, lines.Text())
	}
	if len(rest) != 3 || rest[0] != "event: error" || !strings.Contains(rest[1], `"code":"NoSuchJob"`) {
		t.Errorf("%q", rest)
	}
}

func TestEventsThatFailAtOnceAreAProblem(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.create()
	w.jobs.Err = func(string) error { return errors.New("out of order") }
	resp, body := w.send(alice, "GET", "/api/v1/jobs/job-00001/events", "")
	if resp.StatusCode != 500 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s", resp.Status, body)
	}
	if !strings.Contains(w.log.String(), "out of order") {
		t.Errorf("log: %s", w.log)
	}
}
