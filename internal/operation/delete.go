package operation

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Delete deletes each object, or the version that its row names.
type Delete struct{}

// Name implements job.Operation.
func (d *Delete) Name() string { return "delete" }

// Validate implements job.Operation.
func (d *Delete) Validate() error { return nil }

// Apply implements Operation.
func (d *Delete) Apply(ctx context.Context, s object.Store, t Task) job.Outcome {
	return job.Outcome{}
}
