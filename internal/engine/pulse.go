package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// pulse writes a worker's beats, beside its claims and calls, so that neither waits for the other. Safe for concurrent
// use.
type pulse struct {
	w    *worker
	wake chan struct{}

	mu    sync.Mutex
	names []job.ID // of the last beat written, sorted
	at    time.Time
}

// run beats until ctx ends, then says that the worker has left.
func (p *pulse) run(ctx context.Context) {
	r := workerRecord{Name: p.w.e.o.Name, Started: p.w.e.o.Now(), Concurrency: p.w.e.o.Concurrency}
	for {
		r.Jobs, r.Chunks = p.w.mayHold()
		begun := time.Now()
		if p.w.e.putBeat(ctx, workerKey(p.w.name), encode(r)) {
			p.mu.Lock()
			grown := !slices.Equal(r.Jobs, p.names)
			p.names, p.at = r.Jobs, begun
			p.mu.Unlock()
			p.w.forget(r.Jobs)
			if grown {
				p.w.poke()
			}
		} else if ctx.Err() == nil && time.Since(begun) < nodeBeatEvery/2 {
			_ = pauseFor(ctx, nodeBeatEvery/2)
			continue
		}
		select {
		case <-p.wake:
		case <-time.After(beatEvery):
		case <-ctx.Done():
			r.Jobs, r.Chunks, r.Left = nil, 0, true
			p.w.e.putBeat(context.WithoutCancel(ctx), workerKey(p.w.name), encode(r))
			return
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fresh reports whether a beat was written lately. A worker that nobody can hear of claims nothing and lets its leases
// run out, so that its silence is proof that it holds nothing.
func (p *pulse) fresh() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.at) < p.w.e.o.LeaseTerm
}

// of gives those of the jobs that may be claimed from. The next beat comes at once when it has others to name, or fewer: a
// job that is to rest waits for the beat that no longer names it.
func (p *pulse) of(cs []candidate) []candidate {
	p.mu.Lock()
	fresh := time.Since(p.at) < p.w.e.o.LeaseTerm
	named := make([]candidate, 0, len(cs))
	for _, c := range cs {
		if _, ok := slices.BinarySearch(p.names, c.ID); ok && fresh {
			named = append(named, c)
		}
	}
	names := p.names
	p.mu.Unlock()
	if len(named) < len(cs) || len(names) > len(cs) && p.w.letGo(names) {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	return named
}

// letGo reports whether one of the jobs is neither held any more nor to be claimed from.
func (w *worker) letGo(names []job.ID) bool {
	jobs, _ := w.mayHold()
	return slices.ContainsFunc(names, func(id job.ID) bool { return !slices.Contains(jobs, id) })
}

// mayHold gives the jobs that this worker holds chunks of or may claim from, sorted, and how many chunks it holds.
func (w *worker) mayHold() ([]job.ID, int) {
	names := map[job.ID]bool{}
	for _, c := range w.e.ix.runnable() {
		names[c.ID] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	chunks := 0
	for id, n := range w.held {
		names[id] = true
		chunks += n
	}
	return slices.Sorted(maps.Keys(names)), chunks
}
