package carrier

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

const (
	maxAckPending = 4096 // chunks of a job that run at once
	maxWaiting    = 4096 // claims of a job that wait at once
	// giveUpLimit is how long a claim that has ended waits to hear what was handed out to it meanwhile.
	giveUpLimit = 500 * time.Millisecond
)

// queue is a job's queue from one Open until the next Open or Shut.
type queue struct {
	next string // where claims go
}

func consumerName(id job.ID) string { return "w_" + string(id) }

func workOf(id job.ID) string { return "work." + string(id) + ".>" }

// queue gives a job's queue, nil when it is not open. Whether a queue is open in a cluster its consumer alone can tell.
func (c *Carrier) queue(id job.ID) *queue {
	if c.shared && checkID(id) == nil {
		return newQueue(id)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.queues[id]
}

func newQueue(id job.ID) *queue {
	return &queue{next: "$JS.API.CONSUMER.MSG.NEXT." + streamWork + "." + consumerName(id)}
}

// Open implements engine.Work. A single node makes the job's consumer anew: a new one starts at the oldest chunk and knows
// of no claims, where an old one would hold back claimed chunks for the rest of their AckWait. In a cluster chunks may be
// with live workers of other processes: there the consumer is made if it is missing, and what was claimed comes back by
// its AckWait.
func (c *Carrier) Open(ctx context.Context, id job.ID) error {
	if err := checkID(id); err != nil {
		return fmt.Errorf("open queue: %w", err)
	}
	c.opening.Lock()
	defer c.opening.Unlock()
	if !c.shared {
		if err := c.deleteConsumer(ctx, id); err != nil {
			return fmt.Errorf("open queue of job %s: %w", id, err)
		}
	}
	q := newQueue(id)
	err := c.try(ctx, func(ctx context.Context, _ bool) error {
		_, err := c.work.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: consumerName(id), FilterSubject: workOf(id),
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: c.ackWait, MaxDeliver: -1,
			MaxAckPending: maxAckPending, MaxWaiting: maxWaiting,
			// What a single node would keep on disk is not used again; in a cluster each replica has it.
			MemoryStorage: true,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("open queue of job %s: %w", id, err)
	}
	if !c.shared {
		c.mu.Lock()
		c.queues[id] = q
		c.mu.Unlock()
	}
	return nil
}

// Shut implements engine.Work. Leases that are out can still be acknowledged, but no longer extended.
func (c *Carrier) Shut(ctx context.Context, id job.ID) error {
	if err := checkID(id); err != nil {
		return fmt.Errorf("shut queue: %w", err)
	}
	c.opening.Lock()
	defer c.opening.Unlock()
	if err := c.deleteConsumer(ctx, id); err != nil {
		return fmt.Errorf("shut queue of job %s: %w", id, err)
	}
	return nil
}

func (c *Carrier) deleteConsumer(ctx context.Context, id job.ID) error {
	c.mu.Lock()
	delete(c.queues, id)
	c.mu.Unlock()
	return c.try(ctx, func(ctx context.Context, _ bool) error {
		err := c.work.DeleteConsumer(ctx, consumerName(id))
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil
		}
		return err
	})
}

// Publish implements engine.Work.
func (c *Carrier) Publish(ctx context.Context, id job.ID, phase int, chunk int64, data []byte) error {
	subject, err := workSubject(id, phase, chunk)
	if err == nil {
		name := rand.Text()
		err = c.try(ctx, func(ctx context.Context, again bool) error {
			refused, err := c.publish(ctx, c.work, subject, data, name)
			switch refused {
			case refusedTwice:
				if again {
					return nil // by the attempt that went without answer
				}
				return engine.ErrQueued
			case refusedFull:
				return fmt.Errorf("%w: %w", engine.ErrFull, err)
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("publish chunk %d of job %s, phase %d: %w", chunk, id, phase, err)
	}
	return nil
}

// Claim implements engine.Work. When ctx ends while it waits, a chunk handed out at that moment is given back; one that
// another node of a cluster hands out before it has heard of it stays claimed for one AckWait.
func (c *Carrier) Claim(ctx context.Context, id job.ID, wait time.Duration) (engine.Lease, error) {
	q := c.queue(id)
	if q == nil {
		return nil, nil
	}
	m, sent, err := c.await(ctx, id, q, wait)
	if err != nil {
		return nil, fmt.Errorf("claim a chunk of job %s: %w", id, err)
	}
	if m.Header.Get(headerStatus) != "" {
		return nil, nil // none came, or the queue was shut or opened anew meanwhile
	}
	l, err := c.newLease(id, q, m, sent)
	if err != nil {
		return nil, fmt.Errorf("claim a chunk of job %s: %w", id, err)
	}
	// The term began somewhere between sending and now. Where that leaves too little, ask for a term that is known.
	if time.Since(sent) > margin(c.ackWait)/2 {
		_ = l.Extend(ctx)
	}
	return l, nil
}

// await pulls a message, and tells when it sent the pull that was answered.
func (c *Carrier) await(ctx context.Context, id job.ID, q *queue, wait time.Duration) (*nats.Msg, time.Time, error) {
	if c.shared {
		return c.awaitShared(ctx, id, q, wait)
	}
	sent := time.Now()
	m, err := c.pull(ctx, q, wait)
	if err == nil && wait <= 0 && m.Header.Get(headerStatus) == statusNone {
		m, err = c.lookTwice(ctx, id, q, m)
	}
	return m, sent, err
}

const (
	// headerStatus is set on answers that are no message: none came, no such consumer, and the like.
	headerStatus      = "Status"
	headerDescription = "Description"
	statusNone        = "404"
	statusExpired     = "408"
	consumerDeleted   = "Consumer Deleted"
	// secondLook is how long a claim waits for a chunk that is there, but may go to another.
	secondLook = 100 * time.Millisecond
)

// lookTwice claims anew after a claim that was told m, that nothing waits. The server says so by a counter that lags
// behind publishes. A pull that may wait looks into the stream itself, but is worth it only if something is there.
func (c *Carrier) lookTwice(ctx context.Context, id job.ID, q *queue, m *nats.Msg) (*nats.Msg, error) {
	s, err := c.state(ctx, id)
	if err != nil || s.Waiting == 0 {
		return m, err
	}
	return c.pull(ctx, q, secondLook)
}

// pullRequest asks a consumer for messages (NATS ADR-13).
type pullRequest struct {
	Batch   int           `json:"batch"`
	NoWait  bool          `json:"no_wait,omitempty"`
	Expires time.Duration `json:"expires,omitempty"`
}

// pull asks for one message and returns the answer. It uses an inbox of its own, for a delivered message bears the
// chunk's subject, by which the client's shared inbox could not tell whose it is.
func (c *Carrier) pull(ctx context.Context, q *queue, wait time.Duration) (*nats.Msg, error) {
	wait = max(0, wait)
	body, err := json.Marshal(pullRequest{Batch: 1, NoWait: wait == 0, Expires: wait})
	if err != nil {
		return nil, err
	}
	answers := make(chan *nats.Msg, 2) // the message, and perhaps a status after it
	inbox := c.conn.NewInbox()
	sub, err := c.conn.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, err
	}
	answered := false
	defer func() {
		if !answered {
			c.giveUp(sub, answers)
			return
		}
		_ = sub.Unsubscribe() // with it the server drops the request
	}()
	if err := c.conn.PublishRequest(q.next, inbox, body); err != nil {
		return nil, err
	}
	late := time.NewTimer(wait + requestLimit)
	defer late.Stop()
	select {
	case m := <-answers:
		answered = true
		return m, nil
	case <-late.C:
		return nil, nats.ErrTimeout
	case <-c.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// giveUp ends a pull that nobody waits for any more. What the server handed out before it heard of that is on its way
// here ahead of the answer to a flush, and goes back at once.
func (c *Carrier) giveUp(sub *nats.Subscription, answers <-chan *nats.Msg) {
	_ = sub.Drain() // tells the server, and takes what still comes
	_ = c.conn.FlushTimeout(giveUpLimit)
	select {
	case m := <-answers:
		if isMessage(m) {
			_ = m.Respond([]byte("-NAK"))
		}
	default:
	}
}

// State implements engine.Work. A chunk given back with a delay counts as running until the delay is over.
func (c *Carrier) State(ctx context.Context, id job.ID) (engine.QueueState, error) {
	s, err := c.state(ctx, id)
	if err != nil {
		return engine.QueueState{}, fmt.Errorf("count the queue of job %s: %w", id, err)
	}
	return s, nil
}

func (c *Carrier) state(ctx context.Context, id job.ID) (engine.QueueState, error) {
	if err := checkID(id); err != nil {
		return engine.QueueState{}, err
	}
	running, shut, err := c.running(ctx, id)
	if err != nil {
		return engine.QueueState{}, err
	}
	// The consumer's own count of what waits lags behind publishes; the stream's is exact, and a queue is short.
	// What was removed by other ways than an ack the consumer learns of a moment later.
	subjects, err := c.subjects(ctx, workOf(id))
	running = min(running, len(subjects))
	return engine.QueueState{Waiting: len(subjects) - running, Running: running, Shut: shut}, err
}

// running counts the chunks that are claimed and not acknowledged, and tells whether the queue is shut.
func (c *Carrier) running(ctx context.Context, id job.ID) (n int, shut bool, err error) {
	if c.queue(id) == nil {
		return 0, true, nil
	}
	err = c.try(ctx, func(ctx context.Context, _ bool) error {
		cons, err := c.work.Consumer(ctx, consumerName(id))
		if shut = errors.Is(err, jetstream.ErrConsumerNotFound); shut {
			return nil
		}
		if err == nil {
			n = cons.CachedInfo().NumAckPending
		}
		return err
	})
	return n, shut, err
}

// Queued implements engine.Work.
func (c *Carrier) Queued(ctx context.Context, id job.ID, phase int) ([]int64, error) {
	if err := checkID(id); err != nil {
		return nil, fmt.Errorf("list the queue: %w", err)
	}
	subjects, err := c.subjects(ctx, fmt.Sprintf("work.%s.%d.*", id, phase))
	if err != nil {
		return nil, fmt.Errorf("list the queue of job %s, phase %d: %w", id, phase, err)
	}
	chunks := make([]int64, 0, len(subjects))
	for s := range subjects {
		_, chunk, err := parseWork(s)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, chunk)
	}
	return chunks, nil
}

// subjects lists WORK's subjects that match; the client reads all pages.
func (c *Carrier) subjects(ctx context.Context, filter string) (map[string]uint64, error) {
	var found map[string]uint64
	err := c.try(ctx, func(ctx context.Context, _ bool) error {
		info, err := c.work.Info(ctx, jetstream.WithSubjectFilter(filter))
		if err == nil {
			found = info.State.Subjects
		}
		return err
	})
	return found, err
}

// Purge implements engine.Work.
func (c *Carrier) Purge(ctx context.Context, id job.ID) error {
	err := checkID(id)
	if err == nil {
		err = c.try(ctx, func(ctx context.Context, _ bool) error {
			return c.work.Purge(ctx, jetstream.WithPurgeSubject(workOf(id)))
		})
	}
	if err == nil && c.shared {
		err = c.awaitPurged(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("purge the queue of job %s: %w", id, err)
	}
	return nil
}
