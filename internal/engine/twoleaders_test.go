package engine_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// stopper stops one of several nodes, as SIGSTOP does: the first whose leader makes a certain call. The call itself goes
// out once the node continues.
type stopper struct {
	at        func(op, key string) bool
	stopped   chan struct{} // closed when a node has stopped
	continues chan struct{} // closed when it continues
	mu        sync.Mutex
	who       *stoppable
}

// stoppable is a node's carrier and store.
type stoppable struct {
	engine.Carrier
	s     *stopper
	node  int
	store object.Store
}

// pass waits while the node is stopped.
func (n *stoppable) pass(op, key string) {
	n.s.mu.Lock()
	if n.s.who == nil && n.s.at(op, key) {
		n.s.who = n
		close(n.s.stopped)
	}
	mine := n.s.who == n
	n.s.mu.Unlock()
	if mine {
		<-n.s.continues
	}
}

func (n *stoppable) Get(ctx context.Context, b engine.Bucket, k string) (engine.Record, error) {
	n.pass("get", k)
	return n.Carrier.Get(ctx, b, k)
}

func (n *stoppable) Create(ctx context.Context, b engine.Bucket, k string, v []byte) (uint64, error) {
	n.pass("create", k)
	return n.Carrier.Create(ctx, b, k, v)
}

func (n *stoppable) Update(ctx context.Context, b engine.Bucket, k string, v []byte, rev uint64) (uint64, error) {
	n.pass("update", k)
	return n.Carrier.Update(ctx, b, k, v, rev)
}

func (n *stoppable) Put(ctx context.Context, b engine.Bucket, k string, v []byte) (uint64, error) {
	n.pass("put", k)
	return n.Carrier.Put(ctx, b, k, v)
}

func (n *stoppable) Watch(ctx context.Context, b engine.Bucket, f func(engine.Record) error) error {
	return n.Carrier.Watch(ctx, b, func(r engine.Record) error {
		n.pass("seen", "")
		return f(r)
	})
}

func (n *stoppable) Publish(ctx context.Context, id job.ID, phase int, chunk int64, d []byte) error {
	n.pass("publish", "")
	return n.Carrier.Publish(ctx, id, phase, chunk, d)
}

func (n *stoppable) Claim(ctx context.Context, id job.ID, wait time.Duration) (engine.Lease, error) {
	n.pass("claim", "")
	l, err := n.Carrier.Claim(ctx, id, wait)
	if l == nil || err != nil {
		return l, err
	}
	return &stoppableLease{l, n}, nil
}

func (n *stoppable) PublishResult(ctx context.Context, r engine.ResultName, b []byte) error {
	n.pass("result", "")
	return n.Carrier.PublishResult(ctx, r, b)
}

func (n *stoppable) Results(ctx context.Context, id job.ID, after uint64, idle time.Duration, f func(engine.Result) error) error {
	return n.Carrier.Results(ctx, id, after, idle, func(r engine.Result) error {
		n.pass("collected", "")
		return f(r)
	})
}

func (n *stoppable) PurgeResults(ctx context.Context, id job.ID, upTo uint64) error {
	n.pass("purge results", "")
	return n.Carrier.PurgeResults(ctx, id, upTo)
}

type stoppableLease struct {
	engine.Lease
	n *stoppable
}

func (l *stoppableLease) Extend(ctx context.Context) error {
	l.n.pass("extend", "")
	return l.Lease.Extend(ctx)
}

func (l *stoppableLease) Ack(ctx context.Context) error {
	l.n.pass("ack", "")
	return l.Lease.Ack(ctx)
}

// Store implements engine.Stores.
func (n *stoppable) Store(ctx context.Context, a job.Account, r job.Role, region job.Region) (object.Store, error) {
	n.pass("store", "")
	return stores{n.store.(*fakeStore)}.Store(ctx, a, r, region)
}

// Default implements engine.Stores.
func (n *stoppable) Default() job.Region { return "local" }

// TestTwoLeadersOfAJobAreHarmless stops a job's leader in one of its writes, lets the other node take the job over, and
// has the first one go on, with that write, as if it led still.
func TestTwoLeadersOfAJobAreHarmless(t *testing.T) {
	t.Parallel()
	ckpts := func(n int) func(op, key string) bool {
		return func(op, key string) bool {
			if op == "update" && strings.HasPrefix(key, "ckpt.") {
				n--
			}
			return n == 0
		}
	}
	begins := func(op, key string) func(string, string) bool {
		return func(o, k string) bool { return o == op && strings.HasPrefix(k, key) }
	}
	for name, at := range map[string]func(op, key string) bool{
		"about to commit":              ckpts(1),
		"with a commit half done":      ckpts(2),
		"about to purge what it has":   begins("purge results", ""),
		"about to publish a chunk":     begins("publish", ""),
		"about to write its cursor":    begins("put", "cursor."),
		"about to write the job's end": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rows = 8000
			r := &rig{t: t, dir: t.TempDir(), store: newFakeStore()}
			if at == nil { // its state, when all is done
				at = func(op, key string) bool {
					total, _ := r.store.calls()
					return total == rows && op == "update" && strings.HasPrefix(key, "state.")
				}
			}
			s := &stopper{at: at, stopped: make(chan struct{}), continues: make(chan struct{})}
			c, err := carrier.Open(t.Context(), carrier.Options{Dir: filepath.Join(r.dir, "js"), AckWait: 3 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
			var nodes [2]*stoppable
			var logs [2]*loudLog
			var svc [2]*engine.Service
			for i := range nodes {
				nodes[i], logs[i] = &stoppable{Carrier: c, s: s, node: i, store: r.store}, &loudLog{}
				e, err := engine.New(engine.Options{
					Carrier: nodes[i], Stores: nodes[i], Dir: filepath.Join(r.dir, "scratch", string(rune('a'+i))),
					ChunkRows: 100, Concurrency: 8, LeaseTerm: 3 * time.Second, Drain: time.Second,
					Logger: slog.New(slog.NewTextHandler(logs[i], nil)),
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
				<-e.Ready()
				svc[i] = e.Service()
			}
			goOn := sync.OnceFunc(func() { close(s.continues) })
			t.Cleanup(goOn)
			spec := r.spec(rows)
			id := create(t, svc[0], spec)
			<-s.stopped
			old := s.who.node
			watchUntil(t, c, engine.Jobs, func(rec engine.Record) bool { // the other has taken it over
				var st struct{ Epoch int }
				return rec.Key == "state."+string(id) && json.Unmarshal(rec.Value, &st) == nil && st.Epoch == 2
			})
			goOn()
			defer func() {
				if t.Failed() {
					for i, l := range logs {
						l.mu.Lock()
						t.Logf("node %d:\n%s", i, strings.Join(l.lines, ""))
						l.mu.Unlock()
					}
				}
			}()
			j := waitFor(t, svc[1-old], id, final)
			wantWhole(t, spec, j, rows)
			if total, most := r.store.calls(); most > 2 {
				t.Errorf("%d calls, at most %d a key", total, most)
			}
			waitFor(t, svc[old], id, final) // the old one has seen all of it
			if logs[old].has("another node leads this job") == 0 {
				t.Errorf("node %d, which was stopped, did not step back", old)
			}
			if logs[old].has("job moved", "to=Complete ") != 0 {
				t.Errorf("node %d, which was stopped, ended the job", old)
			}
		})
	}
}
