package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/nullstore"
	"github.com/drover-batch/drover/internal/operation"
)

type runCmd struct {
	Copy    runCopyCmd    `cmd:"" help:"Copy each object to a bucket."`
	Restore runRestoreCmd `cmd:"" help:"Restore each archived object for some days."`
	Delete  runDeleteCmd  `cmd:"" help:"Delete each object, or the version that its row names."`
	Tag     runTagCmd     `cmd:"" help:"Set tags on each object."`
}

type runCopyCmd struct {
	copyFlags `group:"The operation:"`
	runFlags
}

type runRestoreCmd struct {
	restoreFlags `group:"The operation:"`
	Look         time.Duration `group:"The operation:" default:"5m" placeholder:"TIME" help:"With --wait: when to look at the objects first. The intervals double, up to an hour."`
	runFlags
}

type runDeleteCmd struct {
	deleteFlags `group:"The operation:"`
	runFlags
}

type runTagCmd struct {
	tagFlags `group:"The operation:"`
	runFlags
}

// Run does the job in the foreground.
func (c *runCopyCmd) Run(ctx context.Context, sh *shell) error {
	return c.run(ctx, sh, c.copyFlags.operation)
}

// Run does the job in the foreground.
func (c *runRestoreCmd) Run(ctx context.Context, sh *shell) error {
	if c.Look <= 0 {
		return usagef("", "--look: %s is no time to wait", c.Look)
	}
	c.look = config.Look{First: config.Duration(c.Look), Longest: config.Duration(max(c.Look, time.Hour))}
	return c.run(ctx, sh, c.restoreFlags.operation)
}

// Run does the job in the foreground.
func (c *runDeleteCmd) Run(ctx context.Context, sh *shell) error {
	return c.run(ctx, sh, c.deleteFlags.operation)
}

// Run does the job in the foreground.
func (c *runTagCmd) Run(ctx context.Context, sh *shell) error {
	return c.run(ctx, sh, c.tagFlags.operation)
}

const runHelp = `Example:

    drover run %s --endpoint-url http://127.0.0.1:8601 --manifest list.csv %s --report ./report

The job's state lies in --state. Stopped in the middle, the same command goes on where it was; when it has ended, the same
command prints its result again, and --again does it anew. The endpoint null: answers every call at once, for measuring.

With --dry-run the list is read and checked as the job would, the buckets are looked at, and nothing is done: what is printed is
what the job's tasks would call if all is as the list says and no call has to be repeated. Reading the list and writing the report
take calls beside these. The exit code is 0 when the job could run, also when some of its tasks would fail.

` + credentialsHelp

// Help gives an example.
func (c *runCopyCmd) Help() string {
	return fmt.Sprintf(runHelp, "copy", "--to backup --prefix-add 2026/")
}

// Help gives an example.
func (c *runRestoreCmd) Help() string { return fmt.Sprintf(runHelp, "restore", "--days 7") }

// Help gives an example.
func (c *runDeleteCmd) Help() string { return fmt.Sprintf(runHelp, "delete", "--report-scope failed") }

// Help gives an example.
func (c *runTagCmd) Help() string { return fmt.Sprintf(runHelp, "tag", "--set team=blue") }

// runFlags are the flags of a job in the foreground.
type runFlags struct {
	storeFlags    `group:"The store:"`
	manifestFlags `group:"The manifest:"`
	reportFlags   `group:"The report:"`
	limitFlags    `embed:"" prefix:"limit-" group:"The limits:"`
	output
	Concurrency int    `placeholder:"N" help:"Object calls in flight. Default: 64."`
	State       string `placeholder:"DIR" help:"Folder of the job's state. Default: .drover/ and a hash of the arguments."`
	look        config.Look
	Again       bool `help:"Forget what was done before, and do the job anew."`
	DryRun      bool `help:"Read the list and say what the job would do: objects, bytes, calls by kind, tasks that would fail. Nothing is changed or written."`
}

// runCaller is whose jobs these are: the folder's, and nobody else's.
var runCaller = api.Caller{Account: job.Account{UIN: "0", AppID: "0"}, Principal: "drover run"}

// run does one job from beginning to end, or goes on with it.
func (f *runFlags) run(ctx context.Context, sh *shell, operationOf func() (operation.Operation, error)) error {
	op, err := operationOf()
	if err != nil {
		return err
	}
	where, err := f.resolve(sh)
	if err != nil {
		return err
	}
	spec, err := f.spec(where, op)
	if err != nil {
		return err
	}
	where.impatient = f.DryRun
	store, err := f.store(ctx, sh, where)
	if err != nil {
		return err
	}
	if f.State == "" {
		f.State = filepath.Join(".drover", spec.Token[:16])
	}
	if f.DryRun {
		return f.dryRun(ctx, sh, spec, op, oneStore{store, where.region})
	}
	state, err := openState(f.State, f.Again)
	if err != nil {
		return err
	}
	defer state.Close()
	j, err := f.do(ctx, sh, spec, oneStore{store, where.region})
	if ctx.Err() != nil {
		return withHint(ctx.Err(), "the same command goes on where this one stopped")
	}
	if err != nil {
		return err
	}
	if r := j.Spec.Report; r.Path != "" && j.ReportManifest != "" {
		j.ReportManifest = filepath.Join(r.Path, j.ReportManifest)
	}
	return sh.result(rest.FromJob(j), f.json())
}

