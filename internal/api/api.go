// Package api holds what its protocols share: the jobs service as they see it. Each protocol below decodes a request into
// the domain, calls Jobs, and encodes the answer; each has one renderer of errors.
package api

import (
	"context"
	"io"

	"github.com/drover-batch/drover/internal/job"
)

// What the service is called with.
type (
	Caller = job.Caller
	Filter = job.Filter
	Page   = job.Page
)

// Jobs is the jobs service. All entrances call it; it validates. Errors are *job.Error. Jobs of other accounts are
// NoSuchJob. Listings run from the oldest job to the newest, unless the page asks for the other way, and their jobs have
// neither events nor the keys of failed tasks. A change whose
// caller has a condition that the job does not meet is Precondition.
type Jobs interface {
	// Create validates the spec and makes the job. A token that the account has used is Duplicate, whose error names the
	// job and says whether this very request (its Request.Body apart) made it; but the very same request whose job was
	// not made for a crash in between is finished.
	Create(ctx context.Context, c Caller, s job.Spec) (job.Job, error)
	Job(ctx context.Context, c Caller, id job.ID) (job.Job, error)
	List(ctx context.Context, c Caller, f Filter, p Page) (jobs []job.Job, more bool, err error)
	// SetPriority is NoSuchJob for a finished job.
	SetPriority(ctx context.Context, c Caller, id job.ID, p job.Priority) (job.Job, error)
	// SetLimits puts other bounds on the job's calls in the place of those it has; running calls end as they would. It is
	// Conflict for a finished job.
	SetLimits(ctx context.Context, c Caller, id job.ID, l job.Limits) (job.Job, error)
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
	// Retry makes a new job of a finished job's failed tasks, with the same operation, role and report: InvalidRequest
	// where there are none or no report says which, Conflict for a job that has not ended.
	Retry(ctx context.Context, c Caller, id job.ID, r job.Retry) (job.Job, error)
	// Counts counts the account's jobs by status. The filter's own statuses are not looked at.
	Counts(ctx context.Context, c Caller, f Filter) (map[job.Status]int64, error)
	// Work tells of a job's chunks and segments.
	Work(ctx context.Context, c Caller, id job.ID) (job.Work, error)
	// ReportManifest reads the job's report manifest, as the job's role. It is Conflict until the job has ended.
	ReportManifest(ctx context.Context, c Caller, id job.ID) ([]byte, error)
	// ReportFiles lists the result files that the report's manifest names.
	ReportFiles(ctx context.Context, c Caller, id job.ID) ([]job.ReportFile, error)
	// ReportFile opens one of them, as the job's role. size is -1 when it is not known; the caller closes the body.
	ReportFile(ctx context.Context, c Caller, id job.ID, name string) (body io.ReadCloser, size int64, err error)
	// Watch calls f with the job now and after each change (status, progress) until it is final, ctx ends or f fails.
	Watch(ctx context.Context, c Caller, id job.ID, f func(job.Job) error) error
}
