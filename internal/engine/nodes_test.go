package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
)

// severed is a carrier that a node can be cut off from: as if its process had been stopped.
type severed struct {
	engine.Carrier
	mu   sync.Mutex
	cut  bool
	mute bool // no beat gets through
}

var errSevered = errors.New("cut off from the carrier")

func (s *severed) off() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		return errSevered
	}
	return nil
}

func (s *severed) sever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
}

func (s *severed) setMute(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = on
}

func (s *severed) muted(b engine.Bucket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mute && b == engine.Live
}

func (s *severed) Put(ctx context.Context, b engine.Bucket, k string, v []byte) (uint64, error) {
	if err := s.off(); err != nil {
		return 0, err
	}
	if s.muted(b) {
		return 0, errSevered
	}
	return s.Carrier.Put(ctx, b, k, v)
}

func (s *severed) Update(ctx context.Context, b engine.Bucket, k string, v []byte, rev uint64) (uint64, error) {
	if err := s.off(); err != nil {
		return 0, err
	}
	return s.Carrier.Update(ctx, b, k, v, rev)
}

func (s *severed) Publish(ctx context.Context, id job.ID, phase int, chunk int64, d []byte) error {
	if err := s.off(); err != nil {
		return err
	}
	return s.Carrier.Publish(ctx, id, phase, chunk, d)
}

func (s *severed) PublishResult(ctx context.Context, n engine.ResultName, b []byte) error {
	if err := s.off(); err != nil {
		return err
	}
	return s.Carrier.PublishResult(ctx, n, b)
}

func (s *severed) Claim(ctx context.Context, id job.ID, wait time.Duration) (engine.Lease, error) {
	if err := s.off(); err != nil {
		return nil, err
	}
	return s.Carrier.Claim(ctx, id, wait)
}

func (s *severed) Delete(ctx context.Context, b engine.Bucket, k string) error {
	if err := s.off(); err != nil {
		return err
	}
	return s.Carrier.Delete(ctx, b, k)
}

// twoNodes runs two engines on one carrier.
type twoNodes struct {
	r     *rig
	links [2]*severed
	svc   [2]*engine.Service

	engines [2]*engine.Engine
	stop    [2]func() error
}

