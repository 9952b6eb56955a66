package rolestore

import (
	"context"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/object"
)

// An upload needs at its object what a copy or a put of it would need.

func (g *guarded) CreateMultipart(ctx context.Context, r object.CreateMultipartRequest) (string, error) {
	at := object.Ref{Bucket: r.Bucket, Key: r.Key}
	if err := g.on("CreateMultipart", at, copyActions(len(r.Tags) > 0, r.CannedACL != "" || len(r.Grants) > 0)...); err != nil {
		return "", err
	}
	return g.store.CreateMultipart(ctx, r)
}

func (g *guarded) UploadPartCopy(ctx context.Context, r object.PartCopyRequest) (string, error) {
	if err := g.may("UploadPartCopy", func(role *access.Role) []access.Right {
		from := g.region
		if r.SourceRegion != "" {
			from = r.SourceRegion
		}
		s, u := r.Source, r.Upload
		return []access.Right{
			{Action: access.GetObject, On: access.Object(role.Account, from, s.Bucket, s.Key, s.Version)},
			{Action: access.CopyObject, On: access.Object(role.Account, g.region, u.Bucket, u.Key, "")},
		}
	}); err != nil {
		return "", err
	}
	return g.store.UploadPartCopy(ctx, r)
}

func (g *guarded) UploadPart(ctx context.Context, r object.PartRequest) (string, error) {
	if err := g.upload("UploadPart", r.Upload); err != nil {
		return "", err
	}
	return g.store.UploadPart(ctx, r)
}

func (g *guarded) upload(op string, u object.Upload) error {
	return g.on(op, object.Ref{Bucket: u.Bucket, Key: u.Key}, access.CopyObject)
}

func (g *guarded) ListParts(ctx context.Context, u object.Upload) ([]object.Part, error) {
	if err := g.upload("ListParts", u); err != nil {
		return nil, err
	}
	return g.store.ListParts(ctx, u)
}

func (g *guarded) CompleteMultipart(ctx context.Context, r object.CompleteRequest) (object.CompleteResult, error) {
	if err := g.upload("CompleteMultipart", r.Upload); err != nil {
		return object.CompleteResult{}, err
	}
	return g.store.CompleteMultipart(ctx, r)
}

func (g *guarded) AbortMultipart(ctx context.Context, u object.Upload) error {
	if err := g.upload("AbortMultipart", u); err != nil {
		return err
	}
	return g.store.AbortMultipart(ctx, u)
}

func (o *observed) CreateMultipart(ctx context.Context, r object.CreateMultipartRequest) (id string, err error) {
	err = o.call(ctx, "CreateMultipart", func() error { id, err = o.store.CreateMultipart(ctx, r); return err })
	return id, err
}

func (o *observed) UploadPartCopy(ctx context.Context, r object.PartCopyRequest) (etag string, err error) {
	err = o.call(ctx, "UploadPartCopy", func() error { etag, err = o.store.UploadPartCopy(ctx, r); return err })
	return etag, err
}

func (o *observed) UploadPart(ctx context.Context, r object.PartRequest) (etag string, err error) {
	err = o.call(ctx, "UploadPart", func() error { etag, err = o.store.UploadPart(ctx, r); return err })
	return etag, err
}

func (o *observed) ListParts(ctx context.Context, u object.Upload) (parts []object.Part, err error) {
	err = o.call(ctx, "ListParts", func() error { parts, err = o.store.ListParts(ctx, u); return err })
	return parts, err
}

func (o *observed) CompleteMultipart(ctx context.Context, r object.CompleteRequest) (res object.CompleteResult, err error) {
	err = o.call(ctx, "CompleteMultipart", func() error { res, err = o.store.CompleteMultipart(ctx, r); return err })
	return res, err
}

func (o *observed) AbortMultipart(ctx context.Context, u object.Upload) error {
	return o.call(ctx, "AbortMultipart", func() error { return o.store.AbortMultipart(ctx, u) })
}
