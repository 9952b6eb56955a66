package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
	"github.com/drover-batch/drover/internal/report"
)

// What is known of a chunk as it is queued.
const (
	chunkAgain = byte(iota) // it may have travelled before
	chunkFresh              // it never has
	chunkLast               // in the second phase: what cannot be read now has failed
)

// message is a chunk as it travels: who dispatched it, what is known of it, and the chunk.
func message(epoch uint64, kind byte, c manifest.Chunk) []byte {
	return append(append(binary.AppendUvarint(nil, epoch), kind), c.Encode()...)
}

func readMessage(b []byte) (epoch uint64, kind byte, c manifest.Chunk, err error) {
	epoch, b, ok := readUvarint(b)
	if !ok || len(b) == 0 {
		return 0, 0, c, errors.New("chunk message does not parse")
	}
	c, err = manifest.DecodeChunk(b[1:])
	return epoch, b[0], c, err
}

// chunkRun is a chunk being worked on. The fields down to gaveUp belong to w.mu, hand to mu.
type chunkRun struct {
	w     *worker
	id    job.ID
	lease Lease
	name  string // of this holding

	of       candidate // the job as it was claimed from, its priority kept up to date
	loaded   bool
	stopped  bool
	giveBack bool  // it was stopped for others to go on with
	todo     []int // indexes into entries
	nextTodo int
	inFlight int
	gaveUp   int // rows that ended without an outcome

	until  atomic.Pointer[time.Time] // of the lease; nil before the rows are known
	lapses *time.Timer               // starts no further row when its lease has run out; of w.mu

	jc      *jobContext
	calling context.Context // of all object calls, made once: a row each would be a third of what a row allocates
	runs    *atomic.Bool    // of the job
	entries []job.Entry
	repeat  bool
	// In the second phase of an awaited operation rows are looked at, and those that have not ended are left for later.
	lastLook bool
	halted   chan struct{} // closed when stopped is set: calls that wait for their store give up
	ended    chan struct{} // signalled when nothing is in flight and nothing will start

	mu   sync.Mutex
	hand handin
	line []byte
	// The holder alone has these.
	part     int
	unsent   []byte // what the carrier has not taken yet
	unstored int    // how often it has not, in a row
}

// unstarted is what the run counts for in the worker's room: a whole chunk until its rows are known, so that not all is
// claimed at once. w.mu is held.
func (r *chunkRun) unstarted() int {
	if !r.loaded {
		return r.w.e.o.ChunkRows
	}
	return len(r.todo) - r.nextTodo
}

// signalIfIdle tells the holder when the run is over; w.mu is held.
func (r *chunkRun) signalIfIdle() {
	if r.inFlight == 0 && r.loaded && (r.stopped || r.nextTodo >= len(r.todo)) {
		select {
		case r.ended <- struct{}{}:
		default:
		}
	}
}

// hold keeps the lease, hands in what has ended, and gives the chunk back or acknowledges it at the end. ctx ends when
// the worker shall stop taking rows, calls when calls in flight are cut off.
func (r *chunkRun) hold(ctx, calls context.Context) {
	defer r.w.drop(r)
	r.hand.begin()
	defer r.hand.free() // nothing is in flight any more
	if err := r.load(calls); err != nil {
		r.loadFailed(calls, err)
		return
	}
	defer r.lapses.Stop()
	extend := time.NewTicker(extendEvery)
	defer extend.Stop()
	handIn := time.NewTicker(handInEvery)
	defer handIn.Stop()
	done := ctx.Done()
	for {
		e, open := r.w.e.ix.get(r.id)
		if !open || !e.runs.Load() {
			r.halt()
		}
		select {
		case <-r.ended:
			r.settle(ctx, calls)
			return
		case <-e.changed: // nil when the job is gone
		case <-extend.C:
			r.extend(calls)
		case <-handIn.C:
			_ = r.handIn(calls) // it says so itself, and is tried again
		case <-done:
			done = nil
			r.halt()
		}
	}
}

func (r *chunkRun) halt() {
	r.w.mu.Lock()
	r.w.stop(r)
	r.w.mu.Unlock()
}

// load reads the chunk's rows and leaves out those that are in already.
func (r *chunkRun) load(ctx context.Context) error {
	jc, err := r.w.context(ctx, r.id)
	if err != nil {
		return err
	}
	epoch, kind, chunk, err := readMessage(r.lease.Data())
	if err != nil {
		return err
	}
	entries, err := jc.plan.Entries(ctx, opener{jc.store}, chunk)
	if err != nil {
		return err
	}
	e, ok := r.w.e.ix.get(r.id)
	if !ok {
		return errors.New("the job is not open")
	}
	repeat := kind != chunkFresh || r.lease.Attempt() > 1 || epoch != e.state.Epoch
	in := func(int64) bool { return false }
	if repeat {
		if in, err = r.w.e.rowsIn(ctx, r.id, r.lease.Phase(), chunk.Number); err != nil {
			return err
		}
	}
	todo := make([]int, 0, len(entries))
	for i := range entries {
		if !in(entries[i].Row) {
			todo = append(todo, i)
		}
	}
	w := r.w
	w.mu.Lock()
	r.jc, r.runs, r.entries, r.repeat, r.todo = jc, e.runs, entries, repeat, todo
	r.prolong()
	r.lapses = time.AfterFunc(time.Until(*r.until.Load()), r.lapse)
	r.calling = object.WithTerm(object.WithWait(ctx, r.halted), r.over)
	r.lastLook = kind == chunkLast
	r.loaded = true
	r.signalIfIdle()
	w.cond.Broadcast()
	w.mu.Unlock()
	return nil
}

