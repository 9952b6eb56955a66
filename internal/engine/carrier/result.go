package carrier

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// resultBatch is how many hand-ins are on their way to a reader at once.
const resultBatch = 16

func resultsOf(id job.ID) string { return "res." + string(id) + ".>" }

// PublishResult implements engine.Results. It wraps engine.ErrFull when there is no room.
func (c *Carrier) PublishResult(ctx context.Context, n engine.ResultName, data []byte) error {
	subject, err := resultSubject(n)
	if err == nil {
		name := rand.Text()
		err = c.try(ctx, func(ctx context.Context, _ bool) error {
			refused, err := c.publish(ctx, c.results, subject, data, name)
			switch refused {
			case refusedTwice:
				return nil
			case refusedFull:
				return fmt.Errorf("%w: %w", engine.ErrFull, err)
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("publish result of chunk %d of job %s, phase %d: %w", n.Chunk, n.Job, n.Phase, err)
	}
	return nil
}

// Results implements engine.Results.
func (c *Carrier) Results(ctx context.Context, id job.ID, after uint64, idle time.Duration, f func(engine.Result) error) error {
	if err := checkID(id); err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	r := &follower{
		c: c, stream: c.results, filter: resultsOf(id), batch: resultBatch, idle: idle, last: after,
		take: func(m jetstream.Msg, seq uint64) error {
			name, err := parseResult(m.Subject())
			if err != nil {
				return err
			}
			return f(engine.Result{Name: name, Seq: seq, Data: m.Data()})
		},
		caughtUp: func() error { return f(engine.Result{}) },
	}
	return r.run(ctx)
}

// ResultsOf implements engine.Results.
func (c *Carrier) ResultsOf(ctx context.Context, id job.ID, phase int, chunk int64) ([]engine.Result, error) {
	if err := checkID(id); err != nil {
		return nil, fmt.Errorf("list results: %w", err)
	}
	filter := fmt.Sprintf("res.%s.%d.%d.>", id, phase, chunk)
	var found []engine.Result
	for after := uint64(0); ; {
		var m *jetstream.RawStreamMsg
		err := c.try(ctx, func(ctx context.Context, _ bool) error {
			var err error
			m, err = c.results.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(filter))
			return err
		})
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return found, nil
		}
		var name engine.ResultName
		if err == nil {
			name, err = parseResult(m.Subject)
		}
		if err != nil {
			return nil, fmt.Errorf("list results of chunk %d of job %s, phase %d: %w", chunk, id, phase, err)
		}
		found = append(found, engine.Result{Name: name, Seq: m.Sequence, Data: m.Data})
		after = m.Sequence
	}
}

// PurgeResults implements engine.Results.
func (c *Carrier) PurgeResults(ctx context.Context, id job.ID, upTo uint64) error {
	err := checkID(id)
	if err == nil {
		opts := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSubject(resultsOf(id))}
		if upTo > 0 {
			opts = append(opts, jetstream.WithPurgeSequence(upTo+1))
		}
		err = c.try(ctx, func(ctx context.Context, _ bool) error { return c.results.Purge(ctx, opts...) })
	}
	if err != nil {
		return fmt.Errorf("purge results of job %s up to %d: %w", id, upTo, err)
	}
	return nil
}
