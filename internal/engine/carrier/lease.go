package carrier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// errNotHeld is a lease whose queue was shut or opened anew: the chunk may be with another by now.
var errNotHeld = errors.New("the job's queue was shut or opened anew")

// margin is how long before the carrier's own term a lease ends: 3 s of the 15, for calls started at the last moment.
func margin(ackWait time.Duration) time.Duration { return ackWait / 5 }

// lease implements engine.Lease. Its Until alone changes.
type lease struct {
	c       *Carrier
	id      job.ID
	queue   *queue
	data    []byte
	reply   string // where acks go
	seq     uint64 // in WORK
	attempt int
	phase   int
	chunk   int64

	mu    sync.Mutex
	until time.Time
}

var _ engine.Lease = (*lease)(nil)

// newLease reads what a delivered message's reply subject says:
// $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending> (NATS ADR-15).
func (c *Carrier) newLease(id job.ID, q *queue, m *nats.Msg, sent time.Time) (*lease, error) {
	phase, chunk, err := parseWork(m.Subject)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(m.Reply, ".")
	if len(parts) != 9 || parts[0] != "$JS" || parts[1] != "ACK" {
		return nil, fmt.Errorf("reply subject %q: unknown form", m.Reply)
	}
	attempt, err := strconv.Atoi(parts[4])
	if err != nil {
		return nil, fmt.Errorf("reply subject %q: %w", m.Reply, err)
	}
	seq, err := strconv.ParseUint(parts[5], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("reply subject %q: %w", m.Reply, err)
	}
	l := &lease{c: c, id: id, queue: q, data: m.Data, reply: m.Reply, seq: seq, attempt: attempt, phase: phase, chunk: chunk}
	l.term(sent)
	return l, nil
}

func (l *lease) Phase() int   { return l.phase }
func (l *lease) Chunk() int64 { return l.chunk }
func (l *lease) Data() []byte { return l.data }
func (l *lease) Attempt() int { return l.attempt }

func (l *lease) Until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

// term starts a term at the time its request was sent: the carrier's own term starts no earlier.
func (l *lease) term(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := sent.Add(l.c.ackWait - margin(l.c.ackWait)); until.After(l.until) {
		l.until = until
	}
}

// held reports whether the queue is still the one that the chunk was claimed from. In a cluster another process may have
// shut it: who extends learns that nobody holds it.
func (l *lease) held() bool { return l.c.shared || l.c.queue(l.id) == l.queue }

// Extend implements engine.Lease. It waits for the answer; that the chunk was given to another meanwhile it cannot see,
// since the server answers all the same. It is sent once: the next one comes soon enough, and a late answer would say
// nothing about when the term began.
func (l *lease) Extend(ctx context.Context) error {
	once, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	sent := time.Now()
	err := errNotHeld
	if l.held() {
		_, err = l.c.conn.RequestWithContext(once, l.reply, []byte("+WPI"))
		if errors.Is(err, nats.ErrNoResponders) {
			err = errNobody
		}
	}
	if err != nil {
		return l.wrap("extend", err)
	}
	l.term(sent)
	return nil
}

// Ack implements engine.Lease. It waits until the chunk is out of the queue, which costs a round trip in memory and lets
// the same chunk be published again at once. It is not synced to disk.
func (l *lease) Ack(ctx context.Context) error {
	if l.c.shared {
		return l.ackShared(ctx)
	}
	if l.held() {
		err := l.c.request(ctx, l.reply, []byte("+ACK"))
		if err == nil {
			return nil
		}
		if !errors.Is(err, errNobody) {
			return l.wrap("acknowledge", err)
		}
	}
	// A consumer made later does not answer for a message that it has not handed out.
	return l.remove(ctx)
}

// remove takes the chunk out of the queue without its consumer. The sequence is this publish's own, so it can hit no other.
func (l *lease) remove(ctx context.Context) error {
	err := l.c.try(ctx, func(ctx context.Context, _ bool) error { return l.c.deleteMessage(ctx, l.seq) })
	if err != nil && !isNoMessage(err) {
		return l.wrap("acknowledge", err)
	}
	return nil
}

// deleteMessage removes a message from WORK (NATS ADR-2, STREAM.MSG.DELETE). The client's own call gives the server's
// error as a text, without its code.
func (c *Carrier) deleteMessage(ctx context.Context, seq uint64) error {
	m, err := c.conn.RequestWithContext(ctx, "$JS.API.STREAM.MSG.DELETE."+streamWork, fmt.Appendf(nil, `{"seq": %d, "no_erase": true}`, seq))
	if err != nil {
		return err
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if answer.Error != nil {
		return answer.Error
	}
	return nil
}

// Nak implements engine.Lease. A lease whose queue was shut or opened anew has nothing to give back.
func (l *lease) Nak(ctx context.Context, delay time.Duration) error {
	if !l.held() {
		return nil
	}
	body := "-NAK"
	if delay > 0 {
		body = fmt.Sprintf(`-NAK {"delay": %d}`, delay)
	}
	if l.c.shared {
		return l.nakShared(ctx, body)
	}
	err := l.c.request(ctx, l.reply, []byte(body))
	if err != nil && !errors.Is(err, errNobody) {
		return l.wrap("give back", err)
	}
	return nil
}

func (l *lease) wrap(verb string, err error) error {
	return fmt.Errorf("%s chunk %d of job %s, phase %d: %w", verb, l.chunk, l.id, l.phase, err)
}

// isNoMessage reports whether a message to be deleted is not there.
func isNoMessage(err error) bool {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true
	}
	ae, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (ae.ErrorCode == codeNoMessage || ae.ErrorCode == codeNoSequence ||
		ae.ErrorCode == codeDeleteFail && (strings.Contains(ae.Description, "not found") || strings.Contains(ae.Description, "no message found")))
}
