package probe

import (
	"context"
	"net/http"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

var copyChecks = []check{
	{
		"copy-metadata-kept", copyKeepsMetadata,
		"Copies lose their source's metadata." + lostQuiet, "Copies fail.",
	},
	{
		"copy-metadata-replaced", copyNewMetadata,
		"Copies with new metadata keep the old." + lostQuiet, "Copies with new metadata fail.",
	},
	{
		"copy-tags-kept", copyKeepsTags,
		"Copies lose their source's tags." + lostQuiet, "Copies of objects with tags fail.",
	},
	{
		"copy-tags-replaced", copyNewTags,
		"Copies with new tags keep the old ones, or have none." + lostQuiet, "Copies with new tags fail.",
	},
	{
		"copy-tags-beside-metadata", copyKeepsTagsWithNewMetadata,
		"Copies with new metadata lose their source's tags." + lostQuiet, "Copies with new metadata fail where the source has tags.",
	},
	{
		"copy-both-replaced", copyNewTagsAndMetadata,
		"Copies with new metadata and new tags get something else." + lostQuiet, "Copies with new metadata and new tags fail.",
	},
	{
		"copy-class", copyClass,
		"Copies lie in another class than the one asked for." + lostQuiet, "Copies into another class fail.",
	},
	{
		"copy-class-default", copyClassDefault,
		"Copies for which no class is asked lie in their source's, and not in STANDARD: name the class in the job.",
		"Copies of objects in other classes fail.",
	},
	{
		"copy-encryption", copyEncryption,
		"Copies are stored without the encryption asked for, or the store does not say that they have it." + lostQuiet,
		"Copies that ask for encryption fail.",
	},
	{
		"copy-acl-canned", copyCanned,
		"Copies with access rights by a list's name get others." + lostQuiet, "Copies with access rights by a list's name fail.",
	},
	{
		"copy-acl-grants", copyGrants,
		"Copies with access rights grant by grant, or with their source's, get others." + lostQuiet,
		"Copies with access rights grant by grant, or with their source's, fail.",
	},
}

// copied tries a copy of an object like q, and what look says of it.
func copied(
	ctx context.Context, p *prober, q object.PutRequest, change func(*object.CopyRequest), look func(object.Ref) error,
) error {
	from, err := p.source(ctx, q)
	if err != nil {
		return err
	}
	to, err := p.copy(ctx, from, change)
	if err != nil {
		return err
	}
	if err := look(to); err != nil {
		return err
	}
	return p.holds(ctx, to, body)
}

func copyKeepsMetadata(ctx context.Context, p *prober) error {
	return copied(ctx, p, object.PutRequest{Meta: someMeta}, nil,
		func(r object.Ref) error { return p.hasMeta(ctx, r, someMeta) })
}

func copyNewMetadata(ctx context.Context, p *prober) error {
	return copied(ctx, p, object.PutRequest{Meta: someMeta},
		replaceMeta,
		func(r object.Ref) error { return p.hasMeta(ctx, r, newMeta) })
}

func copyKeepsTags(ctx context.Context, p *prober) error {
	_, err := p.copiedTags(ctx, nil, someTags)
	return err
}

func copyNewTags(ctx context.Context, p *prober) error {
	_, err := p.copiedTags(ctx, replaceTags, newTags)
	return err
}

func copyKeepsTagsWithNewMetadata(ctx context.Context, p *prober) error {
	_, err := p.copiedTags(ctx, replaceMeta, someTags)
	return err
}

func copyNewTagsAndMetadata(ctx context.Context, p *prober) error {
	to, err := p.copiedTags(ctx, func(c *object.CopyRequest) {
		replaceMeta(c)
		replaceTags(c)
	}, newTags)
	if err != nil {
		return err
	}
	return p.hasMeta(ctx, to, newMeta)
}

func replaceMeta(c *object.CopyRequest) {
	c.MetadataDirective, c.Meta = object.DirectiveReplace, newMeta
}

func replaceTags(c *object.CopyRequest) {
	c.TaggingDirective, c.Tags = object.DirectiveReplace, newTags
}

// copiedTags tries a copy of an object that has tags, set by a call of their own where a put does not keep them.
func (p *prober) copiedTags(ctx context.Context, change func(*object.CopyRequest), want []object.Tag) (to object.Ref, err error) {
	from, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return to, err
	}
	if _, err := p.s.PutTags(ctx, from, someTags); err != nil {
		return to, needs("tagging the source", err)
	}
	if err := p.hasTags(ctx, from, someTags); err != nil {
		return to, unknownf("the source has no tags to copy")
	}
	to, err = p.copy(ctx, from, change)
	if err != nil {
		return to, err
	}
	return to, p.hasTags(ctx, to, want)
}

func copyClass(ctx context.Context, p *prober) error {
	class, err := p.anyClass()
	if err != nil {
		return err
	}
	from, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	to, err := p.copy(ctx, from, func(c *object.CopyRequest) { c.Class = class })
	if err != nil {
		return err
	}
	return p.hasClass(ctx, to, class)
}

func copyClassDefault(ctx context.Context, p *prober) error {
	if p.warm == "" {
		return unknownf("the store was found to keep no class beside STANDARD that is read at once")
	}
	return copied(ctx, p, object.PutRequest{Class: p.warm}, nil,
		func(r object.Ref) error { return p.hasClass(ctx, r, "STANDARD") })
}

