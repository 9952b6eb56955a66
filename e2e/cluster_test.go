package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/drover-batch/drover/client"
)

const (
	clusterNodes  = 3
	clusterSecret = "cluster-admin-secret"
	storeSecret   = "drover-store-secret" // of a store that is not on loopback alone
)

// cluster is three nodes and some workers, each a process, over the store of a drover dev.
type cluster struct {
	t       *testing.T
	dir     string
	store   *server // of its drover dev the store alone is used
	nodes   []*process
	workers []*process
	clients []string
}

// clusterOptions are how tests differ.
type clusterOptions struct {
	workers int
	rate    int // object calls a second of each worker
}

// freePorts gives loopback addresses that nobody listens on.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out
}

// newCluster starts it and waits until all nodes answer and all workers work.
func newCluster(t *testing.T, o clusterOptions) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), store: newSecretServer(t)}
	routes := freePorts(t, clusterNodes)
	c.clients = freePorts(t, clusterNodes)
	t.Cleanup(c.close)
	for i := range clusterNodes {
		name := fmt.Sprintf("n%d", i+1)
		c.nodes = append(c.nodes, c.process(name, "serve", fmt.Sprintf(`
engine:
  dir: %s
  cluster:
    name: test
    node: %s
    listen: %s
    client: %s
    routes: [%s]
listen: {addr: '127.0.0.1:0'}
worker: off
`, name, name, routes[i], c.clients[i], strings.Join(routes, ", "))))
	}
	for i := range o.workers {
		name := fmt.Sprintf("w%d", i+1)
		c.workers = append(c.workers, c.process(name, "worker", fmt.Sprintf(`
engine:
  dir: %s
  url: %s
worker: {concurrency: 16, drain: 5s}
`, name, strings.Join(c.clients, ",")), fmt.Sprintf("limits: {rate: %d, burst: 1}", o.rate)))
	}
	c.startAll()
	return c
}

// newSecretServer starts a drover dev whose secret is storeSecret.
func newSecretServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), env: []string{"DROVER_SECRET_KEY=" + storeSecret}}
	s.start()
	t.Cleanup(func() { s.end(os.Interrupt) })
	return s
}

// startAll starts all processes and waits until they answer.
func (c *cluster) startAll() {
	c.t.Helper()
	begun := time.Now()
	all := slices.Concat(c.nodes, c.workers)
	for _, p := range all {
		p.start()
	}
	for _, p := range all {
		p.await()
	}
	c.t.Logf("%d nodes and %d workers are ready after %v", len(c.nodes), len(c.workers), time.Since(begun).Round(100*time.Millisecond))
}

// process makes a process with a configuration of its own over the store.
func (c *cluster) process(name, command, engine string, region ...string) *process {
	c.t.Helper()
	file := filepath.Join(c.dir, name+".yaml")
	text := fmt.Sprintf(`regions:
  %s:
    endpoint: %s
    path_style: true
    %s
roles:
  - arn: %s
    policy: full-access
    credentials:
      '*': {source: static, access_key: drover-dev, secret_key: 'env:STORE_SECRET'}
principals:
  - {access_key: admin, secret_key: 'env:CLUSTER_SECRET', uin: '100000000001', appid: '1250000000', policy: full-access}
log: {level: info}
%s`, c.store.ready.Region, c.store.ready.Store, strings.Join(region, ""), c.store.ready.RoleARN, engine)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return &process{t: c.t, name: name, args: []string{command, "--config", file}}
}

func (c *cluster) close() {
	var wg sync.WaitGroup
	for _, p := range append(c.workers, c.nodes...) {
		wg.Go(func() {
			if p.cmd == nil {
				return
			}
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
			if err := p.end(syscall.SIGTERM); err != nil {
				c.t.Errorf("%s: %v\n%s", p.name, err, p.tail())
			}
		})
	}
	wg.Wait()
}

