package probe

import (
	"context"

	"github.com/drover-batch/drover/internal/object"
)

var versionChecks = []check{
	{
		"version-copy", versionCopy,
		"Copies of a version copy the latest one instead." + lostQuiet, "Copies of a version fail.",
	},
	{
		"version-tags", versionTags,
		"Tagging a version tags another one." + lostQuiet, "Tagging a version fails.",
	},
	{
		"version-delete", versionDelete,
		"Deleting a version deletes nothing, or another one." + lostQuiet, "Deleting a version fails.",
	},
}

// twoVersions stores an object twice.
func (p *prober) twoVersions(ctx context.Context) (one, two object.Ref, err error) {
	if !p.versioned {
		return one, two, unknownf("the bucket keeps no versions")
	}
	r := p.ref()
	one, two = r, r
	for _, v := range []struct {
		ref  *object.Ref
		body string
	}{{&one, "one"}, {&two, "two"}} {
		result, err := p.putAt(ctx, r, object.PutRequest{}, v.body)
		if err != nil {
			return one, two, needs("storing two versions", err)
		}
		v.ref.Version = result.Version
	}
	return one, two, nil
}

func versionCopy(ctx context.Context, p *prober) error {
	one, _, err := p.twoVersions(ctx)
	if err != nil {
		return err
	}
	to, err := p.copy(ctx, one, nil)
	if err != nil {
		return err
	}
	return p.holds(ctx, to, "one")
}

func versionTags(ctx context.Context, p *prober) error {
	one, two, err := p.twoVersions(ctx)
	if err != nil {
		return err
	}
	if _, err := p.s.PutTags(ctx, one, someTags); err != nil {
		return err
	}
	if err := p.hasTags(ctx, one, someTags); err != nil {
		return err
	}
	return p.hasTags(ctx, two, nil)
}

func versionDelete(ctx context.Context, p *prober) error {
	one, two, err := p.twoVersions(ctx)
	if err != nil {
		return err
	}
	if _, err := p.s.Delete(ctx, two); err != nil {
		return err
	}
	if err := p.isGone(ctx, two); err != nil {
		return err
	}
	one.Version = ""
	return p.holds(ctx, one, "one")
}
