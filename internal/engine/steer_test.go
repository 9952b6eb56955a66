package engine_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// gate holds copies back until opened.
func gate(s *fakeStore) (open func()) {
	ch := make(chan struct{})
	s.onCopy = func(ctx context.Context, _ job.Key) error {
		select {
		case <-ch:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return func() { close(ch) }
}

func TestCancelDrains(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	open := gate(r.store)
	s := r.start()
	spec := r.spec(5000)
	id := create(t, s, spec)
	r.store.waitCalls(t, 8)
	j, err := s.Cancel(t.Context(), caller, id, "changed my mind")
	if err != nil || j.Status != job.Cancelling {
		t.Fatalf("cancel: %s, %v", j.Status, err)
	}
	before, _ := r.store.calls()
	open()
	j = waitFor(t, s, id, final)
	after, _ := r.store.calls()
	if j.Status != job.Cancelled || j.StatusReason != "changed my mind" {
		t.Errorf("job is %s: %q", j.Status, j.StatusReason)
	}
	if after > before {
		t.Errorf("%d tasks were started after the cancel was answered", after-before)
	}
	ok, failed := reportRows(t, spec, j)
	if int64(len(ok)) != j.Progress.Succeeded || len(ok) != after || len(failed) != 0 || j.Progress.Total != 5000 {
		t.Errorf("report has %d + %d rows, counted %+v, calls %d", len(ok), len(failed), j.Progress, after)
	}
	if _, err := s.Cancel(t.Context(), caller, id, ""); job.CodeOf(err) != job.Conflict {
		t.Errorf("cancel of a finished job: %v", err)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	open := gate(r.store)
	s := r.start()
	spec := r.spec(3000)
	id := create(t, s, spec)
	r.store.waitCalls(t, 8)
	if j, err := s.Pause(t.Context(), caller, id, "lunch"); err != nil || j.Status != job.Pausing {
		t.Fatalf("pause: %s, %v", j.Status, err)
	}
	before, _ := r.store.calls()
	open()
	j := waitFor(t, s, id, status(job.Paused))
	if n, _ := r.store.calls(); n != before || j.Progress.Done() != int64(before) || !j.PausedByUser {
		t.Errorf("paused with %d done and %d calls, %d when pause was answered", j.Progress.Done(), n, before)
	}
	if _, err := s.Resume(t.Context(), caller, id, "back"); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, spec, waitFor(t, s, id, final), 3000)
	if total, most := r.store.calls(); total != 3000 || most != 1 {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
}

func TestHigherPriorityGoesFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *engine.Options) { o.MaxActive = 1 })
	open := gate(r.store)
	s := r.start()
	low, high := r.spec(2000), r.spec(300)
	high.Priority = 99
	lowID := create(t, s, low)
	r.store.waitCalls(t, 8)
	highID := create(t, s, high)
	waitFor(t, s, lowID, status(job.Pausing))
	open()
	waitFor(t, s, lowID, status(job.Paused))
	wantWhole(t, high, waitFor(t, s, highID, final), 300)
	wantWhole(t, low, waitFor(t, s, lowID, final), 2000)
}

func TestCancelBeforeTheJobRuns(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	atOnce, waiting := r.spec(2000), r.spec(2000)
	waiting.ConfirmationRequired = true

	id := create(t, s, atOnce)
	if j, err := s.Cancel(t.Context(), caller, id, ""); err != nil || j.Status != job.Cancelling {
		t.Fatalf("cancel of a new job: %s, %v", j.Status, err)
	}
	if j := waitFor(t, s, id, final); j.Status != job.Cancelled {
		t.Errorf("job is %s", j.Status)
	}

	id = create(t, s, waiting)
	waitFor(t, s, id, status(job.Suspended))
	if _, err := s.Cancel(t.Context(), caller, id, "no"); err != nil {
		t.Fatal(err)
	}
	j := waitFor(t, s, id, final)
	ok, failed := reportRows(t, waiting, j)
	if j.Status != job.Cancelled || j.Progress.Total != 2000 || len(ok)+len(failed) != 0 {
		t.Errorf("job is %s, %+v, %d rows in its report", j.Status, j.Progress, len(ok)+len(failed))
	}
	if n, _ := r.store.calls(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestPriorityIsHonouredWhileRunning(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	step := make(chan struct{})
	r.store.onCopy = func(ctx context.Context, _ job.Key) error {
		select {
		case <-step:
		case <-ctx.Done():
		}
		return nil
	}
	s := r.start()
	a, b := r.spec(4000), r.spec(4000)
	b.Operation = &operation.Copy{TargetBucket: "dst", PrefixReplace: true, PrefixTo: "urgent/"}
	ida := create(t, s, a)
	idb := create(t, s, b)
	waitFor(t, s, idb, status(job.Active))
	r.store.waitCalls(t, 8)
	if j, err := s.SetPriority(t.Context(), caller, idb, 500); err != nil || j.Priority != 500 {
		t.Fatalf("set priority: %v, %v", j.Priority, err)
	}
	close(step)
	jb := waitFor(t, s, idb, final)
	r.store.mu.Lock()
	before, urgent := 0, 0
	for _, k := range r.store.order {
		if strings.HasPrefix(string(k), "urgent/") {
			urgent++
		} else if urgent < 4000 {
			before++
		}
	}
	r.store.mu.Unlock()
	if urgent != 4000 || before > 2000 { // a queue that is empty for a moment lets others work; in turn it would be all 4,000
		t.Errorf("%d rows of the other job ran before the last of %d urgent ones", before, urgent)
	}
	wantWhole(t, b, jb, 4000)
	wantWhole(t, a, waitFor(t, s, ida, final), 4000)
	if _, err := s.SetPriority(t.Context(), caller, ida, 1); job.CodeOf(err) != job.NoSuchJob {
		t.Errorf("priority of a finished job: %v", err)
	}
}

func TestPauseDoesNotWaitForAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	var away atomic.Bool
	away.Store(true)
	r.store.onCopy = func(ctx context.Context, _ job.Key) error {
		if !away.Load() {
			return nil
		}
		select {
		case <-object.WaitDone(ctx):
			return &object.Error{Op: "Copy", Code: object.CodeConnection, Class: object.Transient, Err: object.ErrWaitEnded}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	s := r.start()
	spec := r.spec(500)
	id := create(t, s, spec)
	r.store.waitCalls(t, 8)
	if _, err := s.Pause(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	if j := waitFor(t, s, id, status(job.Paused)); j.Progress.Done() != 0 {
		t.Errorf("%+v: nothing has been done", j.Progress)
	}
	away.Store(false)
	if _, err := s.Resume(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, spec, waitFor(t, s, id, final), 500)
}
