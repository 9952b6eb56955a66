package operation

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// The tiers of a batch restore (Tencent Cloud 436/34075); single requests have Expedited too.
const (
	TierStandard = "Standard"
	TierBulk     = "Bulk"
)

// maxDays bounds a restored copy's validity.
const maxDays = 365

// codeNotArchived is COS's answer for an object that is in no archive class; S3's is InvalidObjectState.
const codeNotArchived = "RestoreNonArchiveObject"

// Restore asks for temporary copies of archived objects. A task succeeds when the store took the request, not when the
// object can be read. Where a copy is there already its validity is set anew.
type Restore struct {
	Days int    // validity of the copies, 1–365
	Tier string // TierStandard or TierBulk
}

// Name implements job.Operation.
func (r *Restore) Name() string { return "restore" }

// Validate implements job.Operation. The fields are named as in COS's request (436/33786).
func (r *Restore) Validate() error {
	var p job.Problems
	if r.Days < 1 || r.Days > maxDays {
		p.Addf("ExpirationInDays", "is %d; give 1–%d days.", r.Days, maxDays)
	}
	if r.Tier != TierStandard && r.Tier != TierBulk {
		p.Addf("JobTier", "%s is no tier of a batch restore; use %s or %s.", job.Quote(r.Tier), TierStandard, TierBulk)
	}
	return p.Err()
}

const nothingToRestore = "The object lies in no archive class, or is not archived any more; there is nothing to restore."

var restoreHints = hints{
	object.CodeInvalidObjectState: nothingToRestore,
	codeNotArchived:               nothingToRestore,
}

// Apply implements Operation.
func (r *Restore) Apply(ctx context.Context, s object.Store, t Task) job.Outcome {
	if t.Entry.DeleteMarker {
		return marker("which has nothing to restore.")
	}
	if ctx.Err() != nil {
		return job.Outcome{}
	}
	req := object.RestoreRequest{Ref: ref(t.Entry), Days: r.Days, Tier: r.Tier}
	status, err := s.Restore(ctx, req)
	switch {
	case err == nil && status == 200:
		return job.Succeeded(status, "The object was restored already; its validity was set anew.")
	case err == nil:
		return job.Succeeded(status, "")
	}
	if note, ok, _ := explain(ctx, s, restoreExplained, t.Repeat, req, err); ok {
		return job.Succeeded(object.StatusOf(err), note)
	}
	return restoreHints.failed(ctx, err)
}
