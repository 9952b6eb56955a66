package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// after calls f once, when n copies have begun.
func after(s *fakeStore, n int, f func()) {
	var once sync.Once
	count := 0
	s.onCopy = func(context.Context, job.Key) error {
		s.mu.Lock()
		count++
		hit := count == n
		s.mu.Unlock()
		if hit {
			once.Do(f)
		}
		return nil
	}
}

func TestLostQueueIsSweptUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.start()
	spec := r.spec(4000)
	var id job.ID
	known := make(chan struct{})
	after(r.store, 500, func() {
		<-known
		if err := r.carrier.Purge(context.Background(), id); err != nil {
			t.Errorf("purge: %v", err)
		}
	})
	id = create(t, s, spec)
	close(known)
	wantWhole(t, spec, waitFor(t, s, id, final), 4000)
}

// losing drops results on their way, as a carrier that lost them would.
type losing struct {
	engine.Carrier
	mu   sync.Mutex
	left int
}

func (l *losing) PublishResult(ctx context.Context, n engine.ResultName, b []byte) error {
	l.mu.Lock()
	drop := l.left > 0
	l.left--
	l.mu.Unlock()
	if drop {
		return nil
	}
	return l.Carrier.PublishResult(ctx, n, b)
}

func TestLostResultsAreRunAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.wrap = func(c engine.Carrier) engine.Carrier { return &losing{Carrier: c, left: 3} }
	s := r.start()
	spec := r.spec(2000)
	wantWhole(t, spec, waitFor(t, s, create(t, s, spec), final), 2000)
	if total, most := r.store.calls(); total <= 2000 || most != 2 {
		t.Errorf("%d calls, at most %d a key: the lost rows should have run twice", total, most)
	}
}

// doubling stores every result twice and hands out every chunk as if it were new.
type doubling struct{ engine.Carrier }

func (d doubling) PublishResult(ctx context.Context, n engine.ResultName, b []byte) error {
	if err := d.Carrier.PublishResult(ctx, n, b); err != nil {
		return err
	}
	n.Attempt += "-again"
	return d.Carrier.PublishResult(ctx, n, b)
}

func TestDoubledResultsCountOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.wrap = func(c engine.Carrier) engine.Carrier { return doubling{c} }
	s := r.start()
	spec := r.spec(3000)
	wantWhole(t, spec, waitFor(t, s, create(t, s, spec), final), 3000)
}

// cutting fails every write from a point on, as a process does that was killed there.
type cutting struct {
	engine.Carrier
	at   func(op, key string, value []byte) bool
	mu   sync.Mutex
	dead bool
	cut  chan struct{}
}

var errCut = errors.New("cut off")

func (c *cutting) hit(op, key string, v []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead && c.at(op, key, v) {
		c.dead = true
		close(c.cut)
	}
	return c.dead
}

func (c *cutting) Update(ctx context.Context, b engine.Bucket, key string, v []byte, rev uint64) (uint64, error) {
	if c.hit("before update", key, v) {
		return 0, errCut
	}
	n, err := c.Carrier.Update(ctx, b, key, v, rev)
	if c.hit("after update", key, v) {
		return 0, errCut
	}
	return n, err
}

func (c *cutting) Put(ctx context.Context, b engine.Bucket, key string, v []byte) (uint64, error) {
	if c.hit("before put", key, v) {
		return 0, errCut
	}
	return c.Carrier.Put(ctx, b, key, v)
}

func (c *cutting) Publish(ctx context.Context, id job.ID, phase int, chunk int64, data []byte) error {
	if c.hit("before publish", "", nil) || phase > 0 && c.hit("before publish look", "", nil) {
		return errCut
	}
	err := c.Carrier.Publish(ctx, id, phase, chunk, data)
	if c.hit("after publish", "", nil) {
		return errCut
	}
	return err
}

func (c *cutting) PublishResult(ctx context.Context, n engine.ResultName, b []byte) error {
	if c.hit("before result", "", nil) {
		return nil // nobody is left to try it again
	}
	err := c.Carrier.PublishResult(ctx, n, b)
	if c.hit("after result", "", nil) {
		return nil
	}
	return err
}

