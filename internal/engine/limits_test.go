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
	"github.com/drover-batch/drover/internal/object/window"
)

// throughGate makes a store pass its copies through the gate of their callers, as the driver does, and counts how many are
// let through at a time.
func throughGate(s *fakeStore) (most *atomic.Int64) {
	most = new(atomic.Int64)
	var in atomic.Int64
	s.onCopy = func(ctx context.Context, _ job.Key) error {
		g := object.GateOf(ctx)
		if g == nil {
			return nil
		}
		if err := g.Enter(ctx); err != nil {
			return err
		}
		defer g.Leave()
		n := in.Add(1)
		defer in.Add(-1)
		for {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				return nil
			}
		}
	}
	return most
}

func TestALimitedJobHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	throughGate(r.store)
	s := r.start()
	slow := r.spec(5000)
	slow.Limits = job.Limits{Bounds: job.Bounds{Rate: 0.01}}
	slow.Priority = 9
	id := create(t, s, slow)
	r.store.waitCalls(t, 1)

	other := create(t, s, r.spec(700))
	if j := waitFor(t, s, other, final); j.Status != job.Complete || j.Progress.Succeeded != 700 {
		t.Fatalf("the other job is %s: %+v", j.Status, j.Progress)
	}
	if j, err := s.Job(t.Context(), caller, id); err != nil || j.Status != job.Active || j.Limits.Rate != 0.01 {
		t.Fatalf("the limited job is %s with %+v, %v", j.Status, j.Limits, err)
	}

	// Its limits go, and with them what holds it up.
	j, err := s.SetLimits(t.Context(), caller, id, job.Limits{})
	if err != nil || !j.Limits.IsZero() || j.Spec.Limits.IsZero() {
		t.Fatalf("limits %+v, made with %+v, %v", j.Limits, j.Spec.Limits, err)
	}
	if j := waitFor(t, s, id, final); j.Status != job.Complete || j.Progress.Succeeded != 5000 {
		t.Errorf("the job is %s: %+v", j.Status, j.Progress)
	}
	if _, err := s.SetLimits(t.Context(), caller, id, job.Limits{}); job.CodeOf(err) != job.Conflict {
		t.Errorf("limits of a finished job: %v", err)
	}
}

func TestALimitedJobEndsAndKeepsToItsLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	most := throughGate(r.store)
	s := r.start()
	spec := r.spec(3000)
	spec.Limits = job.Limits{Bounds: job.Bounds{Calls: 2}}
	if j := waitFor(t, s, create(t, s, spec), final); j.Status != job.Complete || j.Progress.Succeeded != 3000 {
		t.Errorf("the job is %s: %+v", j.Status, j.Progress)
	}
	if n := most.Load(); n < 1 || n > 2 {
		t.Errorf("%d calls at a time of 2", n)
	}
}

func TestALimitedJobIsCancelledWhileItsRowsWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	throughGate(r.store)
	s := r.start()
	spec := r.spec(3000)
	spec.Limits = job.Limits{Bounds: job.Bounds{Rate: 0.01}}
	id := create(t, s, spec)
	r.store.waitCalls(t, 1)
	if _, err := s.Cancel(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	if j := waitFor(t, s, id, final); j.Status != job.Cancelled {
		t.Errorf("the job is %s", j.Status)
	}
}

func TestLimitsAreCheckedBeforeTheyAreStored(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	bad := job.Limits{Bounds: job.Bounds{Calls: -1}}
	spec := r.spec(10)
	spec.Limits = bad
	if _, err := s.Create(t.Context(), caller, spec); job.CodeOf(err) != job.InvalidArgument {
		t.Errorf("created with %v", err)
	}
	if _, err := s.SetLimits(t.Context(), caller, "no-such-job", bad); job.CodeOf(err) != job.InvalidArgument {
		t.Errorf("set with %v", err)
	}
}

// boundedStores has a region "slow" too, whose copies keep to a gate.
type boundedStores struct {
	stores
	gate   *window.Gate
	onRoom *atomic.Pointer[func(int)]
}

func newBoundedStores(s stores, b window.Bounds) boundedStores {
	out := boundedStores{s, window.NewGate(b), new(atomic.Pointer[func(int)])}
	out.gate.OnRoom(func(n int) {
		if f := out.onRoom.Load(); f != nil {
			(*f)(n)
		}
	})
	return out
}

func (b boundedStores) Store(ctx context.Context, a job.Account, r job.Role, region job.Region) (object.Store, error) {
	if region == "slow" {
		return gatedStore{b.s, b.gate}, nil
	}
	return b.stores.Store(ctx, a, r, region)
}

func (b boundedStores) Full(region job.Region, _ job.Bucket) bool {
	return region == "slow" && b.gate.Waiting() > 1
}
func (b boundedStores) OnRoom(f func(int)) { b.onRoom.Store(&f) }

type gatedStore struct {
	*fakeStore
	gate *window.Gate
}

