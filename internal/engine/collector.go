package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/report"
)

// Bounds of a segment.
const (
	segmentBytes    = 64 << 20
	segmentFirst    = 500 * time.Millisecond // how long the first stays open; doubles to segmentLongest
	segmentLongest  = 60 * time.Second
	progressEvery   = time.Second
	collectorIdle   = 50 * time.Millisecond
	commitRetryMax  = 15 * time.Second
	resultsInFlight = 256 // chunks that may be dispatched and not collected
)

// collector takes in the hand-ins of one job, in the order in which they were stored, and commits them by intent:
// pending into the checkpoint, files, checkpoint, purge; each step can be repeated. run owns the open segment; the
// methods that others call take mu.
type collector struct {
	e      *Engine
	id     job.ID
	log    *slog.Logger
	plan   *manifest.Plan
	sink   report.Sink // nil: no report
	folder string
	epoch  uint64

	mu    sync.Mutex
	done  doneSet  // committed and open rows
	asked *doneSet // rows whose calls were made, in a job with phases; else nil
	tally tally

	ckpt     checkpoint // as stored
	rev      uint64
	seq      uint64 // last hand-in taken
	count    int    // hand-ins in the open segment
	bytes    int    // of them
	spool    *spool
	opened   time.Time
	interval time.Duration
	shown    time.Time
	replay   *pending // a segment to be written again

	barriers chan *barrier
	waiting  []*barrier
	failing  chan job.Failure // at most one: the job cannot go on
	stalled  atomic.Pointer[notice]
	wrote    atomic.Bool // a commit has gone well
}

// barrier is answered once everything stored before it was asked has been taken (and committed, if asked).
type barrier struct {
	commit bool
	idles  int
	done   chan struct{}
}

var errLostLead = errors.New("another process leads this job")

