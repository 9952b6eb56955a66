package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// A chunk of large objects takes hours. Its rows that have not started shall not keep a job that goes before it waiting;
// TestRowsStartByPriority has what happens to its rows then.
func TestHigherPriorityIsClaimedBesideALongChunk(t *testing.T) {
	t.Parallel()
	r, c := claimRig(t, func(o *engine.Options) { o.ChunkRows, o.Concurrency = 200, 4 })
	one := make(chan struct{})
	r.store.onCopy = func(ctx context.Context, _ job.Key) error {
		select {
		case <-one:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s := r.start()
	low, high := r.prioritised(400, 1, "low"), r.prioritised(40, 2, "high")
	a := create(t, s, low)
	r.store.waitCalls(t, 4)
	b := create(t, s, high)
	if taken := c.wait(t, 2); taken[1].id != b { // though no call has ended
		t.Errorf("the second chunk taken is of %s, want %s", taken[1].id, b)
	}
	close(one)
	wantWhole(t, high, waitFor(t, s, b, final), 40)
	wantWhole(t, low, waitFor(t, s, a, final), 400)
}

// twoRegions is stores of two regions, of which one can be away.
type twoRegions struct {
	near, far *fakeStore
	away      *atomic.Bool
}

func (s twoRegions) Store(_ context.Context, _ job.Account, _ job.Role, region job.Region) (object.Store, error) {
	if region == "far" {
		return s.far, nil
	}
	return s.near, nil
}

func (s twoRegions) Default() job.Region { return "local" }

func (s twoRegions) Away(region job.Region) (time.Time, bool) {
	return time.Unix(0, 0), region == "far" && s.away.Load()
}

// Calls that wait for a store that is away took all places of the pool, and jobs in other regions stood still with it.
func TestAStoreThatIsAwayTakesNoPlaceFromOthers(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	far := newFakeStore()
	far.buckets = map[job.Bucket]object.BucketInfo{"src": {Region: "far"}, "dst": {Region: "far"}}
	r := newRig(t, nil)
	r.options = func(o *engine.Options) { o.Stores = twoRegions{r.store, far, &away} }
	back := make(chan struct{})
	var mu sync.Mutex
	waiting, most := 0, 0 // calls that wait while the store is known to be away
	far.onCopy = func(ctx context.Context, _ job.Key) error {
		known := away.Load()
		mu.Lock()
		if known {
			waiting++
			most = max(most, waiting)
		}
		mu.Unlock()
		defer func() {
			mu.Lock()
			if known {
				waiting--
			}
			mu.Unlock()
		}()
		select { // as the driver waits for a store
		case <-back:
			return nil
		case <-object.WaitDone(ctx):
			return &object.Error{Op: "Copy", Code: object.CodeConnection, Class: object.Transient, Err: object.ErrWaitEnded}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s := r.start()
	first, second := r.prioritised(600, 10, "first"), r.prioritised(300, 1, "second")
	first.Region = "far"
	a := create(t, s, first)
	far.waitCalls(t, 8) // as many as there are places
	away.Store(true)
	b := create(t, s, second)
	wantWhole(t, second, waitFor(t, s, b, final), 300)
	if j, err := s.Job(t.Context(), caller, a); err != nil || j.Status != job.Active {
		t.Errorf("the job whose store is away is %s, %v", j.Status, err)
	}
	away.Store(false)
	close(back)
	wantWhole(t, first, waitFor(t, s, a, final), 600)
	mu.Lock()
	defer mu.Unlock()
	if most > 1 {
		t.Errorf("%d calls waited at a time for the store that was known to be away, want one", most)
	}
}
