package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// Timing of a worker.
const (
	beatEvery   = 2 * time.Second
	probeEvery  = 250 * time.Millisecond // how often active jobs without work are asked again
	extendEvery = 4 * time.Second
	handInEvery = time.Second
	// A hand-in at a chunk's end is tried again after handInFirst, later up to handInLongest; one try, or all of them
	// once the worker is to leave, take handInLimit at most.
	handInFirst   = 100 * time.Millisecond
	handInLongest = 2 * time.Second
	handInLimit   = 10 * time.Second
	maxHeld       = 16 // chunks held at a time, but for those of jobs that a claim goes before
	maxHeldAll    = 4 * maxHeld
)

// worker claims chunks by priority and works on their rows in one pool of object calls, so that a slow object holds up
// nothing but itself.
type worker struct {
	e    *Engine
	name string
	log  *slog.Logger

	mu       sync.Mutex
	cond     *sync.Cond
	runs     []*chunkRun // in the order in which their rows start
	closed   bool
	held     map[job.ID]int
	served   map[job.ID]uint64
	turn     uint64
	jobs     map[job.ID]*jobContext
	heldBack bool // rows, by bounds of their stores, since the last look

	bounded Bounded // nil where the stores bound nothing
	pulse   pulse
	wake    chan struct{}
	holds   sync.WaitGroup
}

// jobContext is what a worker needs to know of a job, read once.
type jobContext struct {
	id         job.ID
	op         operation.Operation
	awaited    operation.Awaited // op's second phase, where it has one
	most       int               // rows that the operation takes by one call
	store      object.Store
	task       operation.Task // all of a task but its entry
	plan       *manifest.Plan
	lines      bool // the report wants failed rows
	linesForOK bool // … and succeeded ones
	limiter    limiter
	regions    []job.Region // of its objects, and of a copy's target
	target     job.Bucket   // a copy's, in the last of regions; "" = tasks call their objects' own
	away       bool         // one of them does not answer; belongs to the worker's mu
}

func newWorker(e *Engine) *worker {
	name := string(job.NewID())
	w := &worker{
		e: e, name: name, log: e.log.With("worker", name), held: map[job.ID]int{}, served: map[job.ID]uint64{},
		jobs: map[job.ID]*jobContext{}, wake: make(chan struct{}, 1),
	}
	w.cond = sync.NewCond(&w.mu)
	e.working.Store(w)
	if b, ok := e.o.Stores.(Bounded); ok {
		w.bounded = b
		e.bound.Do(func() { b.OnRoom(func(n int) { e.working.Load().others(n) }) })
	}
	w.pulse = pulse{w: w, wake: make(chan struct{}, 1)}
	return w
}

// run works until ctx ends, then drains: no further row starts, calls in flight end within drain and are handed in.
func (w *worker) run(ctx context.Context) error {
	calls, stopCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCalls()
	beats, stopBeats := context.WithCancel(context.WithoutCancel(ctx))
	var pool, beating sync.WaitGroup
	defer beating.Wait()
	defer stopBeats()
	beating.Go(func() { w.pulse.run(beats) })
	for range w.e.o.Concurrency {
		pool.Go(w.work)
	}
	err := w.claimLoop(ctx, calls)
	timer := time.AfterFunc(w.e.o.Drain, stopCalls)
	defer timer.Stop()
	w.holds.Wait()
	w.mu.Lock()
	w.closed = true
	w.cond.Broadcast()
	w.mu.Unlock()
	pool.Wait()
	return err
}

