package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
	"golang.org/x/sync/errgroup"
)

// Options set up an Engine. Carrier, Stores and Dir are required.
type Options struct {
	Carrier Carrier
	Stores  Stores
	// Dir is a folder for scratch files; what lies in it may be lost.
	Dir    string
	Logger *slog.Logger // default: none
	// Concurrency is how many object calls are in flight at most. Default 64.
	Concurrency int
	// ChunkRows is how many rows travel together. Default 1,000. A job keeps what it began with.
	ChunkRows int
	// MaxActive is how many jobs of an account are Active at a time. Default 8.
	MaxActive int
	// MaxJobs is how many unfinished jobs an account may have. Default 10,000.
	MaxJobs int
	// Drain is how long calls in flight may take when the engine is stopped. Default 30 s.
	Drain time.Duration
	// LeaseTerm is the carrier's: after it nothing of a lost worker can be running. Default 15 s.
	LeaseTerm time.Duration
	// A job that waits until objects can be read looks at them LookFirst (default 5 min) after they were asked for, then
	// in intervals that double up to LookLongest (1 h). What cannot be read after LookLimit (7 days) has failed.
	LookFirst, LookLongest, LookLimit time.Duration
	// ReportWait is how long a job waits for its report's place before it fails. Default 24 h. What the report lacks then is
	// kept in the folder Keep, default Dir/kept.
	ReportWait time.Duration
	Keep       string
	// Limits are where copies change their way. The zero value is that of stores' own limits.
	Limits operation.Limits
	// Alone says that no other node works on the carrier's jobs, as with an embedded carrier that holds its folder's
	// lock: then nothing that an earlier process held can still run.
	Alone bool
	// Name is what people know this process by, as a host's name. It need not be unique.
	Name string
	// NoLead makes this process lead no jobs, NoWork work on none: others of the carrier do.
	NoLead, NoWork bool
	// Disk tells how full the disk of the carrier's folder is. Default: nobody looks.
	Disk func() (Disk, error)
	// Observe is told of every task's end: the operation's name and how it ended. Default: nobody is told.
	Observe func(operation string, s job.TaskStatus)
	// segmentBytes and pageSegments are made small by tests.
	segmentBytes int64
	pageSegments int
	// Now is the clock of records and events. Default time.Now.
	Now func() time.Time
}

// Engine runs jobs. New makes it, Run runs it.
type Engine struct {
	o      Options
	log    *slog.Logger
	node   string // of this process, new with each start
	ix     *index
	ready  chan struct{}
	served sync.Once     // closes ready
	queued chan struct{} // a chunk was queued

	working atomic.Pointer[worker] // of the present run
	bound   sync.Once              // the stores tell it of room

	begun  int                    // runs; more than one after a loss
	losses Losses                 // the carrier's, as of the present run
	losing atomic.Pointer[Losses] // what has ended the present run; nil while it goes on
	kept   map[job.ID]keepsake    // what the leaders knew that a loss has ended; belongs to mu

	heardAt atomic.Int64 // Unix time in ns of our last beat that was stored
	disk    atomic.Pointer[Disk]

	mu      sync.Mutex
	claimed chan struct{} // closed and replaced when a chunk was claimed or ended
	claims  int           // how often that was
}

// New makes an Engine; nothing runs yet.
func New(o Options) (*Engine, error) {
	if o.Carrier == nil || o.Stores == nil || o.Dir == "" {
		return nil, errors.New("the engine needs a carrier, stores and a folder")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 64
	}
	if o.ChunkRows <= 0 {
		o.ChunkRows = 1000
	}
	if o.MaxActive <= 0 {
		o.MaxActive = 8
	}
	if o.MaxJobs <= 0 {
		o.MaxJobs = 10_000
	}
	if o.Drain <= 0 {
		o.Drain = 30 * time.Second
	}
	if o.LeaseTerm <= 0 {
		o.LeaseTerm = 15 * time.Second
	}
	o.LookFirst = cmp.Or(o.LookFirst, 5*time.Minute)
	o.LookLongest = max(o.LookFirst, cmp.Or(o.LookLongest, time.Hour))
	o.ReportWait = cmp.Or(o.ReportWait, 24*time.Hour)
	o.Keep = cmp.Or(o.Keep, filepath.Join(o.Dir, "kept"))
	o.LookLimit = cmp.Or(o.LookLimit, 7*24*time.Hour)
	if o.segmentBytes == 0 {
		o.segmentBytes, o.pageSegments = segmentBytes, pageSegments
	}
	if o.Observe == nil {
		o.Observe = func(string, job.TaskStatus) {}
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	node := string(job.NewID())
	ix := newIndex(node, o.Alone)
	ix.deaf = o.NoLead
	return &Engine{
		o: o, log: o.Logger, node: node, ix: ix, ready: make(chan struct{}),
		queued: make(chan struct{}, 1), claimed: make(chan struct{}), kept: map[job.ID]keepsake{},
	}, nil
}

// Ready is closed once the engine knows all its jobs and serves.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run runs jobs until ctx ends: then no further row starts, calls in flight end within Drain and are handed in, and
// Run returns nil. Any other error stops everything and is returned. When the carrier has lost something as a whole, all
// comes to rest likewise, and begins anew.
func (e *Engine) Run(ctx context.Context) error {
	e.losses = e.o.Carrier.Losses(ctx)
	for {
		e.begun++
		err := e.run(ctx)
		if ctx.Err() != nil && errors.Is(err, ErrLost) {
			return nil
		}
		if !errors.Is(err, ErrLost) {
			return err
		}
		if err := e.restore(ctx); err != nil {
			return nil // ctx has ended
		}
	}
}

// run is Run until something is lost.
func (e *Engine) run(ctx context.Context) error {
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, gctx := errgroup.WithContext(inner)
	g.Go(func() error { return e.awaitLoss(gctx) })
	known := make(chan struct{}) // closed once all records were seen
	var seen sync.WaitGroup
	for _, b := range []Bucket{Jobs, Done, Live} {
		seen.Add(1)
		g.Go(func() error { return e.watch(gctx, b, sync.OnceFunc(seen.Done)) })
	}
	go func() { seen.Wait(); close(known) }()
	g.Go(func() error {
		defer stop() // the worker has drained: the rest may end
		select {
		case <-known:
		case <-ctx.Done():
			return nil
		case <-gctx.Done():
			return nil
		}
		e.served.Do(func() { close(e.ready) })
		wctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(gctx, cancel)()
		if e.o.NoWork {
			<-wctx.Done()
			return nil
		}
		return newWorker(e).run(wctx)
	})
	if e.o.Disk != nil {
		g.Go(func() error { return e.watchDisk(gctx) })
	}
	if !e.o.NoLead {
		g.Go(func() error { return e.leadAll(gctx, known) })
		g.Go(func() error { return e.beat(gctx) })
		g.Go(func() error { return e.housekeeping(gctx) })
	}
	return g.Wait()
}

func (e *Engine) watch(ctx context.Context, b Bucket, seen func()) error {
	defer seen()
	e.ix.replay(b)
	err := e.o.Carrier.Watch(ctx, b, func(r Record) error {
		if r.Key == "" {
			e.ix.replayed(b)
			seen()
			return nil
		}
		return e.ix.apply(b, r)
	})
	if errors.Is(err, ErrLost) {
		<-ctx.Done() // awaitLoss ends the run
	}
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = errors.New("the watch ended")
	}
	return fmt.Errorf("watch %s: %w", b, err)
}

