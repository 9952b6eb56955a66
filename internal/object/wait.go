package object

import (
	"context"
	"errors"
)

// ErrWaitEnded is the cause of a call that was given up between two attempts, because its caller no longer wants to wait
// for the store. Nothing is known of its effect.
var ErrWaitEnded = errors.New("the wait for the store was ended")

type waitKey struct{}

// WithWait bounds how long calls wait for a store that does not answer or throttles: between attempts, never during
// one, a call ends with ErrWaitEnded once done is closed.
func WithWait(ctx context.Context, done <-chan struct{}) context.Context {
	return context.WithValue(ctx, waitKey{}, done)
}

// WaitDone gives the channel of WithWait, nil where there is none.
func WaitDone(ctx context.Context) <-chan struct{} {
	done, _ := ctx.Value(waitKey{}).(<-chan struct{})
	return done
}
