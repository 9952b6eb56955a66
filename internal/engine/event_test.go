package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
)

// wantEvent finds the one event with a text in its reason.
func wantEvent(t *testing.T, j job.Job, actor, text string) job.Event {
	t.Helper()
	var found []job.Event
	for _, e := range j.Events {
		if strings.Contains(e.Reason, text) {
			found = append(found, e)
		}
	}
	if len(found) != 1 || found[0].Actor != actor || found[0].Time.IsZero() || found[0].Moved() {
		t.Errorf("events with %q: %+v, want one by %s that is no move", text, found, actor)
		return job.Event{}
	}
	return found[0]
}

func TestChangesOfAJobAreItsEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	open := gate(r.store)
	s := r.start()
	spec := r.spec(500)
	id := create(t, s, spec)
	r.store.waitCalls(t, 1)
	for range 2 { // the second changes nothing
		if _, err := s.SetPriority(t.Context(), caller, id, 77); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SetLimits(t.Context(), caller, id, job.Limits{Bounds: job.Bounds{Rate: 900, Calls: 7}}); err != nil {
		t.Fatal(err)
	}
	open()
	j := waitFor(t, s, id, final)
	wantWhole(t, spec, j, 500)
	if e := wantEvent(t, j, caller.Principal, "priority was changed from 10 to 77"); e.To != job.Active {
		t.Errorf("it happened to a job that was %s", e.To)
	}
	wantEvent(t, j, caller.Principal, "limits on its calls were changed to 900 calls a second, 7 calls at a time")
	if !slices.IsSortedFunc(j.Events, func(a, b job.Event) int { return a.Time.Compare(b.Time) }) {
		t.Errorf("events are not in order: %+v", j.Events)
	}
}

// TestRecoveriesAreEvents takes a record at a time from a job, and wants what was done about it told.
func TestRecoveriesAreEvents(t *testing.T) {
	t.Parallel()
	for record, text := range map[string]string{
		"ckpt.": "The checkpoint was lost", "plan.": "the manifest was read again", "state.": "What was stored of the job was lost",
	} {
		t.Run(record, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			spec := r.spec(halfRows)
			id := half(t, r, spec)
			r.offline(func(c *carrier.Carrier) {
				if err := c.Delete(t.Context(), engine.Jobs, record+string(id)); err != nil {
					t.Fatal(err)
				}
			})
			s := r.start()
			j := waitFor(t, s, id, final)
			wantWhole(t, spec, j, halfRows)
			wantEvent(t, j, "system", text)
		})
	}
}