// do runs the engine until the job has ended or ctx has.
func (f *runFlags) do(ctx context.Context, sh *shell, spec job.Spec, stores engine.Stores) (j job.Job, err error) {
	limitMemory(sh, runMemory, f.Concurrency)
	fixHeap(sh)
	fit, fitted := context.WithCancel(ctx)
	defer fitted()
	go fitProcessors(fit, sh)
	n, err := startNode(ctx, nodeOptions{
		dir: f.State, small: true, stores: stores, concurrency: f.Concurrency, logger: slog.New(slog.DiscardHandler), look: f.look,
	})
	if err != nil {
		return j, err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	j, err = f.begin(ctx, sh, n.jobs, stores, spec)
	if err != nil || j.Status.Final() {
		return j, err
	}
	bar := newProgress(sh, "")
	defer bar.end()
	err = n.watch(ctx, runCaller, j.ID, func(now job.Job) error {
		j = now
		bar.update(rest.FromJob(now))
		return nil
	})
	return j, err
}

// begin finds the job in the state, or makes it.
func (f *runFlags) begin(ctx context.Context, sh *shell, jobs api.Jobs, stores engine.Stores, spec job.Spec) (job.Job, error) {
	old, _, err := jobs.List(ctx, runCaller, api.Filter{}, api.Page{Max: 1})
	if err != nil {
		return job.Job{}, err
	}
	if len(old) > 0 {
		if !old[0].Status.Final() {
			sh.note("going on with the job in %s", f.State)
			if !reflect.DeepEqual(old[0].Limits, spec.Limits) { // they are no part of what the job is
				return jobs.SetLimits(ctx, runCaller, old[0].ID, spec.Limits)
			}
		} else {
			sh.note("the job in %s has ended; --again does it anew", f.State)
		}
		return old[0], nil
	}
	if err := pinManifest(ctx, stores, &spec.Manifest.Location); err != nil {
		return job.Job{}, err
	}
	return jobs.Create(ctx, runCaller, spec)
}

// pinManifest reads the ETag of a stored manifest, so that the job works on the list as it is now.
func pinManifest(ctx context.Context, stores engine.Stores, l *job.Location) error {
	if l.Path != "" {
		_, err := os.Stat(l.Path)
		return err
	}
	store, err := stores.Store(ctx, job.Account{}, job.Role{}, l.Region)
	if err != nil {
		return err
	}
	return pin(ctx, store, l)
}

// pin fills in a location's ETag from the store.
func pin(ctx context.Context, store object.Reader, l *job.Location) error {
	info, err := store.Head(ctx, object.Ref{Bucket: l.Bucket, Key: l.Key, Version: l.Version})
	if err != nil {
		err = fmt.Errorf("look at the manifest s3://%s/%s: %w", l.Bucket, l.Key, err)
		if object.StatusOf(err) == 404 {
			return withHint(err, "there is no such object; drover inventory create prints the name of the manifest it wrote")
		}
		return err
	}
	l.ETag = info.ETag
	return nil
}

func (f *runFlags) store(ctx context.Context, sh *shell, where endpoint) (object.Store, error) {
	if strings.HasPrefix(where.url, "null:") {
		return new(nullstore.Store), nil
	}
	return where.open(ctx, sh)
}

// spec makes the job's spec. Its token is a hash of all that makes the job what it is, so it names the job's state too.
func (f *runFlags) spec(where endpoint, op operation.Operation) (job.Spec, error) {
	spec := job.Spec{
		Account: runCaller.Account, Operation: op, Priority: 1,
		Request: job.Request{Protocol: job.ProtocolCLI},
	}
	var err error
	if spec.Manifest, err = f.manifest(); err != nil {
		return spec, err
	}
	if spec.Report, err = f.report(true); err != nil {
		return spec, err
	}
	if spec.Limits, err = f.limits(jobLimits); err != nil {
		return spec, err
	}
	name, params, err := operation.Marshal(op)
	if err != nil {
		return spec, err
	}
	all, err := json.Marshal([]any{where.url, where.region, where.dialect, name, params, spec.Manifest, spec.Report})
	if err != nil {
		return spec, err
	}
	sum := sha256.Sum256(all)
	spec.Token = hex.EncodeToString(sum[:])
	check := spec
	if check.Manifest.Location.Path == "" {
		check.Manifest.Location.ETag = "is looked up later"
	}
	if err := check.Validate(); err != nil {
		return spec, &problem{code: exitUsage, err: err}
	}
	return spec, nil
}
