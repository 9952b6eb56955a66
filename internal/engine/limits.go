package engine

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/window"
)

// limiter keeps the calls of one job to its limits. Most jobs have none, and their calls go through no gate.
type limiter struct {
	gate atomic.Pointer[window.Gate] // nil until limits were set
	mu   sync.Mutex
	last job.Bounds // in force
}

// full reports whether calls of the job wait already, so that another row had better not be started.
func (l *limiter) full() bool {
	g := l.gate.Load()
	return g != nil && g.Waiting() > 1
}

// Bounded is what Stores may do beside: tell where calls wait, for the limits of their region or for what its store takes, so
// that no row is started that would have to wait too, and those of other regions go on.
type Bounded interface {
	// Full reports whether calls to the bucket wait already. It is asked often, and may not block.
	Full(region job.Region, bucket job.Bucket) bool
	// OnRoom makes f be told when calls that waited so were let through, and how many others may come now. f calls none of
	// these methods.
	OnRoom(f func(n int))
}

// limited reports whether the run's next row would wait for its job's limits, for those of the job's regions, or for what a
// store takes; w.mu is held.
func (r *chunkRun) limited() bool {
	if !r.loaded || r.stopped || r.nextTodo >= len(r.todo) {
		return false
	}
	if r.jc.limiter.full() {
		return true
	}
	if r.w.bounded == nil {
		return false
	}
	for i, region := range r.jc.regions {
		bucket := r.entries[r.todo[r.nextTodo]].Bucket
		if r.jc.target != "" && i == len(r.jc.regions)-1 {
			bucket = r.jc.target
		}
		if r.w.bounded.Full(region, bucket) {
			r.w.heldBack = true
			return true
		}
	}
	return false
}

// limit puts the limits of all jobs that this worker knows in force, as they are now: they may have been changed, the
// clock goes on, and workers come and go.
func (w *worker) limit() {
	w.mu.Lock()
	if w.heldBack { // the calls that it was for may have ended otherwise than by being let through, or their limits with them
		w.heldBack = false
		w.cond.Broadcast()
	}
	known := make([]*jobContext, 0, len(w.jobs))
	for _, jc := range w.jobs {
		known = append(known, jc)
	}
	w.mu.Unlock()
	for _, jc := range known {
		if e, ok := w.e.ix.get(jc.id); ok {
			w.limitJob(jc, e.job.limits())
		}
	}
}

// limitJob puts a job's limits in force; each worker that may hold chunks of it has its share.
func (w *worker) limitJob(jc *jobContext, l job.Limits) {
	want := l.At(w.e.o.Now()).Share(w.e.ix.sharers(jc.id))
	jc.limiter.mu.Lock()
	defer jc.limiter.mu.Unlock()
	if want == jc.limiter.last {
		return
	}
	jc.limiter.last = want
	b := window.Bounds{Rate: want.Rate, Bytes: float64(want.Bytes), InFlight: want.Calls}
	if g := jc.limiter.gate.Load(); g != nil {
		g.Set(b)
		w.mu.Lock()
		w.cond.Broadcast()
		w.mu.Unlock()
		return
	}
	g := window.NewGate(b)
	g.OnRoom(w.others)
	jc.limiter.gate.Store(g)
}

// JobBounds gives the limits that this process's worker keeps to now, its share of them, by job; jobs without any are left
// out.
func (e *Engine) JobBounds() map[job.ID]job.Bounds {
	out := map[job.ID]job.Bounds{}
	w := e.working.Load()
	if w == nil {
		return out
	}
	w.mu.Lock()
	known := maps.Clone(w.jobs)
	w.mu.Unlock()
	for id, jc := range known {
		jc.limiter.mu.Lock()
		if jc.limiter.last != (job.Bounds{}) {
			out[id] = jc.limiter.last
		}
		jc.limiter.mu.Unlock()
	}
	return out
}

// others lets n more of the pool look for a row: no more than there is room for, as all that came at once would wait for
// each other.
func (w *worker) others(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n >= w.e.o.Concurrency {
		w.cond.Broadcast()
		return
	}
	for range n {
		w.cond.Signal()
	}
}

// sharedFor is for how long after its last beat a worker has its share of a job's limits.
const sharedFor = 3 * beatEvery

// sharers counts the workers that may hold chunks of a job.
func (x *index) sharers(id job.ID) int {
	return x.working(func(b beat) bool {
		_, named := slices.BinarySearch(b.Jobs, id)
		return named
	})
}

// working counts the live workers that f is true of.
func (x *index) working(f func(beat) bool) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, b := range x.workers {
		if time.Since(b.seen) < sharedFor && f(b) {
			n++
		}
	}
	return n
}

// Workers counts the workers that live, among whom what bounds all of them is shared out.
func (e *Engine) Workers() int { return e.ix.working(func(beat) bool { return true }) }

// applySharer takes a worker's beat for sharers; also where the beats of others are of no other use.
func (x *index) applySharer(worker string, r workerRecord) {
	if r.Left {
		delete(x.workers, worker)
		return
	}
	for name, b := range x.workers {
		if time.Since(b.seen) > sharedFor {
			delete(x.workers, name)
		}
	}
	x.workers[worker] = beat{Jobs: r.Jobs, heard: heard{seen: time.Now()}}
}
