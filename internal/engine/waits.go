package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// waitKind is what an Active job waits for.
type waitKind string

const (
	waitsForRound  waitKind = "round"  // the time at which it looks again; until then it has no work at all
	waitsLooking   waitKind = "look"   // it looks again: some calls every hour
	waitsForReport waitKind = "report" // the place of its report
	waitsForStore  waitKind = "store"  // the store that its objects lie in
	waitsForEngine waitKind = "engine" // room in the engine, or its answer
)

// idleAfter is how long a job waits for something around it before others may be Active in its place.
const idleAfter = 30 * time.Second

// notice is that a job waits, and why.
type notice struct {
	kind  waitKind
	text  string
	since time.Time
}

// waiting is the record's part of a notice. A job that waits does not count among its account's Active ones.
type waiting struct {
	For   waitKind
	Idle  bool // others may be Active in its place
	Since time.Time
}

// asleep reports whether there is nothing to claim: until it looks again, workers need not ask.
func (w *waiting) asleep() bool { return w != nil && w.For == waitsForRound }

func (w *waiting) idle() bool { return w != nil && w.Idle }

// Outages is what Stores may tell beside: since when a region's store has not answered.
type Outages interface {
	Away(region job.Region) (since time.Time, away bool)
}

// outage is that the store of the job's objects, or of a copy's target, is away; nil while both answer.
func (l *leader) outage() *notice {
	o, ok := l.e.o.Stores.(Outages)
	if !ok {
		return nil
	}
	for _, r := range l.made.Spec.regions() {
		if since, away := o.Away(r); away {
			return &notice{kind: waitsForStore, since: since, text: fmt.Sprintf(
				"The store of region %s does not answer since %s: calls wait, and it is asked once a second.", job.Quote(string(r)), since.UTC().Format("15:04:05 UTC"))}
		}
	}
	return nil
}

// regions are those that the job's tasks call.
func (r specRecord) regions() []job.Region {
	regions := []job.Region{r.Region}
	if op, err := r.operation(); err == nil {
		if c, ok := op.(*operation.Copy); ok && c.TargetRegion != "" {
			regions = append(regions, c.TargetRegion)
		}
	}
	return regions
}

// causeFirst says an error with its cause in front: a reason has 256 bytes, which a path alone may take.
func causeFirst(err error) string {
	cause := err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		if _, said := cause.(*object.Error); said {
			break
		}
		cause = next
	}
	if cause == err {
		return err.Error()
	}
	return fmt.Sprintf("%v (%v)", cause, err)
}

// wait shows what the job waits for, nil being nothing: the reason, and whether it holds its place among the Active.
func (l *leader) wait(ctx context.Context, n *notice) {
	var w *waiting
	text := ""
	if n != nil {
		idle := n.kind == waitsForRound || n.kind == waitsLooking || time.Since(n.since) >= idleAfter
		w, text = &waiting{For: n.kind, Idle: idle, Since: l.e.o.Now()}, n.text
	}
	old := l.st.Waits
	if w != nil && old != nil && w.For == old.For {
		w.Since = old.Since
	}
	switch {
	case w == nil && old == nil:
		return
	case w == nil:
		text = "Going on."
	case old != nil && *w == *old:
		l.say(ctx, text)
		return
	}
	was := l.st
	l.st.Waits, l.st.Reason = w, job.CleanText(text, 256)
	if err := l.save(ctx); err != nil {
		l.st = was
		if ctx.Err() == nil {
			l.log.Warn("write what the job waits for", "err", err)
		}
	}
}