// client calls a server's API.
func (c *cluster) client(server *process) *client.Client {
	c.t.Helper()
	a, err := client.New(client.Options{Server: server.ready["api"], AccessKey: "admin", SecretKey: clusterSecret})
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// drover runs a command, against a server if one is given.
func (c *cluster) drover(server *process, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"--quiet"}, args...)...)
	cmd.Env = append(append(os.Environ(), secrets...), "DROVER_SERVER="+server.ready["api"], "DROVER_ACCESS_KEY=admin", "DROVER_SECRET_KEY="+clusterSecret,
		"DROVER_ROLE="+c.store.ready.RoleARN,
		"AWS_ENDPOINT_URL="+c.store.ready.Store, "AWS_REGION="+c.store.ready.Region,
		"AWS_ACCESS_KEY_ID="+c.store.ready.AccessKey, "AWS_SECRET_ACCESS_KEY="+c.store.ready.SecretKey)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("drover %v: %v\n%s%s", args, err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// engineStatus is what drover engine status says as JSON.
type engineStatus struct {
	Streams []struct {
		Name, Leader string
		Replicas     int
		Peers        []struct {
			Name             string
			Current, Offline bool
		}
	}
	Nodes []struct {
		Name string
		Jobs []string
	}
	Workers []struct{ Name string }
}

// status asks by a node's configuration, and gives the exit code too.
func (c *cluster) status(node int) (engineStatus, int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "engine", "status", "--output", "json", "--config", c.nodes[node].args[2], "--timeout", "30s")
	cmd.Env = append(os.Environ(), secrets...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		c.t.Fatal(err)
	}
	var s engineStatus
	if err := json.Unmarshal(out, &s); err != nil {
		c.t.Fatalf("engine status: %v\n%s%s", err, out, stderr.Bytes())
	}
	return s, cmd.ProcessState.ExitCode()
}

// clusterJob is a copy of many objects, followed by way of all nodes.
type clusterJob struct {
	c    *cluster
	id   string
	keys []string

	mu      sync.Mutex
	last    client.Job
	done    int64
	grown   time.Time     // when done grew last
	stall   time.Duration // the longest time it did not, while the job was Active
	changed chan struct{} // closed and replaced at each change

	ctx       context.Context // of the followers
	followers sync.WaitGroup
	stop      context.CancelFunc
}

// copyJob fills a bucket and starts a job that copies it, by way of the first node.
func (c *cluster) copyJob(rows int) *clusterJob {
	c.t.Helper()
	j := c.copyJobAt(c.nodes[0], rows)
	j.follow(c.nodes...)
	return j
}

func (c *cluster) copyJobAt(server *process, rows int) *clusterJob {
	c.t.Helper()
	j := &clusterJob{c: c, changed: make(chan struct{})}
	for i := range rows {
		j.keys = append(j.keys, chaosKey(i))
	}
	c.store.fillBucket("source", rows, func(i int) string { return j.keys[i] })
	c.store.fillBucket("target", 0, nil)
	c.store.fillBucket("batch", 0, nil)
	c.store.putManifest("batch", "list.csv", "source", j.keys)
	j.id = c.drover(server, "job", "create", "copy", "--manifest", "s3://batch/list.csv", "--to", "target", "--report", "s3://batch/reports", "--start")
	j.grown = time.Now()
	j.ctx, j.stop = context.WithCancel(c.t.Context())
	c.t.Cleanup(func() { j.stop(); j.followers.Wait() })
	return j
}

// follow watches the job by way of servers, of which some may be away.
func (j *clusterJob) follow(servers ...*process) {
	for _, p := range servers {
		a := j.c.client(p)
		j.followers.Go(func() {
			for j.ctx.Err() == nil && !j.final() {
				_ = a.Watch(j.ctx, j.id, func(seen client.Job) error { j.see(seen); return nil })
				select {
				case <-time.After(200 * time.Millisecond): // until it is back
				case <-j.ctx.Done():
				}
			}
		})
	}
}

func isFinal(status string) bool {
	return status == "Complete" || status == "Failed" || status == "Cancelled"
}

func (j *clusterJob) final() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return isFinal(j.last.Status)
}

