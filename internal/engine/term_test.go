package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// A worker that is stopped for longer than its lease must not send, when it goes on, what it had been about to: its rows
// are another's by then. So the calls themselves know when the lease ends, with limits of their job or without.
func TestCallsKnowWhenTheirLeaseEnds(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]job.Limits{"free": {}, "limited": {Bounds: job.Bounds{Calls: 4}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.store.onCopy = func(ctx context.Context, _ job.Key) error {
				now := time.Now()
				if object.TermOf(ctx)(now) {
					t.Error("a call begins that its lease does not cover")
				}
				if !object.TermOf(ctx)(now.Add(time.Minute)) {
					t.Error("a call may begin long after its lease has run out")
				}
				if limited := object.GateOf(ctx) != nil; limited != (name == "limited") {
					t.Errorf("a call of the %s job goes through a gate: %t", name, limited)
				}
				if object.WaitDone(ctx) == nil {
					t.Error("a call cannot be told that its chunk is no longer wanted")
				}
				return nil
			}
			s := r.start()
			spec := r.spec(100)
			spec.Limits = limits
			wantWhole(t, spec, waitFor(t, s, create(t, s, spec), final), 100)
		})
	}
}
