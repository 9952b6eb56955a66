package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// archive is a store whose objects are restored when the test says so.
type archive struct {
	*fakeStore
	mu      sync.Mutex
	asked   map[job.Key]int
	looked  map[job.Key]int
	looks   int
	missing func(job.Key) bool
	ready   func(k job.Key, looks int) bool
	came    chan struct{} // replaced and closed at each call
}

func newArchive() *archive {
	return &archive{
		fakeStore: newFakeStore(), asked: map[job.Key]int{}, looked: map[job.Key]int{}, came: make(chan struct{}),
		missing: func(job.Key) bool { return false }, ready: func(job.Key, int) bool { return true },
	}
}

func (a *archive) note() { close(a.came); a.came = make(chan struct{}) }

func (a *archive) Restore(_ context.Context, r object.RestoreRequest) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.note()
	if a.asked[r.Ref.Key]++; a.missing(r.Ref.Key) {
		return 0, &object.Error{Op: "Restore", Code: object.CodeNoSuchKey, Status: 404}
	}
	if a.asked[r.Ref.Key] > 1 {
		return 0, &object.Error{Op: "Restore", Code: object.CodeRestoreInProgress, Status: 409}
	}
	return 202, nil
}

func (a *archive) Head(_ context.Context, r object.Ref) (object.Info, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.note()
	a.looks++
	a.looked[r.Key]++
	info := object.Info{Class: "GLACIER", Restore: &object.RestoreState{Ongoing: true}}
	if a.ready(r.Key, a.looked[r.Key]) {
		info.Restore = &object.RestoreState{Expiry: time.Unix(1<<31, 0)}
	}
	return info, nil
}

// wait waits until ok, which is called with the archive locked.
func (a *archive) wait(t *testing.T, ok func() bool) {
	t.Helper()
	late := time.After(60 * time.Second)
	for {
		a.mu.Lock()
		done, ch := ok(), a.came
		a.mu.Unlock()
		if done {
			return
		}
		select {
		case <-ch:
		case <-late:
			t.Fatal("the calls did not come")
		}
	}
}

func archiveRig(t *testing.T, options func(*engine.Options)) (*rig, *archive) {
	t.Helper()
	a := newArchive()
	r := newRig(t, func(o *engine.Options) {
		o.Stores = anyStore{a}
		o.LookFirst, o.LookLongest = 50*time.Millisecond, 200*time.Millisecond
		if options != nil {
			options(o)
		}
	})
	return r, a
}

// anyStore gives one store to all.
type anyStore struct{ s object.Store }

func (s anyStore) Store(context.Context, job.Account, job.Role, job.Region) (object.Store, error) {
	return s.s, nil
}

func (s anyStore) Default() job.Region { return "local" }

func (r *rig) restoreSpec(n int) job.Spec {
	spec := r.spec(n)
	spec.Operation = &operation.Restore{Days: 7, Tier: "Bulk", Wait: true}
	return spec
}

func TestRestoreWaitsUntilObjectsCanBeRead(t *testing.T) {
	t.Parallel()
	r, a := archiveRig(t, nil)
	a.missing = func(k job.Key) bool { return strings.HasSuffix(string(k), "7%.txt") }
	a.ready = func(k job.Key, looks int) bool { return looks > len(k)%3 }
	s := r.start()
	spec := r.restoreSpec(1234)
	id := create(t, s, spec)
	j := waitFor(t, s, id, final)
	wantWhole(t, spec, j, 1234)
	if j.Progress.Failed != 123 || j.Progress.Requested != 1234 {
		t.Errorf("%+v", j.Progress)
	}
	for k, n := range a.asked {
		if n != 1 {
			t.Fatalf("%q was asked for %d times", k, n)
		}
		if want := len(k)%3 + 1; !a.missing(k) && a.looked[k] != want || a.missing(k) && a.looked[k] != 0 {
			t.Fatalf("%q was looked at %d times, and could be read at look %d", k, a.looked[k], want)
		}
	}
}

func TestWaitingForRestorationsHoldsNothing(t *testing.T) {
	t.Parallel()
	r, a := archiveRig(t, func(o *engine.Options) { o.MaxActive, o.LookFirst = 1, time.Hour })
	a.ready = func(job.Key, int) bool { return false }
	s := r.start()
	id := create(t, s, r.restoreSpec(300))
	j := waitFor(t, s, id, func(j job.Job) bool {
		return strings.Contains(j.StatusReason, "Looking again at") && j.Progress.Requested == 300
	})
	if j.Status != job.Active || j.Progress.Requested != 300 || j.Progress.Done() != 0 {
		t.Errorf("job is %s with %+v", j.Status, j.Progress)
	}
	if q, err := r.carrier.State(t.Context(), id); err != nil || q != (engine.QueueState{}) {
		t.Errorf("queue %+v, %v: nothing is leased or waits", q, err)
	}
	other := r.spec(200)
	wantWhole(t, other, waitFor(t, s, create(t, s, other), final), 200) // the one place of the account is free
	if j, err := s.Job(t.Context(), caller, id); err != nil || j.Status != job.Active {
		t.Errorf("the waiting job is %s, %v", j.Status, err)
	}
	if _, err := s.Cancel(t.Context(), caller, id, "no longer needed"); err != nil {
		t.Fatal(err)
	}
	if j := waitFor(t, s, id, final); j.Status != job.Cancelled || a.looks != 0 {
		t.Errorf("job is %s after %d looks", j.Status, a.looks)
	}
}

