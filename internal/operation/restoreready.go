package operation

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Awaited is an operation whose tasks may end later than their calls: Apply's failures are final, and what it did well
// has ended once Ready says so.
type Awaited interface {
	Operation
	// Awaits reports whether that is asked for.
	Awaits() bool
	// Ready looks at an entry for which Apply succeeded. done is false when it is to be looked at again later.
	Ready(ctx context.Context, s object.Reader, e job.Entry) (done bool, outcome job.Outcome)
}

var _ Awaited = (*Restore)(nil)

// Awaits implements Awaited.
func (r *Restore) Awaits() bool { return r.Wait }

// Ready says whether an object that Apply asked to restore can be read now, by one HEAD. done is false while the
// restoration runs, and when nothing was learnt: the store gave no answer that would hold, or ctx ended. When to look
// again, and for how long, is the caller's. Otherwise the outcome is the task's end.
//
// Restorations from an archive class take up to 48 hours (Tencent Cloud 436/12633; AWS S3 API, RestoreObject).
func (r *Restore) Ready(ctx context.Context, s object.Reader, e job.Entry) (done bool, outcome job.Outcome) {
	if e.DeleteMarker {
		return true, marker("which has nothing to restore.")
	}
	if ctx.Err() != nil {
		return false, job.Outcome{}
	}
	info, err := s.Head(ctx, ref(e))
	if err != nil {
		if object.Retryable(err) {
			return false, job.Outcome{}
		}
		outcome = hints{}.failed(ctx, during("looking whether the object can be read", err))
		return outcome != job.Outcome{}, outcome
	}
	return readable(info)
}

// readable reads off an object's headers whether its body may be read.
func readable(info object.Info) (done bool, outcome job.Outcome) {
	state := info.Restore
	switch {
	case state != nil && state.Ongoing:
		return false, job.Outcome{}
	case state != nil && !state.Expiry.IsZero():
		return true, job.Succeeded(200, "The restored copy can be read until "+state.Expiry.UTC().Format(time.RFC3339)+".")
	case state != nil && archived(info.Class):
		return true, job.Succeeded(200, "The restored copy can be read; the store does not say until when.")
	case archived(info.Class):
		return true, job.FailedTask(object.CodeInvalidObjectState, 200, fmt.Sprintf(
			"The object lies in %s and no restoration runs: none was asked for, or its copy has expired; restore it again.", job.Quote(info.Class)))
	case info.ArchiveTier != "":
		return true, job.FailedTask(object.CodeInvalidObjectState, 200, fmt.Sprintf(
			"The object lies in the archive tier %s and no restoration runs; restore it again.", job.Quote(info.ArchiveTier)))
	}
	return true, job.Succeeded(200, "The object can be read; it lies in no archive class or tier.")
}
