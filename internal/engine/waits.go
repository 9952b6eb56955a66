package engine

import (
	"context"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// waitKind is what an Active job waits for.
type waitKind string

const (
	waitsForRound  waitKind = "round"  // the time at which it looks again; until then it has no work at all
	waitsLooking   waitKind = "look"   // it looks again: some calls every hour
	waitsForReport waitKind = "report" // the place of its report
	waitsForStore  waitKind = "store"  // the store that its objects lie in
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
	For  waitKind
	Idle bool // others may be Active in its place
}

// asleep reports whether there is nothing to claim: until it looks again, workers need not ask.
func (w *waiting) asleep() bool { return w != nil && w.For == waitsForRound }

func (w *waiting) idle() bool { return w != nil && w.Idle }

// wait shows what the job waits for, nil being nothing: the reason, and whether it holds its place among the Active.
func (l *leader) wait(ctx context.Context, n *notice) {
	var w *waiting
	text := ""
	if n != nil {
		idle := n.kind == waitsForRound || n.kind == waitsLooking || time.Since(n.since) >= idleAfter
		w, text = &waiting{For: n.kind, Idle: idle}, n.text
	}
	old := l.st.Waits
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