// loadFailed gives the chunk back, or ends the job when its manifest has changed.
func (r *chunkRun) loadFailed(ctx context.Context, err error) {
	if f, ok := asFailure(err); ok {
		n := ResultName{Job: r.id, Phase: r.lease.Phase(), Chunk: r.lease.Chunk(), Attempt: r.name}
		if err := r.w.e.o.Carrier.PublishResult(ctx, n, fatalHandin(f)); err != nil {
			r.w.log.Warn("hand in", "job", r.id, "chunk", r.lease.Chunk(), "err", err)
		}
	}
	if ctx.Err() == nil {
		r.w.log.Warn("read chunk", "job", r.id, "chunk", r.lease.Chunk(), "err", err)
	}
	if err := r.lease.Nak(context.WithoutCancel(ctx), 2*time.Second); err != nil {
		r.w.log.Warn("give chunk back", "job", r.id, "chunk", r.lease.Chunk(), "err", err)
	}
}

// apply works on some rows, and counts those that are left undone.
func (r *chunkRun) apply(rows []int) (gaveUp int) {
	ctx := r.calling
	if g := r.jc.limiter.gate.Load(); g != nil {
		ctx = object.WithGate(ctx, g)
	}
	if r.looks() {
		for _, i := range rows {
			r.finish(i, r.look(ctx, i)) // what has not ended is looked at again
		}
		return 0
	}
	if len(rows) == 1 {
		return r.finish(rows[0], r.applyOne(ctx, rows[0]))
	}
	for i, o := range r.applyAll(ctx, rows) {
		gaveUp += r.finish(rows[i], o)
	}
	return gaveUp
}

// looks reports whether rows are looked at and not worked on.
func (r *chunkRun) looks() bool { return r.jc.awaited != nil && r.lease.Phase() == phaseLook }

// ends reports whether a row's outcome is its end.
func (r *chunkRun) ends(o job.Outcome) bool {
	return r.jc.awaited == nil || r.looks() || o.Status == job.TaskFailed
}

// applyOne works on one row; a panic is that row's outcome.
func (r *chunkRun) applyOne(ctx context.Context, i int) (o job.Outcome) {
	defer func() {
		if p := recover(); p != nil {
			o = r.panicked(i, p)
		}
	}()
	return r.jc.op.Apply(ctx, r.jc.store, r.task(i))
}

func (r *chunkRun) task(i int) operation.Task {
	t := r.jc.task
	t.Entry, t.Repeat = r.entries[i], r.repeat
	return t
}

// applyAll works on several rows by one call; after a panic they are worked on one by one.
func (r *chunkRun) applyAll(ctx context.Context, rows []int) (out []job.Outcome) {
	defer func() {
		if p := recover(); p != nil {
			r.panicked(rows[0], p)
			out = make([]job.Outcome, len(rows))
			for i, row := range rows {
				out[i] = r.applyOne(ctx, row)
			}
		}
	}()
	tasks := make([]operation.Task, len(rows))
	for i, row := range rows {
		tasks[i] = r.task(row)
	}
	return r.jc.op.(operation.Batcher).ApplyAll(ctx, r.jc.store, tasks)
}

func (r *chunkRun) panicked(i int, p any) job.Outcome {
	r.w.log.Error("operation panicked", "job", r.id, "row", r.entries[i].Row, "panic", p, "stack", string(debug.Stack()))
	return job.FailedTask("InternalError", 0, "An internal error ended this task; the log has the details.")
}

// finish notes a row's outcome. The zero outcome leaves the row undone, which it counts: 1 is such a one.
func (r *chunkRun) finish(i int, o job.Outcome) (gaveUp int) {
	if o.Status == "" {
		return 1
	}
	e := &r.entries[i]
	ends, failed := r.ends(o), o.Status == job.TaskFailed
	r.mu.Lock()
	r.line = r.line[:0]
	if ends && (r.jc.linesForOK || failed && r.jc.lines) {
		r.line = report.AppendRow(r.line, *e, o)
	}
	r.hand.add(e.Row, o, e.Key, r.line)
	r.mu.Unlock()
	if ends {
		r.w.e.o.Observe(r.jc.op.Name(), o.Status)
	}
	failpoint.Hit(failpoint.RowEnded)
	return 0
}

