//go:build cluster

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/failpoint"
)

// singleServer makes a server of its own over the cluster's store, which is not started.
func (c *cluster) singleServer() *process {
	return c.process("single", "serve", "engine: {dir: single, chunk_rows: 200}\nlisten: {addr: '127.0.0.1:0'}\nworker: {concurrency: 16}\n",
		"limits: {rate: 300, burst: 1}")
}

// stop ends a process as its supervisor would.
func (p *process) stop() {
	p.t.Helper()
	if err := p.end(syscall.SIGTERM); err != nil {
		p.t.Fatalf("%s: %v\n%s", p.name, err, p.tail())
	}
}

// migrate moves the jobs from one process's engine to another's.
func (c *cluster) migrate(from, to *process) {
	c.t.Helper()
	c.drover(c.nodes[0], "engine", "migrate", "--from", from.args[2], "--to", to.args[2])
}

// migrateKilled does the same and is killed at a place.
func (c *cluster) migrateKilled(at failpoint.Point, from, to *process) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), armedBinary(c.t), "engine", "migrate", "--from", from.args[2], "--to", to.args[2])
	cmd.Env = append(append(os.Environ(), secrets...), "DROVER_KILL_AT="+string(at))
	out, err := cmd.CombinedOutput()
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		c.t.Fatalf("engine migrate was not killed at %s: %v\n%s", at, err, out)
	}
}

// TestMigrateToAClusterAndBack moves a running job from a single server to a cluster that runs, and back.
func TestMigrateToAClusterAndBack(t *testing.T) {
	c := newCluster(t, clusterOptions{workers: 2, rate: 150})
	single := c.singleServer()
	single.start()
	single.await()
	j := c.copyJobAt(single, 15_000)
	j.follow(single)
	j.part(20)
	single.stop()
	c.migrate(single, c.nodes[1])
	j.follow(c.nodes...)
	j.part(60)
	c.migrate(c.nodes[2], single)
	single.start()
	single.await()
	j.follow(single)
	j.endsWhole("moved to a cluster and back")
	if n := j.repeats(); n > 0 {
		t.Errorf("%d calls were made again, though all came to rest", n)
	}
	single.stop()
}

// TestMigrateToAClusterKilledHalfWay kills the move to a cluster, and the move back, at each of its steps. Run again it ends:
// the running job, one that waits for its confirmation and one that has ended are there once each time, and each row runs once.
func TestMigrateToAClusterKilledHalfWay(t *testing.T) {
	c := newCluster(t, clusterOptions{workers: 2, rate: 150})
	single := c.singleServer()
	single.start()
	single.await()
	j := c.copyJobAt(single, 12_000)
	create := []string{"job", "create", "tag", "--manifest", "s3://batch/list.csv", "--set", "a=b"}
	asks, ended := c.drover(single, create...), c.drover(single, create...)
	c.drover(single, "job", "cancel", ended)
	all := []string{j.id, asks, ended}
	j.follow(single)
	j.part(10)
	single.stop()
	there := func(p *process, where string) {
		t.Helper()
		list := c.drover(p, "job", "list")
		for _, id := range all {
			if n := strings.Count(list, id); n != 1 {
				t.Errorf("%s lists job %s %d times:\n%s", where, id, n, list)
			}
		}
	}
	j.follow(c.nodes...)
	for _, at := range []failpoint.Point{
		failpoint.MoveHeld, failpoint.MoveExported, failpoint.MoveImported, failpoint.MoveMade, failpoint.MoveLetGo,
	} {
		c.migrateKilled(at, single, c.nodes[1])
		c.migrate(single, c.nodes[1])
		there(c.nodes[0], fmt.Sprintf("the cluster, after a kill at %s,", at))
		j.more(300)
		c.migrateKilled(at, c.nodes[2], single)
		c.migrate(c.nodes[2], single)
	}
	single.start()
	single.await()
	there(single, "the single server")
	j.follow(single)
	j.endsWhole("moved to a cluster and back, and killed at each step")
	if n := j.repeats(); n > 0 {
		t.Errorf("%d calls were made again, though all came to rest", n)
	}
	if out := c.drover(single, "job", "show", asks); !strings.Contains(out, "Suspended") {
		t.Errorf("the job that waits for its confirmation: %s", out)
	}
	c.drover(single, "job", "cancel", asks)
	single.stop()
}

// more waits until so many further rows are done.
func (j *clusterJob) more(rows int64) {
	j.c.t.Helper()
	j.mu.Lock()
	want := j.done + rows
	j.mu.Unlock()
	j.until(fmt.Sprintf("%d rows", want), func(done int64, _ client.Job) bool { return done >= want })
}
