package carrier

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/job"
)

const (
	// requestLimit bounds one request. A request may get no answer at all, so a longer wait gains nothing.
	requestLimit = 2 * time.Second
	// requestAttempts times requestLimit is how long a single node may take.
	requestAttempts = 6
	// sharedPatience is how long a call is tried in a cluster. A group of replicas that lost its leader takes 4–9 s to
	// elect another, and drops or refuses requests meanwhile; two may be lost one after the other.
	sharedPatience = 25 * time.Second
	// Pauses between requests that were refused at once.
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

var (
	// errAgain is an answer that says nothing about what is stored: it comes from a leader that was deposed and does not
	// know it yet, or while another write of the same record is under way.
	errAgain = errors.New("the cluster is between two leaders")
	// errNobody is that nobody listens to a lease's subject: its consumer is gone, or has no leader now.
	errNobody = errors.New("nobody holds the job's queue")
)

// try makes a request for as long as no answer comes, up to a limit. f is told whether an earlier attempt went without
// answer, and so may have been carried out. When ctx ends, its error is returned and the outcome is unknown.
func (c *Carrier) try(ctx context.Context, f func(ctx context.Context, again bool) error) error {
	begun := time.Now()
	pause := firstPause
	for i := 0; ; {
		select {
		case <-c.closed:
			return errClosed
		default:
		}
		once, cancel := context.WithTimeout(ctx, requestLimit)
		sent := time.Now()
		err := f(once, i > 0)
		cancel()
		if err == nil || !c.unanswered(err) {
			return err
		}
		if isLost(err) {
			c.guard.suspect()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d := c.denied.Load(); d != nil && d.at.After(sent) {
			return d.err
		}
		if i++; c.outOfPatience(i, begun, err) {
			return fmt.Errorf("no answer to %d requests: %w", i, err)
		}
		if time.Since(sent) < requestLimit/2 {
			if err := c.sleep(ctx, pause); err != nil {
				return err
			}
			pause = min(2*pause, lastPause)
		}
	}
}

// outOfPatience reports whether a request that went without answer so often, and for so long, is given up. That there is no
// stream is said at once, and making it again takes its time.
func (c *Carrier) outOfPatience(times int, begun time.Time, err error) bool {
	switch {
	case c.shared:
		return time.Since(begun) > sharedPatience
	case isLost(err):
		return time.Since(begun) > requestAttempts*requestLimit
	}
	return times >= requestAttempts
}

// denial is a server's word that this user may not do what it tried. It comes beside the request, which gets no answer.
type denial struct {
	at  time.Time
	err error
}

// asyncError takes errors that belong to no call.
func (c *Carrier) asyncError(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		c.denied.Store(&denial{at: time.Now(), err: &job.Error{
			Code: job.AccessDenied, Message: "The engine's user has not the permissions of the role that it is used in.", Err: err,
		}})
	}
	c.log.Warn("carrier: the connection reports an error", "err", err)
}

// patiently tries until ctx ends: what only another process can bring about may take as long as that takes to start.
func (c *Carrier) patiently(ctx context.Context, what string, f func(ctx context.Context) error) error {
	for {
		err := c.try(ctx, func(ctx context.Context, _ bool) error { return f(ctx) })
		if err == nil || !c.shared || !c.unanswered(err) || ctx.Err() != nil {
			return err
		}
		c.log.Warn("carrier: waiting for the other nodes", "for", what, "err", err)
	}
}

// sleep waits, for no longer than ctx and the carrier live.
func (c *Carrier) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closed:
		return errClosed
	}
}

// unanswered reports whether a request may be made again because the answer to it was none. That there is no stream is
// none, for it is made anew. In a cluster a refusal for want of a leader is none either.
func (c *Carrier) unanswered(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrDisconnected) || isLost(err) {
		return true
	}
	if !c.shared {
		return false
	}
	for _, e := range []error{
		errAgain, nats.ErrReconnectBufExceeded, nats.ErrConnectionReconnecting,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	ae, ok := errors.AsType[*jetstream.APIError](err)
	return ok && leaderless[ae.ErrorCode]
}

// leaderless holds the server's codes for what a new leader cures.
var leaderless = map[jetstream.ErrorCode]bool{
	10004: true, // incomplete cluster: too few nodes
	10005: true, // no suitable peers for placement: too few nodes
	10006: true, // JetStream is not in clustered mode yet
	10007: true, // not assigned
	10008: true, // temporarily unavailable
	10009: true, // not the leader
	10041: true, // Raft error
	10118: true, // stream is offline
	10119: true, // consumer is offline
	10158: true, // a message of the same id is under way
	10163: true, // the subject's last sequence is not known yet
	10167: true, // too many requests
}

// request sends a core request with try, and tells errNobody.
func (c *Carrier) request(ctx context.Context, subject string, data []byte) error {
	return c.try(ctx, func(ctx context.Context, _ bool) error {
		_, err := c.conn.RequestWithContext(ctx, subject, data)
		if errors.Is(err, nats.ErrNoResponders) {
			return errNobody
		}
		return err
	})
}

// refusal is how a stream refused a message.
type refusal int

const (
	notRefused    refusal = iota
	refusedTwice          // the subject has its one message already
	refusedFull           // no room
	refusedOthers         // the subject's last message is not the one expected
)

// Error codes of the server that nats.go has no names for.
const (
	codeStoreFailed = 10077 // both "maximum messages per subject exceeded" and "maximum … exceeded"
	codeResources   = 10023 // the server's limit
	codeStorage     = 10047
	codeNoMessage   = 10037
	codeNoSequence  = 10043
	codeDeleteFail  = 10057 // with the reason in its text
)

func refusedBy(err error) refusal {
	ae, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return notRefused
	}
	switch ae.ErrorCode {
	case codeStoreFailed:
		// One code for two things: only the text tells them apart.
		if strings.Contains(ae.Description, "per subject") {
			return refusedTwice
		}
		if strings.Contains(ae.Description, "exceeded") {
			return refusedFull
		}
	case codeResources, codeStorage:
		return refusedFull
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return refusedOthers
	}
	return notRefused
}

// publish stores a message under a subject that may have one. again tells that an earlier attempt may have stored it.
// refusedTwice is reported as such only if the message is really there.
func (c *Carrier) publish(ctx context.Context, s jetstream.Stream, subject string, data []byte, name string) (refusal, error) {
	_, err := c.js.PublishMsg(ctx, c.message(subject, data, name), jetstream.WithRetryAttempts(0))
	r := refusedBy(err)
	if r == refusedTwice && c.shared {
		// What stands in the way may be a proposal that is never agreed on: only what the leader has stored counts.
		_, err := s.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return notRefused, errAgain
		}
		if err != nil {
			return notRefused, err
		}
	}
	return r, err
}

// message makes a message to be stored. In a cluster it bears its writing's name as its id: a copy that lay in a stopped
// node, and comes after the same was stored by way of another, is dropped.
func (c *Carrier) message(subject string, data []byte, name string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	if c.shared {
		m.Header.Set(jetstream.MsgIDHeader, name)
	}
	return m
}
