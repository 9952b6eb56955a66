package engine_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// denyReport puts a file where the report's results folder has to be.
func denyReport(t *testing.T, spec job.Spec, id job.ID) (allow func()) {
	t.Helper()
	name := filepath.Join(spec.Report.Path, "job-"+string(id), "results")
	away := name + ".away"
	if err := os.Rename(name, away); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(away, name); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func TestReportThatStaysAwayFailsTheJobAndKeepsItsRows(t *testing.T) {
	t.Parallel()
	var late atomic.Bool
	r := newRig(t, func(o *engine.Options) {
		o.MaxActive = 1
		o.Now = func() time.Time {
			if late.Load() {
				return time.Now().Add(25 * time.Hour).UTC()
			}
			return time.Now().UTC()
		}
	})
	spec := r.spec(3000)
	spec.ConfirmationRequired = true
	s := r.start()
	id := create(t, s, spec)
	waitFor(t, s, id, status(job.Suspended))
	denyReport(t, spec, id)
	if _, err := s.Confirm(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	r.store.waitCalls(t, 3000)
	waitFor(t, s, id, func(j job.Job) bool { return strings.Contains(j.StatusReason, "cannot be committed") })
	r.stop()
	late.Store(true) // a day later, over a restart
	s = r.start()
	j := waitFor(t, s, id, final)
	if j.Status != job.Failed || len(j.Failures) != 1 || j.Failures[0].Code != "ReportNotWritable" || j.Progress.Succeeded != 3000 {
		t.Fatalf("job is %s with %+v, %v", j.Status, j.Progress, j.Failures)
	}
	if total, most := r.store.calls(); total != 3000 || most != 1 {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
	files, err := s.ReportFiles(t.Context(), caller, id)
	if err != nil || len(files) == 0 {
		t.Fatalf("report: %v, %v", files, err)
	}
	rows := 0
	for _, f := range files {
		body, size, err := s.ReportFile(t.Context(), caller, id, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil || int64(len(b)) != size {
			t.Fatal(err, size)
		}
		_ = body.Close()
		rows += strings.Count(string(b), "\n")
	}
	if rows != 3000 {
		t.Errorf("%d rows are kept", rows)
	}
	if err := s.Delete(t.Context(), caller, id); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(r.dir, "scratch", "kept")); len(left) != 0 {
		t.Errorf("left of a deleted job: %v", left)
	}
}

func TestReasonGoesWhenTheReportIsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec(60_000)
	spec.ConfirmationRequired = true
	s := r.start()
	id := create(t, s, spec)
	waitFor(t, s, id, status(job.Suspended))
	allow := denyReport(t, spec, id)
	if _, err := s.Confirm(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	j := waitFor(t, s, id, func(j job.Job) bool { return strings.Contains(j.StatusReason, "cannot be committed") })
	if j.Status != job.Active {
		t.Errorf("job is %s", j.Status)
	}
	allow()
	waitFor(t, s, id, func(j job.Job) bool { return !strings.Contains(j.StatusReason, "cannot be committed") })
	wantWhole(t, spec, waitFor(t, s, id, final), 60_000)
}

func TestResultsAtTheirBoundAreWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	full := &filling{often: make(chan struct{})}
	r.wrap = func(c engine.Carrier) engine.Carrier { full.Carrier = c; return full }
	full.full.Store(true)
	s := r.start()
	spec := r.spec(5000)
	id := create(t, s, spec)
	r.store.waitCalls(t, 200) // as many as may be held and not handed in
	<-full.often
	full.full.Store(false)
	wantWhole(t, spec, waitFor(t, s, id, final), 5000)
	if total, most := r.store.calls(); total != 5000 || most != 1 {
		t.Errorf("%d calls, at most %d a key: what could not be handed in was dropped", total, most)
	}
}

// filling is a carrier that is full.
type filling struct {
	engine.Carrier
	full    atomic.Bool
	refused atomic.Int64
	often   chan struct{} // closed when it has refused 50 times
}

func (f *filling) PublishResult(ctx context.Context, n engine.ResultName, b []byte) error {
	if f.full.Load() {
		if f.refused.Add(1) == 50 {
			close(f.often)
		}
		return engine.ErrFull
	}
	return f.Carrier.PublishResult(ctx, n, b)
}

// crowded is a carrier that takes no chunks.
type crowded struct {
	engine.Carrier
	full atomic.Bool
}

func (c *crowded) Publish(ctx context.Context, id job.ID, phase int, chunk int64, data []byte) error {
	if c.full.Load() {
		return fmt.Errorf("publish: %w", engine.ErrFull)
	}
	return c.Carrier.Publish(ctx, id, phase, chunk, data)
}

func TestEngineWithoutRoomIsWaitedForAndNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := &crowded{}
	r.wrap = func(k engine.Carrier) engine.Carrier { c.Carrier = k; return c }
	c.full.Store(true)
	s := r.start()
	spec := r.spec(3000)
	id := create(t, s, spec)
	waitFor(t, s, id, func(j job.Job) bool {
		return strings.Contains(j.StatusReason, "engine takes further chunks. queue is full")
	})
	c.full.Store(false)
	waitFor(t, s, id, func(j job.Job) bool { return !strings.Contains(j.StatusReason, "takes further chunks") })
	wantWhole(t, spec, waitFor(t, s, id, final), 3000)
}

// awayStores is stores whose region can be away.
type awayStores struct {
	stores
	away *atomic.Bool
}

func (s awayStores) Away(job.Region) (time.Time, bool) { return time.Unix(0, 0), s.away.Load() }

func TestStoreThatIsAwayIsNamedAndHoldsNobody(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	r := newRig(t, nil)
	r.options = func(o *engine.Options) { o.MaxActive, o.Stores = 1, awayStores{stores{r.store}, &away} }
	open := gate(r.store)
	away.Store(true)
	s := r.start()
	first, second := r.spec(500), r.spec(500)
	a := create(t, s, first)
	j := waitFor(t, s, a, func(j job.Job) bool { return strings.Contains(j.StatusReason, "does not answer since") })
	if j.Status != job.Active {
		t.Errorf("job is %s", j.Status)
	}
	b := create(t, s, second)
	waitFor(t, s, b, status(job.Active)) // in the one place of the account, though the first is Active too
	away.Store(false)
	open()
	wantWhole(t, first, waitFor(t, s, a, final), 500)
	wantWhole(t, second, waitFor(t, s, b, final), 500)
}

func TestClockJumpsHarmNoJob(t *testing.T) {
	t.Parallel()
	var shift atomic.Int64
	r := newRig(t, func(o *engine.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())).UTC() }
	})
	n := 0
	r.store.onCopy = func(context.Context, job.Key) error {
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		n++
		switch n {
		case 1000:
			shift.Store(int64(48 * time.Hour))
		case 2500:
			shift.Store(-int64(48 * time.Hour))
		}
		return nil
	}
	s := r.start()
	spec := r.spec(5000)
	wantWhole(t, spec, waitFor(t, s, create(t, s, spec), final), 5000)
	if total, most := r.store.calls(); total != 5000 || most != 1 {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
}

