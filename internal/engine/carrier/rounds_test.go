//go:build cluster || soak

package carrier

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
)

// rounds runs publish → claim → result → ack for as long as it is not stopped, and notes all that was acknowledged.
type rounds struct {
	t      testing.TB
	c      *Carrier
	size   int // of a result
	wait   sync.WaitGroup
	cancel context.CancelFunc // of those that wait
	stop   chan struct{}      // no further chunk is published

	mu        sync.Mutex
	changed   *sync.Cond
	published int64
	all       bool                         // that are to be published were
	told      map[engine.ResultName]bool   // results that were acknowledged
	got       map[engine.ResultName]uint64 // results that were collected
	chunks    map[int64]int                // attempts of a chunk that were collected
	last      time.Time                    // when the last result was collected
	stall     time.Duration                // the longest time without one
	counted   int                          // updates of a record that were acknowledged
	seen      int                          // the record as last watched
	problems  []error
}

func startRounds(t testing.TB, c *Carrier, workers, size int) *rounds {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &rounds{
		t: t, c: c, size: size, cancel: cancel, stop: make(chan struct{}), told: map[engine.ResultName]bool{},
		got: map[engine.ResultName]uint64{}, chunks: map[int64]int{}, last: time.Now(),
	}
	r.changed = sync.NewCond(&r.mu)
	if err := c.Open(ctx, roundsJob); err != nil {
		t.Fatal(err)
	}
	r.wait.Go(func() { r.publish(ctx) })
	r.wait.Go(func() { r.collect(ctx) })
	r.wait.Go(func() { r.count(ctx) })
	r.wait.Go(func() { r.watch(ctx) })
	for w := range workers {
		r.wait.Go(func() { r.work(ctx, w) })
	}
	return r
}

// problem notes an error that calls must not give: they outlast the loss of one node.
func (r *rounds) problem(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, err)
	r.changed.Broadcast()
}

func (r *rounds) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// publish keeps some chunks queued: it paces itself by what was collected.
func (r *rounds) publish(ctx context.Context) {
	for n := int64(0); !r.stopped() && ctx.Err() == nil; n++ {
		if err := r.c.Publish(ctx, roundsJob, 1, n, make([]byte, 200)); err != nil && ctx.Err() == nil {
			r.problem(err)
			return
		}
		r.mu.Lock()
		r.published = n + 1
		for int64(len(r.chunks)) < n-50 && ctx.Err() == nil {
			r.changed.Wait()
		}
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = true
	r.changed.Broadcast()
}

func (r *rounds) work(ctx context.Context, worker int) {
	for turn := 0; ctx.Err() == nil; turn++ {
		l, err := r.c.Claim(ctx, roundsJob, 500*time.Millisecond)
		if err != nil || l == nil {
			continue // a claim may go without answer; the next one will not
		}
		n := engine.ResultName{Job: roundsJob, Phase: 1, Chunk: l.Chunk(), Attempt: fmt.Sprintf("w%d-%d", worker, turn)}
		if err := r.c.PublishResult(ctx, n, make([]byte, r.size)); err != nil {
			if ctx.Err() == nil {
				r.problem(err)
			}
			continue
		}
		r.mu.Lock()
		r.told[n] = true
		r.mu.Unlock()
		if err := l.Ack(ctx); err != nil && ctx.Err() == nil {
			r.problem(err)
		}
	}
}

func (r *rounds) collect(ctx context.Context) {
	var last uint64
	err := r.c.Results(ctx, roundsJob, 0, 100*time.Millisecond, func(res engine.Result) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast() // also for who waits for another thing
		if res.Seq == 0 {
			return nil
		}
		if _, twice := r.got[res.Name]; twice || res.Seq <= last {
			return fmt.Errorf("result %v came with sequence %d after %d, twice %v", res.Name, res.Seq, last, twice)
		}
		last, r.got[res.Name] = res.Seq, res.Seq
		r.chunks[res.Name.Chunk]++
		r.stall = max(r.stall, time.Since(r.last))
		r.last = time.Now()
		if len(r.got)%100 == 0 {
			return r.c.PurgeResults(ctx, roundsJob, res.Seq)
		}
		return nil
	})
	if ctx.Err() == nil {
		r.problem(err)
	}
}

