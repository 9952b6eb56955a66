package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
)

// A listing shows a finished job as reading it does, but for the request's text, the events, and failed tasks' keys.
func TestListedJobsAreTheJobs(t *testing.T) {
	t.Parallel()
	_, m, s, spec := stored(t, 40)
	first := waitFor(t, s, create(t, s, spec), final)
	spec.Token, spec.Description = string(job.NewID()), strings.Repeat("é\"", 80)
	spec.RetryOf = first.ID
	waitFor(t, s, create(t, s, spec), final)
	m.fakeStore.mu.Lock()
	m.onCopy = nil
	m.fakeStore.mu.Unlock()
	spec.Token, spec.ConfirmationRequired = string(job.NewID()), true
	id := create(t, s, spec)
	waitFor(t, s, id, status(job.Suspended))
	if _, err := s.Cancel(t.Context(), caller, id, "not needed"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, s, id, final)
	listed, _, err := s.List(t.Context(), caller, job.Filter{}, job.Page{Max: 10})
	if err != nil || len(listed) != 3 {
		t.Fatal(listed, err)
	}
	for _, got := range listed {
		want, err := s.Job(t.Context(), caller, got.ID)
		if err != nil {
			t.Fatal(err)
		}
		got.Spec.Request, want.Spec.Request = job.Request{}, job.Request{}
		if len(want.Events) == 0 || got.Events != nil {
			t.Errorf("%d events, listed with %d", len(want.Events), len(got.Events))
		}
		want.Events = nil
		for i := range want.Progress.ByCode {
			want.Progress.ByCode[i].Samples = nil
		}
		got.Revision, want.Revision = "", "" // one that is on its way to the finished ones gets another
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-read +listed):\n%s", diff)
		}
	}
}