func (s gatedStore) HeadBucket(context.Context, job.Bucket) (object.BucketInfo, error) {
	return object.BucketInfo{Region: "slow"}, nil
}

func (s gatedStore) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	if err := s.gate.Enter(ctx); err != nil {
		return object.CopyResult{}, err
	}
	defer s.gate.Leave()
	return s.fakeStore.Copy(ctx, c)
}

func TestALimitedRegionHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	bounded := newBoundedStores(stores{r.store}, window.Bounds{Rate: 0.01})
	r.options = func(o *engine.Options) { o.Stores = bounded }
	s := r.start()
	slow := r.spec(2000)
	slow.Region, slow.Priority = "slow", 20
	id := create(t, s, slow)
	r.store.waitCalls(t, 1)

	other := r.spec(700)
	wantWhole(t, other, waitFor(t, s, create(t, s, other), final), 700)
	if n := bounded.gate.Waiting(); n > 4 { // two, and whoever looked in the same moment
		t.Errorf("%d calls wait for the region's limits", n)
	}
	// Once they are lifted, what was held back goes on.
	bounded.gate.Set(window.Bounds{InFlight: 4})
	wantWhole(t, slow, waitFor(t, s, id, final), 2000)
}

// windowed is stores of two regions, of which one takes a hundred calls a second and shows that by its refusals alone.
type windowed struct {
	stores
	window *window.Window
	onRoom *atomic.Pointer[func(int)]
	slow   *fakeStore
}

func (s windowed) Store(ctx context.Context, a job.Account, r job.Role, region job.Region) (object.Store, error) {
	if region == "slow" {
		return throttled{s.slow, s.window, newBucketOf(100, 10)}, nil
	}
	return s.stores.Store(ctx, a, r, region)
}

func (s windowed) Full(region job.Region, _ job.Bucket) bool {
	return region == "slow" && s.window.Waiting() > 1
}
func (s windowed) OnRoom(f func(int)) { s.onRoom.Store(&f) }

// throttled calls its store as the driver does.
type throttled struct {
	*fakeStore
	window *window.Window
	admit  func() bool
}

// newBucketOf admits so many calls a second, and a burst.
func newBucketOf(rate, burst float64) func() bool {
	var mu sync.Mutex
	tokens, filled := burst, time.Now()
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		tokens, filled = min(burst, tokens+now.Sub(filled).Seconds()*rate), now
		if tokens < 1 {
			return false
		}
		tokens--
		return true
	}
}

func (s throttled) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	for {
		in, err := s.window.Enter(ctx)
		if err != nil {
			return object.CopyResult{}, err
		}
		if s.admit() {
			s.window.Leave(in, window.Good)
			return s.fakeStore.Copy(ctx, c)
		}
		s.window.Leave(in, window.Throttled)
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return object.CopyResult{}, ctx.Err()
		}
	}
}

// Calls that waited for their turn at a store which throttles took all places of the pool, and jobs on other stores stood
// still with it. The free store here answers only when half the pool calls it at a time.
func TestAStoreThatThrottlesTakesNoPlaceFromOthers(t *testing.T) {
	t.Parallel()
	const places, half = 32, 16
	r := newRig(t, nil)
	slow := newFakeStore()
	slow.buckets = map[job.Bucket]object.BucketInfo{"src": {Region: "slow"}, "dst": {Region: "slow"}}
	w := windowed{stores{r.store}, window.New(), new(atomic.Pointer[func(int)]), slow}
	w.window.OnRoom(func(n int) {
		if f := w.onRoom.Load(); f != nil {
			(*f)(n)
		}
	})
	r.options = func(o *engine.Options) { o.Stores, o.Concurrency = w, places }
	together := rendezvous(half)
	r.store.onCopy = func(ctx context.Context, _ job.Key) error { return together(ctx) }
	s := r.start()
	throttled := r.prioritised(5000, 20, "throttled")
	throttled.Region = "slow"
	id := create(t, s, throttled)
	slow.waitCalls(t, 20) // its burst is used up

	const rows = half * 50
	free := r.prioritised(rows, 1, "free")
	wantWhole(t, free, waitFor(t, s, create(t, s, free), final), rows)
	j, err := s.Job(t.Context(), caller, id)
	if err != nil || j.Status != job.Active {
		t.Errorf("the throttled job is %s, %v", j.Status, err)
	}
	if _, most := slow.calls(); most > 1 {
		t.Errorf("an object was copied %d times", most)
	}
}

// rendezvous makes calls wait for each other, n at a time.
func rendezvous(n int) func(context.Context) error {
	var mu sync.Mutex
	waiting, all := 0, make(chan struct{})
	return func(ctx context.Context) error {
		mu.Lock()
		mine := all
		if waiting++; waiting == n {
			close(all)
			waiting, all = 0, make(chan struct{})
		}
		mu.Unlock()
		select {
		case <-mine:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
