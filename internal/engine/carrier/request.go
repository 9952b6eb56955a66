package carrier

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// requestLimit bounds one request. A request may get no answer at all, so a longer wait gains nothing.
	requestLimit = 2 * time.Second
	// requestAttempts times requestLimit exceeds the 9 s for which a server that changes hands drops requests.
	requestAttempts = 6
)

// try makes a request up to requestAttempts times for as long as no answer comes. f is told whether an earlier attempt
// went without answer, and so may have been carried out. When ctx ends, its error is returned and the outcome is unknown.
func (c *Carrier) try(ctx context.Context, f func(ctx context.Context, again bool) error) error {
	var err error
	for i := range requestAttempts {
		select {
		case <-c.closed:
			return errClosed
		default:
		}
		once, cancel := context.WithTimeout(ctx, requestLimit)
		err = f(once, i > 0)
		cancel()
		if err == nil || !unanswered(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("no answer to %d requests: %w", requestAttempts, err)
}

func unanswered(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrDisconnected)
}

// request sends a core request with try.
func (c *Carrier) request(ctx context.Context, subject string, data []byte) error {
	return c.try(ctx, func(ctx context.Context, _ bool) error {
		_, err := c.conn.RequestWithContext(ctx, subject, data)
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