// newCollector loads the checkpoint.
func (l *leader) newCollector(ctx context.Context) (*collector, error) {
	sink, err := l.reportSink(ctx)
	if err != nil {
		return nil, err
	}
	c := &collector{
		e: l.e, id: l.id, log: l.log, plan: l.plan, sink: sink, epoch: l.epoch,
		folder: report.Folder(l.made.Spec.Report.Prefix, l.id), interval: segmentFirst,
		barriers: make(chan *barrier), failing: make(chan job.Failure, 1),
	}
	r, err := l.e.o.Carrier.Get(ctx, Jobs, ckptKey(l.id))
	switch {
	case errors.Is(err, ErrNotFound):
		if c.ckpt, err = c.rebuild(ctx); err != nil {
			return nil, err
		}
		if len(c.ckpt.Segments) > 0 || c.ckpt.Mark > 0 {
			l.log.Warn("the checkpoint was lost and made again from commits/", "rows", c.ckpt.Succeeded+c.ckpt.Failed)
			if err := l.note(ctx, "The checkpoint was lost, and made again from what lies beside the report: %d tasks are done; the others run.",
				c.ckpt.Succeeded+c.ckpt.Failed); err != nil {
				return nil, err
			}
		}
		c.rev, err = l.e.o.Carrier.Create(ctx, Jobs, ckptKey(l.id), encode(c.ckpt))
		if err != nil {
			return nil, fmt.Errorf("create checkpoint: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("read checkpoint: %w", err)
	default:
		c.rev = r.Rev
		if c.ckpt, err = decode[checkpoint](r); err != nil {
			return nil, err
		}
	}
	c.seq, c.replay, c.tally = c.ckpt.Seq, c.ckpt.Pending, newTally(c.ckpt)
	if c.done, err = doneSetFrom(c.ckpt.Mark, c.ckpt.Above); err != nil {
		return nil, err
	}
	op, err := l.made.Spec.operation()
	if err != nil {
		return nil, err
	}
	if awaited(op) != nil {
		if c.asked, err = c.ckpt.askedSet(); err != nil {
			return nil, err
		}
	}
	if c.spool, err = newSpool(filepath.Join(l.e.o.Dir, "spool", string(l.id))); err != nil {
		return nil, err
	}
	return c, nil
}

// run collects until ctx ends. It returns errLostLead when another leader wrote the checkpoint.
func (c *collector) run(ctx context.Context) error {
	defer c.spool.close()
	c.opened = time.Now()
	err := c.e.o.Carrier.Results(ctx, c.id, c.seq, collectorIdle, func(r Result) error {
		c.takeBarriers()
		if r.Name.Job == "" {
			return c.idle(ctx)
		}
		return c.take(ctx, r)
	})
	if c.e.explained(ctx) {
		c.keep()
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// take counts one hand-in.
func (c *collector) take(ctx context.Context, r Result) error {
	if c.replay != nil && r.Seq > c.replay.To { // its results are not all there: the sweep will find the rows
		if err := c.endReplay(ctx); err != nil {
			return err
		}
	}
	if err := c.absorb(r); err != nil {
		return err
	}
	c.seq = r.Seq
	c.count++
	c.bytes += len(r.Data)
	if c.replay != nil && r.Seq == c.replay.To {
		return c.endReplay(ctx)
	}
	if c.replay == nil && (c.full() || time.Since(c.opened) >= c.interval) {
		if err := c.commit(ctx); err != nil {
			return err
		}
	}
	return c.show(ctx)
}

// full reports whether the open segment has its size: of report files, or a quarter of that in hand-ins, which the carrier has to keep
// until they are committed. Ordinary lines are some five times as long as what they come packed in.
func (c *collector) full() bool {
	return c.spool.size() >= c.e.o.segmentBytes || c.bytes >= int(c.e.o.segmentBytes/4)
}

// absorb takes the rows of a hand-in that are not done yet.
func (c *collector) absorb(r Result) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var werr error
	fatal, err := readHandin(r.Data, func(h handinRow) {
		if h.Row >= c.plan.Rows || !c.ends(r.Name.Phase, h) {
			return
		}
		c.tally.add(h)
		if c.sink == nil || len(h.Line) == 0 || werr != nil {
			return
		}
		st := job.TaskSucceeded
		if h.Failed {
			st = job.TaskFailed
		}
		werr = c.spool.add(st, h.Line)
	})
	if err != nil { // dropped: its rows stay undone and are run again
		c.log.Warn("dropped a hand-in", "seq", r.Seq, "err", err)
	}
	if fatal != nil {
		c.fail(*fatal)
	}
	p := job.Progress{Succeeded: c.tally.succeeded, Failed: c.tally.failed}
	if c.failureRule(p) {
		c.fail(job.Failure{
			Code:   "TooManyFailedTasks",
			Reason: fmt.Sprintf("%d of %d tasks had failed, more than half: the job was ended. See the failed tasks in the report.", p.Failed, p.Done()),
		})
	}
	return werr
}

// ends marks a handed-in row and reports whether it has ended by that, for the first time; c.mu is held.
func (c *collector) ends(phase int, h handinRow) bool {
	if c.asked != nil && phase == phaseCall && (!c.asked.add(h.Row) || !h.Failed) {
		return false
	}
	return c.done.add(h.Row)
}

// failureRule applies the rule; rows that were asked for count as having gone well so far. c.mu is held.
func (c *collector) failureRule(p job.Progress) bool {
	if c.asked != nil {
		p.Succeeded = max(p.Succeeded, c.asked.count()-p.Failed)
	}
	return p.FailureRule()
}

func (c *collector) fail(f job.Failure) {
	select {
	case c.failing <- f:
	default:
	}
}

// idle is called whenever all stored hand-ins were taken.
func (c *collector) idle(ctx context.Context) error {
	if c.replay != nil {
		if err := c.endReplay(ctx); err != nil {
			return err
		}
	}
	commit := time.Since(c.opened) >= c.interval
	for _, b := range c.waiting {
		b.idles++
		commit = commit || b.commit && b.idles >= 2
	}
	if commit && c.count > 0 {
		if err := c.commit(ctx); err != nil {
			return err
		}
	}
	// The first idle call after a barrier was asked may have been on its way before: only the second counts.
	keep := c.waiting[:0]
	for _, b := range c.waiting {
		if b.idles >= 2 {
			close(b.done)
		} else {
			keep = append(keep, b)
		}
	}
	c.waiting = keep
	return c.show(ctx)
}

func (c *collector) takeBarriers() {
	for {
		select {
		case b := <-c.barriers:
			c.waiting = append(c.waiting, b)
		default:
			return
		}
	}
}

// settle waits until all that is stored by now has been taken and, if asked, committed.
func (c *collector) settle(ctx context.Context, commit bool) error {
	b := &barrier{commit: commit, done: make(chan struct{})}
	select {
	case c.barriers <- b:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// endReplay finishes a segment that a former leader had announced: with all its results there its files are written
// again, to the same bytes; else the intent is dropped.
func (c *collector) endReplay(ctx context.Context) error {
	whole := c.seq == c.replay.To && c.count == c.replay.Count
	c.replay = nil
	if !whole {
		c.log.Warn("a pending segment's results are gone; its rows are run again")
	}
	return c.commit(ctx)
}

// commit closes the open segment, waiting as long as the report's store or the carrier does not take it.
func (c *collector) commit(ctx context.Context) error {
	pause := 200 * time.Millisecond
	for {
		err := c.commitOnce(ctx)
		if err == nil {
			c.wrote.Store(true)
			if c.stalled.Swap(nil) != nil {
				c.e.ix.poke(c.id)
			}
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, errLostLead) {
			return err
		}
		why := notice{kind: waitsForReport, text: fmt.Sprintf("Results cannot be committed; waiting. %s", causeFirst(err)), since: time.Now()}
		if was := c.stalled.Load(); was != nil {
			why.since = was.since
		} else {
			c.log.Warn("commit waits", "err", err)
		}
		c.stalled.Store(&why)
		c.e.ix.poke(c.id)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		pause = min(2*pause, commitRetryMax)
	}
}

func (c *collector) commitOnce(ctx context.Context) error {
	base, err := c.turnPage(ctx)
	if err != nil {
		return err
	}
	next := base.segmentCount(c.e.o.pageSegments) + 1
	var files []report.File
	if len(c.spool.parts) > 0 {
		intent := base
		intent.Pending = &pending{Number: next, From: base.Seq, To: c.seq, Count: c.count, Epoch: c.epoch}
		if err := c.store(ctx, intent); err != nil {
			return err
		}
		failpoint.Hit(failpoint.IntentWritten)
		if files, err = c.writeSegment(ctx, next); err != nil {
			return err
		}
		failpoint.Hit(failpoint.FilesWritten)
	}
	c.mu.Lock()
	done := checkpoint{
		Mark: c.done.mark, Above: c.done.bytes(), Succeeded: c.tally.succeeded, Failed: c.tally.failed,
		Codes: c.tally.counts(), Seq: c.seq, Pages: base.Pages, Segments: base.Segments,
	}
	if c.asked != nil {
		done.Asked = &asked{c.asked.mark, c.asked.bytes()}
	}
	c.mu.Unlock()
	if len(files) > 0 {
		done.Segments = append(done.Segments[:len(done.Segments):len(done.Segments)], segment{Number: next, Files: files})
	}
	if err := c.writeNote(ctx, done, len(files) > 0); err != nil {
		return err
	}
	if err := c.store(ctx, done); err != nil {
		return err
	}
	failpoint.Hit(failpoint.CheckpointWritten)
	if err := c.spool.reset(); err != nil {
		return err
	}
	c.count, c.bytes, c.opened = 0, 0, time.Now()
	c.interval = min(2*c.interval, segmentLongest)
	if c.seq == 0 {
		return nil
	}
	err = c.e.o.Carrier.PurgeResults(ctx, c.id, c.seq)
	failpoint.Hit(failpoint.ResultsPurged)
	return err
}

// store writes the checkpoint by compare-and-swap: one writer at a time gets through.
func (c *collector) store(ctx context.Context, k checkpoint) error {
	rev, err := c.e.o.Carrier.Update(ctx, Jobs, ckptKey(c.id), encode(k), c.rev)
	if lost := c.e.losing.Load(); lost != nil && lost.Jobs > 0 {
		rev, err = c.rev, nil // it is written again from memory
	}
	if errors.Is(err, ErrConflict) && c.e.o.Carrier.Losses(ctx) == c.e.losses {
		return errLostLead
	}
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	c.rev, c.ckpt = rev, k
	return nil
}

// writeSegment writes the files of the open segment.
func (c *collector) writeSegment(ctx context.Context, n int64) ([]report.File, error) {
	var files []report.File
	for _, st := range []job.TaskStatus{job.TaskSucceeded, job.TaskFailed} {
		p := c.spool.parts[st]
		if p == nil {
			continue
		}
		body, sum, err := p.body()
		if err != nil {
			return nil, err
		}
		name := report.ResultName(c.folder, n, st)
		if err := c.sink.Put(ctx, name, body, p.size, report.ContentTypeCSV); err != nil {
			return nil, fmt.Errorf("write report file %s: %w", name, err)
		}
		failpoint.Hit(failpoint.OneFileWritten)
		files = append(files, report.File{Status: st, Name: name, Size: p.size, MD5: sum, Rows: p.rows})
	}
	return files, nil
}

// show publishes progress, at most once in progressEvery.
func (c *collector) show(ctx context.Context) error {
	if time.Since(c.shown) < progressEvery {
		return nil
	}
	c.shown = time.Now()
	_, err := c.e.o.Carrier.Put(ctx, Live, progressKey(c.id), encode(c.progress()))
	if err != nil && ctx.Err() == nil {
		c.log.Warn("publish progress", "err", err)
	}
	return nil
}

// progress is what has been collected, committed or not.
func (c *collector) progress() job.Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.tally.progress(true)
	p.Total = c.plan.Rows
	if c.asked != nil {
		p.Requested = c.asked.count()
	}
	return p
}

// rows is the set of rows that a phase is about; c.mu is held.
func (c *collector) rows(phase int) *doneSet {
	if c.asked != nil && phase == phaseCall {
		return c.asked
	}
	return &c.done
}

// phase is the one to be worked on.
func (c *collector) phase() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked != nil && c.asked.mark >= c.plan.Rows {
		return phaseLook
	}
	return phaseCall
}

// missing reports whether a phase lacks some of these rows.
func (c *collector) missing(phase int, first int64, n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.rows(phase).hasAll(first, n)
}

// mark is the first row that a phase lacks.
func (c *collector) mark(phase int) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rows(phase).mark
}

// ended reports whether every row has.
func (c *collector) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done.mark >= c.plan.Rows
}

// outOfOrder is how many bytes the rows take that ended before others in front of them.
func (c *collector) outOfOrder() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done.above.GetSizeInBytes()
}
