//go:build cluster || soak

package carrier

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// process is a node in a process of its own.
type process struct {
	t     testing.TB
	o     Options
	cmd   *exec.Cmd
	stdin io.Closer
	ready chan struct{}
	ended chan struct{}
}

// startProcesses starts the nodes and waits until they are a cluster.
func startProcesses(t testing.TB, all []Options) []*process {
	t.Helper()
	nodes := make([]*process, len(all))
	for i, o := range all {
		nodes[i] = &process{t: t, o: o}
		nodes[i].start()
	}
	t.Cleanup(func() {
		for _, p := range nodes {
			p.kill()
		}
	})
	for _, p := range nodes {
		p.await()
	}
	return nodes
}

func (p *process) start() {
	p.t.Helper()
	settings, err := json.Marshal(p.o)
	if err != nil {
		p.t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.CommandContext(context.WithoutCancel(p.t.Context()), exe)
	p.cmd.Env = append(os.Environ(), "CARRIER_TEST_NODE="+string(settings))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	ready, ended, cmd := make(chan struct{}), make(chan struct{}), p.cmd
	p.ready, p.ended = ready, ended
	go func() {
		defer close(ended)
		if lines := bufio.NewScanner(out); lines.Scan() {
			close(ready)
		}
		_ = cmd.Wait() // was killed, mostly
	}()
}

// await waits until the node is ready.
func (p *process) await() {
	p.t.Helper()
	select {
	case <-p.ready:
	case <-p.ended:
		p.t.Fatalf("node %s ended before it was ready", p.o.Cluster.Node)
	}
}

// kill ends the node without its knowing. A node that has ended stays so.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// close ends the node as an operator would.
func (p *process) close() {
	p.t.Helper()
	if err := p.stdin.Close(); err != nil {
		p.t.Error(err)
	}
	<-p.ended
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}
