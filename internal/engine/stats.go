package engine

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
)

// Stats is how much there is to do, for metrics.
type Stats struct {
	Open  map[job.Status]int // jobs that have not ended, of all accounts
	Queue QueueState         // of all of them together
}

// Stats counts the open jobs and what is queued of them. A queue that does not answer counts as empty.
func (e *Engine) Stats(ctx context.Context) Stats {
	s := Stats{Open: map[job.Status]int{}}
	for id := range e.ix.openIDs() {
		ent, ok := e.ix.getOpen(id)
		if !ok {
			continue
		}
		status := shownStatus(ent.job, ent.state)
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
