//go:build cluster

package carrier

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/engine"
)

// seen collects what a watch gives.
type seen struct {
	mu      sync.Mutex
	changed *sync.Cond
	records map[string]string
	gone    map[string]bool
	begun   int
}

func watching(t *testing.T, c *Carrier, b engine.Bucket) *seen {
	t.Helper()
	s := &seen{records: map[string]string{}, gone: map[string]bool{}}
	s.changed = sync.NewCond(&s.mu)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := c.Watch(ctx, b, func(r engine.Record) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			defer s.changed.Broadcast()
			switch {
			case r.Key == "":
				s.begun++
			case r.Deleted:
				s.gone[r.Key] = true
				delete(s.records, r.Key)
			default:
				s.records[r.Key] = string(r.Value)
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("watch of %s ended: %v", b, err)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	s.until(func() bool { return s.begun == 1 })
	return s
}

func (s *seen) until(holds func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !holds() {
		s.changed.Wait()
	}
}

func TestClusterComesBackAfterAllItsNodesWereDown(t *testing.T) {
	t.Parallel()
	all := plan(t)
	nodes := openAll(t, all)
	ctx := t.Context()
	c := dial(t, DialOptions{URLs: urls(all)})
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rev, err := c.Create(ctx, engine.Jobs, "job.a", []byte("v"))
	ok(err)
	_, err = c.Put(ctx, engine.Live, "worker.w", nil)
	ok(err)
	jobs, live := watching(t, c, engine.Jobs), watching(t, c, engine.Live)
	live.until(func() bool { _, there := live.records["worker.w"]; return there })
	ok(c.Open(ctx, roundsJob))
	for n := range int64(3) {
		ok(c.Publish(ctx, roundsJob, 1, n, nil))
		ok(c.PublishResult(ctx, engine.ResultName{Job: roundsJob, Phase: 1, Chunk: n, Attempt: "w"}, nil))
	}
	acked, err := c.Claim(ctx, roundsJob, 5*time.Second)
	ok(err)
	ok(acked.Ack(ctx))
	held, err := c.Claim(ctx, roundsJob, 5*time.Second)
	ok(err)

	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// A call made while nobody is there goes through once they are.
	var updated error
	wg.Go(func() { rev, updated = c.Update(ctx, engine.Jobs, "job.a", []byte("w"), rev) })
	openAll(t, all)
	wg.Wait()
	ok(updated)
	jobs.until(func() bool { return jobs.records["job.a"] == "w" })
	live.until(func() bool { return live.gone["worker.w"] })
	_, err = c.Put(ctx, engine.Live, "worker.x", []byte("1"))
	ok(err)
	live.until(func() bool { return live.records["worker.x"] == "1" })
	if jobs.begun != 1 || live.begun != 1 {
		t.Errorf("watches began %d and %d times", jobs.begun, live.begun)
	}
	left, err := c.Queued(ctx, roundsJob, 1)
	ok(err)
	if len(left) != 2 {
		t.Errorf("chunks %v are queued, want those that were not acknowledged", left)
	}
	ok(held.Ack(ctx)) // its consumer has forgotten it
	last, err := c.Claim(ctx, roundsJob, 10*time.Second)
	ok(err)
	ok(last.Ack(ctx))
	var chunks []int64
	err = c.Results(ctx, roundsJob, 0, time.Second, func(r engine.Result) error {
		if r.Seq == 0 {
			return errAllSeen
		}
		chunks = append(chunks, r.Name.Chunk)
		return nil
	})
	if diff := cmp.Diff([]int64{0, 1, 2}, chunks); !errors.Is(err, errAllSeen) || diff != "" {
		t.Error(err, diff)
	}
}

func TestAckOfWhatIsGoneIsNoError(t *testing.T) {
	t.Parallel()
	c, _ := openLosing(t)
	ctx := t.Context()
	if err := c.Open(ctx, roundsJob); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(ctx, roundsJob, 1, 1, nil); err != nil {
		t.Fatal(err)
	}
	l, err := c.Claim(ctx, roundsJob, time.Second)
	if err != nil || l == nil {
		t.Fatalf("claim = %v, %v", l, err)
	}
	if err := c.Shut(ctx, roundsJob); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Ack(ctx); err != nil {
			t.Error(err)
		}
	}
	if err := c.deleteMessage(ctx, l.(*lease).seq); !isNoMessage(err) {
		t.Errorf("removal of what is gone = %v", err)
	}
}
