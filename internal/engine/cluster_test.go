package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
)

// threeNodes runs three engines, each on a node of a cluster of its own and over the same store; each leads and works.
type threeNodes struct {
	r        *rig // its folder, store and specs
	carriers [3]*carrier.Carrier
	svc      [3]*engine.Service
}

// freeAddresses gives loopback addresses that nobody listens on.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		all = append(all, l.Addr().String())
	}
	return all
}

// newThreeNodes starts them. term is that of leases; settle may change a node's settings before.
func newThreeNodes(t *testing.T, term time.Duration, settle func(i int, o *carrier.Options)) *threeNodes {
	t.Helper()
	n := &threeNodes{r: &rig{t: t, dir: t.TempDir(), store: newFakeStore()}}
	routes := freeAddresses(t, len(n.carriers))
	var wg sync.WaitGroup
	t.Cleanup(func() { // all at once, for they need each other
		for _, c := range n.carriers {
			if c != nil {
				wg.Go(func() {
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
	})
	for i := range n.carriers {
		o := carrier.Options{
			Dir: filepath.Join(n.r.dir, fmt.Sprint("n", i)), MaxStore: 1 << 30, AckWait: term,
			Cluster: &carrier.Cluster{Name: "test", Node: fmt.Sprint("n", i), Listen: routes[i], Routes: routes},
		}
		if settle != nil {
			settle(i, &o)
		}
		wg.Go(func() {
			var err error
			if n.carriers[i], err = carrier.Open(t.Context(), o); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for i := range n.carriers {
		n.startEngine(i, term)
	}
	return n
}

// startEngine starts a node's engine, which ends with the test.
func (n *threeNodes) startEngine(i int, term time.Duration) {
	t := n.r.t
	t.Helper()
	e, err := engine.New(engine.Options{
		Carrier: n.carriers[i], Stores: stores{n.r.store}, Dir: filepath.Join(n.r.dir, fmt.Sprint("scratch", i)), ChunkRows: 100, Concurrency: 8, LeaseTerm: term,
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)).With("node", i),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("node %d: %v", i, err)
		}
	})
	select {
	case <-e.Ready():
	case <-t.Context().Done():
		t.Fatal("the test ended before the engine was ready")
	}
	n.svc[i] = e.Service()
}

// TestQueueDeletedByHandIsNoticedAtOnce deletes a running job's queue in a cluster, where no process can tell that from
// another's shutting it but the job's leader. What workers held is waited for, so that nothing runs twice.
func TestQueueDeletedByHandIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	const rows = 6000
	n := newThreeNodes(t, 3*time.Second, nil)
	spec := n.r.spec(rows)
	var id job.ID
	var lost time.Time
	known := make(chan struct{})
	atCopies(n.r.store, func() {
		<-known
		lost = time.Now()
		if err := n.carriers[2].LoseQueue(context.Background(), id); err != nil {
			t.Error(err)
		}
	}, 2000)
	id = create(t, n.svc[0], spec)
	close(known)
	j := waitFor(t, n.svc[1], id, final)
	wantWhole(t, spec, j, rows)
	if total, most := n.r.store.calls(); total != rows || most != 1 {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
	i := slices.IndexFunc(j.Events, func(e job.Event) bool { return e.To == job.Pausing })
	if i < 0 {
		t.Fatalf("nobody noticed: %+v", j.Events)
	}
	if after := j.Events[i].Time.Sub(lost); after < 0 || after > 5*time.Second {
		t.Errorf("noticed after %v", after)
	}
	for _, e := range j.Events[i:] {
		t.Logf("%v after the loss: %s, %s", e.Time.Sub(lost).Round(time.Millisecond), e.To, e.Reason)
	}
}
