package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
)

// pausing drains the job.
func (l *leader) pausing(ctx context.Context) error {
	if err := l.drain(ctx); err != nil {
		return l.broken(ctx, err)
	}
	l.stopCollector()
	actor, reason := system, "Jobs of higher priority are running."
	switch {
	case l.e.ix.held().Mode != "":
		reason = holdReason
	case l.anew:
		reason = "Nothing of it is under way: it can go on."
	}
	l.anew = false
	if l.rec.Pause != nil {
		l.st.SystemPaused = false
		actor, reason = l.rec.Pause.Actor, l.rec.Pause.Reason
	}
	return l.move(ctx, job.Paused, actor, reason)
}

// drain waits until nothing of the job is worked on, takes in what was handed in, and only then empties its queue: a
// purge before that would hide what is in flight.
func (l *leader) drain(ctx context.Context) error {
	if l.plan == nil {
		if err := l.load(ctx); err != nil {
			return err
		}
	}
	if l.st.Started.IsZero() {
		return nil // never Active
	}
	if err := l.e.o.Carrier.Shut(ctx, l.id); err != nil {
		return fmt.Errorf("shut queue: %w", err)
	}
	shut := time.Now()
	failpoint.Hit(failpoint.QueueShut)
	// Every heartbeat written before the queue was shut is seen once this write of our own is.
	rev, err := l.e.o.Carrier.Put(ctx, Live, "fence."+string(l.id), nil)
	if err != nil {
		return fmt.Errorf("write fence: %w", err)
	}
	if err := l.e.ix.waitRev(ctx, Live, rev); err != nil {
		return err
	}
	for l.e.ix.holders(l.id, l.e.o.LeaseTerm, shut) {
		select {
		case <-l.e.ix.wait():
		case <-time.After(time.Second): // a lost worker's lease runs out without a change
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := l.startCollector(ctx); err != nil {
		return err
	}
	if err := l.collected(ctx); err != nil {
		return err
	}
	failpoint.Hit(failpoint.Drained)
	if err := l.e.o.Carrier.Purge(ctx, l.id); err != nil {
		return fmt.Errorf("empty queue: %w", err)
	}
	failpoint.Hit(failpoint.QueuePurged)
	l.st.Progress = l.committed()
	return nil
}

// collected waits until all that was handed in is committed.
func (l *leader) collected(ctx context.Context) error { return l.settled(ctx, true) }

// settled waits until all that was handed in is taken, or committed, while it shows what that waits for.
func (l *leader) settled(ctx context.Context, commit bool) error {
	sctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	settled := make(chan error, 1)
	go func() { settled <- l.coll.settle(sctx, commit) }()
	look := time.NewTicker(beatEvery)
	defer look.Stop()
	for {
		l.look()
		if why := l.coll.stalled.Load(); why != nil {
			l.say(ctx, why.text)
			if f := l.overdue(why); f != nil && l.st.Status != job.Failing {
				cancel(jobFailure{*f})
				<-settled
				return jobFailure{*f}
			}
		}
		select {
		case <-look.C:
		case err := <-settled:
			return err
		case err := <-l.collDone:
			l.collDone <- err
			if err == nil {
				err = errors.New("the collector stopped")
			}
			cancel(err)
			return <-settled
		case <-l.ent.changed:
		}
	}
}

func (l *leader) committed() job.Progress {
	p := l.coll.progress()
	p.Provisional = false
	return p
}

func (l *leader) startCollector(ctx context.Context) error {
	if l.coll != nil {
		return nil
	}
	if l.plan == nil {
		if err := l.load(ctx); err != nil {
			return err
		}
	}
	if err := l.replan(ctx); err != nil {
		return err
	}
	c, err := l.newCollector(ctx)
	if err != nil {
		return err
	}
	cctx, stop := context.WithCancel(ctx)
	l.coll, l.collStop, l.collDone = c, stop, make(chan error, 1)
	done := l.collDone
	go func() { done <- c.run(cctx) }()
	return nil
}

func (l *leader) stopCollector() {
	if l.coll == nil {
		return
	}
	l.collStop()
	<-l.collDone
	l.ckpt, l.coll = &l.coll.ckpt, nil
}
