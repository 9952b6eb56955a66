package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// The phases of a job whose tasks end later than their calls. Any other job has the first alone.
const (
	phaseCall = 0 // each row's call is made; what fails has ended by that
	phaseLook = 1 // rows are looked at, in rounds, until all have ended
)

// maxLooked is how many bytes of rows that ended out of order a look goes on with: its checkpoint has to be small. Beyond
// it the first rows are awaited; they were asked for first.
const maxLooked = 512 << 10

// codeNotReady is the error code of a task whose object did not become readable in time.
const codeNotReady = "RestoreNotReady"

// awaited gives an operation's second phase; nil when it has none.
func awaited(op operation.Operation) operation.Awaited {
	if a, ok := op.(operation.Awaited); ok && a.Awaits() {
		return a
	}
	return nil
}

// round is where the second phase stands, as a part of the dispatcher's cursor. Between two rounds nothing of the job is
// queued, leased or held in memory: a time in a record is all there is.
type round struct {
	Number int       // rounds begun
	Began  time.Time // when the phase began
	Next   time.Time // not before this does a round begin
}

// interval is how long after a round, the first counted from 0, the next one begins.
func (o *Options) interval(n int) time.Duration {
	return min(o.LookFirst<<min(n, 20), o.LookLongest)
}

// rounds waits for the time of the next round and notes that it begins. last is set when what cannot be read by now
// is not waited for any longer.
func (d *dispatcher) rounds(ctx context.Context) (last bool, err error) {
	o := &d.l.e.o
	now := o.Now()
	r := d.cursor.Look
	if r == nil {
		if err := d.c.settle(ctx, true); err != nil { // workers go by what is committed
			return false, err
		}
		r = &round{Began: now, Next: now.Add(o.interval(0))}
		d.cursor = cursorRecord{Marks: d.cursor.Marks, Look: r}
		if err := d.saveCursor(ctx); err != nil {
			return false, err
		}
	}
	// A clock that was set back does not make it wait for longer than a whole interval.
	if left := min(r.Next.Sub(now), o.interval(r.Number)); left > 0 {
		p := d.c.progress()
		d.notice(&notice{kind: waitsForRound, text: fmt.Sprintf(
			"Waiting for restorations: %d of %d objects can be read or have failed. Looking again at %s.",
			p.Done(), p.Total, now.Add(left).UTC().Format("2006-01-02 15:04:05 UTC"),
		)})
		t := time.NewTimer(left)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	d.notice(&notice{kind: waitsLooking, text: "Looking which of the restored objects can be read."})
	return o.Now().Sub(r.Began) >= o.LookLimit, nil
}

// looked notes that a round is over, and when the next one begins.
func (d *dispatcher) looked(ctx context.Context) error {
	r := *d.cursor.Look
	r.Number++
	r.Next = d.l.e.o.Now().Add(d.l.e.o.interval(r.Number))
	d.cursor = cursorRecord{Marks: d.cursor.Marks, Look: &r}
	return d.saveCursor(ctx)
}

// look is a row's part of the second phase: the zero outcome leaves it to a later round.
func (r *chunkRun) look(ctx context.Context, i int) (o job.Outcome) {
	defer func() {
		if p := recover(); p != nil {
			o = r.panicked(i, p)
		}
	}()
	done, o := r.jc.awaited.Ready(ctx, r.jc.store, r.entries[i])
	if done {
		return o
	}
	select {
	case <-object.WaitDone(ctx):
	case <-ctx.Done():
	default:
		if r.lastLook {
			return job.FailedTask(codeNotReady, 200, fmt.Sprintf(
				"The restoration was asked for, but the object could not be read within %s; it may be later.", days(r.w.e.o.LookLimit)))
		}
	}
	return job.Outcome{}
}

// days says a long time in words.
func days(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}
