package carrier

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
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

func TestClusterFormsWithoutAnAddressForClients(t *testing.T) {
	t.Parallel()
	all := plan(t)
	for i := range all {
		all[i].Cluster.Client = ""
	}
	for _, c := range openAll(t, all) {
		conn, err := nats.Connect("nats://" + c.server.now.Load().Addr().String())
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("a stranger connects with %v", err)
		}
	}
}
