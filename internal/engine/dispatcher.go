package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/manifest"
)

// Bounds of dispatch.
const (
	queueAhead   = 16 // chunks that wait in a job's queue
	cursorEvery  = 64 // chunks between two writes of the cursor
	maxMarks     = 64
	dispatchPoll = 100 * time.Millisecond
	sweepPause   = 50 * time.Millisecond
	sweepLongest = 5 * time.Second
	// goneFor is how long the job's queue must be said to be shut before it is taken for deleted.
	goneFor = 500 * time.Millisecond
)

// dispatcher cuts the manifest and queues its chunks, a few ahead of the workers, until every row is done.
type dispatcher struct {
	l      *leader
	c      *collector
	cursor cursorRecord
	// fence is the first chunk that cannot have travelled before this leader: the cursor is written only every
	// cursorEvery chunks, so a former leader may have been up to two writes further.
	fence int64
	next  int64     // first chunk never queued by this leader
	room  int       // chunks that may be queued before the queue is looked at again
	gone  time.Time // since when the queue is shut with chunks in it; zero when it is not
	// notices is what the job waits for, if anything.
	notices atomic.Pointer[notice]
}

func (d *dispatcher) notice(n *notice) {
	d.notices.Store(n)
	d.l.e.ix.poke(d.l.id)
}

func (l *leader) newDispatcher(ctx context.Context, c *collector) (*dispatcher, error) {
	d := &dispatcher{l: l, c: c}
	first := l.first
	l.first = false
	r, err := l.e.o.Carrier.Get(ctx, Jobs, cursorKey(l.id))
	switch {
	case errors.Is(err, ErrNotFound):
		if !first {
			d.cursor.Lost, d.fence = true, math.MaxInt64
		}
		return d, d.saveCursor(ctx)
	case err != nil:
		return nil, fmt.Errorf("read cursor: %w", err)
	default:
		if d.cursor, err = decode[cursorRecord](r); err != nil {
			return nil, err
		}
		d.fence = d.cursor.Chunk + 2*cursorEvery
		if d.cursor.Look != nil || d.cursor.Lost { // all chunks have, or may have
			d.fence = math.MaxInt64
		}
	}
	return d, nil
}

// run returns nil when every row is done.
func (d *dispatcher) run(ctx context.Context) error {
	var sweeps int // in vain, one after another
	var before int64
	for {
		p := pass{phase: d.c.phase()}
		if p.phase == phaseLook && !d.c.ended() {
			var err error
			if p.last, err = d.rounds(ctx); err != nil {
				return err
			}
		}
		if err := d.pass(ctx, &p); err != nil {
			return err
		}
		if err := d.drained(ctx); err != nil {
			return err
		}
		// Nothing waits or runs, and all that was handed in has been collected: what a phase lacks now was lost.
		// Days may pass between two looks: what ended is committed before.
		if err := d.c.settle(ctx, p.phase == phaseLook); err != nil {
			return err
		}
		switch {
		case d.c.ended():
			return nil
		case p.phase == phaseCall:
			if d.next = 0; d.c.phase() == phaseCall {
				if mark := d.c.mark(phaseCall); mark > before {
					sweeps, before = 0, mark
				}
				d.l.log.Info("gap sweep: queueing again what was lost", "before", sweeps)
				// What is lost again and again is looked for less and less often.
				if err := d.l.e.claimedOr(ctx, min(sweepPause<<min(sweeps, 10), sweepLongest)); err != nil {
					return err
				}
				sweeps++
				d.fence = math.MaxInt64 // all of it has travelled before
			}
		// A look that ended early goes on at once if the rows in front have ended meanwhile.
		case !p.short || d.c.outOfOrder() > maxLooked/2:
			if err := d.looked(ctx); err != nil {
				return err
			}
		}
	}
}

// pass is one walk over the manifest.
type pass struct {
	phase int
	last  bool // what cannot be read now has failed
	short bool // it ended before the manifest's end
	queue int  // chunks queued
}

// pass queues every chunk, from the first that has a row missing, that is neither done nor queued.
func (d *dispatcher) pass(ctx context.Context, p *pass) error {
	mark := d.c.mark(p.phase)
	if mark >= d.l.plan.Rows {
		return nil
	}
	from := d.start(d.l.plan.ChunkOf(mark))
	for cut, err := range d.l.plan.Cut(ctx, opener{d.l.store}, from) {
		if err != nil {
			return err
		}
		if d.c.missing(p.phase, cut.Chunk.First, cut.Chunk.Rows) {
			if p.phase == phaseLook && d.c.outOfOrder() > maxLooked {
				p.short = true
				break
			}
			if err := d.pace(ctx, p); err != nil {
				return err
			}
			if err := d.queue(ctx, p, cut.Chunk); err != nil {
				return err
			}
		}
		if err := d.passed(ctx, cut); err != nil {
			return err
		}
	}
	return d.saveCursor(ctx)
}

// start is where to cut from so as to reach a chunk with the least reading.
func (d *dispatcher) start(chunk int64) manifest.Cursor {
	best := manifest.Cursor{Chunk: chunk}
	files := d.l.plan.Files
	i := sort.Search(len(files), func(i int) bool { return files[i].FirstChunk > chunk }) - 1
	if i < 0 {
		return best
	}
	for _, m := range d.cursor.Marks {
		if m.Chunk <= chunk && m.Chunk > files[i].FirstChunk && (best.Offset == 0 || m.Chunk > best.Chunk) {
			best = manifest.Cursor{Chunk: m.Chunk, Offset: m.Offset}
		}
	}
	return best
}