// claimLoop takes chunks while there is room for them.
func (w *worker) claimLoop(ctx, calls context.Context) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		changed := w.e.ix.wait()
		w.limit()
		w.outages()
		cs := w.pulse.of(w.e.ix.runnable())
		w.reorder(cs)
		for w.claim(ctx, calls, cs) {
			cs = w.pulse.of(w.e.ix.runnable())
		}
		if len(cs) == 0 {
			select {
			case <-changed:
			case <-w.wake:
			case <-ctx.Done():
				return nil
			case <-time.After(beatEvery):
			}
			continue
		}
		select {
		case <-changed:
		case <-w.wake:
		case <-w.e.queued:
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// room reports whether another chunk of c may be claimed: not before the rows that it would have to wait for are nearly all
// started. w.mu is held.
func (w *worker) room(c candidate) bool {
	unstarted, held := w.ahead(c)
	return unstarted < w.lookahead() && held < maxHeld && len(w.runs) < maxHeldAll
}

// lookahead is how many rows may wait for a place in the pool before no more are claimed.
func (w *worker) lookahead() int { return 2 * w.e.o.Concurrency }

// ahead counts the rows that wait for a place in the pool, and the chunks held, but for those that c goes before and those
// that wait for their own limits or store, as nobody waits for them. w.mu is held.
func (w *worker) ahead(c candidate) (unstarted, held int) {
	for _, r := range w.runs {
		if r.of.yieldsTo(c) || r.limited() || r.loaded && r.jc.away {
			continue
		}
		unstarted += r.unstarted()
		held++
	}
	return unstarted, held
}

// forget drops what is known of jobs that are no longer of interest.
func (w *worker) forget(keep []job.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.jobs {
		if !slices.Contains(keep, id) {
			delete(w.jobs, id)
			delete(w.served, id)
		}
	}
}

// claim takes one chunk of the first job in order that has one; false when none has.
func (w *worker) claim(ctx, calls context.Context, cs []candidate) bool {
	w.mu.Lock()
	free := make(map[job.ID]candidate, len(cs))
	for i := range cs {
		c := &cs[i]
		if c.Served = w.served[c.ID]; w.room(*c) && !w.waits(c.ID) {
			free[c.ID] = *c
		}
	}
	w.mu.Unlock()
	if len(free) == 0 {
		return false
	}
	for _, id := range claimOrder(cs) {
		c, ok := free[id]
		if !ok {
			continue
		}
		lease, err := w.e.o.Carrier.Claim(ctx, id, 0)
		if err != nil {
			if ctx.Err() == nil {
				w.log.Warn("claim", "job", id, "err", err)
			}
			continue
		}
		if lease == nil {
			continue
		}
		failpoint.Hit(failpoint.ChunkClaimed)
		w.mu.Lock()
		w.turn++
		w.served[id] = w.turn
		w.held[id]++
		r := &chunkRun{w: w, id: id, of: c, lease: lease, name: fmt.Sprintf("%s-%d", w.name, w.turn), halted: make(chan struct{}), ended: make(chan struct{}, 1)}
		w.insert(r)
		w.mu.Unlock()
		w.holds.Go(func() { r.hold(ctx, calls) })
		w.e.noteClaimed()
		return true
	}
	return false
}

// drop ends the holding of a chunk.
func (w *worker) drop(r *chunkRun) {
	w.mu.Lock()
	w.runs = slices.DeleteFunc(w.runs, func(x *chunkRun) bool { return x == r })
	if w.held[r.id]--; w.held[r.id] == 0 {
		delete(w.held, r.id)
	}
	w.mu.Unlock()
	w.poke()
}

// work is one of the pool: it takes the next row of the first chunk that has one, until the worker is closed. The end of
// one and the start of the next take the lock together: with a row every few microseconds it goes from core to core.
func (w *worker) work() {
	w.mu.Lock()
	for {
		r, rows := w.next()
		for r == nil {
			if w.closed {
				w.mu.Unlock()
				return
			}
			w.cond.Wait()
			r, rows = w.next()
		}
		w.mu.Unlock()
		gaveUp := r.apply(rows)
		w.mu.Lock()
		r.gaveUp += gaveUp
		r.inFlight -= len(rows)
		r.signalIfIdle()
	}
}

// next starts a row, or as many as the job's operation takes by one call; w.mu is held.
func (w *worker) next() (*chunkRun, []int) {
	for _, r := range w.runs {
		if !r.loaded || r.stopped || r.nextTodo >= len(r.todo) {
			continue
		}
		if !r.runs.Load() {
			w.stop(r)
			continue
		}
		if r.limited() || r.jc.away && w.calling(r.id) > 0 {
			continue
		}
		n := min(r.jc.most, len(r.todo)-r.nextTodo)
		rows := r.todo[r.nextTodo : r.nextTodo+n]
		r.nextTodo += n
		r.inFlight += n
		// While the run alone has as many rows waiting there is no room, and no need to count.
		if most, own := w.lookahead(), len(r.todo)-r.nextTodo; own < most {
			if left, _ := w.ahead(r.of); left < most && left+n >= most || w.heldBack && own+n >= most {
				w.poke()
			}
		}
		return r, rows
	}
	return nil, nil
}

// stop starts no further row of a chunk; w.mu is held.
func (w *worker) stop(r *chunkRun) {
	if !r.stopped {
		r.stopped = true
		close(r.halted)
	}
	r.signalIfIdle()
}

// context gives what is known of a job, reading it the first time.
func (w *worker) context(ctx context.Context, id job.ID) (*jobContext, error) {
	w.mu.Lock()
	jc := w.jobs[id]
	w.mu.Unlock()
	if jc != nil {
		return jc, nil
	}
	e, ok := w.e.ix.get(id)
	if !ok {
		return nil, errors.New("the job is not open")
	}
	spec := e.job.Spec
	op, err := spec.operation()
	if err != nil {
		return nil, err
	}
	store, err := w.e.o.Stores.Store(ctx, spec.Account, spec.Role, spec.Region)
	if err != nil {
		return nil, err
	}
	rec, err := w.e.o.Carrier.Get(ctx, Jobs, planKey(id))
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	plan, err := decode[manifest.Plan](rec)
	if err != nil {
		return nil, err
	}
	jc = &jobContext{
		id: id, op: op, awaited: awaited(op), store: store, plan: &plan, lines: spec.Report.Enabled,
		linesForOK: spec.Report.Enabled && spec.Report.Scope == job.AllTasks, regions: spec.regions(),
	}
	if jc.task, err = w.e.taskOf(ctx, id, spec); err != nil {
		return nil, err
	}
	jc.most = 1
	if c, ok := op.(*operation.Copy); ok {
		jc.target = c.TargetBucket
	}
	if b, ok := op.(operation.Batcher); ok {
		jc.most = max(1, b.Most(store))
	}
	w.limitJob(jc, e.job.limits())
	w.mu.Lock()
	defer w.mu.Unlock()
	if other := w.jobs[id]; other != nil { // another chunk's, at the same time
		return other, nil
	}
	w.jobs[id] = jc
	return jc, nil
}

// taskOf is what all tasks of a job have in common.
func (e *Engine) taskOf(ctx context.Context, id job.ID, s specRecord) (operation.Task, error) {
	target, err := e.targetStore(ctx, s)
	if err != nil {
		return operation.Task{}, err
	}
	t := operation.Task{SourceRegion: s.Region, SpoolDir: e.o.Dir, Limits: e.o.Limits, Uploads: uploads{e.o.Carrier, id}}
	if target != nil {
		op, err := s.operation()
		if err != nil {
			return operation.Task{}, err
		}
		t.Target, t.Carry = target, e.carries(op.(*operation.Copy).TargetRegion, s.Region)
	}
	return t, nil
}
