//go:build cluster

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// leader gives the node that leads a job.
func (c *cluster) leader(id string) int {
	c.t.Helper()
	s, _ := c.status(0)
	for _, n := range s.Nodes {
		if slices.Contains(n.Jobs, id) {
			return slices.IndexFunc(c.nodes, func(p *process) bool { return p.name == n.Name })
		}
	}
	c.t.Fatalf("nobody leads job %s: %+v", id, s)
	return -1
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// kill ends a node or worker with SIGKILL.
func (p *process) kill() {
	p.t.Helper()
	if err := p.end(syscall.SIGKILL); err == nil {
		p.t.Errorf("%s: a killed process ended well", p.name)
	}
}

// TestClusterOutlivesTheLeader kills the node that leads the job, starts it again, and kills the one that took over.
func TestClusterOutlivesTheLeader(t *testing.T) {
	c := newCluster(t, clusterOptions{workers: 2, rate: 300})
	j := c.copyJob(24_000)
	j.part(10)
	first := c.leader(j.id)
	c.nodes[first].kill()
	j.part(40)
	c.nodes[first].start()
	c.nodes[first].await()
	c.whole()
	j.part(60)
	second := c.leader(j.id)
	t.Logf("%s led, then %s", c.nodes[first].name, c.nodes[second].name)
	c.nodes[second].kill()
	j.ends("the leader killed, twice")
}

// whole waits until every stream has its copies again.
func (c *cluster) whole() {
	c.t.Helper()
	end := time.Now().Add(2 * time.Minute)
	for {
		s, code := c.status(0)
		if code == 0 && len(s.Nodes) == clusterNodes {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("the cluster is not whole after two minutes: %+v", s)
		}
	}
}

// TestClusterOutlivesAStoppedLeader stops the node that leads the job for 30 s, and lets it go on.
func TestClusterOutlivesAStoppedLeader(t *testing.T) {
	c := newCluster(t, clusterOptions{workers: 2, rate: 300})
	j := c.copyJob(30_000)
	j.part(10)
	i := c.leader(j.id)
	c.nodes[i].signal(syscall.SIGSTOP)
	<-time.After(30 * time.Second) // how long it is stopped is the point of the test
	c.nodes[i].signal(syscall.SIGCONT)
	j.ends("the leader stopped for 30 s")
	c.whole()
}

// TestClusterOutlivesItsWorkers kills workers while others come.
func TestClusterOutlivesItsWorkers(t *testing.T) {
	c := newCluster(t, clusterOptions{workers: 3, rate: 200})
	j := c.copyJob(20_000)
	for i, w := range c.workers {
		j.part(15 * (i + 1))
		w.kill()
		w.start()
		w.await()
	}
	j.part(70)
	if err := c.workers[0].end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	j.ends("three workers killed, one sent away")
}

// TestClusterOutlivesAPartition has each node in a network namespace of its own, with the keys that engine keys makes,
// and cuts off the one that leads the job for 30 s.
func TestClusterOutlivesAPartition(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("network namespaces need root: run this test as root, or leave it out with -skip Partition")
	}
	n := newNetwork(t)
	c := &cluster{t: t, dir: t.TempDir(), store: &server{t: t, dir: t.TempDir(), env: []string{"DROVER_SECRET_KEY=" + storeSecret}}}
	c.store.start("--store-listen", n.host+":0")
	t.Cleanup(func() { c.store.end(os.Interrupt) })
	t.Cleanup(c.close)
	base := c.process("base", "", "engine: {dir: x}\nworker: {concurrency: 16, drain: 5s}\n", "limits: {rate: 300, burst: 1}").args[2]
	keys := filepath.Join(c.dir, "keys")
	args := []string{"engine", "keys", "--out", keys, "--config", base, "--state", "state"}
	for i := range clusterNodes {
		args = append(args, "--node", fmt.Sprintf("n%d=%s", i+1, n.node(i)))
	}
	mustRun(t, binary, args...)
	for i := range clusterNodes {
		name := fmt.Sprintf("n%d", i+1)
		file := filepath.Join(keys, name, "drover.yaml")
		c.nodes = append(c.nodes, &process{t: t, name: name, args: []string{"serve", "--config", file}, prefix: n.in(i), env: []string{
			"DROVER_LISTEN_ADDR=" + n.node(i) + ":8600", "DROVER_WORKER_OFF=true",
		}})
	}
	for i := range 2 {
		name := fmt.Sprintf("w%d", i+1)
		c.workers = append(c.workers, &process{
			t: t, name: name, args: []string{"worker", "--config", filepath.Join(keys, "worker", "drover.yaml")},
			env: []string{"DROVER_ENGINE_DIR=" + filepath.Join(c.dir, name)},
		})
	}
	c.startAll()
	j := c.copyJob(30_000)
	j.part(10)
	i := c.leader(j.id)
	n.cut(i, true)
	<-time.After(30 * time.Second) // how long it is cut off is the point of the test
	n.cut(i, false)
	j.ends("the leader cut off for 30 s")
	c.whole()
}

// network is one network namespace a node, behind a bridge that this machine is on, too.
type network struct {
	t    *testing.T
	id   string
	host string // this machine's address
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	pid := os.Getpid()
	n := &network{t: t, id: fmt.Sprintf("dr%d", pid%100_000), host: fmt.Sprintf("10.%d.%d.254", 200+pid%50, pid/50%250)}
	t.Cleanup(n.remove)
	mustRun(t, "ip", "link", "add", n.id, "type", "bridge")
	mustRun(t, "ip", "addr", "add", n.host+"/24", "dev", n.id)
	mustRun(t, "ip", "link", "set", n.id, "up")
	for i := range clusterNodes {
		ns, outer := n.space(i), n.link(i)
		mustRun(t, "ip", "netns", "add", ns)
		mustRun(t, "ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", ns)
		mustRun(t, "ip", "link", "set", outer, "master", n.id, "up")
		mustRun(t, "ip", "-n", ns, "addr", "add", n.node(i)+"/24", "dev", "eth0")
		mustRun(t, "ip", "-n", ns, "link", "set", "eth0", "up")
		mustRun(t, "ip", "-n", ns, "link", "set", "lo", "up")
	}
	return n
}

func (n *network) space(i int) string { return fmt.Sprintf("%s-%d", n.id, i) }
func (n *network) link(i int) string  { return fmt.Sprintf("%sv%d", n.id, i) }
func (n *network) in(i int) []string  { return []string{"ip", "netns", "exec", n.space(i)} }

// node is a node's address.
func (n *network) node(i int) string {
	return fmt.Sprintf("%s.%d", n.host[:len(n.host)-len(".254")], i+1)
}

// cut takes a node off the network, or puts it back.
func (n *network) cut(i int, off bool) {
	n.t.Helper()
	mustRun(n.t, "ip", "link", "set", n.link(i), map[bool]string{true: "down", false: "up"}[off])
}

// remove takes away what newNetwork made, as far as it came.
func (n *network) remove() {
	for i := range clusterNodes {
		_ = exec.Command("ip", "netns", "del", n.space(i)).Run()
		_ = exec.Command("ip", "link", "del", n.link(i)).Run()
	}
	_ = exec.Command("ip", "link", "del", n.id).Run()
}

func mustRun(t *testing.T, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out.Bytes())
	}
}
