package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
)

// A carrier may lose a stream as a whole while jobs run, as when somebody deletes it. It is then made again, empty, and
// everything in this process ends as it does when the process is stopped, and begins anew: what finds its way from what is
// left at a start does so here. Only what would be gone with the process is saved first: records that are known by the
// watches, and what leaders and collectors know.

const (
	restorePause = time.Second
	restoreMany  = 32 // records written at a time
	// lastCommit bounds what a collector whose results were lost does to commit what it had taken in.
	lastCommit = 30 * time.Second
)

// lossReason is the reason of the pause that each running job makes after a loss.
const lossReason = "The engine lost a part of what it had stored. The job goes on once nothing of it is under way."

// keepsake is what a job's leader knew when a loss ended it.
type keepsake struct {
	plan *manifest.Plan
	ckpt *checkpoint
}

// awaitLoss ends the run when something is lost.
func (e *Engine) awaitLoss(ctx context.Context) error {
	if e.o.Carrier.AwaitLoss(ctx, e.losses) != nil {
		return nil
	}
	lost := e.o.Carrier.Losses(ctx).since(e.losses)
	e.losing.Store(&lost)
	return ErrLost
}

// explained reports whether an error came of a loss, and says nothing more than that. It waits for the end of the run then.
func (e *Engine) explained(ctx context.Context) bool {
	if ctx.Err() == nil && e.o.Carrier.Losses(ctx) != e.losses {
		<-ctx.Done()
	}
	return e.losing.Load() != nil
}

// restore writes the records again that were lost, from what is known here. Each process that leads does so; the first to
// write a record wins. It returns an error when ctx ends.
func (e *Engine) restore(ctx context.Context) error {
	now := e.o.Carrier.Losses(ctx)
	lost := now.since(e.losses)
	e.losses = now
	e.losing.Store(nil)
	e.log.Error("the engine has lost what it had stored, and begins anew with what is left", "lost", fmt.Sprintf("%+v", lost))
	e.mu.Lock()
	kept := e.kept
	e.kept = map[job.ID]keepsake{}
	e.mu.Unlock()
	for !e.o.NoLead {
		err := e.restoreRecords(ctx, lost, kept)
		if err == nil {
			break
		}
		e.log.Error("restore what was lost; trying again", "err", err)
		if err := pauseFor(ctx, restorePause); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (e *Engine) restoreRecords(ctx context.Context, lost Losses, kept map[job.ID]keepsake) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(restoreMany)
	if lost.Jobs > 0 {
		if h := e.ix.held(); h.Mode != "" {
			g.Go(func() error { return e.makeAgain(gctx, Jobs, HoldKey, encode(h)) })
		}
		for _, ent := range e.ix.openJobs() {
			g.Go(func() error { return e.restoreJob(gctx, ent, kept[ent.id]) })
		}
		for id, v := range e.ix.changedTags() {
			g.Go(func() error { return e.makeAgain(gctx, Jobs, tagsKey(id), v) })
		}
	}
	for _, d := range e.ix.done.all() {
		if lost.Jobs == 0 && lost.Done == 0 {
			break
		}
		g.Go(func() error { return e.restoreDone(gctx, d, lost) })
	}
	return g.Wait()
}

// restoreJob writes an open job's records again; that of the job itself comes last, for it makes the job known.
func (e *Engine) restoreJob(ctx context.Context, ent entry, k keepsake) error {
	id := ent.id
	records := map[string][]byte{}
	if ent.stateRev != 0 {
		records[stateKey(id)] = encode(ent.state)
	}
	if k.plan != nil {
		records[planKey(id)] = encodePacked(k.plan)
	}
	if k.ckpt != nil {
		records[ckptKey(id)] = encode(k.ckpt)
	}
	if s := ent.job.Spec; s.Token != "" {
		records[tokenKey(s.Account, s.Token)] = encode(tokenRecord{Job: id, Hash: requestHash(s)})
	}
	for key, v := range records {
		if err := e.makeAgain(ctx, Jobs, key, v); err != nil {
			return err
		}
	}
	return e.makeAgain(ctx, Jobs, jobKey(id), encode(ent.job))
}

// restoreDone writes what is kept in memory of a finished job, all but its events.
func (e *Engine) restoreDone(ctx context.Context, d *doneEntry, lost Losses) error {
	rec, ok, err := d.record()
	if err != nil || !ok {
		e.log.Warn("a finished job's record is lost", "job", string(d.id), "err", err)
		return nil
	}
	if s := rec.Job.Spec; lost.Jobs > 0 && s.Token != "" {
		if err := e.makeAgain(ctx, Jobs, tokenKey(s.Account, s.Token), encode(tokenRecord{Job: d.id, Hash: requestHash(s)})); err != nil {
			return err
		}
	}
	if lost.Done == 0 {
		return nil
	}
	return e.makeAgain(ctx, Done, doneKey(d.id), encode(rec))
}

// makeAgain writes a record that was lost, unless another did.
func (e *Engine) makeAgain(ctx context.Context, b Bucket, key string, v []byte) error {
	_, err := e.o.Carrier.Create(ctx, b, key, v)
	if err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("write what was lost again: %w", err)
	}
	return nil
}

// leave ends what belongs to the leader. What it knows of the job is kept when a loss has ended it.
func (l *leader) leave() {
	l.stopCollector()
	if l.e.losing.Load() == nil {
		return
	}
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	l.e.kept[l.id] = keepsake{l.plan, l.ckpt}
}

// keep commits what was taken in of hand-ins that are lost.
func (c *collector) keep() {
	if lost := c.e.losing.Load(); lost.Results == 0 || c.count == 0 || c.replay != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastCommit)
	defer cancel()
	if err := c.commitOnce(ctx); err != nil {
		c.log.Warn("commit what was taken in before the results were lost; what is not committed is run again", "err", err)
	}
}
