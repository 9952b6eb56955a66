package carrier

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
)

const (
	fetchLimit = 10 * time.Second // of one wait for further messages
	// heartbeat is how often a waiting consumer of a cluster says that it lives; two missing ones end the wait.
	heartbeat = time.Second
	// readerLimit is how long a reader may be busy before the server forgets it, and it has to be made anew.
	readerLimit       = 5 * time.Minute
	sharedReaderLimit = time.Minute
	// readerAttempts is how often in a row a reader is made anew on a single node without a message having come. In a
	// cluster there is no such bound: a reader waits for the nodes to come back.
	readerAttempts = 5
	// stuckLimit is how long a reader may lack what the stream's leader has.
	stuckLimit = 10 * time.Second
)

// follower gives a stream's messages on, in order. Its consumer acknowledges nothing and may be lost at any time: the
// sequence of the last message given is all it needs to go on.
type follower struct {
	c      *Carrier
	stream jetstream.Stream
	filter string
	batch  int // messages on their way at once
	idle   time.Duration

	// latest: only each subject's last message counts. A consumer made anew after a while gives all of them again, for a
	// deletion's marker may be gone by then. replay is told of it, and up to where they were given; 0 when the end of the
	// stream was lost. When all of it was, the reader ends with engine.ErrLost.
	latest bool
	replay func(last uint64)
	take   func(m jetstream.Msg, seq uint64) error
	// caughtUp is called when none waits behind the last one, and at least every idle while that is so. asks tells
	// whether there is a need for it; nil is always.
	caughtUp func() error
	asks     func() bool

	last    uint64    // sequence of the last one given
	created time.Time // the stream was
	ended   error     // why it is over; nil for what a new consumer may cure

	delivered uint64        // by the present consumer
	drained   bool          // the consumer has none behind the last one
	told      bool          // caughtUp was called since the last one
	pause     time.Duration // until it is looked at again whether the leader has more
	target    uint64        // up to here must be given to have caught up
	alive     time.Time     // the consumer was known to live
	behind    time.Time     // since when the leader has more than the consumer; zero when not
}

// run reads until ctx ends or one of the functions returns an error.
func (r *follower) run(ctx context.Context) error {
	for failed := 0; ; failed++ {
		before := r.last
		err := r.read(ctx)
		if r.ended != nil {
			return r.ended
		}
		if r.last > before {
			failed = 0
		}
		if !r.c.shared {
			if failed == readerAttempts {
				return fmt.Errorf("read %s after %d: %w", r.filter, r.last, err)
			}
			_ = r.c.sleep(ctx, firstPause<<failed) // the store may be on its way to be opened again
			continue
		}
		if failed%readerAttempts == readerAttempts-1 {
			r.c.log.Warn("carrier: a reader is made anew", "of", r.filter, "after", r.last, "err", err)
		}
		_ = r.c.sleep(ctx, min(lastPause, firstPause<<min(failed, 10)))
	}
}

// read reads with one consumer until that fails or the reader ends.
func (r *follower) read(ctx context.Context) error {
	cons, err := r.open(ctx)
	if err != nil {
		r.end(ctx)
		return err
	}
	defer func() { r.shut(ctx, cons) }()
	r.delivered, r.behind, r.alive = 0, time.Time{}, time.Now()
	r.drained, r.told, r.pause = cons.CachedInfo().NumPending == 0, false, settleStep
	err = r.settle(ctx)
	tick := time.NewTimer(r.idle)
	defer tick.Stop()
	for err == nil {
		err = r.fetch(ctx, cons, tick)
	}
	r.end(ctx)
	return err
}

// open makes a consumer that starts after the last message, or one that gives each subject's last.
func (r *follower) open(ctx context.Context) (jetstream.Consumer, error) {
	cfg := jetstream.ConsumerConfig{
		FilterSubject: r.filter, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: readerLimit,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.last + 1,
	}
	if r.c.shared {
		cfg.InactiveThreshold = sharedReaderLimit
	}
	all := r.latest && time.Since(r.alive) > markerTTL/2
	r.target = math.MaxUint64
	var cons jetstream.Consumer
	err := r.c.try(ctx, func(ctx context.Context, _ bool) error {
		if r.latest {
			info, err := r.stream.Info(ctx)
			if err != nil {
				return err
			}
			if !r.created.IsZero() && !info.Created.Equal(r.created) {
				r.ended = engine.ErrLost
				return r.ended
			}
			r.target, r.created = info.State.LastSeq, info.Created
			if r.target < r.last {
				r.last, all = 0, true
			}
		}
		if all {
			cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverLastPerSubjectPolicy, 0
		}
		var err error
		cons, err = r.stream.CreateConsumer(ctx, cfg)
		return err
	})
	if err == nil && all {
		r.replay(r.last)
	}
	return cons, err
}

