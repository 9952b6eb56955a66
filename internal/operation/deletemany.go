package operation

import (
	"context"
	"errors"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Batcher is an operation that can work on several entries by one call.
type Batcher interface {
	Operation
	// Most is how many tasks ApplyAll takes at a time on this store; 1 = there is nothing to gain.
	Most(s object.Store) int
	// ApplyAll is Apply for several tasks: one outcome each, in their order.
	ApplyAll(ctx context.Context, s object.Store, ts []Task) []job.Outcome
}

var _ Batcher = (*Delete)(nil)

// Most implements Batcher.
func (d *Delete) Most(s object.Store) int {
	if _, ok := s.(object.ManyDeleter); ok {
		return object.MaxDeleteMany
	}
	return 1
}

// ApplyAll implements Batcher by multi-object deletes, a bucket at a time. Singly go: second attempts, which may have to
// look before they delete; keys that XML 1.0 cannot carry; rows with the version "null", which stores take in more than
// one way; and a key that stands among the tasks already.
func (d *Delete) ApplyAll(ctx context.Context, s object.Store, ts []Task) []job.Outcome {
	out := make([]job.Outcome, len(ts))
	many, can := s.(object.ManyDeleter)
	byBucket := map[job.Bucket][]int{}
	seen := map[object.Ref]bool{}
	var buckets []job.Bucket
	var singly []int
	for i, t := range ts {
		key := object.Ref{Bucket: t.Entry.Bucket, Key: t.Entry.Key}
		if !can || t.Repeat || seen[key] || t.Entry.Version == "null" || !object.XMLCarries(string(t.Entry.Key)) {
			singly = append(singly, i)
			continue
		}
		seen[key] = true
		if len(byBucket[t.Entry.Bucket]) == 0 {
			buckets = append(buckets, t.Entry.Bucket)
		}
		byBucket[t.Entry.Bucket] = append(byBucket[t.Entry.Bucket], i)
	}
	for _, b := range buckets {
		singly = append(singly, d.applyMany(ctx, many, b, ts, byBucket[b], out)...)
	}
	for _, i := range singly {
		out[i] = d.Apply(ctx, s, ts[i])
	}
	return out
}

// applyMany makes one call and gives back the tasks of which it learnt nothing, marked as attempted before: each of
// them is looked at before it is sent again.
func (d *Delete) applyMany(ctx context.Context, s object.ManyDeleter, b job.Bucket, ts []Task, at []int, out []job.Outcome) (left []int) {
	if ctx.Err() != nil {
		return nil
	}
	refs := make([]object.Ref, len(at))
	for j, i := range at {
		refs[j] = ref(ts[i].Entry)
	}
	got, ok, err := s.DeleteMany(ctx, b, refs)
	for j, i := range at {
		switch {
		case err == nil && ok[j] && got[j].Err == nil:
			out[i] = job.Succeeded(204, "")
		case err == nil && ok[j] && !object.Retryable(got[j].Err):
			out[i] = hints(nil).failed(ctx, got[j].Err)
		case err != nil && unknown(ctx, err):
			// out[i] stays zero: the task is undone
		default:
			ts[i].Repeat = ts[i].Repeat || err == nil || object.Retryable(err) || errors.Is(err, object.ErrWaitEnded)
			left = append(left, i)
		}
	}
	return left
}
