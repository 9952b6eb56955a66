package httpwire

import (
	"context"
	"slices"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

// Pauses between attempts: uniformly from nothing to minBackoff, doubled with each attempt up to maxBackoff.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second
	// throttledTimes is how many times the attempts a call has while its store asks for fewer calls: that is no fault of
	// the call's.
	throttledTimes = 5
	// maxWait is the longest Retry-After that is waited for in here; with a longer one the caller gets the error.
	maxWait = time.Minute
	// skewed is by how much clocks must differ to explain an unexplained 403: stores allow 15 minutes.
	skewed = 10 * time.Minute
)

// call sends rq until it succeeds, cannot succeed, or has had its attempts.
func (c *Client) call(ctx context.Context, rq *request) (*response, error) {
	if rq.err != nil {
		return nil, rq.err
	}
	rq.finish()
	var clockSet, moved bool
	n := 1 // attempts that count, this one included
	for tries := 1; ; tries++ {
		before, err := c.enter(ctx)
		if err != nil {
			return nil, ended(noAnswer(rq, err), err)
		}
		a, e, err := c.inTurn(ctx, rq)
		if err != nil {
			return nil, ended(noAnswer(rq, err), err)
		}
		if moved && a != nil && !a.misplaced() {
			c.places.learn(rq.bucket, rq.place)
		}
		counts := c.o.Breaker == nil || ctx.Err() != nil || c.o.Breaker.note(before, e)
		switch {
		case e == nil:
			return a, nil
		case rq.unsure && slices.Contains(rq.settles, e.Code):
			return &response{status: rq.settledStatus}, nil
		case ctx.Err() != nil:
			return a, ended(e, ctx.Err())
		case !clockSet && c.learnClock(rq, a, e):
			clockSet = true
			continue
		case !moved && c.moved(rq, a):
			moved = true
			continue
		}
		// Only an answer that refuses says that nothing was done.
		rq.unsure = rq.unsure || e.Class == object.Transient
		most := c.o.MaxAttempts
		if e.Class == object.Throttle {
			most *= throttledTimes
		}
		if e.Class == object.Permanent || counts && n >= most || rq.once && rq.unsure {
			return a, e
		}
		pause := c.pause(tries)
		if e.RetryAfter > maxWait {
			return a, e
		}
		if counts {
			n++
		}
		if err := c.sleep(ctx, max(pause, e.RetryAfter)); err != nil {
			return a, ended(e, err)
		}
	}
}

// enter waits while the endpoint is away.
func (c *Client) enter(ctx context.Context) (uint64, error) {
	if c.o.Breaker == nil {
		return 0, nil
	}
	return c.o.Breaker.enter(ctx)
}

// pause is how long to wait after attempt n.
func (c *Client) pause(n int) time.Duration {
	top := maxBackoff
	if n < 8 {
		top = min(top, minBackoff<<(n-1))
	}
	return c.jitter(top)
}

// ended is the error of a call that was given up: what the last attempt met stays visible, and errors.Is finds the
// cause.
func ended(e *object.Error, cause error) error {
	f := *e
	f.Class, f.Err = object.Transient, cause
	return &f
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-object.WaitDone(ctx):
		return object.ErrWaitEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt signs and sends rq once; now is about when. The response is nil only where there was none; with an error its body is closed.
func (c *Client) attempt(ctx context.Context, rq *request, now time.Time) (*response, *object.Error) {
	if err := rq.rewind(); err != nil {
		rq.refuse("The body cannot be read again.")
		rq.err.Err = err
		return nil, rq.err
	}
	rq.signed = now.Add(time.Duration(c.skew.Load()))
	if e := c.sign(ctx, rq); e != nil {
		return nil, e
	}
	a, err := c.wire.exchange(ctx, rq)
	if err != nil {
		return nil, noAnswer(rq, err)
	}
	if rq.stream && a.status/100 == 2 {
		return a, nil
	}
	if err := a.read(); err != nil {
		return a, noAnswer(rq, err)
	}
	if a.status/100 != 2 {
		return a, c.failure(rq, a, a.data)
	}
	if rq.check != nil {
		return a, rq.check(c, rq, a)
	}
	return a, nil
}

func (c *Client) sign(ctx context.Context, rq *request) *object.Error {
	var cred Credentials
	if c.o.Credentials != nil {
		var err error
		if cred, err = c.o.Credentials(ctx); err != nil {
			return noCredentials(rq, err)
		}
	}
	if cred.AccessKey == "" {
		rq.out = append(append(rq.out[:0], rq.header...), field{"host", rq.host})
		return nil
	}
	if !validValue(cred.AccessKey) || !validValue(cred.SessionToken) {
		return noCredentials(rq, errUnsendable)
	}
	rq.text.b = rq.text.b[:rq.built] // what the last attempt was signed with
	s := c.signers.Get().(signer)
	s.sign(rq, cred, rq.signed)
	c.signers.Put(s)
	return nil
}

// learnClock takes over the store's clock where a wrong one explains the refusal, and reports whether it did.
func (c *Client) learnClock(rq *request, a *response, e *object.Error) bool {
	if a == nil || a.status != 403 {
		return false
	}
	date, err := parseHTTPDate(a.header.get("date"))
	if err != nil {
		return false
	}
	off := date.Sub(rq.signed)
	if off.Abs() < skewed && (e.Code != "RequestTimeTooSkewed" || off.Abs() < time.Minute) {
		return false
	}
	c.skew.Store(int64(date.Sub(c.now())))
	return true
}
