package rolestore

import (
	"context"
	"io"
	"iter"
	"net/http"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// guarded lets through what the role's policy allows.
type guarded struct {
	store  object.Store
	region job.Region
	role   func() (*access.Role, error) // as it is now
}

var _ object.Store = (*guarded)(nil)

// may refuses a call that needs more than the role has: an *object.Error AccessDenied, as the store would answer.
func (g *guarded) may(op string, needs func(*access.Role) []access.Right) error {
	role, err := g.role()
	if err == nil {
		for _, n := range needs(role) {
			if err = role.Check(n.Action, n.On); err != nil {
				break
			}
		}
	}
	if err == nil {
		return nil
	}
	return &object.Error{
		Op: op, Code: object.CodeAccessDenied, Status: http.StatusForbidden, Class: object.Permanent, Message: job.MessageOf(err),
	}
}

// on needs some actions on one object.
func (g *guarded) on(op string, r object.Ref, actions ...access.Action) error {
	return g.may(op, func(role *access.Role) []access.Right {
		needs := make([]access.Right, len(actions))
		for i, a := range actions {
			needs[i] = access.Right{Action: a, On: access.Object(role.Account, g.region, r.Bucket, r.Key, r.Version)}
		}
		return needs
	})
}

func (g *guarded) Head(ctx context.Context, r object.Ref) (object.Info, error) {
	if err := g.on("Head", r, access.HeadObject); err != nil {
		return object.Info{}, err
	}
	return g.store.Head(ctx, r)
}

func (g *guarded) Get(ctx context.Context, r object.Ref, offset, length int64) (io.ReadCloser, object.Info, error) {
	if err := g.on("Get", r, access.GetObject); err != nil {
		return nil, object.Info{}, err
	}
	return g.store.Get(ctx, r, offset, length)
}

func (g *guarded) HeadBucket(ctx context.Context, b job.Bucket) (object.BucketInfo, error) {
	err := g.may("HeadBucket", func(role *access.Role) []access.Right {
		return []access.Right{{Action: access.HeadBucket, On: access.BucketOf(role.Account, g.region, b, "")}}
	})
	if err != nil {
		return object.BucketInfo{}, err
	}
	return g.store.HeadBucket(ctx, b)
}

func (g *guarded) Put(ctx context.Context, p object.PutRequest) (object.PutResult, error) {
	actions := []access.Action{access.PutObject}
	if len(p.Tags) > 0 {
		actions = append(actions, access.PutObjectTagging)
	}
	if p.CannedACL != "" || len(p.Grants) > 0 {
		actions = append(actions, access.PutObjectACL)
	}
	if err := g.on("Put", object.Ref{Bucket: p.Bucket, Key: p.Key}, actions...); err != nil {
		return object.PutResult{}, err
	}
	return g.store.Put(ctx, p)
}

// copyActions are what a copy needs at its destination.
func copyActions(tags, acl bool) []access.Action {
	actions := []access.Action{access.CopyObject}
	if tags {
		actions = append(actions, access.PutObjectTagging)
	}
	if acl {
		actions = append(actions, access.PutObjectACL)
	}
	return actions
}

func (g *guarded) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	err := g.may("Copy", func(role *access.Role) []access.Right {
		s, from := c.Source, g.region
		if c.SourceRegion != "" {
			from = c.SourceRegion
		}
		needs := []access.Right{{Action: access.GetObject, On: access.Object(role.Account, from, s.Bucket, s.Key, s.Version)}}
		for _, a := range copyActions(c.TaggingDirective == object.DirectiveReplace && len(c.Tags) > 0, c.CannedACL != "" || len(c.Grants) > 0) {
			needs = append(needs, access.Right{Action: a, On: access.Object(role.Account, g.region, c.Bucket, c.Key, "")})
		}
		return needs
	})
	if err != nil {
		return object.CopyResult{}, err
	}
	return g.store.Copy(ctx, c)
}

func (g *guarded) Restore(ctx context.Context, r object.RestoreRequest) (int, error) {
	if err := g.on("Restore", r.Ref, access.RestoreObject); err != nil {
		return 0, err
	}
	return g.store.Restore(ctx, r)
}

func (g *guarded) Tags(ctx context.Context, r object.Ref) ([]object.Tag, error) {
	if err := g.on("GetTags", r, access.GetObjectTagging); err != nil {
		return nil, err
	}
	return g.store.Tags(ctx, r)
}

func (g *guarded) PutTags(ctx context.Context, r object.Ref, tags []object.Tag) (int, error) {
	if err := g.on("PutTags", r, access.PutObjectTagging); err != nil {
		return 0, err
	}
	return g.store.PutTags(ctx, r, tags)
}

func (g *guarded) DeleteTags(ctx context.Context, r object.Ref) (int, error) {
	if err := g.on("DeleteTags", r, access.DeleteObjectTagging); err != nil {
		return 0, err
	}
	return g.store.DeleteTags(ctx, r)
}

func (g *guarded) ACL(ctx context.Context, r object.Ref) (object.ACL, error) {
	if err := g.on("GetACL", r, access.GetObjectACL); err != nil {
		return object.ACL{}, err
	}
	return g.store.ACL(ctx, r)
}

func (g *guarded) PutACL(ctx context.Context, r object.Ref, canned string, acl *object.ACL) error {
	if err := g.on("PutACL", r, access.PutObjectACL); err != nil {
		return err
	}
	return g.store.PutACL(ctx, r, canned, acl)
}

func (g *guarded) Delete(ctx context.Context, r object.Ref) (object.DeleteResult, error) {
	if err := g.on("Delete", r, access.DeleteObject); err != nil {
		return object.DeleteResult{}, err
	}
	return g.store.Delete(ctx, r)
}

func (g *guarded) List(ctx context.Context, b job.Bucket, o object.ListOptions) iter.Seq2[object.ListEntry, error] {
	action := access.ListBucket
	if o.Versions {
		action = access.ListVersions
	}
	err := g.may("List", func(role *access.Role) []access.Right {
		return []access.Right{{Action: action, On: access.BucketOf(role.Account, g.region, b, o.Prefix)}}
	})
	if err != nil {
		return func(yield func(object.ListEntry, error) bool) { yield(object.ListEntry{}, err) }
	}
	return g.store.List(ctx, b, o)
}
