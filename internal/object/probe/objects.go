package probe

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/object"
)

// lostQuiet ends most sentences about what a store ignores.
const lostQuiet = " The tasks are reported as succeeded."

var objectChecks = []check{
	{
		"put-get", putGet,
		"Objects do not come back as they were stored: use no job on this store.",
		"What is stored cannot be read: manifests, and copies between stores, fail.",
	},
	{
		"put-metadata", putMetadata,
		"Copies to this store from another lose metadata." + lostQuiet,
		"Copies to this store from another fail where the source has metadata.",
	},
	{
		"put-tags", putTags,
		"Copies to this store from another lose tags." + lostQuiet,
		"Copies to this store from another fail where the source has tags.",
	},
	{
		"put-encryption", putEncryption,
		"Objects are stored without the encryption that was asked for, or the store does not say that they have it." + lostQuiet,
		"Copies to this store from another that ask for encryption fail.",
	},
	{
		"tags", setTags,
		"Tagging jobs change nothing, or leave tags that they should take away." + lostQuiet,
		"Tagging jobs fail.",
	},
	{
		"acl-canned", setCanned,
		"Jobs that set access rights by a list's name change nothing." + lostQuiet,
		"Jobs that set access rights by a list's name fail.",
	},
	{
		"acl-grants", setGrants,
		"Jobs that set access rights grant by grant change nothing." + lostQuiet,
		"Jobs that set access rights grant by grant fail.",
	},
	{
		"delete", deleteOne,
		"Delete jobs leave the objects where they are." + lostQuiet,
		"Delete jobs fail.",
	},
	{
		"delete-many", deleteMany,
		"Delete jobs leave objects where they are that are deleted many by one call." + lostQuiet,
		"Delete jobs fail where they delete many objects by one call.",
	},
}

var (
	someMeta = object.Metadata{ContentType: "text/x-probe", CacheControl: "max-age=5", User: map[string]string{"colour": "blue"}}
	newMeta  = object.Metadata{ContentType: "text/x-new", User: map[string]string{"shape": "round"}}
	someTags = []object.Tag{{Key: "colour", Value: "blue"}}
	newTags  = []object.Tag{{Key: "shape", Value: "round"}, {Key: "size", Value: "a b"}}
)

