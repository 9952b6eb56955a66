package rolestore

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// observed passes calls on, and tells of each.
type observed struct {
	store   object.Store
	region  job.Region
	observe func(region job.Region, op, code string, took time.Duration)
}

var _ object.Store = (*observed)(nil)

func (o *observed) call(ctx context.Context, op string, f func() error) error {
	began := time.Now()
	err := f()
	o.observe(o.region, op, code(err), time.Since(began))
	return err
}

// code is the store's error code, Cancelled when the caller gave up.
func code(err error) string {
	switch c := object.CodeOf(err); {
	case err == nil:
		return ""
	case c != "":
		return c
	}
	return "Cancelled"
}

func (o *observed) Head(ctx context.Context, r object.Ref) (i object.Info, err error) {
	err = o.call(ctx, "Head", func() error { i, err = o.store.Head(ctx, r); return err })
	return i, err
}

func (o *observed) Get(ctx context.Context, r object.Ref, offset, length int64) (b io.ReadCloser, i object.Info, err error) {
	err = o.call(ctx, "Get", func() error { b, i, err = o.store.Get(ctx, r, offset, length); return err })
	return b, i, err
}

func (o *observed) HeadBucket(ctx context.Context, b job.Bucket) (i object.BucketInfo, err error) {
	err = o.call(ctx, "HeadBucket", func() error { i, err = o.store.HeadBucket(ctx, b); return err })
	return i, err
}

func (o *observed) Put(ctx context.Context, p object.PutRequest) (r object.PutResult, err error) {
	err = o.call(ctx, "Put", func() error { r, err = o.store.Put(ctx, p); return err })
	return r, err
}

func (o *observed) Copy(ctx context.Context, c object.CopyRequest) (r object.CopyResult, err error) {
	err = o.call(ctx, "Copy", func() error { r, err = o.store.Copy(ctx, c); return err })
	return r, err
}

func (o *observed) Restore(ctx context.Context, q object.RestoreRequest) (status int, err error) {
	err = o.call(ctx, "Restore", func() error { status, err = o.store.Restore(ctx, q); return err })
	return status, err
}

func (o *observed) Tags(ctx context.Context, r object.Ref) (tags []object.Tag, err error) {
	err = o.call(ctx, "GetTags", func() error { tags, err = o.store.Tags(ctx, r); return err })
	return tags, err
}

func (o *observed) PutTags(ctx context.Context, r object.Ref, tags []object.Tag) (status int, err error) {
	err = o.call(ctx, "PutTags", func() error { status, err = o.store.PutTags(ctx, r, tags); return err })
	return status, err
}

func (o *observed) DeleteTags(ctx context.Context, r object.Ref) (status int, err error) {
	err = o.call(ctx, "DeleteTags", func() error { status, err = o.store.DeleteTags(ctx, r); return err })
	return status, err
}

func (o *observed) ACL(ctx context.Context, r object.Ref) (acl object.ACL, err error) {
	err = o.call(ctx, "GetACL", func() error { acl, err = o.store.ACL(ctx, r); return err })
	return acl, err
}

func (o *observed) PutACL(ctx context.Context, r object.Ref, canned string, acl *object.ACL) error {
	return o.call(ctx, "PutACL", func() error { return o.store.PutACL(ctx, r, canned, acl) })
}

func (o *observed) Delete(ctx context.Context, r object.Ref) (d object.DeleteResult, err error) {
	err = o.call(ctx, "Delete", func() error { d, err = o.store.Delete(ctx, r); return err })
	return d, err
}

// List counts as one call, however many pages it reads.
func (o *observed) List(ctx context.Context, b job.Bucket, l object.ListOptions) iter.Seq2[object.ListEntry, error] {
	return func(yield func(object.ListEntry, error) bool) {
		var last error
		began := time.Now()
		defer func() { o.observe(o.region, "List", code(last), time.Since(began)) }()
		for e, err := range o.store.List(ctx, b, l) {
			last = err
			if !yield(e, err) {
				return
			}
		}
	}
}
