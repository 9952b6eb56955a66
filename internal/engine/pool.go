package engine

import (
	"slices"

	"github.com/drover-batch/drover/internal/job"
)

// How a worker shares its pool of object calls out among the chunks that it holds.

// insert puts a run behind those that it does not go before, so that rows start by priority although a chunk of large
// objects that was claimed earlier may take hours. w.mu is held.
func (w *worker) insert(r *chunkRun) {
	at := slices.IndexFunc(w.runs, func(x *chunkRun) bool { return x.of.yieldsTo(r.of) })
	if at < 0 {
		at = len(w.runs)
	}
	w.runs = slices.Insert(w.runs, at, r)
}

// reorder takes over priorities that were changed since the chunks were claimed.
func (w *worker) reorder(cs []candidate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed := false
	for _, r := range w.runs {
		i := slices.IndexFunc(cs, func(c candidate) bool { return c.ID == r.id })
		if i >= 0 && cs[i].Priority != r.of.Priority {
			r.of.Priority, changed = cs[i].Priority, true
		}
	}
	if !changed {
		return
	}
	runs := w.runs
	w.runs = make([]*chunkRun, 0, len(runs))
	for _, r := range runs {
		w.insert(r)
	}
}

// outages notes which jobs' stores are away. All chunks of such a job are given back, so that calls that wait for their
// store hold no place in the pool; then one row of one chunk goes on, to find out when the store is back.
func (w *worker) outages() {
	o, ok := w.e.o.Stores.(Outages)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, jc := range w.jobs {
		away := slices.ContainsFunc(jc.regions, func(r job.Region) bool {
			_, away := o.Away(r)
			return away
		})
		if away == jc.away {
			continue
		}
		jc.away = away
		for _, r := range w.runs {
			if away && r.loaded && r.id == jc.id {
				r.giveBack = true
				w.stop(r)
			}
		}
		w.cond.Broadcast()
	}
}

// waits reports whether this worker has enough of a job whose limits or store let it call no more: as many rows as are
// claimed ahead anyway; w.mu is held.
func (w *worker) waits(id job.ID) bool {
	if jc := w.jobs[id]; jc != nil && jc.away && w.held[id] > 0 {
		return true
	}
	limited, unstarted := false, 0
	for _, r := range w.runs {
		if r.id == id {
			limited = limited || r.limited()
			unstarted += r.unstarted()
		}
	}
	return limited && unstarted >= w.lookahead()
}

// calling counts a job's rows in flight; w.mu is held.
func (w *worker) calling(id job.ID) (n int) {
	for _, r := range w.runs {
		if r.id == id {
			n += r.inFlight
		}
	}
	return n
}
