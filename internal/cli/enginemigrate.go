package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
)

type engineMigrateCmd struct {
	From    string        `required:"" placeholder:"FILE" help:"The configuration of where the jobs are: a single server, which must be stopped, or a node or client of a running cluster."`
	To      string        `required:"" placeholder:"FILE" help:"The configuration of where they go: the same."`
	Timeout time.Duration `default:"15m" placeholder:"TIME" help:"How long jobs may take to come to rest."`
}

// Help says what happens, and what when it does not get to its end.
func (c *engineMigrateCmd) Help() string {
	return `It moves all jobs, finished ones too, and the principals, roles and limits of regions made at run time. Running jobs are paused
by the system, what they handed in is collected, the records are carried over, and the jobs go on at the other engine from the row where they were.
Meanwhile neither engine takes new jobs or changes. Before the records are carried over an error or Ctrl-C leaves all as it was; run
again after a crash, it goes on.

The old engine keeps its finished jobs and refuses to run; drover engine migrate can bring the jobs back to it. Regions and roles of
both configurations must name the same stores. engine.secrets_key must be the same, where principals or roles were made at run time.`
}

// Run moves.
func (c *engineMigrateCmd) Run(ctx context.Context, sh *shell) error {
	m := &migration{sh: sh, log: slog.New(slog.DiscardHandler), timeout: c.Timeout}
	err := m.run(ctx, c.From, c.To)
	return errors.Join(err, m.close())
}

// migration moves the jobs of one engine to another.
type migration struct {
	sh       *shell
	log      *slog.Logger
	timeout  time.Duration
	from, to *carrier.Carrier
	serving  *serving // what brings a single server's jobs to rest; it owns from
}

func (m *migration) run(ctx context.Context, from, to string) error {
	var err error
	var tf *config.File
	if m.to, tf, err = openEngine(ctx, to, m.sh, m.log); err != nil {
		return err
	}
	ff, err := m.openFrom(ctx, from)
	if err != nil {
		return err
	}
	target, source := engineName(tf), engineName(ff)
	if target == source {
		return usagef("", "both configurations are of %s", source)
	}
	h, err := engine.GetHold(ctx, m.from)
	if err != nil {
		return err
	}
	if h.Mode != engine.HoldMoved {
		if err := m.carry(ctx, source, target); err != nil {
			return err
		}
	} else if h.Other != target {
		return job.Errorf(job.Conflict, "The jobs of %s were moved to %s before. Name that one as --from.", source, h.Other)
	}
	// From here on the jobs are the target's, however this ends.
	if err := engine.EndHold(ctx, m.to); err != nil {
		return err
	}
	failpoint.Hit(failpoint.MoveLetGo)
	if err := engine.RemoveJobs(ctx, m.from); err != nil {
		return err
	}
	m.sh.note("the jobs are with %s and go on there", target)
	return nil
}

// engineName names an engine for people.
func engineName(f *config.File) string {
	e := &f.Effective.Engine
	switch {
	case e.IsCluster():
		return "cluster " + e.Cluster.Name
	case e.URL != "":
		return e.URL
	}
	return "the server with " + e.Dir
}

// openFrom reaches the engine that has the jobs. A single server's is run here, to bring its jobs to rest.
func (m *migration) openFrom(ctx context.Context, file string) (*config.File, error) {
	f, err := config.Load(file, m.sh.Getenv)
	if err != nil {
		return nil, configError(err, file)
	}
	if e := &f.Effective.Engine; e.IsCluster() || e.URL != "" {
		m.from, f, err = openEngine(ctx, file, m.sh, m.log)
		return f, err
	}
	f.Effective.Worker.Off = true
	s, err := startServe(ctx, f, m.log, asMover)
	if err != nil {
		return nil, withHint(err, inUseHint)
	}
	m.serving, m.from = s, s.node.carrier
	return f, nil
}

