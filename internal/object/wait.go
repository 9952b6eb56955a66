package object

import (
	"context"
	"errors"
	"time"
)

// ErrWaitEnded is the cause of a call that was given up before an attempt, because its caller no longer wants to wait for
// the store or may no longer call it. Nothing is known of its effect.
var ErrWaitEnded = errors.New("the wait for the store was ended")

// Gate bounds the calls of a caller: how many at a time, how many in a second, how many bytes. Drivers pass each attempt
// of a call through it. Safe for concurrent use.
type Gate interface {
	// Enter waits for an attempt's turn; Leave follows when it returns nil. Its error is the context's, or ErrWaitEnded.
	Enter(ctx context.Context) error
	Leave()
	// Moved tells of bytes that an attempt has moved, in bodies or within the store.
	Moved(bytes int64)
}

// caller is what contexts tell drivers.
type caller struct {
	done <-chan struct{}
	gate Gate
	over func(now time.Time) bool
}

type callerKey struct{}

// WithWait bounds how long calls wait for a store that does not answer or throttles: between attempts, never during
// one, a call ends with ErrWaitEnded once done is closed.
func WithWait(ctx context.Context, done <-chan struct{}) context.Context {
	c := callerOf(ctx)
	c.done = done
	return context.WithValue(ctx, callerKey{}, &c)
}

// WithGate has calls go through a gate; nil is none.
func WithGate(ctx context.Context, g Gate) context.Context {
	c := callerOf(ctx)
	c.gate = g
	return context.WithValue(ctx, callerKey{}, &c)
}

// WithTerm bounds the time in which calls may be begun: no attempt is made at a time at which over says so, and its call
// ends with ErrWaitEnded. Drivers ask right before they send, as a process can be stopped for any time before that. over
// must be safe for concurrent use.
func WithTerm(ctx context.Context, over func(now time.Time) bool) context.Context {
	c := callerOf(ctx)
	c.over = over
	return context.WithValue(ctx, callerKey{}, &c)
}

func callerOf(ctx context.Context) caller {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return *c
	}
	return caller{}
}

// WaitDone gives the channel of WithWait, nil where there is none.
func WaitDone(ctx context.Context) <-chan struct{} { return callerOf(ctx).done }

// GateOf gives the gate of WithGate, nil where there is none.
func GateOf(ctx context.Context) Gate { return callerOf(ctx).gate }

// TermOf gives what WithTerm was told, nil where there is none.
func TermOf(ctx context.Context) func(now time.Time) bool { return callerOf(ctx).over }