// fetch gives on what comes within fetchLimit, at most a batch.
func (r *follower) fetch(ctx context.Context, cons jetstream.Consumer, tick *time.Timer) error {
	if r.latest && time.Since(r.alive) > markerTTL/2 {
		return errors.New("the reader was away for so long that deletions may have been missed")
	}
	once, cancel := context.WithTimeout(ctx, fetchLimit)
	opts := []jetstream.FetchOpt{jetstream.FetchContext(once)}
	if r.c.shared {
		opts = append(opts, jetstream.FetchHeartbeat(heartbeat))
	}
	batch, err := cons.Fetch(r.batch, opts...)
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
	before := r.delivered
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.c.closed:
			return errClosed
		case <-tick.C:
			r.recount(ctx, cons)
			if err := r.settle(ctx); err != nil {
				return err
			}
		case m, open := <-messages:
			if !open {
				if err := batch.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
				r.alive = time.Now()
				if r.delivered == before {
					return r.missed(ctx, cons)
				}
				return ctx.Err()
			}
			if err := r.give(m); err != nil {
				return err
			}
			if r.c.shared {
				break // a further one is probably on its way: the leader is not asked after each
			}
			if err := r.settle(ctx); err != nil {
				return err
			}
		}
		tick.Reset(r.next())
	}
}

// next is when to settle, if no message comes before.
func (r *follower) next() time.Duration {
	if !r.c.shared || r.told || !r.drained {
		return r.idle
	}
	r.pause = min(2*r.pause, r.idle)
	return r.pause
}

// give gives a message on.
func (r *follower) give(m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read a message: %w", err)
	}
	r.delivered++
	if meta.Sequence.Consumer != r.delivered {
		return fmt.Errorf("a message got lost on its way: %d came, %d was due", meta.Sequence.Consumer, r.delivered)
	}
	if r.ended = r.take(m, meta.Sequence.Stream); r.ended != nil {
		return r.ended
	}
	r.last, r.alive = max(r.last, meta.Sequence.Stream), time.Now()
	r.drained, r.told, r.pause, r.behind = meta.NumPending == 0, false, settleStep, time.Time{}
	return nil
}

// recount asks whether what was to come still is: another may have purged it meanwhile, and then nothing comes that says so.
func (r *follower) recount(ctx context.Context, cons jetstream.Consumer) {
	if r.drained {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	info, err := cons.Info(ctx)
	if err != nil {
		return // the next fetch tells
	}
	r.drained = info.NumPending == 0 && info.Delivered.Consumer == r.delivered
}

// missed is asked after a wait in which nothing came. What was sent all the same was lost on its way, as with a connection
// that was dropped, and nothing else would say so.
func (r *follower) missed(ctx context.Context, cons jetstream.Consumer) error {
	once, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	info, err := cons.Info(once)
	if err == nil && info.Delivered.Consumer > r.delivered {
		return fmt.Errorf("messages got lost on their way: %d were sent, %d came", info.Delivered.Consumer, r.delivered)
	}
	return ctx.Err()
}

// settle tells if the reader has caught up. In a cluster the consumer may be on a node that lags behind, so the stream's
// leader is asked too, each time: what is told of now may have been stored by it only.
func (r *follower) settle(ctx context.Context) error {
	if !r.drained || r.asks != nil && !r.asks() {
		return nil
	}
	if r.c.shared {
		more, err := r.leaderHasMore(ctx)
		switch {
		case err != nil:
			return err
		case more && r.behind.IsZero():
			r.behind = time.Now()
			return nil
		case more && time.Since(r.behind) > stuckLimit:
			return errors.New("the node that reads lags behind")
		case more:
			return nil
		}
		r.behind = time.Time{}
	}
	r.told = true
	r.ended = r.caughtUp()
	return r.ended
}

func (r *follower) leaderHasMore(ctx context.Context) (more bool, err error) {
	err = r.c.try(ctx, func(ctx context.Context, _ bool) error {
		m, err := r.stream.GetMsg(ctx, r.last+1, jetstream.WithGetMsgSubject(r.filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			more = false
			return nil
		}
		if err == nil {
			more = m.Sequence <= r.target
		}
		return err
	})
	if err != nil && r.c.unanswered(err) && ctx.Err() == nil {
		return true, nil // nothing is known: it is asked again
	}
	return more, err
}

// shut removes the consumer. Where that fails, the server does so after the reader's limit.
func (r *follower) shut(ctx context.Context, cons jetstream.Consumer) {
	if r.c.shared && r.ended == nil {
		return // its node is probably gone, and waiting for it would gain nothing
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestLimit)
	defer cancel()
	_ = r.stream.DeleteConsumer(ctx, cons.CachedInfo().Name)
}

// end ends the reader if no new consumer can help.
func (r *follower) end(ctx context.Context) {
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
