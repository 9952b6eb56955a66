package engine

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
)

// Stats is how much there is to do, for metrics.
type Stats struct {
	Open  map[job.Status]int // jobs that have not ended, of all accounts
	Queue QueueState         // of all of them together
	Disk  Disk               // of this process
}

// Stats counts the open jobs and what is queued of them. A queue that does not answer counts as empty.
func (e *Engine) Stats(ctx context.Context) Stats {
	s := Stats{Open: map[job.Status]int{}, Disk: e.diskNow()}
	for id, status := range e.ix.shown() {
		s.Open[status]++
		if status != job.Active {
			continue
		}
		if q, err := e.o.Carrier.State(ctx, id); err == nil {
			s.Queue.Waiting += q.Waiting
			s.Queue.Running += q.Running
		}
	}
	return s
}

// shown gives the open jobs' statuses as callers see them.
func (x *index) shown() map[job.ID]job.Status {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make(map[job.ID]job.Status, len(x.open))
	for id, e := range x.open {
		out[id] = shownStatus(e.job, e.state)
	}
	return out
}
