package rolestore

import (
	"context"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

var (
	_ object.ManyDeleter = (*guarded)(nil)
	_ object.ManyDeleter = (*observed)(nil)
)

// DeleteMany implements object.ManyDeleter: what the role may not delete is left out of the call; when that is all of it
// there is none.
func (g *guarded) DeleteMany(ctx context.Context, b job.Bucket, refs []object.Ref) ([]object.DeleteOutcome, []bool, error) {
	out, ok := make([]object.DeleteOutcome, len(refs)), make([]bool, len(refs))
	var may []object.Ref
	var at []int
	for i, r := range refs {
		if err := g.on("DeleteMany", r, access.DeleteObject); err != nil {
			out[i].Err, ok[i] = err, true
			continue
		}
		may, at = append(may, r), append(at, i)
	}
	if len(may) == 0 && len(refs) > 0 {
		return nil, nil, out[0].Err
	}
	got, known, err := g.store.(object.ManyDeleter).DeleteMany(ctx, b, may)
	if err != nil {
		return nil, nil, err
	}
	for j, i := range at {
		out[i], ok[i] = got[j], known[j]
	}
	return out, ok, nil
}

// DeleteMany implements object.ManyDeleter. It counts as one call.
func (o *observed) DeleteMany(ctx context.Context, b job.Bucket, refs []object.Ref) (out []object.DeleteOutcome, ok []bool, err error) {
	many, can := o.store.(object.ManyDeleter)
	if !can {
		return nil, nil, &object.Error{Op: "DeleteMany", Code: "NotImplemented", Status: 501, Message: "This store deletes objects one by one."}
	}
	err = o.call(ctx, "DeleteMany", func() error { out, ok, err = many.DeleteMany(ctx, b, refs); return err })
	return out, ok, err
}
