//go:build cluster

package carrier

import (
	"syscall"
	"testing"
	"time"
)

// leads gives the node that leads a stream.
func leads(t testing.TB, c *Carrier, nodes []*process, stream string) *process {
	t.Helper()
	for {
		for _, s := range c.Status(t.Context()).Streams {
			for _, p := range nodes {
				if s.Name == stream && s.Leader == p.o.Cluster.Node {
					return p
				}
			}
		}
		if err := c.sleep(t.Context(), 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingAcknowledgedIsLostWithANode(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	all := plan(t)
	nodes := startProcesses(t, all)
	t.Logf("the cluster was formed after %v", time.Since(begun))
	c := dial(t, DialOptions{URLs: urls(all)})
	r := startRounds(t, c, 4, 20_000)
	t.Logf("undisturbed: longest stall %v", r.more(50))

	p := leads(t, c, nodes, streamWork)
	p.kill()
	t.Logf("leader of WORK killed: longest stall %v", r.more(100))
	p.start()
	p.await()
	whole(t, c, busy)
	t.Logf("node back: longest stall %v", r.more(50))

	p = leads(t, c, nodes, bucketStream("JOBS"))
	p.signal(syscall.SIGSTOP)
	stopped := time.NewTimer(10 * time.Second)
	defer stopped.Stop()
	t.Logf("leader of JOBS stopped: longest stall %v", r.more(100))
	<-stopped.C
	p.signal(syscall.SIGCONT)
	whole(t, c, busy)
	t.Logf("node continued: longest stall %v", r.more(50))

	p = leads(t, c, nodes, streamResults)
	p.close()
	t.Logf("leader of RES closed: longest stall %v", r.more(100))
	p.start()
	p.await()
	whole(t, c, busy)
	r.finish()
}
