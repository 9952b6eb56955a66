package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/telemetry"
)

// nodeOptions say how to run an engine in this process.
type nodeOptions struct {
	dir    string       // state; made when absent
	small  bool         // one job's results at a time: little memory for those that wait
	sync   bool         // every write of the carrier reaches the disk before it is answered
	place  *enginePlace // where the carrier is; nil = in dir
	noLead bool         // others lead the jobs
	noWork bool         // others work on them
	moved  bool         // start even where jobs were moved away from
	stores engine.Stores
	// open makes the stores once the carrier is there, in place of stores.
	open        func(context.Context, *carrier.Carrier) (engine.Stores, error)
	logger      *slog.Logger
	concurrency int // object calls in flight; 0 = the engine's default, as for the rest
	maxActive   int
	chunkRows   int
	drain       time.Duration
	look        config.Look // for restorations that are waited for
	reportWait  time.Duration
	metrics     *telemetry.Metrics // nil = none
}

// node is carrier and engine in this process: all of Drover but its entrances.
type node struct {
	name      string
	heard     func() bool // whether the engine's state can be written
	workers   func() int  // how many live
	jobBounds func() map[job.ID]job.Bounds
	jobs      api.Jobs
	carrier   *carrier.Carrier
	stop      context.CancelFunc
	ended     chan struct{} // closed when the engine's Run returned err
	err       error
	life      context.Context // ends with the engine
}

// The folders of a node's state.
const (
	carrierDir = "carrier"
	scratchDir = "scratch"
)

// startNode opens the state and starts the engine. It returns when jobs can be given to it. The node outlives ctx: the
// caller closes it, after its entrances.
func startNode(ctx context.Context, o nodeOptions) (*node, error) {
	scratch := filepath.Join(o.dir, scratchDir)
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	place := o.place
	if place == nil {
		place = &enginePlace{folder: carrier.Options{Dir: filepath.Join(o.dir, carrierDir), Sync: o.sync, Logger: o.logger}}
		if o.small {
			place.folder.MaxResults = carrier.SmallResults
		}
	}
	c, err := place.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the state in %s: %w", o.dir, err)
	}
	if err := refuseMoved(ctx, c, o); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if o.open != nil {
		if o.stores, err = o.open(ctx, c); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	name := nodeName(place)
	eo := engine.Options{
		Carrier: c, Stores: o.stores, Dir: scratch, Logger: o.logger, Concurrency: o.concurrency,
		MaxActive: o.maxActive, ChunkRows: o.chunkRows, Drain: o.drain, Alone: place.alone(),
		Name: name, NoLead: o.noLead, NoWork: o.noWork,
		ReportWait: o.reportWait, Keep: filepath.Join(o.dir, "kept"),
		LookFirst: time.Duration(o.look.First), LookLongest: time.Duration(o.look.Longest), LookLimit: time.Duration(o.look.Limit),
	}
	if place.dial == nil {
		eo.Disk = func() (engine.Disk, error) {
			free, size, err := carrier.DiskOf(place.folder.Dir)
			return engine.Disk{Free: free, Size: size}, err
		}
	}
	if o.metrics != nil {
		eo.Observe = o.metrics.Task
	}
	e, err := engine.New(eo)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	n := &node{name: name, heard: e.Heard, workers: e.Workers, jobBounds: e.JobBounds, jobs: e.Service(), carrier: c, ended: make(chan struct{})}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	life, die := context.WithCancelCause(context.WithoutCancel(ctx))
	n.stop, n.life = stop, life
	go func() {
		defer close(n.ended)
		n.err = e.Run(run)
		die(fmt.Errorf("the engine has stopped: %w", n.err))
	}()
	select {
	case <-e.Ready():
		if o.metrics != nil {
			o.metrics.Watch(func(ctx context.Context) telemetry.Load {
				s := e.Stats(ctx)
				return telemetry.Load{
					Jobs: s.Open, Waiting: s.Queue.Waiting, Running: s.Queue.Running, DiskFree: s.Disk.Free, DiskSize: s.Disk.Size,
				}
			})
		}
		return n, nil
	case <-n.ended:
		err = fmt.Errorf("start the engine: %w", n.err)
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, n.close())
}

// refuseMoved keeps an engine from starting whose jobs are with another.
func refuseMoved(ctx context.Context, c *carrier.Carrier, o nodeOptions) error {
	if o.moved {
		return nil
	}
	h, err := engine.GetHold(ctx, c)
	if err != nil || h.Mode != engine.HoldMoved {
		return err
	}
	return withHint(fmt.Errorf("the jobs of %s were moved to %s at %s", o.dir, h.Other, h.Time.UTC().Format(time.RFC3339)),
		"use that engine, or bring the jobs back with drover engine migrate")
}

// nodeName is what people know this process by.
func nodeName(p *enginePlace) string {
	if p.folder.Cluster != nil {
		return p.folder.Cluster.Node
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// ready says whether jobs can be given to it.
func (n *node) ready() error {
	if n.life.Err() != nil {
		return errors.New("the engine has stopped")
	}
	if !n.heard() {
		return errors.New("the engine's cluster takes no writes: too few nodes can be reached from here")
	}
	return nil
}

// close drains: no further task starts, those in flight end and are counted. It returns what went wrong with that.
func (n *node) close() error {
	n.stop()
	<-n.ended
	err := n.err
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, n.carrier.Close())
}

// watch follows a job until it has ended, ctx has, or the engine has.
func (n *node) watch(ctx context.Context, c api.Caller, id job.ID, f func(job.Job) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(n.life, func() { cancel(context.Cause(n.life)) })()
	if err := n.jobs.Watch(ctx, c, id, f); err != nil {
		if cause := context.Cause(n.life); cause != nil {
			return cause
		}
		return err
	}
	return nil
}
