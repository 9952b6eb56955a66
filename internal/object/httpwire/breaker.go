package httpwire

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

// Timing of a Breaker.
const (
	breakerPatience = 10 * time.Second // without a success until it opens
	breakerProbe    = time.Second      // between two probes while it is open
)

// Breaker keeps calls from using up their attempts on an endpoint that is away: one that is being called and has had no
// success for 10 seconds. Then calls wait, one probe a second goes out, and the first success lets all go on. An answer
// that no other attempt would change (403, 404, 412) is a success here.
//
// While an endpoint has no success, an attempt that met no answer or a refusal to serve (429, 502, 503, 504) does not
// count against its call's attempts. An answer of 500 always does, so that a single object that its store cannot
// handle ends as failed although nothing else is called.
//
// All clients of an endpoint should share one. Safe for concurrent use.
type Breaker struct {
	now func() time.Time

	successes atomic.Uint64
	trouble   atomic.Bool // there was a failure since the last success: failing is set

	mu      sync.Mutex
	failing time.Time // first failure since the last success; zero = none
	open    bool
	probe   time.Time     // when the next probe may go out
	closed  chan struct{} // closed when the breaker closes; nil while it is closed
}

// NewBreaker makes a Breaker that is closed. now is its clock; nil is time.Now.
func NewBreaker(now func() time.Time) *Breaker {
	if now == nil {
		now = time.Now
	}
	return &Breaker{now: now}
}

// Away says since when the endpoint has been away; false when it is not.
func (b *Breaker) Away() (since time.Time, away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failing, b.open
}

// enter waits until a call may go out, and gives the count of successes so far. wait is how it sleeps.
func (b *Breaker) enter(ctx context.Context) (uint64, error) {
	if !b.trouble.Load() {
		return b.successes.Load(), nil
	}
	for {
		b.mu.Lock()
		now := b.now()
		if !b.open || !now.Before(b.probe) {
			b.probe = now.Add(breakerProbe)
			b.mu.Unlock()
			return b.successes.Load(), nil
		}
		closed, pause := b.closed, b.probe.Sub(now)
		b.mu.Unlock()
		t := time.NewTimer(pause)
		select {
		case <-closed:
		case <-t.C:
		case <-object.WaitDone(ctx):
			t.Stop()
			return 0, object.ErrWaitEnded
		case <-ctx.Done():
			t.Stop()
			return 0, ctx.Err()
		}
		t.Stop()
	}
}

// note takes the end of an attempt and reports whether the attempt counts. before is what enter gave.
func (b *Breaker) note(before uint64, e *object.Error) (counts bool) {
	good := e == nil || e.Class == object.Permanent && e.Status != 0
	if good {
		b.successes.Add(1)
		if !b.trouble.Load() {
			return true
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if good {
		b.failing = time.Time{}
		b.trouble.Store(false)
		if b.open {
			b.open = false
			close(b.closed)
			b.closed = nil
		}
		return true
	}
	if e.Class == object.Permanent {
		return true // nothing was sent
	}
	now := b.now()
	switch {
	case b.failing.IsZero():
		b.failing = now
		b.trouble.Store(true)
	case !b.open && now.Sub(b.failing) >= breakerPatience:
		b.open = true
		b.closed = make(chan struct{})
		b.probe = now.Add(breakerProbe)
	}
	return b.successes.Load() != before || !isAway(e)
}

// isAway reports whether an error may mean that the endpoint is away, not that it cannot handle this one call.
func isAway(e *object.Error) bool {
	switch e.Status {
	case 0, 429, 502, 503, 504:
		return true
	}
	return false
}