func putGet(ctx context.Context, p *prober) error {
	r, _, err := p.put(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	info, err := p.head(ctx, r)
	if err != nil {
		return err
	}
	if info.Size != int64(len(body)) {
		return ignoredf("the object has %d bytes and not %d", info.Size, len(body))
	}
	rc, _, err := p.s.Get(ctx, r, 0, -1)
	if err != nil {
		return err
	}
	if err := rc.Close(); err != nil {
		return looks("reading the object", err)
	}
	return p.holds(ctx, r, body)
}

func putMetadata(ctx context.Context, p *prober) error {
	r, _, err := p.put(ctx, object.PutRequest{Meta: someMeta})
	if err != nil {
		return err
	}
	return p.hasMeta(ctx, r, someMeta)
}

// hasMeta compares what an object carries.
func (p *prober) hasMeta(ctx context.Context, r object.Ref, want object.Metadata) error {
	info, err := p.head(ctx, r)
	if err != nil {
		return err
	}
	got := info.Meta
	switch {
	case got.ContentType != want.ContentType:
		return ignoredf("Content-Type is %q and not %q", got.ContentType, want.ContentType)
	case got.CacheControl != want.CacheControl:
		return ignoredf("Cache-Control is %q and not %q", got.CacheControl, want.CacheControl)
	case !maps.Equal(got.User, want.User):
		return ignoredf("the metadata is %q and not %q", got.User, want.User)
	}
	return nil
}

func putTags(ctx context.Context, p *prober) error {
	r, _, err := p.put(ctx, object.PutRequest{Tags: someTags})
	if err != nil {
		return err
	}
	return p.hasTags(ctx, r, someTags)
}

// hasTags compares an object's tags.
func (p *prober) hasTags(ctx context.Context, r object.Ref, want []object.Tag) error {
	got, err := p.tags(ctx, r)
	if err != nil {
		return err
	}
	slices.SortFunc(got, func(a, b object.Tag) int { return strings.Compare(a.Key, b.Key) })
	if !slices.Equal(got, want) {
		return ignoredf("the tags are %q and not %q", got, want)
	}
	return nil
}

func putEncryption(ctx context.Context, p *prober) error {
	r, _, err := p.put(ctx, object.PutRequest{SSE: sse})
	if err != nil {
		return err
	}
	return p.hasEncryption(ctx, r)
}

func (p *prober) hasEncryption(ctx context.Context, r object.Ref) error {
	info, err := p.head(ctx, r)
	if err == nil && !strings.EqualFold(info.SSE, sse) {
		return ignoredf("the encryption is %q and not %s", info.SSE, sse)
	}
	return err
}

func setTags(ctx context.Context, p *prober) error {
	r, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	for _, tags := range [][]object.Tag{someTags, newTags} {
		if _, err := p.s.PutTags(ctx, r, tags); err != nil {
			return err
		}
		if err := p.hasTags(ctx, r, tags); err != nil {
			return err
		}
	}
	if err := p.holds(ctx, r, body); err != nil { // some stores take the tags for the object
		return err
	}
	if _, err := p.s.DeleteTags(ctx, r); err != nil {
		return err
	}
	return p.hasTags(ctx, r, nil)
}

func setCanned(ctx context.Context, p *prober) error {
	r, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	if err := p.s.PutACL(ctx, r, publicRead, nil); err != nil {
		return err
	}
	return p.isPublic(ctx, r)
}

// publicRead is the one list by name that both dialects have and that shows in the access list.
const publicRead = "public-read"

// isPublic reports whether a group may read an object.
func (p *prober) isPublic(ctx context.Context, r object.Ref) error {
	acl, err := p.acl(ctx, r)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(acl.Grants, func(g object.Grant) bool { return g.Grantee.URI != "" && g.Permission == "READ" }) {
		return ignoredf("the access list has no grant to read for everybody (%d grants)", len(acl.Grants))
	}
	return nil
}

func setGrants(ctx context.Context, p *prober) error {
	r, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	acl, err := p.acl(ctx, r)
	if err != nil {
		return err
	}
	acl.Grants = ownGrants(acl)
	if err := p.s.PutACL(ctx, r, "", &acl); err != nil {
		return err
	}
	return p.hasGrants(ctx, r, acl)
}

// ownGrants are grants that give nobody anything: the owner has them already.
func ownGrants(acl object.ACL) []object.Grant {
	owner := object.Grantee{ID: acl.Owner.ID}
	return []object.Grant{{Grantee: owner, Permission: "READ"}, {Grantee: owner, Permission: "READ_ACP"}, {Grantee: owner, Permission: "WRITE_ACP"}}
}

// hasGrants looks for ownGrants in an object's access list.
func (p *prober) hasGrants(ctx context.Context, r object.Ref, want object.ACL) error {
	got, err := p.acl(ctx, r)
	if err != nil {
		return err
	}
	for _, w := range want.Grants {
		if !slices.ContainsFunc(got.Grants, func(g object.Grant) bool {
			return g.Grantee.ID == w.Grantee.ID && g.Permission == w.Permission
		}) {
			return ignoredf("the access list has no grant of %s to its owner (%d grants)", w.Permission, len(got.Grants))
		}
	}
	return nil
}

func deleteOne(ctx context.Context, p *prober) error {
	r, err := p.source(ctx, object.PutRequest{})
	if err != nil {
		return err
	}
	if _, err := p.s.Delete(ctx, r); err != nil {
		return err
	}
	return p.isGone(ctx, r)
}

func (p *prober) isGone(ctx context.Context, r object.Ref) error {
	_, err := p.s.Head(ctx, r)
	switch {
	case err == nil:
		return ignoredf("the object is still there")
	case object.StatusOf(err) == 404:
		return nil
	}
	return looks("looking at the object", err)
}

func deleteMany(ctx context.Context, p *prober) error {
	s, ok := p.s.(object.ManyDeleter)
	if !ok {
		return unknownf("the driver deletes objects one by one")
	}
	var refs []object.Ref
	for range 2 {
		r, err := p.source(ctx, object.PutRequest{})
		if err != nil {
			return err
		}
		refs = append(refs, r)
	}
	out, named, err := s.DeleteMany(ctx, p.bucket, refs)
	if err != nil {
		return err
	}
	for i, r := range refs {
		if !named[i] {
			return ignoredf("the answer does not name each object")
		}
		if out[i].Err != nil {
			return out[i].Err
		}
		if err := p.isGone(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
