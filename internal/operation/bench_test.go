package operation

import (
	"context"
	"testing"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// nullStore copies nothing, at once.
type nullStore struct{ object.Store }

func (nullStore) Copy(context.Context, object.CopyRequest) (object.CopyResult, error) {
	return object.CopyResult{HTTPStatus: 200}, nil
}

// BenchmarkCopyApply shows what a copy costs beside its call.
func BenchmarkCopyApply(b *testing.B) {
	op := to(func(c *Copy) { c.PrefixReplace, c.PrefixTo, c.StorageClass = true, "new/", "STANDARD_IA" })
	b.ReportAllocs()
	for b.Loop() {
		if out := op.Apply(b.Context(), nullStore{}, Task{Entry: entry}); out.Status != job.TaskSucceeded {
			b.Fatal(out)
		}
	}
}