func (c *cutting) PurgeResults(ctx context.Context, id job.ID, upTo uint64) error {
	if c.hit("before purge", "", nil) {
		return errCut
	}
	return c.Carrier.PurgeResults(ctx, id, upTo)
}

func (c *cutting) Delete(ctx context.Context, b engine.Bucket, key string) error {
	if c.hit("before delete", key, nil) {
		return errCut
	}
	return c.Carrier.Delete(ctx, b, key)
}

// maxInFlight is how many rows can have been worked on and not handed in: of the chunks that are held at a time.
const maxInFlight = 16 * 100

func TestCrashPoints(t *testing.T) {
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
		"while preparing, plan not written":       nth(1, "before put", "plan.", ""),
		"before the move to Active":               nth(1, "before update", "state.", `"Status":"Active"`),
		"after the move to Active":                nth(1, "after update", "state.", `"Status":"Active"`),
		"dispatcher before a publish":             nth(7, "before publish", "", ""),
		"dispatcher after a publish":              nth(7, "after publish", "", ""),
		"worker before handing in":                nth(5, "before result", "", ""),
		"worker after handing in, before its ack": nth(5, "after result", "", ""),
		"collector before its intent":             nth(1, "before update", "ckpt.", `"Pending":{`),
		"collector after its intent, no file":     nth(1, "after update", "ckpt.", `"Pending":{`),
		"collector after the files":               nth(1, "before update", "ckpt.", `"Pending":null`),
		"collector after the checkpoint":          nth(1, "after update", "ckpt.", `"Pending":null`),
		"collector before the purge":              nth(1, "before purge", "", ""),
		"in Completing":                           nth(1, "after update", "state.", `"Status":"Completing"`),
		"report written, status not":              nth(1, "before update", "state.", `"Status":"Complete"`),
		"Complete, not yet with the finished":     nth(1, "before put", "done.", ""),
		"with the finished, record still there":   nth(1, "before delete", "job.", ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			cut := &cutting{at: at, cut: make(chan struct{})}
			r.wrap = func(c engine.Carrier) engine.Carrier { cut.Carrier = c; return cut }
			s := r.start()
			spec := r.spec(3000)
			id := create(t, s, spec)
			<-cut.cut
			r.crash()
			r.wrap = nil
			s = r.start()
			wantWhole(t, spec, waitFor(t, s, id, final), 3000)
			// The rows whose results were on the way run again; nothing else does.
			total, most := r.store.calls()
			if most > 2 || total > 3000+maxInFlight {
				t.Errorf("%d calls, at most %d a key", total, most)
			}
		})
	}
}

func TestManifestChangedUnderTheJobEndsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec(20_000)
	after(r.store, 300, func() {
		if err := os.WriteFile(spec.Manifest.Location.Path, []byte("src,other\n"), 0o600); err != nil {
			t.Error(err)
		}
	})
	s := r.start()
	j := waitFor(t, s, create(t, s, spec), final)
	if j.Status != job.Failed || len(j.Failures) != 1 || j.Failures[0].Code != "ManifestFileChanged" || !strings.Contains(j.Failures[0].Reason, "list.csv") {
		t.Fatalf("job is %s, %v", j.Status, j.Failures)
	}
	ok, failed := reportRows(t, spec, j)
	if total, _ := r.store.calls(); len(ok) != total || len(failed) != 0 || j.Progress.Succeeded != int64(total) {
		t.Errorf("%d + %d rows in the report, %d calls, %+v", len(ok), len(failed), total, j.Progress)
	}
}

func TestReportThatCannotBeWrittenIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec(3000)
	results := func(j job.Job) string {
		return filepath.Join(spec.Report.Path, "job-"+string(j.ID), "results")
	}
	spec.ConfirmationRequired = true
	s := r.start()
	id := create(t, s, spec)
	j := waitFor(t, s, id, status(job.Suspended))
	if err := os.WriteFile(results(j), nil, 0o600); err != nil { // a file where the folder has to be
		t.Fatal(err)
	}
	if _, err := s.Confirm(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, s, id, func(j job.Job) bool { return strings.Contains(j.StatusReason, "cannot be committed") })
	if err := os.Remove(results(j)); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, spec, waitFor(t, s, id, final), 3000)
}