// count counts in a record of which it is the only writer: a conflict would be a false one.
func (r *rounds) count(ctx context.Context) {
	rev, err := r.c.Create(ctx, engine.Jobs, "cursor.rounds", []byte("0"))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 1; err == nil && !r.stopped(); n++ {
		<-tick.C
		if rev, err = r.c.Update(ctx, engine.Jobs, "cursor.rounds", fmt.Append(nil, n), rev); err == nil {
			r.mu.Lock()
			r.counted = n
			r.mu.Unlock()
		}
	}
	if err != nil && ctx.Err() == nil {
		r.problem(err)
	}
}

func (r *rounds) watch(ctx context.Context) {
	var last uint64
	err := r.c.Watch(ctx, engine.Jobs, func(rec engine.Record) error {
		if rec.Key != "cursor.rounds" {
			return nil
		}
		if rec.Rev <= last || rec.Deleted {
			return fmt.Errorf("record %v follows revision %d", rec, last)
		}
		last = rec.Rev
		r.mu.Lock()
		defer r.mu.Unlock()
		_, err := fmt.Sscan(string(rec.Value), &r.seen)
		r.changed.Broadcast()
		return err
	})
	if ctx.Err() == nil {
		r.problem(err)
	}
}

// until waits until a condition holds; it is looked at with every change.
func (r *rounds) until(what string, holds func() bool) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.problems) == 0 && !holds() {
		if r.t.Context().Err() != nil {
			r.t.Fatalf("waiting for %s: %v", what, r.t.Context().Err())
		}
		r.changed.Wait()
	}
	if len(r.problems) > 0 {
		r.t.Fatalf("waiting for %s: %v", what, errors.Join(r.problems...))
	}
}

// more waits until n further chunks were done, and gives the longest stall since the last call.
func (r *rounds) more(n int) time.Duration {
	r.t.Helper()
	r.mu.Lock()
	want := len(r.chunks) + n
	r.mu.Unlock()
	r.until(fmt.Sprint(n, " further chunks"), func() bool { return len(r.chunks) >= want })
	r.mu.Lock()
	defer r.mu.Unlock()
	stall := r.stall
	r.stall = 0
	return stall
}

// finish lets all rounds end and compares what was acknowledged with what is there.
func (r *rounds) finish() {
	r.t.Helper()
	close(r.stop)
	r.until("all chunks", func() bool { return r.all && int64(len(r.chunks)) == r.published })
	r.until("all acknowledged results", func() bool {
		for n := range r.told {
			if r.got[n] == 0 {
				return false
			}
		}
		return true
	})
	r.until("the last count", func() bool { return r.seen >= r.counted })
	rec, err := r.c.Get(r.t.Context(), engine.Jobs, "cursor.rounds")
	if err != nil || string(rec.Value) != fmt.Sprint(r.counted) {
		r.t.Errorf("the record is %q, %v; %d was acknowledged", rec.Value, err, r.counted)
	}
	r.until("an empty queue", func() bool {
		st, err := r.c.State(r.t.Context(), roundsJob)
		return err == nil && st == engine.QueueState{}
	})
	r.cancel()
	r.mu.Lock()
	r.changed.Broadcast()
	r.mu.Unlock()
	r.wait.Wait()
	twice := 0
	for _, n := range r.chunks {
		twice += n - 1
	}
	r.t.Logf("%d chunks, %d results, %d ran twice, %d updates of a record", r.published, len(r.got), twice, r.counted)
}

// busy is a lag that chunks under way explain.
const busy = 1000
