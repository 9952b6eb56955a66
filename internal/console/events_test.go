package console

import (
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// TestTimelineTellsOfMovesAndOfWhatIsNone has what happens to a job beside its moves: changes that callers made, and what the
// engine had to mend.
func TestTimelineTellsOfMovesAndOfWhatIsNone(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	id := f.add(spec(nil), func(j *job.Job) {
		j.Status, j.Started = job.Active, start
		at := start
		event := func(after time.Duration, from, to job.Status, actor, reason string) {
			at = at.Add(after)
			j.Events = append(j.Events, job.Event{Time: at, From: from, To: to, Actor: actor, Reason: reason})
		}
		j.Events = nil
		event(0, "", job.New, "alice", "The job was created.")
		event(time.Second, job.New, job.Preparing, "node-1", "")
		event(time.Minute, job.Preparing, job.Suspended, "node-1", "")
		event(time.Hour, job.Suspended, job.Suspended, "bob", "The priority was changed from 10 to 99.")
		event(time.Minute, job.Suspended, job.Ready, "bob", "looked at it")
		event(2*time.Second, job.Ready, job.Active, "node-1", "")
		event(time.Minute, job.Active, job.Active, hostile, "The limits on its calls were changed to 20 calls a second, others at some hours.")
		event(time.Minute, job.Active, job.Active, "node-2", "The checkpoint was lost and was made again: "+hostile)
	})
	f.pass(2 * time.Hour)
	f.signIn("alice")
	_, page := f.get("/jobs/" + string(id))
	_, timeline, _ := strings.Cut(page, `<ol class="timeline">`)
	timeline, _, _ = strings.Cut(timeline, "</ol>")
	if notes := strings.Count(timeline, ">Note<"); notes != 3 || strings.Count(timeline, "<li") != 8 {
		t.Errorf("of 8 events %d are shown, %d of them as no move, want 3", strings.Count(timeline, "<li"), notes)
	}
	if strings.Count(timeline, `class="now"`) != 1 || !strings.Contains(timeline, `<span class="lasted">1 h 1 min</span>`) {
		t.Error("a note counts as a status, and not the move before it")
	}
	f.golden("job-events", page)
	_, page = f.get("/jobs/"+string(id), "Accept-Language", "zh-CN")
	f.golden("job-events-chinese", page)
}

// TestDiskThatRunsFullIsAnAlarm on the overview, where people look first.
func TestDiskThatRunsFullIsAnAlarm(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.add(spec(nil), func(j *job.Job) { j.Status = job.Active })
	f.living = Living{
		Nodes: []LiveNode{
			{ID: "n1", Name: "alpha" + hostile, Started: start, Leads: 1, Disk: 7, DiskLow: true},
			{ID: "n2", Name: "beta", Started: start, Disk: 60},
			{ID: "n3", Name: "gamma", Started: start, Disk: -1},
		},
		Workers: []LiveWorker{{ID: "w1", Name: "alpha", Started: start, Concurrency: 64}},
	}
	_, page := f.get("/")
	if n := strings.Count(page, `class="problem"`); n != 1 {
		t.Errorf("%d alarms, want 1", n)
	}
	f.golden("overview-disk-low", page)
	_, renewed := f.get("/", "HX-Request", "true")
	if !strings.Contains(renewed, "is nearly full: 7 % are left") {
		t.Error("a renewal of the page loses the alarm")
	}
	f.living.Nodes[0].DiskLow = false
	if _, page := f.get("/"); strings.Contains(page, "nearly full") {
		t.Error("the alarm stays when there is room again")
	}
}