// leadAll keeps a leader for each open job that this node leads or no live node does, and the admissions up to date.
// Several nodes may try to take a job at once; the compare-and-swap of its state admits one.
func (e *Engine) leadAll(ctx context.Context, known <-chan struct{}) error {
	select {
	case <-known:
	case <-ctx.Done():
		return nil
	}
	var leaders sync.WaitGroup
	defer leaders.Wait()
	led := map[job.ID]bool{}
	ended := make(chan job.ID)
	retry := time.NewTicker(beatEvery) // a take-over that another node has won, and lost again
	defer retry.Stop()
	for {
		changed := e.ix.wait()
		e.ix.reschedule(e.o.MaxActive)
		for id := range e.ix.ledBy(e.node) {
			if !led[id] {
				led[id] = true
				leaders.Go(func() {
					e.lead(ctx, id)
					select {
					case ended <- id:
					case <-ctx.Done():
					}
				})
			}
		}
		select {
		case <-changed:
		case id := <-ended:
			delete(led, id)
			select { // a job that was not to be led is not asked for again at once
			case <-changed:
			case <-retry.C:
			case <-ctx.Done():
				return nil
			}
		case <-retry.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// housekeeping forgets finished jobs when their time is over.
func (e *Engine) housekeeping(ctx context.Context) error {
	for {
		select {
		case <-time.After(time.Hour):
		case <-ctx.Done():
			return nil
		}
		for _, id := range e.ix.finishedBefore(e.o.Now().Add(-keptFor)) {
			if err := e.forget(ctx, id); err != nil && ctx.Err() == nil {
				e.log.Warn("forget finished job", "job", id, "err", err)
			}
		}
	}
}

// forget removes a finished job's record, its tags and its token.
func (e *Engine) forget(ctx context.Context, id job.ID) error {
	r, err := e.o.Carrier.Get(ctx, Done, doneKey(id))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := decode[doneRecord](r)
	if err != nil {
		return err
	}
	if err := e.dropKept(id); err != nil {
		return err
	}
	if err := e.o.Carrier.Delete(ctx, Done, doneKey(id)); err != nil {
		return err
	}
	if err := e.o.Carrier.Delete(ctx, Jobs, tagsKey(id)); err != nil {
		return err
	}
	return e.o.Carrier.Delete(ctx, Jobs, tokenKey(d.Job.Spec.Account, d.Job.Spec.Token))
}

// noteQueued tells the worker of this process that a chunk waits.
func (e *Engine) noteQueued() {
	select {
	case e.queued <- struct{}{}:
	default:
	}
}

// noteClaimed tells the dispatchers of this process that a queue has become shorter.
func (e *Engine) noteClaimed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.claimed)
	e.claimed = make(chan struct{})
	e.claims++
}

// claimsSoFar is how often noteClaimed was called.
func (e *Engine) claimsSoFar() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.claims
}

// claimedOr waits for noteClaimed or for d.
func (e *Engine) claimedOr(ctx context.Context, d time.Duration) error {
	return e.claimsOr(ctx, e.claimsSoFar()+1, d)
}

// claimsOr waits until noteClaimed has been called n times since the start, or for d.
func (e *Engine) claimsOr(ctx context.Context, n int, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		e.mu.Lock()
		ch, enough := e.claimed, e.claims >= n
		e.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-ch:
		case <-t.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