// pace waits until the queue and the uncollected results are short enough.
func (d *dispatcher) pace(ctx context.Context, p *pass) error {
	if p.phase == phaseLook && p.queue > 0 && p.queue%resultsInFlight == 0 { // rows end out of order: nothing else tells
		if err := d.c.settle(ctx, false); err != nil {
			return err
		}
	}
	var t trouble
	for {
		behind := d.next - d.l.plan.ChunkOf(min(d.c.mark(p.phase), d.l.plan.Rows-1))
		collected := behind < resultsInFlight || p.phase == phaseLook
		if d.room > 0 && collected {
			d.room--
			return nil
		}
		claims := d.l.e.claimsSoFar()
		st, err := d.state(ctx)
		if err != nil {
			if err := d.again(ctx, &t, "read queue state", err); err != nil {
				return err
			}
			continue
		}
		if st.Waiting < queueAhead && (collected || st.Waiting+st.Running == 0) {
			d.room = queueAhead - st.Waiting - 1 // nobody else adds to it
			return nil
		}
		// To look at the queue costs more than to publish to it, so it is not done for each chunk that was claimed.
		if err := d.l.e.claimsOr(ctx, claims+queueAhead/4, dispatchPoll); err != nil {
			return err
		}
	}
}

// queue publishes a chunk; that it is queued already is as good.
func (d *dispatcher) queue(ctx context.Context, p *pass, c manifest.Chunk) error {
	kind := chunkAgain
	switch {
	case p.last:
		kind = chunkLast
	case p.phase == phaseCall && c.Number >= d.fence && c.Number >= d.next:
		kind = chunkFresh
	}
	var t trouble
	before := d.notices.Load()
	for {
		err := d.l.e.o.Carrier.Publish(ctx, d.l.id, p.phase, c.Number, message(d.l.epoch, kind, c))
		if err == nil || errors.Is(err, ErrQueued) {
			failpoint.Hit(failpoint.ChunkQueued)
			if t.times > 0 {
				d.notice(before)
			}
			d.next = max(d.next, c.Number+1)
			p.queue++
			d.l.e.noteQueued()
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if kind == chunkFresh {
			kind = chunkAgain // it may have got there all the same
		}
		if t.times == 0 {
			d.notice(&notice{kind: waitsForEngine, since: time.Now(), text: "Waiting until the engine takes further chunks. " + causeFirst(err)})
		}
		if err := d.again(ctx, &t, "queue chunk", err); err != nil {
			return err
		}
	}
}

// passed moves the cursor behind a cut, after its chunk was acknowledged.
func (d *dispatcher) passed(ctx context.Context, cut manifest.Cut) error {
	n := cut.Next
	if n.Chunk <= d.cursor.Chunk {
		return nil
	}
	d.cursor.Chunk = n.Chunk
	if n.Chunk%cursorEvery != 0 {
		return nil
	}
	failpoint.Hit(failpoint.CursorUnwritten)
	if n.Offset > 0 {
		d.cursor.Marks = append(d.cursor.Marks, mark{n.Chunk, n.Offset})
		if len(d.cursor.Marks) > maxMarks {
			d.cursor.Marks = d.cursor.Marks[1:]
		}
		sort.Slice(d.cursor.Marks, func(i, j int) bool { return d.cursor.Marks[i].Chunk < d.cursor.Marks[j].Chunk })
	}
	return d.saveCursor(ctx)
}

func (d *dispatcher) saveCursor(ctx context.Context) error {
	if _, err := d.l.e.o.Carrier.Put(ctx, Jobs, cursorKey(d.l.id), encode(d.cursor)); err != nil {
		return fmt.Errorf("write cursor: %w", err)
	}
	failpoint.Hit(failpoint.CursorWritten)
	return nil
}

// errQueueGone ends dispatching: nobody can claim what is queued.
var errQueueGone = errors.New("the job's queue was deleted")

// state looks at the queue. Nobody but this leader shuts it, so one that is shut was deleted, by a hand that has the right
// to, or by another that leads the job by now.
func (d *dispatcher) state(ctx context.Context) (QueueState, error) {
	st, err := d.l.e.o.Carrier.State(ctx, d.l.id)
	switch {
	case err != nil:
	case !st.Shut || st.Waiting == 0:
		d.gone = time.Time{}
	case d.gone.IsZero():
		d.gone = time.Now()
	case time.Since(d.gone) > goneFor:
		return st, errQueueGone
	}
	return st, err
}

// drained waits until no chunk of the job waits or runs.
func (d *dispatcher) drained(ctx context.Context) error {
	var t trouble
	for {
		st, err := d.state(ctx)
		if err == nil && st.Waiting+st.Running == 0 {
			return nil
		}
		if err != nil {
			if err := d.again(ctx, &t, "read queue state", err); err != nil {
				return err
			}
			continue
		}
		if err := d.l.e.claimedOr(ctx, dispatchPoll); err != nil {
			return err
		}
	}
}

// trouble is that something fails again and again.
type trouble struct{ times int }

// again waits before something that failed is tried again: longer each time, and logged ever less often. That the queue is
// gone it gives back.
func (d *dispatcher) again(ctx context.Context, t *trouble, what string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, errQueueGone) {
		return err
	}
	t.times++
	if t.times&(t.times-1) == 0 { // the first, second, fourth …
		d.l.log.Warn(what, "times", t.times, "err", err)
	}
	return d.l.e.claimedOr(ctx, min(dispatchPoll<<min(t.times-1, 6), sweepLongest))
}
