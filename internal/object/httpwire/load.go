package httpwire

import (
	"context"
	"errors"

	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/sockets"
	"github.com/drover-batch/drover/internal/object/window"
)

// inTurn makes one attempt when its turn has come: by the caller's own bounds, by those of the endpoint's owner, and by
// what the endpoint's answers allow. err is why it was not made.
func (c *Client) inTurn(ctx context.Context, rq *request) (a *response, e *object.Error, err error) {
	gate := object.GateOf(ctx)
	if gate == nil && c.o.Load == nil {
		return c.begin(ctx, rq)
	}
	if gate != nil {
		if err := gate.Enter(ctx); err != nil {
			return nil, nil, err
		}
		defer gate.Leave()
	}
	if c.o.Load == nil {
		a, e, err = c.begin(ctx, rq)
	} else {
		a, e, err = c.underLoad(ctx, rq)
	}
	if err != nil {
		return nil, nil, err
	}
	if n := rq.moved(a, e); n > 0 {
		if gate != nil {
			gate.Moved(n)
		}
		if c.o.Load != nil {
			c.o.Load.Bounds.Moved(n)
		}
	}
	return a, e, nil
}

// underLoad makes an attempt when the endpoint's turn has come.
func (c *Client) underLoad(ctx context.Context, rq *request) (*response, *object.Error, error) {
	owner := c.o.Load.Bounds
	if err := owner.Enter(ctx); err != nil {
		return nil, nil, err
	}
	defer owner.Leave()
	w := rq.place.load
	in, err := w.Enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	end := window.Unknown // what an attempt that panics leaves behind
	defer func() { w.Leave(in, end) }()
	a, e, err := c.begin(ctx, rq)
	if err != nil {
		return nil, nil, err
	}
	end = endOf(e)
	return a, e, nil
}

// begin makes an attempt, unless the caller's term is over, however long it was that the turn took to come, or that the process
// was stopped meanwhile. Connections ask again when they send.
func (c *Client) begin(ctx context.Context, rq *request) (*response, *object.Error, error) {
	now := c.now()
	if rq.over = object.TermOf(ctx); rq.over != nil && rq.over(now) {
		return nil, nil, object.ErrWaitEnded
	}
	a, e := c.attempt(ctx, rq, now)
	if e != nil && errors.Is(e.Err, sockets.ErrOver) {
		return nil, nil, object.ErrWaitEnded
	}
	return a, e, nil
}

// endOf says what the end of an attempt tells of the store's load. Refusals that no other attempt would change are the
// work of a store that is well.
func endOf(e *object.Error) window.End {
	switch {
	case e == nil || e.Class == object.Permanent && e.Status != 0:
		return window.Good
	case e.Class == object.Throttle:
		return window.Throttled
	}
	return window.Unknown
}

// moved is how many bytes an attempt has moved, as far as that is known.
func (rq *request) moved(a *response, e *object.Error) int64 {
	if e != nil || a == nil {
		return 0
	}
	n := rq.size + rq.within
	if rq.stream {
		n += max(a.size, 0)
	}
	return n
}
