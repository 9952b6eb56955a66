package operation

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Restore asks for temporary copies of archived objects.
type Restore struct {
	Days int    // 1–365
	Tier string // Standard or Bulk
}

// Name implements job.Operation.
func (r *Restore) Name() string { return "restore" }

// Validate implements job.Operation.
func (r *Restore) Validate() error { return nil }

// Apply implements Operation.
func (r *Restore) Apply(ctx context.Context, s object.Store, t Task) job.Outcome {
	return job.Outcome{}
}
