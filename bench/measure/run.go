package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// result is one run of one client.
type result struct {
	Case        string  `json:"case"`
	Client      string  `json:"client"`
	Objects     int     `json:"objects"`
	Connections int     `json:"connections"`
	Exit        int     `json:"exit"`
	Cut         bool    `json:"cut,omitempty"` // interrupted by the clock
	WallMS      int64   `json:"wallMs"`
	UserUS      int64   `json:"userUs"`
	SystemUS    int64   `json:"systemUs"`
	PeakKB      int64   `json:"peakKb"`
	Load        float64 `json:"load"` // of the machine when it began
	Stub        counts  `json:"stub"`
}

// measure runs one client once.
func (b bench) measure(ctx context.Context, st *stub, c setting, t turn, n int) (r result, err error) {
	cl := clients[t.client]
	j := job{endpoint: st.endpoint, objects: n, connections: t.connections, operation: t.operation}
	if j.operation == "" {
		j.operation = "copy"
	}
	if j.work, err = os.MkdirTemp(b.work, "run-"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(j.work)) }()
	if cl.list != "" {
		if j.list, err = b.list(cl.list, n); err != nil {
			return r, err
		}
	}
	if _, err := st.take(); err != nil {
		return r, err
	}
	within := t.within
	if within == 0 {
		within = 10 * time.Minute
	}
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	cmd := exec.CommandContext(limited, b.binary(t.client), cl.args(j)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Env, cmd.Dir = environment(st.endpoint, j.work, st.certificate), j.work
	log, err := os.Create(filepath.Join(b.work, logName(c.name, t.label())))
	if err != nil {
		return r, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	r = result{Objects: n, Connections: t.connections, Load: load1()}
	began := time.Now()
	err = cmd.Run()
	r.WallMS, r.Cut = time.Since(began).Milliseconds(), limited.Err() != nil
	if cmd.ProcessState == nil {
		return r, err
	}
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	r.Exit = cmd.ProcessState.ExitCode()
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	r.UserUS, r.SystemUS, r.PeakKB = u.Utime.Nano()/1000, u.Stime.Nano()/1000, u.Maxrss
	r.Stub, err = st.take()
	return r, err
}

func logName(parts ...string) string {
	return strings.Map(func(c rune) rune {
		if c == ' ' || c == '%' || c == '/' {
			return '-'
		}
		return c
	}, "log-"+strings.Join(parts, "-"))
}

// done is how many objects were worked on at least once.
func (r result) done() int64 { return max(r.Stub.Written.Distinct, r.Stub.Deleted.Distinct) }

// twice is how often an object was worked on again.
func (r result) twice() int64 { return r.Stub.Written.Repeated + r.Stub.Deleted.Repeated }

func (r result) missing() int64 { return int64(r.Objects) - r.done() }

// cpu is microseconds of the client process for each object done.
func (r result) cpu() float64 { return float64(r.UserUS+r.SystemUS) / float64(max(r.done(), 1)) }

// rate is objects a second between the first answer and the last, throughput over the whole life of the process.
func (r result) rate() float64       { return float64(r.done()) / max(float64(r.Stub.SpanMS), 1) * 1000 }
func (r result) throughput() float64 { return float64(r.done()) / max(float64(r.WallMS), 1) * 1000 }

// throttled is the share of answers that were 503.
func (r result) throttled() float64 {
	var all int64
	for kind, n := range r.Stub.Calls {
		if kind != "list" {
			all += n
		}
	}
	return float64(r.Stub.Calls["503"]) / float64(max(all, 1))
}

func (r result) line() string {
	cut := ""
	if r.Cut {
		cut = " CUT"
	}
	return fmt.Sprintf("n=%d %.1f µs/object (user %.1f) %.0f/s wall %.2f s peak %.0f MB 503 %.1f %% missing %d twice %d exit %d load %.1f%s %v",
		r.Objects, r.cpu(), float64(r.UserUS)/float64(max(r.done(), 1)), r.throughput(), float64(r.WallMS)/1000, float64(r.PeakKB)/1024,
		100*r.throttled(), r.missing(), r.twice(), r.Exit, r.Load, cut, r.Stub.Calls)
}
