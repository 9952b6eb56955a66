package operation

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Delete deletes each object, or the version that its row names. In a bucket with versions a row without a version
// puts a delete marker on top and removes nothing (Tencent Cloud 436/82858).
type Delete struct{}

// Name implements job.Operation.
func (d *Delete) Name() string { return "delete" }

// Validate implements job.Operation. There is nothing to be wrong.
func (d *Delete) Validate() error { return nil }

// Apply implements Operation.
func (d *Delete) Apply(ctx context.Context, s object.Store, t Task) job.Outcome {
	if ctx.Err() != nil {
		return job.Outcome{}
	}
	r := ref(t.Entry)
	if t.Repeat && r.Version == "" && gone(ctx, s, r) {
		return job.Succeeded(404, deleteExplained[0].note)
	}
	res, err := s.Delete(ctx, r)
	if err == nil {
		return job.Succeeded(res.HTTPStatus, "")
	}
	if note, ok, _ := explain(ctx, s, deleteExplained, t.Repeat, r, err); ok {
		return job.Succeeded(object.StatusOf(err), note)
	}
	return hints(nil).failed(ctx, err)
}

// gone reports whether no object is there, so that a second delete need not put a second delete marker on top. A HEAD
// answers 404 for a missing bucket too, hence the second look. Whatever cannot be seen is left to the delete itself.
func gone(ctx context.Context, s object.Store, r object.Ref) bool {
	if _, err := s.Head(ctx, r); object.StatusOf(err) != 404 {
		return false
	}
	_, err := s.HeadBucket(ctx, r.Bucket)
	return err == nil
}
