package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
)

// Bounds of a job's life.
const (
	suspendedFor = 30 * 24 * time.Hour // a job that nobody confirms fails after this
	keptFor      = 90 * 24 * time.Hour // a finished job's record goes after this
	system       = "system"
)

// leader moves one job through its life. One goroutine owns it.
type leader struct {
	e     *Engine
	id    job.ID
	log   *slog.Logger
	ent   entry     // as last looked at; its channel closes at any change since
	rec   jobRecord // of ent
	made  jobRecord // as first seen: what never changes of it is read from here, by all goroutines
	st    stateRecord
	rev   uint64 // of st as stored; 0 = not stored yet
	epoch uint64
	first bool // this leader made the job Active for the first time: nothing has travelled before
	anew  bool // a loss came before: what workers of other processes still hold is waited for before anything is queued

	store    object.Store
	plan     *manifest.Plan
	ckpt     *checkpoint // as the last collector left it
	coll     *collector
	collStop context.CancelFunc
	collDone chan error
}

// jobFailure is an error that ends the job.
type jobFailure struct{ job.Failure }

func (f jobFailure) Error() string { return f.Code + ": " + f.Reason }

func failure(code, format string, args ...any) error {
	return jobFailure{job.Failure{Code: code, Reason: fmt.Sprintf(format, args...)}}
}

// lead runs a job until it is final, ctx ends, or another leader took it.
func (e *Engine) lead(ctx context.Context, id job.ID) {
	l := &leader{e: e, id: id, log: e.log.With("job", string(id)), anew: e.begun > 1}
	defer l.leave()
	pause := time.Second
	var since time.Time
	for ctx.Err() == nil {
		err := l.step(ctx)
		switch {
		case err == nil:
			pause, since = time.Second, time.Time{}
		case errors.Is(err, errFinished), ctx.Err() != nil, e.explained(ctx):
			return
		case errors.Is(err, errLostLead), errors.Is(err, ErrConflict), errors.Is(err, ErrExists):
			l.log.Info("another node leads this job")
			return
		default: // the carrier, a store or the disk: wait, say so, go on
			l.log.Error("step of job", "status", l.st.Status, "err", err)
			if since.IsZero() {
				since = time.Now()
			}
			l.wait(ctx, &notice{kind: waitsForStore, text: fmt.Sprintf("Waiting to try again: %v.", err), since: since})
			l.stopCollector()
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, time.Minute)
		}
	}
}

var errFinished = errors.New("the job is finished")

// step does what the job's status asks for and moves it on.
func (l *leader) step(ctx context.Context) error {
	if l.rev == 0 {
		if err := l.take(ctx); err != nil {
			return err
		}
	}
	if !l.look() {
		return errFinished
	}
	if l.rec.Cancel != nil && l.st.Status.CanBecome(job.Cancelling) {
		return l.move(ctx, job.Cancelling, l.rec.Cancel.Actor, l.rec.Cancel.Reason)
	}
	if s := l.st.Status; l.e.ix.held().Mode != "" && (s == job.New || s == job.Preparing || s == job.Suspended) {
		return l.changed(ctx, time.Time{}) // it begins where it is moved to
	}
	switch l.st.Status {
	case job.New:
		return l.move(ctx, job.Preparing, system, "The job was taken up.")
	case job.Preparing:
		return l.preparing(ctx)
	case job.Suspended:
		return l.suspended(ctx)
	case job.Ready, job.Paused:
		return l.waiting(ctx)
	case job.Active:
		return l.active(ctx)
	case job.Pausing:
		return l.pausing(ctx)
	case job.Completing, job.Cancelling, job.Failing:
		return l.ending(ctx)
	case job.Complete, job.Cancelled, job.Failed:
		if err := l.retire(ctx); err != nil {
			return err
		}
		return errFinished
	}
	return fmt.Errorf("the job's record has the unknown status %q", l.st.Status)
}

// take makes this process the leader: a state written with a higher epoch.
func (l *leader) take(ctx context.Context) error {
	if !l.look() {
		return errFinished
	}
	if l.e.ix.finished(l.id) { // a former leader was stopped while it removed the job's records
		if err := l.remove(ctx); err != nil {
			return err
		}
		return errFinished
	}
	r, err := l.e.o.Carrier.Get(ctx, Jobs, stateKey(l.id))
	if errors.Is(err, ErrNotFound) {
		remade, err := l.ranBefore(ctx)
		if err != nil {
			return err
		}
		l.st = stateRecord{Epoch: 1, Leader: l.e.node, Remade: remade, Status: job.New, Since: l.rec.Created, Events: []job.Event{{
			Time: l.rec.Created, To: job.New, Actor: l.rec.Creator, Reason: created(l.rec.Spec),
		}}}
		if remade {
			l.st.Events = append(l.st.Events, job.Event{
				Time: l.e.o.Now(), From: job.New, To: job.New, Actor: system,
				Reason: "What was stored of the job was lost. It goes on from its manifest and from what lies beside its report.",
			})
		}
		l.rev, err = l.e.o.Carrier.Create(ctx, Jobs, stateKey(l.id), encode(l.st))
		l.epoch = 1
		return err
	}
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	if l.st, err = decode[stateRecord](r); err != nil {
		return err
	}
	if l.st.Leader != l.e.node && l.e.ix.alive(l.st.Leader) {
		return errLostLead // another node was faster
	}
	l.st.Epoch++
	l.st.Leader = l.e.node
	l.epoch, l.rev = l.st.Epoch, r.Rev
	if err := l.save(ctx); err != nil {
		return err
	}
	failpoint.Hit(failpoint.LeadTaken)
	return nil
}