// see takes what a node says. One that lags behind says what is known already.
func (j *clusterJob) see(seen client.Job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	if n := seen.Progress.Succeeded + seen.Progress.Failed; n > j.done {
		if j.done > 0 {
			j.stall = max(j.stall, now.Sub(j.grown))
		}
		j.done, j.grown = n, now
	}
	if j.last.ID == "" || isFinal(seen.Status) || seen.Progress.Succeeded >= j.last.Progress.Succeeded {
		j.last = seen
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

// until waits until a condition on the rows that are done holds.
func (j *clusterJob) until(what string, ok func(done int64, last client.Job) bool) {
	j.c.t.Helper()
	late := time.NewTimer(5 * time.Minute)
	defer late.Stop()
	for {
		j.mu.Lock()
		is, ch := ok(j.done, j.last), j.changed
		j.mu.Unlock()
		if is {
			return
		}
		select {
		case <-ch:
		case <-late.C:
			j.mu.Lock()
			defer j.mu.Unlock()
			j.c.t.Fatalf("%s: not after five minutes; the job is %s, %s, with %+v", what, j.last.Status, j.last.StatusReason, j.last.Progress)
		}
	}
}

// part waits until a part of the rows is done, in percent.
func (j *clusterJob) part(percent int) {
	j.c.t.Helper()
	j.until(fmt.Sprintf("%d %% of the rows", percent), func(done int64, _ client.Job) bool { return done*100 >= int64(len(j.keys)*percent) })
}

// ends waits for the end and checks it. No stall may have been longer than 15 s.
func (j *clusterJob) ends(what string) {
	j.c.t.Helper()
	j.endsWhole(what)
	if j.stall > 15*time.Second {
		j.c.t.Errorf("nothing was collected for %v", j.stall)
	}
}

// endsWhole waits for the end and holds it against the report and the store's log.
func (j *clusterJob) endsWhole(what string) {
	t := j.c.t
	t.Helper()
	j.until("the end of the job", func(_ int64, last client.Job) bool { return isFinal(last.Status) })
	j.stop()
	j.followers.Wait()
	p := j.last.Progress
	rows := int64(len(j.keys))
	if j.last.Status != "Complete" || p.Total != rows || p.Succeeded != rows || p.Failed != 0 {
		t.Fatalf("job is %s with %+v, want Complete with %d rows", j.last.Status, p, rows)
	}
	checkReport(t, j.c.store, j.id, j.keys, nil)
	repeats := j.repeats()
	t.Logf("%s: %d rows, each once in the report; %d calls repeated; longest stall %.1f s", what, rows, repeats, j.stall.Seconds())
}

// repeats counts calls of the store beyond one a key; every key was asked for.
func (j *clusterJob) repeats() int {
	t := j.c.t
	t.Helper()
	b, err := os.ReadFile(j.c.store.dir + "/calls.log")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	repeats := 0
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "CopyObject" {
			if calls[f[3]]++; calls[f[3]] > 1 {
				repeats++
			}
		}
	}
	if len(calls) != len(j.keys) {
		t.Errorf("%d keys were asked for, want %d", len(calls), len(j.keys))
	}
	return repeats
}

// callsTook is the time from the first copy that the store was asked for to the last.
func (j *clusterJob) callsTook() time.Duration {
	t := j.c.t
	t.Helper()
	b, err := os.ReadFile(j.c.store.dir + "/calls.log")
	if err != nil {
		t.Fatal(err)
	}
	var first, last time.Time
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[1] != "CopyObject" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, f[0])
		if err != nil {
			t.Fatal(err)
		}
		if first.IsZero() {
			first = at
		}
		last = at
	}
	return last.Sub(first)
}

// TestClusterOutlivesANode forms a cluster of three processes with two workers, runs a job, and kills one node with
// SIGKILL in its middle: the job ends right, and no stall is longer than 15 s. make cluster has the longer tests.
func TestClusterOutlivesANode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{workers: 2, rate: 400})
	if s, code := c.status(1); code != 0 || len(s.Nodes) != clusterNodes || len(s.Workers) != 2 || len(s.Streams) != 6 ||
		s.Streams[0].Replicas != 3 || len(s.Streams[0].Peers) != 2 {
		t.Errorf("engine status: exit code %d, %+v", code, s)
	}
	j := c.copyJob(8000)
	j.part(20)
	if err := c.nodes[1].end(syscall.SIGKILL); err == nil {
		t.Error("a killed node ended well")
	}
	j.ends("a node killed")
	if s, code := c.status(2); code != 1 || len(s.Nodes) != clusterNodes-1 {
		t.Errorf("engine status after the kill: exit code %d, %+v", code, s)
	}
}
