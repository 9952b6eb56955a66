package operation

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Tagging sets each object's tags: Replaced puts the set in place of what is there, Add merges it in.
type Tagging struct {
	Directive Directive // Replaced or Add
	Tags      []job.Tag // at most 10 an object
}

// Name implements job.Operation.
func (g *Tagging) Name() string { return "tagging" }

// Validate implements job.Operation.
func (g *Tagging) Validate() error { return nil }

// Apply implements Operation.
func (g *Tagging) Apply(ctx context.Context, s object.Store, t Task) job.Outcome {
	return job.Outcome{}
}
