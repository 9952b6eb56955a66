package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// restore writes the records of open jobs again after their bucket was lost, from what this process knows by its watch.
// Each process that leads does so; the first to write a record wins. What leaders alone know they write themselves.
func (e *Engine) restore(ctx context.Context, b Bucket) error {
	if b != Jobs {
		e.log.Error("records were lost", "bucket", string(b))
		return nil
	}
	if e.o.NoLead {
		return nil
	}
	for {
		err := e.restoreJobs(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		e.log.Error("restore the records of jobs; trying again", "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (e *Engine) restoreJobs(ctx context.Context) error {
	ids := e.ix.openJobs()
	e.log.Error("the records of jobs were lost; those of open ones are written again", "jobs", len(ids))
	if h := e.ix.held(); h.Mode != "" {
		if err := e.makeAgain(ctx, HoldKey, encode(h)); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := e.restoreJob(ctx, id); err != nil {
			return err
		}
	}
	e.lost.Add(1)
	for _, id := range ids {
		e.ix.poke(id)
	}
	return nil
}

// restoreJob writes a job's records again; that of the job itself comes last, for it makes the job known.
func (e *Engine) restoreJob(ctx context.Context, id job.ID) error {
	ent, ok := e.ix.getOpen(id)
	if !ok {
		return nil
	}
	if ent.stateRev != 0 {
		if err := e.makeAgain(ctx, stateKey(id), encode(ent.state)); err != nil {
			return err
		}
	}
	if s := ent.job.Spec; s.Token != "" {
		if err := e.makeAgain(ctx, tokenKey(s.Account, s.Token), encode(tokenRecord{Job: id, Hash: requestHash(s)})); err != nil {
			return err
		}
	}
	return e.makeAgain(ctx, jobKey(id), encode(ent.job))
}

// makeAgain writes a record that was lost, unless another did.
func (e *Engine) makeAgain(ctx context.Context, key string, v []byte) error {
	_, err := e.o.Carrier.Create(ctx, Jobs, key, v)
	if err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("write what was lost again: %w", err)
	}
	return nil
}

// leads reads a job's state as stored, restoring it if it was lost, and reports whether a leader's own epoch stands there:
// then a write of his that conflicted did so because the records were lost.
func (e *Engine) leads(ctx context.Context, id job.ID, epoch uint64) (rev uint64, ours bool, err error) {
	r, err := e.o.Carrier.Get(ctx, Jobs, stateKey(id))
	if errors.Is(err, ErrNotFound) {
		if err := e.restoreJob(ctx, id); err != nil {
			return 0, false, err
		}
		r, err = e.o.Carrier.Get(ctx, Jobs, stateKey(id))
	}
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil // the job is gone
	}
	if err != nil {
		return 0, false, err
	}
	s, err := decode[stateRecord](r)
	return r.Rev, err == nil && s.Leader == e.node && s.Epoch == epoch, err
}

// restore writes the plan again after it was lost, since workers read it.
func (l *leader) restore(ctx context.Context) error {
	lost := l.e.lost.Load()
	if lost == l.lost {
		return nil
	}
	if l.plan != nil {
		if err := l.keepPlan(ctx, l.plan); err != nil {
			return err
		}
	}
	l.lost = lost
	return nil
}