func TestRestoreWaitOutlivesRestartsAndPauses(t *testing.T) {
	t.Parallel()
	r, a := archiveRig(t, nil)
	open := false
	a.ready = func(job.Key, int) bool { return open }
	s := r.start()
	spec := r.restoreSpec(500)
	id := create(t, s, spec)
	for range 2 {
		a.mu.Lock()
		before := a.looks
		a.mu.Unlock()
		a.wait(t, func() bool { return a.looks >= before+500 })
		r.stop()
		s = r.start()
	}
	if _, err := s.Pause(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, s, id, status(job.Paused))
	a.mu.Lock()
	open = true
	a.mu.Unlock()
	if _, err := s.Resume(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, spec, waitFor(t, s, id, final), 500)
	for k, n := range a.asked {
		if n != 1 {
			t.Fatalf("%q was asked for %d times", k, n)
		}
	}
}

func TestRestoreWaitEndsWhatNeverBecomesReadable(t *testing.T) {
	t.Parallel()
	r, a := archiveRig(t, func(o *engine.Options) { o.LookLimit = 300 * time.Millisecond })
	a.ready = func(k job.Key, _ int) bool { return k != key(7) }
	s := r.start()
	spec := r.restoreSpec(150)
	j := waitFor(t, s, create(t, s, spec), final)
	wantWhole(t, spec, j, 150)
	if p := j.Progress; p.Failed != 1 || p.ByCode[0].Code != "RestoreNotReady" || p.ByCode[0].Samples[0] != key(7) {
		t.Errorf("%+v", p)
	}
}

func TestFailureRuleCountsRestorationsThatWereTaken(t *testing.T) {
	t.Parallel()
	r, a := archiveRig(t, nil)
	a.missing = thirds()
	s := r.start()
	spec := r.restoreSpec(5000)
	j := waitFor(t, s, create(t, s, spec), final)
	wantWhole(t, spec, j, 5000)
	if j.Progress.Failed < 1000 {
		t.Errorf("%+v", j.Progress)
	}
}

// thirds is every third key.
func thirds() func(job.Key) bool {
	bad := map[job.Key]bool{}
	for i := 0; i < 5000; i += 3 {
		bad[key(i)] = true
	}
	return func(k job.Key) bool { return bad[k] }
}

func TestRestoreWaitCrashPoints(t *testing.T) {
	t.Parallel()
	nth := func(n int, want, key, holds string) func(op, k string, v []byte) bool {
		return func(op, k string, v []byte) bool {
			if op == want && strings.HasPrefix(k, key) && strings.Contains(string(v), holds) {
				n--
			}
			return n == 0
		}
	}
	for name, at := range map[string]func(op, key string, v []byte) bool{
		"call handed in, not acknowledged":          nth(3, "after result", "", ""),
		"all asked for, phase not begun":            nth(1, "before put", "cursor.", `"Look"`),
		"phase begun, before its first look":        nth(1, "before publish look", "", ""),
		"look handed in, not acknowledged":          nth(9, "after result", "", ""),
		"round over, not noted":                     nth(2, "before put", "cursor.", `"Look"`),
		"collector after its intent in the looks":   nth(2, "after update", "ckpt.", `"Pending":{`),
		"collector before the looks' checkpoint":    nth(2, "before update", "ckpt.", `"Pending":null`),
		"looked, not yet counted among the waiting": nth(2, "before update", "state.", `"For":"round"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, a := archiveRig(t, nil)
			a.missing = func(k job.Key) bool { return strings.HasSuffix(string(k), "7%.txt") }
			a.ready = func(k job.Key, looks int) bool { return looks > len(k)%4 }
			cut := &cutting{at: at, cut: make(chan struct{})}
			r.wrap = func(c engine.Carrier) engine.Carrier { cut.Carrier = c; return cut }
			s := r.start()
			spec := r.restoreSpec(600)
			id := create(t, s, spec)
			select {
			case <-cut.cut:
			case <-time.After(30 * time.Second):
				t.Fatal("the point was not reached")
			}
			r.crash()
			r.wrap = nil
			s = r.start()
			j := waitFor(t, s, id, final)
			wantWhole(t, spec, j, 600)
			if j.Progress.Failed != 60 || j.Progress.Requested != 600 {
				t.Errorf("%+v", j.Progress)
			}
		})
	}
}
