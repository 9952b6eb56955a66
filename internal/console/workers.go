package console

import (
	"net/http"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Living is who works on the jobs, by their signs of life of the last seconds.
type Living struct {
	Nodes   []LiveNode
	Workers []LiveWorker
}

// LiveNode is a process that leads jobs.
type LiveNode struct {
	ID, Name string
	Started  time.Time
	Leads    int // jobs
	Disk     int // percent of its disk that are left; -1 = it has none
	DiskLow  bool
}

// LiveWorker is a process that works on chunks.
type LiveWorker struct {
	ID, Name    string
	Started     time.Time
	Concurrency int // object calls at a time
	Chunks      int // held as of its last sign of life
}

type workersPage struct {
	frame
	Self    string
	Live    bool
	Nodes   []nodeView
	Workers []workerView
	Running []jobRow
	Alarms  []string
}

type nodeView struct {
	Name, ID, Leads, Disk string
	Started               moment
}

type workerView struct {
	Name, ID, Concurrency, Chunks string
	Busy                          badge
	Started                       moment
}

// workers shows who works, and on which jobs.
func (s *server) workers(c *call) error {
	if s.o.Living == nil {
		return errNoSuchPage
	}
	l, now := c.lang, s.o.Now()
	// What the processes do is nobody's secret, but whoever may not list jobs has no business here.
	running, _, err := s.o.Jobs.List(c.Context(), c.caller, job.Filter{Statuses: []job.Status{job.Active, job.Pausing, job.Completing}}, job.Page{Max: shownRunning, NewestFirst: true})
	if err != nil {
		return err
	}
	living, err := s.o.Living(c.Context())
	if err != nil {
		return &job.Error{Code: job.Unavailable, Message: l.t("Nobody answers who knows of the workers. Try again in a few seconds."), Err: err}
	}
	p := workersPage{frame: s.frame(c, l.t("Workers"), menuWorkers), Self: base + "/workers", Live: true}
	p.Refresh = 5
	p.Alarms = l.alarms(living)
	for _, n := range living.Nodes {
		v := nodeView{Name: visible(n.Name), ID: visible(n.ID), Leads: number(int64(n.Leads)), Disk: "–", Started: l.moment(n.Started, now)}
		if n.Disk >= 0 {
			v.Disk = number(int64(n.Disk)) + " %"
		}
		p.Nodes = append(p.Nodes, v)
	}
	for _, w := range living.Workers {
		v := workerView{
			Name: visible(w.Name), ID: visible(w.ID), Concurrency: number(int64(w.Concurrency)), Chunks: number(int64(w.Chunks)), Started: l.moment(w.Started, now),
			Busy: badge{l.t("Idle"), "clock", "wait"},
		}
		if w.Chunks > 0 {
			v.Busy = badge{l.t("Working"), "play", "busy"}
		}
		p.Workers = append(p.Workers, v)
	}
	for _, j := range running {
		p.Running = append(p.Running, s.row(c, j))
	}
	if c.poll() {
		s.renderBlock(c, http.StatusOK, "workers", "live", p)
		return nil
	}
	s.render(c, http.StatusOK, "workers", p)
	return nil
}

const shownRunning = 20

// alarms are what somebody should see to before jobs have to wait.
func (l language) alarms(living Living) []string {
	var out []string
	for _, n := range living.Nodes {
		if n.DiskLow {
			out = append(out, l.t("The disk of node %s is nearly full: %s %% are left. Make room on it, or move engine.dir to a larger one; when nothing is left jobs wait.", visible(n.Name), number(int64(n.Disk))))
		}
	}
	return out
}
