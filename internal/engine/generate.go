package engine

import (
	"context"
	"fmt"
	"iter"
	"os"

	"github.com/drover-batch/drover/internal/inventory"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/report"
)

// codeNothingMatches is the failure of a job whose manifest would be empty.
const codeNothingMatches = "NoMatchingObjects"

// manifest gives the job's manifest, which it makes first where the job asks for that. A leader that was stopped while it
// did so is followed by one that begins anew, with the same names.
func (l *leader) manifest(ctx context.Context) (job.Manifest, error) {
	s := l.made.Spec
	switch {
	case s.Generator == nil:
		return s.Manifest, nil
	case l.st.Generated != nil:
		return *l.st.Generated, nil
	}
	made, err := l.generate(ctx)
	if err != nil {
		return job.Manifest{}, err
	}
	l.st.Generated = &made
	if err := l.save(ctx); err != nil {
		l.st.Generated = nil
		return job.Manifest{}, err
	}
	return made, nil
}

func (l *leader) generate(ctx context.Context) (job.Manifest, error) {
	spec, err := l.made.Spec.spec()
	if err != nil {
		return job.Manifest{}, err
	}
	at := spec.Kept()
	if at.Region != spec.Region {
		return job.Manifest{}, failure(codeRegionMismatch, "The list would be kept in region %s, and the job is in %s: they must be the same.", at.Region, spec.Region)
	}
	if err := os.MkdirAll(l.e.o.Dir, 0o700); err != nil {
		return job.Manifest{}, fmt.Errorf("make the scratch folder: %w", err)
	}
	made, err := inventory.Create(ctx, matching{l.store, spec.Generator.Filter}, l.store, inventory.Options{
		SourceBucket: spec.Generator.Source, Region: spec.Region, DestBucket: at.Bucket,
		Prefix: report.Folder(at.Prefix, l.id) + "list", ConfigID: "generated", Now: l.made.Created, TempDir: l.e.o.Dir,
	})
	switch {
	case ctx.Err() != nil:
		return job.Manifest{}, context.Cause(ctx)
	case err != nil && object.CodeOf(err) == object.CodeNoSuchBucket:
		return job.Manifest{}, failure(object.CodeNoSuchBucket, "The manifest cannot be made: %v.", err)
	case err != nil && (object.Retryable(err) || object.StatusOf(err) == 0):
		return job.Manifest{}, err
	case err != nil:
		return job.Manifest{}, failure(object.CodeOf(err), "The manifest cannot be made: %v. The job's role needs the right to list %s, and to write to %s.",
			err, spec.Generator.Source, at.Bucket)
	case made.Rows == 0:
		return job.Manifest{}, failure(codeNothingMatches, "No object of the bucket %s matches the filter.", spec.Generator.Source)
	}
	return made.Manifest, nil
}

// matching lists what a filter lets through, each key once.
type matching struct {
	store  object.Lister
	filter job.ObjectFilter
}

// List implements object.Lister.
func (m matching) List(ctx context.Context, b job.Bucket, o object.ListOptions) iter.Seq2[object.ListEntry, error] {
	return func(yield func(object.ListEntry, error) bool) {
		for _, prefix := range m.filter.Listings() {
			o.Prefix = prefix
			for e, err := range m.store.List(ctx, b, o) {
				if err != nil {
					yield(e, fmt.Errorf("below %q: %w", prefix, err))
					return
				}
				if m.filter.Lets(e.Key, e.Size, e.LastModified, e.Class) && !yield(e, nil) {
					return
				}
			}
		}
	}
}