// look takes over what callers want by now; false when the job is gone.
func (l *leader) look() bool {
	e, ok := l.e.ix.get(l.id)
	if ok {
		l.ent, l.rec = e, e.job
		if l.made.ID == "" {
			l.made = e.job
		}
	}
	return ok
}

func (l *leader) save(ctx context.Context) error {
	rev, err := l.e.o.Carrier.Update(ctx, Jobs, stateKey(l.id), encode(l.st), l.rev)
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	l.rev = rev
	return l.e.ix.waitRev(ctx, Jobs, rev)
}

// move moves the job to another status, with an event.
func (l *leader) move(ctx context.Context, to job.Status, actor, reason string) error {
	if !l.st.Status.CanBecome(to) {
		return fmt.Errorf("the status cannot go from %s to %s", l.st.Status, to)
	}
	now := l.e.o.Now()
	from := l.st
	if l.st.Status == job.Active {
		l.st.ActiveFor += now.Sub(l.st.Since)
	}
	l.st.Events = appendEvent(from.Events, job.Event{Time: now, From: l.st.Status, To: to, Actor: actor, Reason: reason})
	l.st.Status, l.st.Since, l.st.Reason, l.st.Waits = to, now, job.CleanText(reason, 256), nil
	switch to {
	case job.Suspended:
		l.st.Suspended, l.st.SuspendedCause = now, "Waiting for confirmation."
	case job.Active:
		if l.st.Started.IsZero() {
			l.st.Started, l.first = now, !l.st.Remade
		}
		l.st.SystemPaused = false
	case job.Complete, job.Failed, job.Cancelled:
		l.st.Terminated = now
	}
	if err := l.save(ctx); err != nil {
		l.st = from
		return err
	}
	failpoint.Hit(failpoint.StateMoved)
	l.log.Info("job moved", "from", from.Status, "to", to, "actor", actor, "reason", reason)
	return nil
}

// say shows a reason without a move.
func (l *leader) say(ctx context.Context, reason string) {
	reason = job.CleanText(reason, 256)
	if l.rev == 0 || l.st.Reason == reason || l.st.Status.Final() {
		return
	}
	l.st.Reason = reason
	if err := l.save(ctx); err != nil && ctx.Err() == nil {
		l.log.Warn("write status reason", "err", err)
	}
}

func (l *leader) fail(ctx context.Context, f job.Failure) error {
	f.Code, f.Reason = job.CleanText(f.Code, 64), job.CleanText(f.Reason, 1024)
	l.st.Failures = []job.Failure{f}
	l.stopCollector() // the next one may write to another place
	return l.move(ctx, job.Failing, system, f.Reason)
}