func newTwoNodes(t *testing.T) *twoNodes {
	t.Helper()
	n := &twoNodes{r: &rig{t: t, dir: t.TempDir(), store: newFakeStore()}}
	c, err := carrier.Open(t.Context(), carrier.Options{Dir: filepath.Join(n.r.dir, "js"), AckWait: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range n.stop {
			if err := n.stop[i](); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range n.links {
		n.links[i] = &severed{Carrier: c}
		e, err := engine.New(engine.Options{
			Carrier: n.links[i], Stores: stores{n.r.store}, Dir: filepath.Join(n.r.dir, "scratch", string(rune('a'+i))),
			ChunkRows: 100, Concurrency: 8, LeaseTerm: 3 * time.Second, Drain: time.Second,
			Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)).With("node", i),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		n.stop[i] = sync.OnceValue(func() error { cancel(); return <-ended })
		<-e.Ready()
		n.svc[i], n.engines[i] = e.Service(), e
	}
	return n
}

func TestTwoNodesShareAJob(t *testing.T) {
	t.Parallel()
	n := newTwoNodes(t)
	spec := n.r.spec(6000)
	id := create(t, n.svc[0], spec)
	j := waitFor(t, n.svc[1], id, final) // seen from the other node
	wantWhole(t, spec, j, 6000)
	if total, most := n.r.store.calls(); total != 6000 || most != 1 {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
}

func TestPauseReachesTheOtherNode(t *testing.T) {
	t.Parallel()
	n := newTwoNodes(t)
	open := gate(n.r.store)
	spec := n.r.spec(4000)
	id := create(t, n.svc[0], spec)
	n.r.store.waitCalls(t, 16) // both nodes are at work
	if _, err := n.svc[1].Pause(t.Context(), caller, id, "from the other node"); err != nil {
		t.Fatal(err)
	}
	open()
	j := waitFor(t, n.svc[0], id, status(job.Paused))
	if calls, _ := n.r.store.calls(); j.Progress.Done() != int64(calls) {
		t.Errorf("%d done, %d calls: what was in flight is counted", j.Progress.Done(), calls)
	}
	if _, err := n.svc[0].Resume(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, spec, waitFor(t, n.svc[1], id, final), 4000)
}

func TestAnotherNodeTakesOver(t *testing.T) {
	t.Parallel()
	n := newTwoNodes(t)
	spec := n.r.spec(8000)
	var id job.ID
	known := make(chan struct{})
	after(n.r.store, 1500, func() {
		<-known
		n.links[0].sever() // whichever leads: its heartbeat, its claims and its results end here
	})
	id = create(t, n.svc[0], spec)
	close(known)
	j := waitFor(t, n.svc[1], id, final)
	wantWhole(t, spec, j, 8000)
	if _, most := n.r.store.calls(); most > 2 {
		t.Errorf("a key was copied %d times", most)
	}
}

func TestStoppedNodeHandsOverAtOnce(t *testing.T) {
	t.Parallel()
	n := newTwoNodes(t)
	spec := n.r.spec(8000)
	half := make(chan struct{})
	after(n.r.store, 3000, func() { close(half) })
	id := create(t, n.svc[0], spec)
	<-half
	if err := n.stop[0](); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, spec, waitFor(t, n.svc[1], id, final), 8000)
	if total, most := n.r.store.calls(); total != 8000 || most != 1 {
		t.Errorf("%d calls, at most %d a key: a drained node repeats nothing", total, most)
	}
}

// TestNobodyTakesOverWhileNoBeatGetsThrough has Live without writes until all beats have expired, as when the carrier
// has lost a leader: whoever led goes on leading.
func TestNobodyTakesOverWhileNoBeatGetsThrough(t *testing.T) {
	t.Parallel()
	n := newTwoNodes(t)
	open := gate(n.r.store)
	spec := n.r.spec(3000)
	id := create(t, n.svc[0], spec)
	n.r.store.waitCalls(t, 8)
	epoch := func() string {
		r, err := n.links[0].Get(t.Context(), engine.Jobs, "state."+string(id))
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			Epoch  int
			Leader string
		}
		if err := json.Unmarshal(r.Value, &s); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(s)
	}
	before := epoch()
	for _, l := range n.links {
		l.setMute(true)
	}
	gone := 0
	watchUntil(t, n.links[0].Carrier, engine.Live, func(r engine.Record) bool {
		if r.Deleted && strings.HasPrefix(r.Key, "node.") {
			gone++
		}
		return gone == 2
	})
	for i, l := range n.links {
		if n.engines[i].Heard() {
			t.Errorf("node %d says that it is heard of", i)
		}
		l.setMute(false)
	}
	open()
	j := waitFor(t, n.svc[1], id, final)
	wantWhole(t, spec, j, 3000)
	beats := map[string]int{}
	watchUntil(t, n.links[0].Carrier, engine.Live, func(r engine.Record) bool {
		if strings.HasPrefix(r.Key, "node.") && !r.Deleted {
			beats[r.Key]++
		}
		for _, times := range beats {
			if times < 3 { // the first may be an old one, and a node knows of a beat before it sends the next
				return false
			}
		}
		return len(beats) == len(n.engines)
	})
	for i, e := range n.engines {
		if !e.Heard() {
			t.Errorf("node %d says that it is not heard of", i)
		}
	}
	if after := finalState(t, n.links[0].Carrier, id); after != before {
		t.Errorf("the job is led by %s, was by %s", after, before)
	}
}

// watchUntil watches a bucket until seen says that it is enough.
func watchUntil(t *testing.T, c engine.Carrier, b engine.Bucket, seen func(engine.Record) bool) {
	t.Helper()
	enough := errors.New("seen")
	err := c.Watch(t.Context(), b, func(r engine.Record) error {
		if seen(r) {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
}

// finalState gives epoch and leader of a finished job, whose record is written a little after it is shown as final.
func finalState(t *testing.T, c engine.Carrier, id job.ID) string {
	t.Helper()
	var r engine.Record
	watchUntil(t, c, engine.Done, func(have engine.Record) bool {
		r = have
		return have.Key == "done."+string(id)
	})
	var d struct {
		State struct {
			Epoch  int
			Leader string
		}
	}
	if err := json.Unmarshal(r.Value, &d); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(d.State)
}
