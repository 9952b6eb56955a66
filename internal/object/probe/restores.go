package probe

import (
	"context"

	"github.com/drover-batch/drover/internal/object"
)

var restoreChecks = []check{
	{
		"restore", restoreArchived,
		"Restore jobs have no effect." + lostQuiet, "Restore jobs fail.",
	},
	{
		"restore-refused", restoreReadable,
		"Restoring an object that can be read as it is is reported as a success.",
		"Restore jobs fail.",
	},
}

// restoreArchived asks for the cheapest restoration that there is, of a few bytes.
func restoreArchived(ctx context.Context, p *prober) error {
	if p.cold == "" {
		return unknownf("the store was found to keep no archive class")
	}
	r, err := p.source(ctx, object.PutRequest{Class: p.cold})
	if err != nil {
		return err
	}
	if _, err := p.s.Restore(ctx, object.RestoreRequest{Ref: r, Days: 1, Tier: "Bulk"}); err != nil {
		return err
	}
	info, err := p.head(ctx, r)
	if err == nil && info.Restore == nil {
		return ignoredf("the request was accepted, and no restoration runs")
	}
	return err
}

func restoreReadable(ctx context.Context, p *prober) error {
	r, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	_, err = p.s.Restore(ctx, object.RestoreRequest{Ref: r, Days: 1, Tier: "Bulk"})
	switch code := object.CodeOf(err); {
	case err == nil:
		return ignoredf("the request was accepted")
	case code == object.CodeInvalidObjectState, code == "RestoreNonArchiveObject":
		return nil
	}
	return err
}