// changed waits for a change of the job since look, or for the time.
func (l *leader) changed(ctx context.Context, at time.Time) error {
	var timer <-chan time.Time
	if !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-l.ent.changed:
	case <-timer:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func (l *leader) suspended(ctx context.Context) error {
	if l.rec.Confirm != nil {
		l.st.SuspendedCause = ""
		return l.move(ctx, job.Ready, l.rec.Confirm.Actor, l.rec.Confirm.Reason)
	}
	end := l.st.Suspended.Add(suspendedFor)
	if l.e.o.Now().After(end) {
		return l.fail(ctx, job.Failure{Code: "NotConfirmed", Reason: "The job waited 30 days for its confirmation and was ended."})
	}
	return l.changed(ctx, end)
}

// waiting is Ready and Paused: the job becomes Active when the scheduler admits it and no user holds it.
func (l *leader) waiting(ctx context.Context) error {
	switch {
	case l.rec.Pause != nil && l.st.Status == job.Ready:
		return l.move(ctx, job.Pausing, l.rec.Pause.Actor, l.rec.Pause.Reason)
	case l.rec.Pause == nil && l.ent.admitted:
		if l.st.Remade && l.st.Started.IsZero() {
			if err := l.cutAnew(ctx); err != nil {
				return err
			}
		}
		actor, reason := system, "The job's turn has come."
		if l.st.Status == job.Paused && !l.st.SystemPaused && l.rec.Resume != nil {
			actor, reason = l.rec.Resume.Actor, l.rec.Resume.Reason
		}
		return l.move(ctx, job.Active, actor, reason)
	case l.rec.Pause == nil && l.e.ix.held().Mode == "":
		l.say(ctx, "Waiting for its turn: jobs of higher priority are running.")
	}
	return l.changed(ctx, time.Time{})
}

// active runs the job until it is done, fails, or shall stop.
func (l *leader) active(ctx context.Context) error {
	if l.anew { // what is in flight was queued before the loss
		l.st.SystemPaused = true
		return l.move(ctx, job.Pausing, system, lossReason)
	}
	if err := l.startCollector(ctx); err != nil {
		return l.broken(ctx, err)
	}
	if err := l.settled(ctx, false); err != nil {
		return l.broken(ctx, err)
	}
	if err := l.e.o.Carrier.Open(ctx, l.id); err != nil {
		return fmt.Errorf("open queue: %w", err)
	}
	failpoint.Hit(failpoint.QueueOpened)
	d, err := l.newDispatcher(ctx, l.coll)
	if err != nil {
		return err
	}
	dctx, stop := context.WithCancel(ctx)
	defer stop()
	dispatched := make(chan error, 1)
	go func() { dispatched <- d.run(dctx) }()
	halt := func() { stop(); <-dispatched }
	look := time.NewTicker(beatEvery) // a wait that has lasted
	defer look.Stop()
	for {
		l.look()
		switch {
		case l.rec.Cancel != nil:
			halt()
			return nil // step moves it to Cancelling
		case l.rec.Pause != nil:
			halt()
			return l.move(ctx, job.Pausing, l.rec.Pause.Actor, l.rec.Pause.Reason)
		case !l.ent.admitted:
			halt()
			l.st.SystemPaused = true
			reason := "Jobs of higher priority are to run first."
			if l.e.ix.held().Mode != "" {
				reason = holdReason
			}
			return l.move(ctx, job.Pausing, system, reason)
		}
		n := l.coll.stalled.Load()
		if f := l.overdue(n); f != nil {
			halt()
			return l.fail(ctx, *f)
		}
		if n == nil {
			n = d.notices.Load()
		}
		if n == nil {
			n = l.outage()
		}
		// After a restart it is not known yet whether the report's place is still away.
		if w := l.st.Waits; n != nil || w == nil || w.For != waitsForReport || l.coll.wrote.Load() {
			l.wait(ctx, n)
		}
		select {
		case <-l.ent.changed:
		case <-look.C:
		case err := <-dispatched:
			return l.afterDispatch(ctx, err)
		case f := <-l.coll.failing:
			halt()
			return l.fail(ctx, f)
		case err := <-l.collDone:
			halt()
			l.collDone <- err
			if err == nil {
				err = errors.New("the collector stopped")
			}
			return err
		case <-ctx.Done():
			halt()
			return context.Cause(ctx)
		}
	}
}

// afterDispatch takes the job on from the end of its dispatcher.
func (l *leader) afterDispatch(ctx context.Context, err error) error {
	if errors.Is(err, errQueueGone) && !l.e.explained(ctx) {
		l.log.Error("the job's queue was deleted; it is opened anew once nothing of the job is under way")
		l.anew = true
		return nil
	}
	if err != nil {
		return l.broken(ctx, err)
	}
	select {
	case f := <-l.coll.failing: // the last hand-in may have tripped the failure rule
		return l.fail(ctx, f)
	default:
	}
	if err := l.collected(ctx); err != nil {
		return l.broken(ctx, err)
	}
	l.st.Progress = l.committed()
	return l.move(ctx, job.Completing, system, "Every task has ended.")
}

// broken sorts an error of reading the manifest: one that will not go away ends the job.
func (l *leader) broken(ctx context.Context, err error) error {
	if f, ok := asFailure(err); ok {
		return l.fail(ctx, f)
	}
	return err
}

// asFailure tells an error that ends a job from one to wait for.
func asFailure(err error) (job.Failure, bool) {
	if f, ok := errors.AsType[jobFailure](err); ok {
		return f.Failure, true
	}
	if object.Retryable(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return job.Failure{}, false
	}
	if me, ok := errors.AsType[*manifest.Error](err); ok {
		return job.Failure{Code: me.Code, Reason: me.Reason()}, true
	}
	if oe, ok := errors.AsType[*object.Error](err); ok {
		return job.Failure{Code: oe.Code, Reason: err.Error()}, true
	}
	if je, ok := errors.AsType[*job.Error](err); ok && je.Code != job.Unavailable && je.Code != job.Internal && je.Code != job.Throttled {
		return job.Failure{Code: string(je.Code), Reason: je.Message}, true
	}
	return job.Failure{}, false
}
