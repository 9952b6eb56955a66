package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
	"github.com/drover-batch/drover/internal/report"
)

// Codes of job failures found while preparing; those of the manifest itself are the manifest package's.
const (
	codeRegionMismatch    = "RegionMismatch"
	codeReportNotWritable = "ReportNotWritable"
)

var errCancelled = errors.New("the job was cancelled")

// load opens the job's store and its plan, if it has one.
func (l *leader) load(ctx context.Context) error {
	s := l.made.Spec
	store, err := l.e.o.Stores.Store(ctx, s.Account, s.Role, s.Region)
	if err != nil {
		return err
	}
	l.store = store
	r, err := l.e.o.Carrier.Get(ctx, Jobs, planKey(l.id))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	p, err := decode[manifest.Plan](r)
	if err != nil {
		return err
	}
	l.plan = &p
	return nil
}

// replan reads the manifest again where the plan was lost. Chunks of the lost one may be cut otherwise: they are cut anew.
func (l *leader) replan(ctx context.Context) error {
	if l.plan != nil && (l.st.Total == 0 || l.plan.Rows == l.st.Total) {
		return nil
	}
	l.log.Warn("the plan was lost: the manifest is read again")
	plan, err := l.survey(ctx)
	if err != nil {
		return err
	}
	if plan.Rows != l.st.Total && l.st.Total > 0 {
		return failure("ManifestFileChanged", "The manifest has %d rows now; it had %d when the job was prepared.", plan.Rows, l.st.Total)
	}
	if err := l.cutAnew(ctx); err != nil {
		return err
	}
	if err := l.keepPlan(ctx, plan); err != nil {
		return err
	}
	l.plan = plan
	return l.note(ctx, "What the manifest was found to be was lost, and the manifest was read again.")
}

// cutAnew removes what is queued of the job and where dispatch stood: chunks of a lost plan may have been cut otherwise, and
// those of a lost state call themselves fresh in an epoch that comes again.
func (l *leader) cutAnew(ctx context.Context) error {
	if err := l.e.o.Carrier.Purge(ctx, l.id); err != nil {
		return fmt.Errorf("empty queue: %w", err)
	}
	if err := l.e.o.Carrier.Delete(ctx, Jobs, cursorKey(l.id)); err != nil {
		return fmt.Errorf("delete cursor: %w", err)
	}
	return nil
}

// survey reads the manifest, going on from a plan that is not whole.
func (l *leader) survey(ctx context.Context) (*manifest.Plan, error) {
	list, err := l.manifest(ctx)
	if err != nil {
		return nil, err
	}
	return manifest.Survey(ctx, opener{l.store}, list, manifest.Options{
		ChunkRows: l.e.o.ChunkRows, Resume: l.plan,
		Progress: func(p *manifest.Plan) error {
			if !keptAt(len(p.Files)) {
				return nil
			}
			err := l.keepPlan(ctx, p)
			failpoint.Hit(failpoint.FileSurveyed)
			return err
		},
	})
}

// preparing checks everything that can be checked before an object is touched, and pins the manifest.
func (l *leader) preparing(ctx context.Context) error {
	pctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- l.prepare(pctx) }()
	for {
		l.look()
		if l.rec.Cancel != nil {
			cancel(errCancelled)
			<-done
			return nil // step moves it to Cancelling
		}
		select {
		case err := <-done:
			return l.prepared(ctx, err)
		case <-l.ent.changed:
		}
	}
}

func (l *leader) prepared(ctx context.Context, err error) error {
	if err != nil {
		if f, ok := asFailure(err); ok && ctx.Err() == nil {
			return l.fail(ctx, f)
		}
		return err
	}
	l.st.Total, l.st.Sizes = l.plan.Rows, l.plan.Sizes()
	switch {
	case !l.made.Spec.ConfirmationRequired:
		return l.move(ctx, job.Ready, system, "The manifest was read; no confirmation is asked for.")
	case l.rec.Confirm != nil:
		return l.move(ctx, job.Ready, l.rec.Confirm.Actor, l.rec.Confirm.Reason)
	}
	return l.move(ctx, job.Suspended, system, "The manifest was read; waiting for confirmation.")
}

func (l *leader) prepare(ctx context.Context) error {
	if err := l.load(ctx); err != nil {
		return err
	}
	s := l.made.Spec
	if r := s.Manifest.Location.Region; r != "" && r != s.Region {
		return failure(codeRegionMismatch, "The manifest %s/%s lies in region %s, the job in %s: they must be the same.",
			s.Manifest.Location.Bucket, s.Manifest.Location.Key, r, s.Region)
	}
	if err := l.checkReport(ctx); err != nil {
		return err
	}
	plan, err := l.survey(ctx)
	if err != nil {
		return err
	}
	if err := l.checkRights(ctx, plan); err != nil {
		return err
	}
	if err := l.checkBuckets(ctx, plan); err != nil {
		return err
	}
	if err := l.keepPlan(ctx, plan); err != nil {
		return err
	}
	failpoint.Hit(failpoint.PlanWritten)
	l.plan = plan
	return nil
}