// handIn stores what has ended since the last time. What could not be stored is kept for the next call: it has been done
// and is worth waiting for.
func (r *chunkRun) handIn(ctx context.Context) error {
	r.mu.Lock()
	if r.unsent == nil && r.hand.rows > 0 {
		r.unsent = r.hand.take()
		failpoint.Hit(failpoint.ResultUnsent)
	}
	msg := r.unsent
	r.mu.Unlock()
	if msg == nil {
		return nil
	}
	n := ResultName{Job: r.id, Phase: r.lease.Phase(), Chunk: r.lease.Chunk(), Attempt: r.name, Part: r.part}
	if err := r.w.e.o.Carrier.PublishResult(ctx, n, msg); err != nil {
		r.unstored++
		if r.unstored&(r.unstored-1) == 0 { // the first, second, fourth …
			r.w.log.Warn("hand in", "job", r.id, "chunk", r.lease.Chunk(), "times", r.unstored, "err", err)
		}
		return err
	}
	failpoint.Hit(failpoint.ResultStored)
	r.unsent, r.unstored = nil, 0
	r.part++
	return nil
}

// handInAll stores all that has ended, and keeps the lease while the carrier does not take it. It gives up when there is
// nobody left to take it, or some time after the worker was told to leave.
func (r *chunkRun) handInAll(leaving <-chan struct{}, calls context.Context) error {
	extend := time.NewTicker(extendEvery)
	defer extend.Stop()
	var late <-chan time.Time
	for pause := handInFirst; ; pause = min(2*pause, handInLongest) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(calls), handInLimit)
		err := r.handIn(ctx)
		cancel()
		if err == nil {
			if r.mu.Lock(); r.hand.rows == 0 {
				r.mu.Unlock()
				return nil
			}
			r.mu.Unlock()
			continue
		}
		if _, open := r.w.e.ix.get(r.id); !open {
			return err
		}
		select {
		case <-time.After(pause):
		case <-extend.C:
			r.extend(calls)
		case <-leaving:
			leaving, late = nil, time.After(handInLimit)
		case <-late:
			return fmt.Errorf("gave up handing in: %w", err)
		}
	}
}

func (r *chunkRun) extend(ctx context.Context) {
	if !r.w.pulse.fresh() {
		return
	}
	if err := r.lease.Extend(ctx); err != nil {
		r.w.log.Warn("extend lease", "job", r.id, "chunk", r.lease.Chunk(), "err", err)
		return
	}
	r.prolong()
}

// prolong takes over until when the lease is.
func (r *chunkRun) prolong() {
	until := r.lease.Until()
	r.until.Store(&until)
}

// lapse starts no further row when the lease has run out, and looks again when it was prolonged meanwhile.
func (r *chunkRun) lapse() {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if now := time.Now(); !r.over(now) {
		r.lapses.Reset(r.until.Load().Sub(now))
		return
	}
	r.w.stop(r)
}

// over reports whether the lease has run out. From then on another may hold the chunk, and nothing of it may be begun.
func (r *chunkRun) over(now time.Time) bool { return !now.Before(*r.until.Load()) }

// settle ends the holding: what has ended is handed in first, only then is the chunk acknowledged.
func (r *chunkRun) settle(stop, calls context.Context) {
	err := r.handInAll(stop.Done(), calls)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(calls), handInLimit)
	defer cancel()
	if err != nil {
		r.w.log.Warn("hand in", "job", r.id, "chunk", r.lease.Chunk(), "err", err)
		return // not acknowledged: it comes back when the lease has run out
	}
	r.w.mu.Lock()
	whole := r.nextTodo >= len(r.todo) && r.gaveUp == 0
	giveBack := r.giveBack || stop.Err() != nil
	r.w.mu.Unlock()
	switch {
	case whole:
		err = r.lease.Ack(ctx)
		failpoint.Hit(failpoint.ChunkAcked)
	case giveBack:
		err = r.lease.Nak(ctx, 0)
	}
	// A chunk of a paused or cancelled job is neither: its leader has shut the queue and purges it.
	if err != nil {
		r.w.log.Debug("end of chunk", "job", r.id, "chunk", r.lease.Chunk(), "err", err)
	}
	r.w.e.noteClaimed()
}

// rowsIn asks which rows of a chunk have an outcome already, stored or committed.
func (e *Engine) rowsIn(ctx context.Context, id job.ID, phase int, chunk int64) (func(row int64) bool, error) {
	// Stored ones first: what the collector takes in between is then in the checkpoint.
	stored, err := e.o.Carrier.ResultsOf(ctx, id, phase, chunk)
	if err != nil {
		return nil, fmt.Errorf("read stored results: %w", err)
	}
	in := map[int64]bool{}
	for _, r := range stored {
		if _, err := readHandin(r.Data, func(h handinRow) { in[h.Row] = true }); err != nil {
			return nil, err
		}
	}
	rec, err := e.o.Carrier.Get(ctx, Jobs, ckptKey(id))
	if errors.Is(err, ErrNotFound) {
		return func(row int64) bool { return in[row] }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	k, err := decode[checkpoint](rec)
	if err != nil {
		return nil, err
	}
	done, err := doneSetFrom(k.Mark, k.Above)
	if phase == phaseCall && k.Asked != nil { // what failed there stands in both
		done, err = doneSetFrom(k.Asked.Mark, k.Asked.Above)
	}
	if err != nil {
		return nil, err
	}
	return func(row int64) bool { return in[row] || done.has(row) }, nil
}
