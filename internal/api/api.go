// Package api holds what its protocols share: the jobs service as they see it. Each protocol below decodes a request into
// the domain, calls Jobs, and encodes the answer; each has one renderer of errors.
package api

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
)

// What the service is called with.
type (
	Caller = job.Caller
	Filter = job.Filter
	Page   = job.Page
)

// Jobs is the jobs service. All entrances call it; it validates. Errors are *job.Error. Jobs of other accounts are
// NoSuchJob. Listings run from the oldest job to the newest.
type Jobs interface {
	// Create validates the spec and makes the job. A token that the account has used is Duplicate, whose error names the
	// job and says whether this very request (its Request.Body apart) made it; but the very same request whose job was
	// not made for a crash in between is finished.
	Create(ctx context.Context, c Caller, s job.Spec) (job.Job, error)
	Job(ctx context.Context, c Caller, id job.ID) (job.Job, error)
	List(ctx context.Context, c Caller, f Filter, p Page) (jobs []job.Job, more bool, err error)
	// SetPriority is NoSuchJob for a finished job.
	SetPriority(ctx context.Context, c Caller, id job.ID, p job.Priority) (job.Job, error)
	// Confirm lets a Suspended job (or one that is not there yet) run: Conflict in any other status. It answers Ready.
	Confirm(ctx context.Context, c Caller, id job.ID, reason string) (job.Job, error)
	// Cancel is Conflict for a finished job. It answers Cancelling.
	Cancel(ctx context.Context, c Caller, id job.ID, reason string) (job.Job, error)
	// Pause and Resume are ours: no XML protocol has them.
	Pause(ctx context.Context, c Caller, id job.ID, reason string) (job.Job, error)
	Resume(ctx context.Context, c Caller, id job.ID, reason string) (job.Job, error)
	// Delete removes a finished job's record: Conflict for any other.
	Delete(ctx context.Context, c Caller, id job.ID) error
	// Tags gives the job's own tags; SetTags puts others in their place, at most 50, also on a finished job.
	Tags(ctx context.Context, c Caller, id job.ID) ([]job.Tag, error)
	SetTags(ctx context.Context, c Caller, id job.ID, tags []job.Tag) error
	// Report opens the job's report manifest or one of its result files by the name that the manifest gives it.
	ReportManifest(ctx context.Context, c Caller, id job.ID) ([]byte, error)
	// Watch calls f with the job now and after each change (status, progress) until it is final, ctx ends or f fails.
	Watch(ctx context.Context, c Caller, id job.ID, f func(job.Job) error) error
}