func TestClockThatIsSetBackDelaysNoLook(t *testing.T) {
	t.Parallel()
	var shift atomic.Int64
	r, a := archiveRig(t, func(o *engine.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())).UTC() }
	})
	a.ready = func(_ job.Key, looks int) bool { return looks > 2 }
	s := r.start()
	spec := r.restoreSpec(100)
	id := create(t, s, spec)
	a.wait(t, func() bool { return a.looks >= 100 })
	shift.Store(-int64(1000 * time.Hour))
	wantWhole(t, spec, waitFor(t, s, id, final), 100)
}

func TestStopIsBoundedByTheDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *engine.Options) { o.Drain = 500 * time.Millisecond })
	r.store.onCopy = func(ctx context.Context, k job.Key) error { // a call that ends by its context alone
		if k != key(3) {
			return nil
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
	s := r.start()
	spec := r.spec(300)
	id := create(t, s, spec)
	waitFor(t, s, id, func(j job.Job) bool { return j.Progress.Done() == 299 })
	begun := time.Now()
	r.stop()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	r.store.onCopy = nil
	s = r.start()
	wantWhole(t, spec, waitFor(t, s, id, final), 300)
	if total, _ := r.store.calls(); total != 301 {
		t.Errorf("%d calls: one was cut off", total)
	}
}
