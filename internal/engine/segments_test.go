package engine_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// weighing remembers how large a job's checkpoint became, and which pages are there.
type weighing struct {
	engine.Carrier
	mu    sync.Mutex
	most  int
	pages map[string]bool
	high  int // pages at a time, at most
	// removed is closed when the record of the job is, the last thing that goes.
	removed chan struct{}
}

func (w *weighing) Update(ctx context.Context, b engine.Bucket, key string, v []byte, rev uint64) (uint64, error) {
	if strings.HasPrefix(key, "ckpt.") {
		w.mu.Lock()
		w.most = max(w.most, len(v))
		w.mu.Unlock()
	}
	return w.Carrier.Update(ctx, b, key, v, rev)
}

func (w *weighing) Put(ctx context.Context, b engine.Bucket, key string, v []byte) (uint64, error) {
	if strings.HasPrefix(key, "segs.") {
		w.mu.Lock()
		w.pages[key] = true
		w.high = max(w.high, len(w.pages))
		w.mu.Unlock()
	}
	return w.Carrier.Put(ctx, b, key, v)
}

func (w *weighing) Delete(ctx context.Context, b engine.Bucket, key string) error {
	w.mu.Lock()
	delete(w.pages, key)
	w.mu.Unlock()
	err := w.Carrier.Delete(ctx, b, key)
	if err == nil && strings.HasPrefix(key, "job.") {
		close(w.removed)
	}
	return err
}

// With all segments in the checkpoint, a job of some ten billion rows came to the carrier's largest message and waited
// there for good.
func TestCheckpointDoesNotGrowWithTheSegments(t *testing.T) {
	t.Parallel()
	const rows = 9000
	r := newRig(t, func(o *engine.Options) { o.SmallSegments(1, 8) }) // a segment for each hand-in
	w := &weighing{pages: map[string]bool{}, removed: make(chan struct{})}
	r.wrap = func(c engine.Carrier) engine.Carrier { w.Carrier = c; return w }
	half := make(chan struct{})
	after(r.store, rows/2, func() { close(half) })
	s := r.start()
	spec := r.spec(rows)
	id := create(t, s, spec)
	<-half
	r.stop() // what comes after goes on with the pages of what was before
	s = r.start()
	wantWhole(t, spec, waitFor(t, s, id, final), rows)
	<-w.removed // a job is final before what it had is removed
	r.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Logf("checkpoint at most %d bytes, %d pages", w.most, w.high)
	if w.high < 8 {
		t.Errorf("%d pages only: the test does not show what it is for", w.high)
	}
	if w.most > 8<<10 {
		t.Errorf("the checkpoint took %d bytes with %d pages of 8 segments", w.most, w.high)
	}
	if len(w.pages) > 0 {
		t.Errorf("pages are left behind: %v", w.pages)
	}
}

// purges counts the commits of a job: each purges what it took in.
type purges struct {
	engine.Carrier
	n atomic.Int64
}

func (p *purges) PurgeResults(ctx context.Context, id job.ID, seq uint64) error {
	p.n.Add(1)
	return p.Carrier.PurgeResults(ctx, id, seq)
}

// Without a report nothing but the clock closed a segment, and the carrier had to keep up to a minute of hand-ins.
func TestSegmentClosesByWhatTheCarrierKeeps(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	r := newRig(t, func(o *engine.Options) { o.SmallSegments(4<<10, 8) }) // less than a chunk's hand-in in a quarter of it
	p := new(purges)
	r.wrap = func(c engine.Carrier) engine.Carrier { p.Carrier = c; return p }
	s := r.start()
	spec := r.spec(rows)
	spec.Report = job.Report{}
	if j := waitFor(t, s, create(t, s, spec), final); j.Status != job.Complete || j.Progress.Succeeded != rows {
		t.Errorf("%s with %d of %d rows", j.Status, j.Progress.Succeeded, rows)
	}
	if n := p.n.Load(); n < 10 {
		t.Errorf("%d commits for 20 hand-ins of several KB", n)
	}
}
