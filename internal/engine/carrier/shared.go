package carrier

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/job"
)

// In a cluster a stream and its consumers each have a leader, on different nodes as it happens, and a consumer learns what
// was stored or removed some milliseconds after the stream's leader said so. What the contract promises of one call after
// another is made true here by asking both.

const (
	// sharedLook is how long a claim that shall not block waits for a chunk that the stream has and the consumer not yet.
	sharedLook = 500 * time.Millisecond
	// sharedPull is the longest wait of one pull: a pull is lost with the consumer's leader.
	sharedPull = 2 * time.Second
	// leaderPause is how long a waiting claim pauses while the queue has no leader.
	leaderPause = 250 * time.Millisecond
	// settleLimit is how long a call waits for the other leader to hear of what it did.
	settleLimit = time.Second
	settleStep  = time.Millisecond
)

// noMessage is the answer that there is no message.
var noMessage = &nats.Msg{Header: nats.Header{headerStatus: {statusNone}}}

func isMessage(m *nats.Msg) bool { return m.Header.Get(headerStatus) == "" }

// awaitShared pulls until a message comes, the wait is over or the queue is shut.
func (c *Carrier) awaitShared(ctx context.Context, id job.ID, q *queue, wait time.Duration) (*nats.Msg, time.Time, error) {
	if wait <= 0 {
		sent := time.Now()
		m, err := c.pull(ctx, q, 0)
		if err == nil && isMessage(m) || err != nil && !c.unanswered(err) {
			return m, sent, err
		}
		if waiting, serr := c.isWaiting(ctx, id); serr != nil {
			return m, sent, err
		} else if !waiting {
			return noMessage, sent, nil
		}
		wait = sharedLook
	}
	end := time.Now().Add(wait)
	for {
		sent := time.Now()
		m, err := c.pull(ctx, q, min(end.Sub(sent), sharedPull))
		over := time.Until(end) <= 0 || ctx.Err() != nil
		if err != nil && (over || !c.unanswered(err)) {
			return nil, sent, err
		}
		if err == nil {
			if over || isMessage(m) || m.Header.Get(headerDescription) == consumerDeleted {
				return m, sent, nil
			}
			if m.Header.Get(headerStatus) == statusExpired {
				continue
			}
			if gone, err := c.isShut(ctx, id); gone || err != nil {
				return m, sent, err
			}
		}
		if err := c.sleep(ctx, min(leaderPause, time.Until(end))); err != nil {
			return nil, sent, err
		}
	}
}

// isWaiting reports whether a job has chunks to claim, if that can be told within one request's time.
func (c *Carrier) isWaiting(ctx context.Context, id job.ID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	s, err := c.state(ctx, id)
	return s.Waiting > 0 && !s.Shut, err
}

// isShut reports whether a job's queue is shut.
func (c *Carrier) isShut(ctx context.Context, id job.ID) (gone bool, err error) {
	err = c.try(ctx, func(ctx context.Context, _ bool) error {
		_, err := c.work.Consumer(ctx, consumerName(id))
		if gone = errors.Is(err, jetstream.ErrConsumerNotFound); gone {
			return nil
		}
		return err
	})
	return gone, err
}

// ackShared acknowledges towards the consumer, and sees to it that the stream's leader has removed the chunk. A consumer
// that has no leader, or whose leader does not know yet that its predecessor handed the chunk out, does not answer.
func (l *lease) ackShared(ctx context.Context) error {
	once, cancel := context.WithTimeout(ctx, requestLimit)
	_, err := l.c.conn.RequestWithContext(once, l.reply, []byte("+ACK"))
	cancel()
	if err == nil {
		settled, err := l.c.settle(ctx, func(ctx context.Context) (bool, error) {
			_, err := l.c.work.GetMsg(ctx, l.seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return true, nil
			}
			return false, err
		})
		if settled {
			return nil
		}
		if err != nil {
			return l.wrap("acknowledge", err)
		}
	}
	return l.remove(ctx)
}

// nakShared gives the chunk back. Where nobody answers, it comes back when its term is over.
func (l *lease) nakShared(ctx context.Context, body string) error {
	once, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	_, err := l.c.conn.RequestWithContext(once, l.reply, []byte(body))
	if err != nil && !l.c.unanswered(err) {
		return l.wrap("give back", err)
	}
	return ctx.Err()
}

// awaitPurged waits until a job's consumer knows that its chunks are gone, so that it hands none of them out.
func (c *Carrier) awaitPurged(ctx context.Context, id job.ID) error {
	_, err := c.settle(ctx, func(ctx context.Context) (bool, error) {
		cons, err := c.work.Consumer(ctx, consumerName(id))
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		info := cons.CachedInfo()
		return info.NumPending == 0 && info.NumAckPending == 0, nil
	})
	return err
}

// settle asks until the answer is yes, or for settleLimit.
func (c *Carrier) settle(ctx context.Context, ask func(ctx context.Context) (bool, error)) (yes bool, err error) {
	end := time.Now().Add(settleLimit)
	for pause := settleStep; ; pause *= 2 {
		err = c.try(ctx, func(ctx context.Context, _ bool) error {
			var err error
			yes, err = ask(ctx)
			return err
		})
		if err != nil || yes || time.Now().After(end) {
			return yes, err
		}
		if err := c.sleep(ctx, pause); err != nil {
			return false, err
		}
	}
}
