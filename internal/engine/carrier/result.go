package carrier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

const (
	resultBatch = 16               // hand-ins on their way to a reader at once
	fetchLimit  = 10 * time.Second // of one wait for further ones
	// readerLimit is how long a reader may be busy before the server forgets it, and it has to be made anew.
	readerLimit = 5 * time.Minute
	// readerAttempts is how often in a row a reader is made anew without a hand-in having come.
	readerAttempts = 5
)

func resultsOf(id job.ID) string { return "res." + string(id) + ".>" }

// PublishResult implements engine.Results. It wraps engine.ErrFull when there is no room.
func (c *Carrier) PublishResult(ctx context.Context, n engine.ResultName, data []byte) error {
	subject, err := resultSubject(n)
	if err == nil {
		err = c.try(ctx, func(ctx context.Context, _ bool) error {
			_, err := c.js.Publish(ctx, subject, data, jetstream.WithRetryAttempts(0))
			switch refusedBy(err) {
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
	r := &reader{c: c, id: id, last: after, idle: idle, f: f}
	for failed := 0; ; failed++ {
		before := r.last
		err := r.read(ctx)
		if r.ended != nil {
			return r.ended
		}
		if r.last > before {
			failed = 0
		}
		if failed == readerAttempts {
			return fmt.Errorf("read results of job %s after %d: %w", id, r.last, err)
		}
	}
}

// reader reads a job's results in order. Its consumer acknowledges nothing and may be lost at any time: the sequence of
// the last result given is all it needs to go on.
type reader struct {
	c     *Carrier
	id    job.ID
	idle  time.Duration
	f     func(engine.Result) error
	last  uint64 // sequence of the last one given
	ended error  // why it is over; nil for what a new consumer may cure

	delivered uint64 // by the present consumer
	caughtUp  bool   // none waited behind the last one
}

// read reads with one consumer until that fails or the reader ends.
func (r *reader) read(ctx context.Context) error {
	cons, err := r.open(ctx)
	if err != nil {
		r.end(ctx)
		return err
	}
	defer r.shut(ctx, cons)
	r.delivered = 0
	r.caughtUp = cons.CachedInfo().NumPending == 0
	if r.caughtUp && !r.give(engine.Result{}) {
		return r.ended
	}
	tick := time.NewTimer(r.idle)
	defer tick.Stop()
	for {
		if err := r.fetch(ctx, cons, tick); err != nil {
			r.end(ctx)
			return err
		}
	}
}

// fetch gives on what comes within fetchLimit, at most resultBatch of it.
func (r *reader) fetch(ctx context.Context, cons jetstream.Consumer, tick *time.Timer) error {
	once, cancel := context.WithTimeout(ctx, fetchLimit)
	batch, err := cons.Fetch(resultBatch, jetstream.FetchContext(once))
	if err != nil {
		cancel()
		return err
	}
	messages := batch.Messages()
	defer func() { // ends the fetch and waits for it
		cancel()
		for range messages {
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.c.closed:
			return errClosed
		case <-tick.C:
			if r.caughtUp && !r.give(engine.Result{}) {
				return r.ended
			}
		case m, open := <-messages:
			if !open {
				return batch.Error()
			}
			if err := r.take(m); err != nil {
				return err
			}
		}
		tick.Reset(r.idle)
	}
}

// open makes a consumer that starts after the last result.
func (r *reader) open(ctx context.Context) (jetstream.Consumer, error) {
	var cons jetstream.Consumer
	err := r.c.try(ctx, func(ctx context.Context, _ bool) error {
		var err error
		cons, err = r.c.results.CreateConsumer(ctx, jetstream.ConsumerConfig{
			FilterSubject: resultsOf(r.id),
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.last + 1,
			AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: readerLimit,
		})
		return err
	})
	return cons, err
}

func (r *reader) shut(ctx context.Context, cons jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestLimit)
	defer cancel()
	// If it fails, the server removes the consumer after readerLimit.
	_ = r.c.results.DeleteConsumer(ctx, cons.CachedInfo().Name)
}

// take gives a message on, and tells when none waits behind it.
func (r *reader) take(m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read a result: %w", err)
	}
	r.delivered++
	if meta.Sequence.Consumer != r.delivered {
		return fmt.Errorf("a result got lost on its way: %d came, %d was due", meta.Sequence.Consumer, r.delivered)
	}
	name, err := parseResult(m.Subject())
	if err != nil {
		r.ended = err
		return err
	}
	if !r.give(engine.Result{Name: name, Seq: meta.Sequence.Stream, Data: m.Data()}) {
		return r.ended
	}
	r.last = meta.Sequence.Stream
	r.caughtUp = meta.NumPending == 0
	if r.caughtUp && !r.give(engine.Result{}) {
		return r.ended
	}
	return nil
}

func (r *reader) give(res engine.Result) bool {
	r.ended = r.f(res)
	return r.ended == nil
}

// end ends the reader if no new consumer can help.
func (r *reader) end(ctx context.Context) {
	if r.ended != nil {
		return
	}
	select {
	case <-r.c.closed:
		r.ended = errClosed
	default:
		r.ended = ctx.Err()
	}
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
