package carrier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

const (
	guardEvery = 2 * time.Second
	guardLimit = 3 * time.Second // of one look at all streams
	// goneFor is how long a cluster must deny a stream before it is made again: one that is starting may not know all of
	// its streams yet.
	goneFor = 3 * time.Second
	// outsideGrace is how long an outside server is given to remove a deleted stream's files, which cannot be seen.
	outsideGrace = time.Second
	removedStep  = 5 * time.Millisecond
)

// guard looks after the streams: those that were deleted are made again, empty, and all losses are counted. Who uses the
// carrier begins anew then, as after a crash.
type guard struct {
	maker    bool // this process makes streams that are missing; others wait until they are there
	maxStore int64
	suspects chan struct{} // a request found no stream
	ended    sync.WaitGroup

	looking sync.Mutex           // one look at a time, and none while the store is closed
	created map[string]time.Time // of each stream
	gone    map[string]time.Time // since when what is missing is

	mu      sync.Mutex
	losses  engine.Losses
	changed chan struct{} // closed and replaced with each loss
}

func newGuard() *guard {
	return &guard{
		suspects: make(chan struct{}, 1), created: map[string]time.Time{}, gone: map[string]time.Time{}, changed: make(chan struct{}),
	}
}

// isLost reports whether an error can mean that a stream is not there.
func isLost(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)
}

// suspect asks for a look now.
func (g *guard) suspect() {
	select {
	case g.suspects <- struct{}{}:
	default:
	}
}

func (c *Carrier) count(name string) {
	if name == streamWork { // who begins anew opens the queues anew
		c.mu.Lock()
		clear(c.queues)
		c.mu.Unlock()
	}
	g := c.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	l := &g.losses
	for stream, n := range map[string]*int{
		streamWork: &l.Work, streamResults: &l.Results, bucketStream(engine.Jobs): &l.Jobs, bucketStream(engine.Done): &l.Done,
		bucketStream(engine.Access): &l.Access, bucketStream(engine.Live): &l.Live,
	} {
		if stream == name {
			*n++
		}
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *guard) counted() (engine.Losses, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.losses, g.changed
}

// guarding begins once all streams are there.
func (c *Carrier) guarding() {
	c.guard.ended.Go(func() {
		tick := time.NewTicker(guardEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-c.guard.suspects:
			case <-c.closed:
				return
			}
			c.look(context.Background())
		}
	})
}

// Losses implements engine.Guard.
func (c *Carrier) Losses(ctx context.Context) engine.Losses {
	c.look(ctx)
	l, _ := c.guard.counted()
	return l
}

// AwaitLoss implements engine.Guard.
func (c *Carrier) AwaitLoss(ctx context.Context, known engine.Losses) error {
	for {
		l, changed := c.guard.counted()
		if l != known {
			return nil
		}
		select {
		case <-changed:
		case <-c.closed:
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look finds what is missing.
func (c *Carrier) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, guardLimit)
	defer cancel()
	c.guard.looking.Lock()
	defer c.guard.looking.Unlock()
	err := c.lookAtAll(ctx)
	if err != nil && ctx.Err() == nil && !c.unanswered(err) {
		c.log.Warn("carrier: look after the streams", "err", err)
	}
}

// lookAtAll is look with the lock held.
func (c *Carrier) lookAtAll(ctx context.Context) error {
	var errs []error
	for _, cfg := range c.streamConfigs(c.guard.maxStore) {
		errs = append(errs, c.lookAt(ctx, cfg))
	}
	return errors.Join(append(errs, c.lookAtQueues(ctx))...)
}

// lookAt makes a stream again that is missing. One that was made at another time than the one known was lost as well.
func (c *Carrier) lookAt(ctx context.Context, cfg jetstream.StreamConfig) error {
	g := c.guard
	s, err := c.js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if !g.maker || c.shared && !g.goneLong(cfg.Name) {
			return nil
		}
		c.log.Error("carrier: a stream is gone and is made anew; what it held is lost", "stream", cfg.Name)
		s, err = c.remake(ctx, cfg)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil // another process was first: the next look tells
		}
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", cfg.Name, err)
	}
	delete(g.gone, cfg.Name)
	made := s.CachedInfo().Created
	if known, ok := g.created[cfg.Name]; ok && !made.Equal(known) {
		c.count(cfg.Name)
	}
	g.created[cfg.Name] = made
	return nil
}

// goneLong notes that something is missing and reports whether it has been for goneFor.
func (g *guard) goneLong(name string) bool {
	since, ok := g.gone[name]
	if !ok {
		g.gone[name] = time.Now()
		return false
	}
	return time.Since(since) >= goneFor
}

// remake makes a stream in place of a deleted one, above all revisions and sequences that were ever told.
func (c *Carrier) remake(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	if err := c.removed(ctx, cfg.Name); err != nil {
		return nil, err
	}
	cfg.FirstSeq = uint64(time.Now().UnixMicro())
	return c.js.CreateStream(ctx, cfg)
}

// removed waits until a stream that was deleted is off the disk. A single server forgets a stream first and removes its
// files then (nats-server 2.15 stream.stop); a stream made in between would take up what is left of them, of which the
// server may even crash. A cluster's nodes do one after the other.
func (c *Carrier) removed(ctx context.Context, stream string) error {
	switch {
	case c.server == nil:
		return c.sleep(ctx, outsideGrace)
	case c.shared:
		return nil
	}
	cfg := c.server.JetStreamConfig()
	if cfg == nil {
		return jetstream.ErrJetStreamNotEnabled
	}
	folder := filepath.Join(cfg.StoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", stream)
	for {
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := c.sleep(ctx, removedStep); err != nil {
			return fmt.Errorf("wait until its folder %s is removed: %w", folder, err)
		}
	}
}

// lookAtQueues finds open queues of a single node that are gone without having been shut. In a cluster any process may shut
// a queue, and whoever leads the job opens it again.
func (c *Carrier) lookAtQueues(ctx context.Context) error {
	if c.shared || !c.opening.TryLock() { // one is being opened or shut: the next look will do
		return nil
	}
	defer c.opening.Unlock()
	c.mu.RLock()
	missing := make(map[string]job.ID, len(c.queues))
	for id := range c.queues {
		missing[consumerName(id)] = id
	}
	c.mu.RUnlock()
	if len(missing) == 0 {
		return nil
	}
	names := c.work.ConsumerNames(ctx)
	for name := range names.Name() {
		delete(missing, name)
	}
	if err := names.Err(); err != nil {
		return fmt.Errorf("list the queues: %w", err)
	}
	for _, id := range missing {
		c.log.Error("carrier: a job's queue is gone", "job", string(id))
	}
	if len(missing) > 0 {
		c.count(streamWork)
	}
	return nil
}