func copyEncryption(ctx context.Context, p *prober) error {
	return copied(ctx, p, object.PutRequest{}, func(c *object.CopyRequest) { c.SSE = sse },
		func(r object.Ref) error { return p.hasEncryption(ctx, r) })
}

func copyCanned(ctx context.Context, p *prober) error {
	return copied(ctx, p, object.PutRequest{}, func(c *object.CopyRequest) { c.CannedACL = publicRead },
		func(r object.Ref) error { return p.isPublic(ctx, r) })
}

func copyGrants(ctx context.Context, p *prober) error {
	from, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	acl, err := p.acl(ctx, from)
	if err != nil {
		return err
	}
	acl.Grants = ownGrants(acl)
	to, err := p.copy(ctx, from, func(c *object.CopyRequest) { c.Grants = acl.Grants })
	if err != nil {
		return err
	}
	return p.hasGrants(ctx, to, acl)
}

const (
	conditionLost = "Copies whose condition does not hold are made all the same." + lostQuiet
	conditionFail = "Copies under this condition fail, whether it holds or not."
)

// otherETag is an ETag that no object of a probe has.
const otherETag = "0123456789abcdef0123456789abcdef"

var conditionChecks = []check{
	{
		"copy-if-modified-since", condition(
			func(c *object.CopyRequest, i object.Info) { c.IfModifiedSince = i.LastModified.AddDate(0, 0, -1) },
			// A second more: some stores keep times finer than they tell them.
			func(c *object.CopyRequest, i object.Info) { c.IfModifiedSince = i.LastModified.Add(time.Second) }),
		conditionLost, conditionFail,
	},
	{
		"copy-if-unmodified-since", condition(
			func(c *object.CopyRequest, i object.Info) { c.IfUnmodifiedSince = i.LastModified.Add(time.Second) },
			func(c *object.CopyRequest, i object.Info) { c.IfUnmodifiedSince = i.LastModified.AddDate(0, 0, -1) }),
		conditionLost, conditionFail,
	},
	{
		"copy-if-match", condition(
			func(c *object.CopyRequest, i object.Info) { c.IfMatch = i.ETag },
			func(c *object.CopyRequest, _ object.Info) { c.IfMatch = otherETag }),
		"A copy is made even when its source was overwritten since it was looked at, with the old one's metadata, tags or rights." + lostQuiet,
		"Copies for which the source is looked at first fail.",
	},
}

// condition tries a copy under a condition that holds, and one that does not.
func condition(met, unmet func(*object.CopyRequest, object.Info)) func(context.Context, *prober) error {
	return func(ctx context.Context, p *prober) error {
		from, err := p.source(ctx, object.PutRequest{})
		if err != nil {
			return err
		}
		info, err := p.head(ctx, from)
		if err != nil {
			return err
		}
		_, err = p.copy(ctx, from, func(c *object.CopyRequest) { unmet(c, info) })
		switch {
		case err == nil:
			return ignoredf("a copy was made whose condition does not hold")
		case object.StatusOf(err) != http.StatusPreconditionFailed:
			return err
		}
		_, err = p.copy(ctx, from, func(c *object.CopyRequest) { met(c, info) })
		return err
	}
}

var selfChecks = []check{
	{
		"copy-self-refused", selfUnchanged,
		"A copy of an object onto itself that changes nothing is reported as a success, though it did nothing or wrote the object anew.",
		"Copies of an object onto itself fail, and not with the reason that other stores give.",
	},
	{
		"copy-self-metadata", selfMetadata,
		"Jobs that change metadata in place change nothing, or damage the object." + lostQuiet,
		"Jobs that change metadata in place fail.",
	},
	{
		"copy-self-class", selfClass,
		"Jobs that change the class in place change nothing." + lostQuiet,
		"Jobs that change the class in place fail.",
	},
}

// onto copies an object onto itself.
func (p *prober) onto(ctx context.Context, r object.Ref, change func(*object.CopyRequest)) error {
	c := object.CopyRequest{Source: r, Bucket: r.Bucket, Key: r.Key}
	if change != nil {
		change(&c)
	}
	_, err := p.s.Copy(ctx, c)
	return err
}

func selfUnchanged(ctx context.Context, p *prober) error {
	r, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	err = p.onto(ctx, r, nil)
	switch {
	case err == nil:
		return ignoredf("the copy was answered with success")
	case object.StatusOf(err) == http.StatusBadRequest:
		return nil
	}
	return err
}

func selfMetadata(ctx context.Context, p *prober) error {
	r, err := p.source(ctx, object.PutRequest{Meta: someMeta})
	if err != nil {
		return err
	}
	if err := p.onto(ctx, r, replaceMeta); err != nil {
		return err
	}
	if err := p.hasMeta(ctx, r, newMeta); err != nil {
		return err
	}
	return p.holds(ctx, r, body)
}

func selfClass(ctx context.Context, p *prober) error {
	class, err := p.anyClass()
	if err != nil {
		return err
	}
	r, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	if err := p.onto(ctx, r, func(c *object.CopyRequest) { c.Class = class }); err != nil {
		return err
	}
	return p.hasClass(ctx, r, class)
}