// carry brings the jobs to rest, and copies their records. An error leaves the jobs where they were.
func (m *migration) carry(ctx context.Context, source, target string) (err error) {
	if err := m.prepareTarget(ctx, source); err != nil {
		return err
	}
	var imported bool
	defer func() {
		if err == nil {
			return
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if imported {
			err = errors.Join(err, engine.RemoveJobs(end, m.to))
		}
		err = errors.Join(err, engine.EndHold(end, m.to), engine.EndHold(end, m.from))
	}()
	if err := engine.SetHold(ctx, m.from, engine.Hold{Mode: engine.HoldDraining, Other: target, Time: time.Now()}); err != nil {
		return err
	}
	failpoint.Hit(failpoint.MoveHeld)
	file, err := m.export(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	failpoint.Hit(failpoint.MoveExported)
	imported = true
	if err := m.to.Import(ctx, file); err != nil {
		return err
	}
	failpoint.Hit(failpoint.MoveImported)
	err = engine.SetHold(ctx, m.from, engine.Hold{Mode: engine.HoldMoved, Other: target, Time: time.Now()})
	if err == nil {
		failpoint.Hit(failpoint.MoveMade)
	}
	return err
}

// prepareTarget holds the target, which must have no jobs of its own.
func (m *migration) prepareTarget(ctx context.Context, source string) error {
	h, err := engine.GetHold(ctx, m.to)
	if err != nil {
		return err
	}
	n, err := engine.OpenJobs(ctx, m.to)
	if err != nil {
		return err
	}
	if n > 0 && h.Mode != engine.HoldFilling {
		return job.Errorf(job.Conflict, "The engine to move to has %d unfinished jobs of its own. Let them end, or cancel them.", n)
	}
	if h.Mode == engine.HoldFilling && h.Other != source {
		return job.Errorf(job.Conflict, "The engine to move to is being filled with the jobs of %s. Finish that move first: run it again.", h.Other)
	}
	if h.Mode == engine.HoldFilling {
		// What an earlier attempt has brought is out of date: the jobs were led again since, to come to rest.
		if err := engine.RemoveOpenJobs(ctx, m.to); err != nil {
			return err
		}
	}
	return engine.SetHold(ctx, m.to, engine.Hold{Mode: engine.HoldFilling, Other: source, Time: time.Now()})
}

// restPoll is how often it is asked whether jobs have come to rest.
const restPoll = 500 * time.Millisecond

// rest waits until nothing of any job is in flight.
func (m *migration) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	said := ""
	for {
		left, err := engine.Restless(ctx, m.from)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil && len(left) == 0 {
			return nil
		}
		if err == nil && left[0] != said {
			said = left[0]
			m.sh.note("waiting for %d jobs to come to rest: %s", len(left), oneLine(said))
		}
		select {
		case <-time.After(restPoll):
		case <-ctx.Done():
			return withHint(fmt.Errorf("jobs have not come to rest, and nothing was moved: %s", oneLine(said)),
				"a job that ends needs its report's bucket; --timeout gives it longer")
		}
	}
}

// export brings jobs to rest and writes the records into a temporary file, until they are the same twice: then nobody
// writes any more.
func (m *migration) export(ctx context.Context) (*os.File, error) {
	f, err := os.CreateTemp("", "drover-jobs-*.jsonl")
	if err != nil {
		return nil, err
	}
	var last []byte
	for {
		err := m.rest(ctx)
		if err == nil {
			err = f.Truncate(0)
		}
		if err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
		sum := sha256.New()
		if err == nil {
			err = m.from.Export(ctx, io.MultiWriter(f, sum))
		}
		if err == nil && bytes.Equal(sum.Sum(nil), last) {
			if _, err = f.Seek(0, io.SeekStart); err == nil {
				return f, nil
			}
		}
		if err == nil {
			last = sum.Sum(nil)
			err = pause(ctx, restPoll)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *migration) close() error {
	var errs []error
	switch {
	case m.serving != nil:
		errs = append(errs, m.serving.close())
	case m.from != nil:
		errs = append(errs, m.from.Close())
	}
	if m.to != nil {
		errs = append(errs, m.to.Close())
	}
	return errors.Join(errs...)
}
