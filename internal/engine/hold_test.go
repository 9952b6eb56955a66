package engine_test

import (
	"testing"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

func TestHeldJobsComeToRestAndGoOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	open := gate(r.store)
	spec := r.spec(3000)
	id := create(t, s, spec)
	r.store.waitCalls(t, 8)
	ctx := t.Context()
	for _, h := range []engine.HoldMode{engine.HoldDraining, engine.HoldFilling} { // the second changes nothing for it
		if err := engine.SetHold(ctx, r.carrier, engine.Hold{Mode: h, Other: "there"}); err != nil {
			t.Fatal(err)
		}
		if h == engine.HoldDraining {
			waitFor(t, s, id, status(job.Pausing))
			open()
			waitFor(t, s, id, status(job.Paused))
		}
		left, err := engine.Restless(ctx, r.carrier)
		if err != nil || len(left) != 0 {
			t.Errorf("%s: restless are %q, %v", h, left, err)
		}
		if _, err := s.Create(ctx, caller, r.spec(10)); job.CodeOf(err) != job.Unavailable {
			t.Errorf("%s: create = %v", h, err)
		}
		if _, err := s.SetPriority(ctx, caller, id, 5); job.CodeOf(err) != job.Unavailable {
			t.Errorf("%s: a change = %v", h, err)
		}
	}
	if err := engine.EndHold(ctx, r.carrier); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, spec, waitFor(t, s, id, final), 3000)
	if total, most := r.store.calls(); total != 3000 || most != 1 {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
}