// maxPlan bounds a plan's record, in bytes: what the carrier takes as one message, less some room. Packed it is enough for some
// 100,000 data files with names of a hundred bytes.
const maxPlan = 7 << 20

// keepPlan writes what is known of the manifest so far.
func (l *leader) keepPlan(ctx context.Context, p *manifest.Plan) error {
	b := encodePacked(p)
	if len(b) > maxPlan {
		return failure("ManifestTooLarge", "The manifest has more data files than a job can have: its plan takes %d bytes with %d of them, the limit is %d. "+
			"Split it into several manifests, or let the inventory write larger files.", len(b), len(p.Files), maxPlan)
	}
	if _, err := l.e.o.Carrier.Put(ctx, Jobs, planKey(l.id), b); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// keptAt says after how many data files the plan so far is written: each at first, later after each further 64th part,
// so that all that is written does not grow with the square of their number. A crash reads that part again.
func keptAt(files int) bool { return files%max(1, files/64) == 0 }

// checkReport proves that the report can be written, by writing the job's own record beside it.
func (l *leader) checkReport(ctx context.Context) error {
	sink, err := l.e.sink(ctx, l.made.Spec)
	if err == nil && sink == nil {
		return nil
	}
	if err == nil {
		rec := l.made
		rec.Spec.Request = job.Request{Protocol: rec.Spec.Request.Protocol}
		name := jobName(report.Folder(l.made.Spec.Report.Prefix, l.id))
		err = putBytes(ctx, sink, name, encode(rec), report.ContentTypeJSON)
	}
	if err == nil || object.Retryable(err) || ctx.Err() != nil {
		return err
	}
	where := string(l.made.Spec.Report.Bucket)
	if where == "" {
		where = l.made.Spec.Report.Path
	}
	return failure(codeReportNotWritable, "The report cannot be written to %q: %v. Give the job's role the right to write there, or name another place.", where, err)
}

// checkRights asks stores that know the role's policy whether it allows what the job needs.
func (l *leader) checkRights(ctx context.Context, p *manifest.Plan) error {
	checker, ok := l.e.o.Stores.(Checker)
	if !ok {
		return nil
	}
	spec, err := l.made.Spec.spec()
	if err != nil {
		return err
	}
	sources := make([]job.Bucket, 0, len(p.Buckets))
	for _, b := range p.Buckets {
		sources = append(sources, b.Bucket)
	}
	return checker.Check(ctx, spec, sources)
}

// checkBuckets is CheckBuckets for the leader's job.
func (l *leader) checkBuckets(ctx context.Context, p *manifest.Plan) error {
	op, err := l.made.Spec.operation()
	if err != nil {
		return err
	}
	target, err := l.e.targetStore(ctx, l.made.Spec)
	if err != nil {
		return err
	}
	if target == nil {
		target = l.store
	}
	return CheckBuckets(ctx, l.store, target, l.made.Spec.Region, op, p.Buckets)
}

// CheckBuckets makes sure that the source buckets exist in a store and lie in the job's region, and that a copy's target
// exists in its own. An error of a store that may yet answer is object.Retryable.
func CheckBuckets(ctx context.Context, store, target object.Buckets, region job.Region, op operation.Operation, sources []manifest.BucketAt) error {
	for _, b := range sources {
		info, err := store.HeadBucket(ctx, b.Bucket)
		switch {
		case err != nil && object.CodeOf(err) == object.CodeNoSuchBucket:
			return failure(object.CodeNoSuchBucket, "The bucket %q in row %d of %s does not exist.", b.Bucket, b.Row, b.File)
		case err != nil && object.Retryable(err):
			return fmt.Errorf("look at bucket %q: %w", b.Bucket, err)
		case err == nil && info.Region != "" && info.Region != region:
			return failure(codeRegionMismatch, "The bucket %q in row %d of %s lies in region %s, the job in %s: they must be the same.",
				b.Bucket, b.Row, b.File, info.Region, region)
		}
		// Any other answer, such as 403: the role may do its work there all the same; each task will tell.
	}
	c, ok := op.(*operation.Copy)
	if !ok {
		return nil
	}
	_, err := target.HeadBucket(ctx, c.TargetBucket)
	if err != nil && object.CodeOf(err) == object.CodeNoSuchBucket {
		return failure(object.CodeNoSuchBucket, "The target bucket %q does not exist.", c.TargetBucket)
	}
	if err != nil && object.Retryable(err) {
		return fmt.Errorf("look at bucket %q: %w", c.TargetBucket, err)
	}
	return nil
}
