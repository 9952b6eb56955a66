package operation

import (
	"context"
	"slices"
	"strings"

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

// classTiering is the class whose objects can lie in archive tiers: they are moved back, and not copied for some days.
const classTiering = "INTELLIGENT_TIERING"

// Restore asks for temporary copies of archived objects. A task succeeds when the store took the request, not when the
// object can be read: Ready tells that. Where a copy is there already its validity is set anew.
type Restore struct {
	Days int    // validity of the copies, 1–365; 0 with IntelligentTiering
	Tier string // TierStandard or TierBulk
	// TrustInventory fails, without a call, tasks whose inventory row names a class that can have nothing to restore.
	// Inventories are days old. Rows without a class, or with one unknown here, are asked of the store.
	TrustInventory bool
	// IntelligentTiering is for objects in the archive tiers of that class (AWS S3 API, RestoreObject): the request
	// has no days, and the object stays readable. One job does these or the archive classes, not both.
	IntelligentTiering bool
	// Wait ends a task when its object can be read, in place of when the store took the request: the job looks again and
	// again, for days.
	Wait bool
}

// Name implements job.Operation.
func (r *Restore) Name() string { return "restore" }

// Validate implements job.Operation. The fields are named as in COS's request (436/33786).
func (r *Restore) Validate() error {
	var p job.Problems
	switch {
	case r.IntelligentTiering && r.Days != 0:
		p.Addf("ExpirationInDays", "is %d; an object in an archive tier of intelligent tiering is restored for good: leave the days out.", r.Days)
	case !r.IntelligentTiering && (r.Days < 1 || r.Days > maxDays):
		p.Addf("ExpirationInDays", "is %d; give 1–%d days.", r.Days, maxDays)
	}
	if r.Tier != TierStandard && r.Tier != TierBulk {
		p.Addf("JobTier", "%s is no tier of a batch restore; use %s or %s.", job.Quote(r.Tier), TierStandard, TierBulk)
	}
	return p.Err()
}

const (
	nothingToRestore     = "The object can be read as it is: it lies in no archive class (GLACIER_IR is none), or is not archived any more; there is nothing to restore."
	nothingToRestoreTier = "The object can be read as it is: it lies in no archive tier of intelligent tiering, or not any more; there is nothing to restore."
)

var (
	restoreHints = hints{
		object.CodeInvalidObjectState: nothingToRestore,
		codeNotArchived:               nothingToRestore,
	}
	restoreTierHints = hints{
		object.CodeInvalidObjectState: nothingToRestoreTier,
		codeNotArchived:               nothingToRestoreTier,
	}
)

// Apply implements Operation.
func (r *Restore) Apply(ctx context.Context, s object.Store, t Task) job.Outcome {
	if t.Entry.DeleteMarker {
		return marker("which has nothing to restore.")
	}
	if ctx.Err() != nil {
		return job.Outcome{}
	}
	if r.TrustInventory {
		if err := r.inventoryRefusal(t.Entry.Class); err != nil {
			return restoreHints.failed(ctx, err)
		}
	}
	req := object.RestoreRequest{Ref: ref(t.Entry), Days: r.Days, Tier: r.Tier}
	status, err := s.Restore(ctx, req)
	switch {
	case err == nil && status == 200 && !r.IntelligentTiering:
		return job.Succeeded(status, "The object was restored already; its validity was set anew.")
	case err == nil:
		return job.Succeeded(status, "")
	}
	if note, ok, _ := explain(ctx, s, restoreExplained, t.Repeat, req, err); ok {
		return job.Succeeded(object.StatusOf(err), note)
	}
	if r.IntelligentTiering {
		return restoreTierHints.failed(ctx, err)
	}
	return restoreHints.failed(ctx, err)
}

// inventoryRefusal is why an object of an inventory's class has nothing to restore; nil where it may have.
func (r *Restore) inventoryRefusal(class string) error {
	class = strings.ToUpper(class)
	switch {
	case !slices.Contains(classes, class):
		return nil
	case r.IntelligentTiering && class != classTiering:
		return refusef(object.CodeInvalidObjectState,
			"The inventory lists the object in %s, and this job restores from the archive tiers of intelligent tiering; the store was not asked.", class)
	case !r.IntelligentTiering && class == classTiering:
		return refusef(object.CodeInvalidObjectState,
			"The inventory lists the object in %s, whose archive tiers need a job of their own, for intelligent tiering; the store was not asked.", class)
	case !r.IntelligentTiering && !archived(class):
		return refusef(object.CodeInvalidObjectState,
			"The inventory lists the object in %s, which can be read as it is; there is nothing to restore, and the store was not asked.", class)
	}
	return nil
}
