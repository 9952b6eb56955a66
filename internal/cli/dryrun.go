package cli

import (
	"context"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

const (
	// dryRunFirst is how many rows are shown as examples.
	dryRunFirst = 5
	// dryRunCompared is how many destinations are kept to be compared with all later ones, at most 32 bytes each.
	dryRunCompared = 1 << 20
)

// dryRun says what the job would do, and leaves stores and state as they are.
func (f *runFlags) dryRun(ctx context.Context, sh *shell, spec job.Spec, op operation.Operation, stores oneStore) error {
	target := object.Buckets(stores.store)
	if c, ok := op.(*operation.Copy); ok {
		var err error
		if target, err = stores.Store(ctx, job.Account{}, job.Role{}, c.TargetRegion); err != nil {
			return err
		}
	}
	if err := pinManifest(ctx, stores, &spec.Manifest.Location); err != nil {
		return err
	}
	limitMemory(sh, dryRunMemory, 0)
	d := newDryRun(op, stores.store)
	plan, err := d.read(ctx, manifestFiles(spec.Manifest, stores.store), spec.Manifest)
	if manifest.CodeOf(err) == manifest.CodeInvalidContent {
		return withHint(err, "the job would end there; drover manifest lint names all that is wrong")
	}
	if err != nil {
		return err
	}
	if err := engine.CheckBuckets(ctx, stores.store, target, stores.region, op, plan.Buckets); err != nil {
		if object.Retryable(err) {
			return withHint(err, "the list is well, but a job would wait for this store; see --endpoint-url and --region")
		}
		return err
	}
	if b := spec.Report.Bucket; b != "" {
		if _, err := stores.store.HeadBucket(ctx, b); object.CodeOf(err) == object.CodeNoSuchBucket {
			return job.Errorf(job.InvalidRequest, "The report's bucket %s does not exist.", job.Quote(string(b)))
		}
	}
	if _, err := os.Stat(f.State); err == nil {
		sh.note("%s has state of this job already: without --dry-run it goes on from there, or prints its result; --again does it anew", f.State)
	}
	if f.json() {
		return sh.json(d.result(plan))
	}
	d.show(sh, plan)
	return nil
}

// manifestFiles opens a manifest's files, wherever they lie.
func manifestFiles(m job.Manifest, store object.Reader) manifest.Opener {
	if m.Location.Path != "" {
		return manifest.Local{}
	}
	return storeFiles{store}
}

// dryRun is a job that is only looked at.
type dryRun struct {
	op        operation.Operation
	mover     operation.Mover // nil where the operation makes no objects
	rehearsal *operation.Rehearsal
	tally     manifest.Tally
	seen      *manifest.Seen // destinations

	first []job.Entry
	self  found // rows whose object is their destination
	twice found // rows whose destination an earlier row has
}

// found is how many rows are in some way, and the first of them.
type found struct {
	count int64
	first []job.Entry
}

func (f *found) add(e *job.Entry) {
	if f.count++; len(f.first) < operation.MaxFirst {
		f.first = append(f.first, *e)
	}
}

func newDryRun(op operation.Operation, store object.Store) *dryRun {
	d := &dryRun{op: op, rehearsal: operation.NewRehearsal(op, store, operation.Limits{}), seen: manifest.NewSeen(dryRunCompared)}
	d.mover, _ = op.(operation.Mover)
	return d
}

// read surveys the manifest, looks at its rows, and meanwhile rehearses those before.
func (d *dryRun) read(ctx context.Context, o manifest.Opener, m job.Manifest) (plan *manifest.Plan, err error) {
	group, within := errgroup.WithContext(ctx)
	chunks := make(chan []job.Entry, 2)
	group.Go(func() (err error) {
		defer close(chunks)
		plan, err = manifest.Survey(within, o, m, manifest.Options{Rows: func(rows []job.Entry) error {
			d.look(rows)
			chunks <- rows
			return nil
		}})
		return err
	})
	group.Go(func() error {
		for rows := range chunks {
			d.rehearsal.Add(rows)
		}
		return nil
	})
	err = group.Wait()
	return plan, err
}

// look counts rows, and compares where they go.
func (d *dryRun) look(rows []job.Entry) {
	if n := dryRunFirst - len(d.first); n > 0 {
		d.first = append(d.first, rows[:min(n, len(rows))]...)
	}
	d.tally.Add(rows)
	if d.mover == nil {
		return
	}
	for i := range rows {
		e := &rows[i]
		to, err := d.mover.Destination(*e)
		if err != nil || e.DeleteMarker {
			continue // it fails
		}
		if to == (object.Ref{Bucket: e.Bucket, Key: e.Key, Version: e.Version}) {
			d.self.add(e)
		}
		if d.seen.AddText(string(to.Bucket), string(to.Key)) {
			d.twice.add(e)
		}
	}
}

// fails finds the code with which one of the first rows would fail; "" when it would not.
func (d *dryRun) fails(e job.Entry) string {
	for _, f := range d.rehearsal.Failures() {
		if slices.ContainsFunc(f.First, func(failed job.Entry) bool { return failed.Row == e.Row }) {
			return f.Code
		}
	}
	return ""
}
