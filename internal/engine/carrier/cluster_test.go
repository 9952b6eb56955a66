package carrier

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier/carriertest"
)

// freeAddresses gives loopback addresses that nobody listens on.
func freeAddresses(t testing.TB, n int) []string {
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

// plan gives the settings of three nodes.
func plan(t testing.TB) []Options {
	t.Helper()
	dir, routes, clients := t.TempDir(), freeAddresses(t, clusterReplicas), freeAddresses(t, clusterReplicas)
	all := make([]Options, clusterReplicas)
	for i := range all {
		all[i] = Options{
			Dir: filepath.Join(dir, fmt.Sprint("n", i)), MaxStore: 1 << 30,
			Cluster: &Cluster{Name: "test", Node: fmt.Sprint("n", i), Listen: routes[i], Client: clients[i], Routes: routes},
		}
	}
	return all
}

func urls(all []Options) []string {
	var list []string
	for _, o := range all {
		list = append(list, o.Cluster.Client)
	}
	return list
}

// openAll opens the nodes, which need each other for it.
func openAll(t testing.TB, all []Options) []*Carrier {
	t.Helper()
	nodes := make([]*Carrier, len(all))
	var wg sync.WaitGroup
	for i, o := range all {
		wg.Go(func() {
			var err error
			if nodes[i], err = Open(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, c := range nodes {
			if c == nil {
				continue
			}
			wg.Go(func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	if t.Failed() {
		t.FailNow()
	}
	return nodes
}

// beside gives a further carrier on a node's server, with an AckWait of its own.
func beside(t *testing.T, node *Carrier, ackWait time.Duration) *Carrier {
	t.Helper()
	c := newCarrier(nil, ackWait, clusterReplicas)
	c.shared, c.server = true, node.server
	err := c.connectInProcess(nil)
	c.server = nil // is not its own
	if err == nil {
		err = c.findStreams(t.Context())
	}
	return closing(t, c, err)
}

func dial(t testing.TB, o DialOptions) *Carrier {
	t.Helper()
	c, err := Dial(t.Context(), o)
	return closing(t, c, err)
}

func closing(t testing.TB, c *Carrier, err error) *Carrier {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// empty removes all that a carrier holds, but not its streams.
func empty(t *testing.T, c *Carrier) *Carrier {
	t.Helper()
	ctx := t.Context()
	names := c.work.ConsumerNames(ctx)
	for name := range names.Name() {
		if err := c.work.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			t.Fatal(err)
		}
	}
	all := []jetstream.Stream{c.work, c.results}
	for _, s := range c.records {
		all = append(all, s)
	}
	for _, s := range all {
		if err := s.Purge(ctx); err != nil {
			t.Fatal(err)
		}
	}
	whole(t, c, 0) // no replica shall give what is gone
	return c
}

func TestClusterContract(t *testing.T) {
	t.Parallel()
	all := plan(t)
	begun := time.Now()
	nodes := openAll(t, all)
	t.Logf("the cluster was formed after %v", time.Since(begun))
	t.Run("node", func(t *testing.T) {
		carriertest.RunShared(t, func(t *testing.T, ackWait time.Duration) engine.Carrier {
			return empty(t, beside(t, nodes[1], ackWait))
		})
	})
	t.Run("client", func(t *testing.T) {
		carriertest.RunShared(t, func(t *testing.T, ackWait time.Duration) engine.Carrier {
			return empty(t, dial(t, DialOptions{URLs: urls(all), AckWait: ackWait}))
		})
	})
}

// whole waits until every stream has all its replicas, and none of them lacks more than lag entries.
func whole(t testing.TB, c *Carrier, lag uint64) {
	t.Helper()
	for !isWhole(c.Status(t.Context()), lag) {
		if err := c.sleep(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func isWhole(st Status, lag uint64) bool {
	for _, s := range st.Streams {
		if s.Err != nil || s.Leader == "" || len(s.Peers) != clusterReplicas-1 {
			return false
		}
		for _, p := range s.Peers {
			if !p.Current || p.Offline || p.Lag > lag {
				return false
			}
		}
	}
	return true
}
