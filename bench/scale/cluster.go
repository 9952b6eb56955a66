//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// cluster is the stub store and three nodes of drover serve over it.
type cluster struct {
	o       options
	dir     string
	store   string // URL of the stub
	clients []string
	api     string
	stub    *process
	nodes   []*process
	jobs    int
}

const nodes = 3

const (
	role   = "qcs::cam::uin/100000000001:roleName/batch"
	common = `
default_region: local
regions: {local: {endpoint: "%s", path_style: true}}
roles:
  - arn: ` + role + `
    policy: full-access
    credentials: {"*": {source: static, access_key: bench, secret_key: "env:SCALE_SECRET"}}
principals:
  - {access_key: bench, secret_key: "env:SCALE_SECRET", uin: "100000000001", appid: "1250000000", policy: full-access}
log: {level: warn}
`
	serve = `
engine:
  dir: %s
  chunk_rows: %d
  cluster: {name: scale, node: %s, listen: "%s", client: "%s", routes: [%s]}
listen: {addr: "127.0.0.1:0"}
worker: off
`
	worker = `
engine: {dir: %s, url: "%s"}
worker: {concurrency: %d}
`
	secret = "bench-secret"
)

// process is one that prints a ready line.
type process struct {
	cmd   *exec.Cmd
	ready string
	log   bytes.Buffer // read once it has ended
	ended chan error
}

// start starts a process; its ready line is awaited by await.
func start(name string, args ...string) (*process, *bufio.Reader, error) {
	p := &process{cmd: exec.Command(name, args...), ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), "SCALE_SECRET="+secret)
	p.cmd.Stderr = &p.log
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	p.cmd.Stdout = w
	err = p.cmd.Start()
	_ = w.Close()
	if err != nil {
		return nil, nil, err
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p, bufio.NewReader(r), nil
}

func startAll(list [][]string) ([]*process, error) {
	out := make([]*process, len(list))
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, args := range list {
		all.Go(func() {
			p, lines, err := start(args[0], args[1:]...)
			out[i], errs[i] = p, err
			if err != nil {
				return
			}
			line, err := lines.ReadString('\n')
			var ok bool
			if p.ready, ok = strings.CutPrefix(strings.TrimSpace(line), "ready "); !ok || err != nil {
				errs[i] = fmt.Errorf("%v: not ready but %q (%w); it ended: %w", args, line, err, p.kill())
			}
		})
	}
	all.Wait()
	return out, errors.Join(errs...)
}

// end lets a process end by itself, and gives its CPU time.
func (p *process) end() (time.Duration, error) {
	if p == nil {
		return 0, nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	err := <-p.ended
	if err != nil {
		err = fmt.Errorf("%v: %w\n%s", p.cmd.Args, err, p.log.Bytes())
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), err
}

// kill ends a process that did not come up, and says why it did not.
func (p *process) kill() error {
	_ = p.cmd.Process.Kill()
	err := <-p.ended
	p.ended <- err
	return fmt.Errorf("%w\n%s", err, p.log.Bytes())
}

func ports(n int) (out []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out, nil
}

func startCluster(ctx context.Context, dir string, o options) (c *cluster, err error) {
	c = &cluster{o: o, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	stubs, err := startAll([][]string{{o.stub, "-latency", o.latency.String()}})
	c.stub = stubs[0]
	if err != nil {
		return c, err
	}
	c.store = "http://" + c.stub.ready
	routes, err := ports(nodes)
	if err != nil {
		return c, err
	}
	if c.clients, err = ports(nodes); err != nil {
		return c, err
	}
	var list [][]string
	for i := range nodes {
		name := fmt.Sprintf("n%d", i+1)
		text := fmt.Sprintf(common+serve, c.store, filepath.Join(dir, name), o.chunkRows, name, routes[i], c.clients[i], strings.Join(routes, ", "))
		file, err := write(dir, name+".yaml", text)
		if err != nil {
			return c, err
		}
		list = append(list, []string{o.drover, "serve", "--config", file})
	}
	if c.nodes, err = startAll(list); err != nil {
		return c, err
	}
	var ready struct{ API string }
	if err := json.Unmarshal([]byte(c.nodes[0].ready), &ready); err != nil {
		return c, err
	}
	c.api = ready.API
	return c, ctx.Err()
}

func (c *cluster) stop() error {
	var errs []error
	all := make([]error, len(c.nodes))
	var ending sync.WaitGroup
	for i, p := range c.nodes {
		ending.Go(func() { _, all[i] = p.end() })
	}
	ending.Wait()
	errs = append(errs, all...)
	if c.stub != nil {
		_, _ = c.stub.end() // it has nothing to lose, and says that it was ended
	}
	return errors.Join(errs...)
}

// run measures one job with so many workers.
func (c *cluster) run(ctx context.Context, n int) (m measured, err error) {
	c.jobs++
	var list [][]string
	for i := range n {
		name := fmt.Sprintf("w%d-%d", c.jobs, i)
		file, err := write(c.dir, name+".yaml", fmt.Sprintf(common+worker, c.store, filepath.Join(c.dir, name), strings.Join(c.clients, ","), c.o.concurrency))
		if err != nil {
			return m, err
		}
		list = append(list, []string{c.o.drover, "worker", "--config", file})
	}
	workers, err := startAll(list)
	defer func() {
		for _, p := range workers {
			cpu, e := p.end()
			m.cpu += cpu
			err = errors.Join(err, e)
		}
	}()
	if err != nil {
		return m, err
	}
	if _, err := c.stats(); err != nil { // of what was before
		return m, err
	}
	m.rows = n * c.o.rowsPerWorker
	cmd := exec.CommandContext(ctx, c.o.drover, "--quiet", "job", "create", "copy", "--server", c.api, "--role", role,
		"--manifest", fmt.Sprintf("s3://lists/list-%d.csv", m.rows), "--manifest-etag", fmt.Sprintf("list-%d", m.rows),
		"--to", "dst", "--start", "--watch")
	cmd.Env = append(os.Environ(), "DROVER_ACCESS_KEY=bench", "DROVER_SECRET_KEY="+secret)
	if out, err := cmd.CombinedOutput(); err != nil {
		return m, fmt.Errorf("drover job create: %w\n%s", err, out)
	}
	s, err := c.stats()
	if err != nil {
		return m, err
	}
	if s.Written.Distinct != int64(m.rows) || s.Written.Repeated != 0 {
		return m, fmt.Errorf("%d objects were copied and %d again, want %d once", s.Written.Distinct, s.Written.Repeated, m.rows)
	}
	m.rate = float64(m.rows) / (float64(s.SpanMS) / 1000)
	return m, nil
}

// counts is what the stub counted since it was last asked.
type counts struct {
	Written struct {
		Distinct int64 `json:"distinct"`
		Repeated int64 `json:"repeated"`
	} `json:"written"`
	SpanMS int64 `json:"spanMs"`
}

func (c *cluster) stats() (s counts, err error) {
	r, err := http.Get(c.store + "/__stats?reset=1")
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	return s, json.NewDecoder(r.Body).Decode(&s)
}
