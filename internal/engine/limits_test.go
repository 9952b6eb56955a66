package engine_test

import (
	"context"
	"sync/atomic"
	"testing"

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
	onRoom *atomic.Pointer[func()]
}

func newBoundedStores(s stores, b window.Bounds) boundedStores {
	out := boundedStores{s, window.NewGate(b), new(atomic.Pointer[func()])}
	out.gate.OnRoom(func() {
		if f := out.onRoom.Load(); f != nil {
			(*f)()
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

func (b boundedStores) Full(region job.Region) bool { return region == "slow" && b.gate.Waiting() > 1 }
func (b boundedStores) OnRoom(f func())             { b.onRoom.Store(&f) }

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
	if n := bounded.gate.Waiting(); n > 2 {
		t.Errorf("%d calls wait for the region's limits", n)
	}
	// Once they are lifted, what was held back goes on.
	bounded.gate.Set(window.Bounds{InFlight: 4})
	wantWhole(t, slow, waitFor(t, s, id, final), 2000)
}
