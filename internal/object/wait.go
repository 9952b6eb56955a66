package object

import (
	"context"
	"errors"
)

// ErrWaitEnded is the cause of a call that was given up between two attempts, because its caller no longer wants to wait
// for the store. Nothing is known of its effect.
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
}

type callerKey struct{}

// WithWait bounds how long calls wait for a store that does not answer or throttles: between attempts, never during
// one, a call ends with ErrWaitEnded once done is closed.
func WithWait(ctx context.Context, done <-chan struct{}) context.Context {
	return WithCaller(ctx, done, GateOf(ctx))
}

// WithCaller is WithWait, and has calls go through a gate; nil is none.
func WithCaller(ctx context.Context, done <-chan struct{}, g Gate) context.Context {
	return context.WithValue(ctx, callerKey{}, &caller{done, g})
}

func callerOf(ctx context.Context) caller {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return *c
	}
	return caller{}
}

// WaitDone gives the channel of WithWait, nil where there is none.
func WaitDone(ctx context.Context) <-chan struct{} { return callerOf(ctx).done }

// GateOf gives the gate of WithCaller, nil where there is none.
func GateOf(ctx context.Context) Gate { return callerOf(ctx).gate }
