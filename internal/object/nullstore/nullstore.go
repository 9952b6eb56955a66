// Package nullstore is an object store that holds nothing and answers every call with success at once, so that what is
// measured is the engine around it.
package nullstore

import (
	"context"
	"io"
	"iter"
	"sync/atomic"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

var _ object.Store = (*Store)(nil)

const etag = "d41d8cd98f00b204e9800998ecf8427e"

// Store counts calls and forgets them. The zero value is ready; it is safe for concurrent use.
type Store struct {
	Calls atomic.Int64 // of all kinds
	Puts  atomic.Int64
	Bytes atomic.Int64 // of the bodies that were put
}

// Head says that every object is there and empty.
func (s *Store) Head(ctx context.Context, _ object.Ref) (object.Info, error) {
	s.Calls.Add(1)
	return object.Info{ETag: etag, Class: "STANDARD"}, ctx.Err()
}

// Get finds nothing: NoSuchKey.
func (s *Store) Get(context.Context, object.Ref, int64, int64) (io.ReadCloser, object.Info, error) {
	s.Calls.Add(1)
	return nil, object.Info{}, &object.Error{
		Op: "Get", Code: object.CodeNoSuchKey, Status: 404, Message: "This store holds nothing.",
	}
}

// HeadBucket says that every bucket is there.
func (s *Store) HeadBucket(ctx context.Context, _ job.Bucket) (object.BucketInfo, error) {
	s.Calls.Add(1)
	return object.BucketInfo{}, ctx.Err()
}

// Put reads the body and discards it.
func (s *Store) Put(ctx context.Context, p object.PutRequest) (object.PutResult, error) {
	s.Calls.Add(1)
	s.Puts.Add(1)
	if p.Body != nil {
		n, err := io.Copy(io.Discard, p.Body)
		s.Bytes.Add(n)
		if err != nil {
			return object.PutResult{}, err
		}
	}
	return object.PutResult{ETag: etag}, ctx.Err()
}

// Copy succeeds.
func (s *Store) Copy(ctx context.Context, _ object.CopyRequest) (object.CopyResult, error) {
	s.Calls.Add(1)
	return object.CopyResult{HTTPStatus: 200}, ctx.Err()
}

// Restore accepts.
func (s *Store) Restore(ctx context.Context, _ object.RestoreRequest) (int, error) {
	s.Calls.Add(1)
	return 202, ctx.Err()
}

// Tags finds none.
func (s *Store) Tags(ctx context.Context, _ object.Ref) ([]object.Tag, error) {
	s.Calls.Add(1)
	return nil, ctx.Err()
}

// PutTags succeeds.
func (s *Store) PutTags(ctx context.Context, _ object.Ref, _ []object.Tag) (int, error) {
	s.Calls.Add(1)
	return 200, ctx.Err()
}

// DeleteTags succeeds.
func (s *Store) DeleteTags(ctx context.Context, _ object.Ref) (int, error) {
	s.Calls.Add(1)
	return 204, ctx.Err()
}

// ACL finds an empty list.
func (s *Store) ACL(ctx context.Context, _ object.Ref) (object.ACL, error) {
	s.Calls.Add(1)
	return object.ACL{}, ctx.Err()
}

// PutACL succeeds.
func (s *Store) PutACL(ctx context.Context, _ object.Ref, _ string, _ *object.ACL) error {
	s.Calls.Add(1)
	return ctx.Err()
}

// Delete succeeds.
func (s *Store) Delete(ctx context.Context, _ object.Ref) (object.DeleteResult, error) {
	s.Calls.Add(1)
	return object.DeleteResult{HTTPStatus: 204}, ctx.Err()
}

// CreateMultipart succeeds.
func (s *Store) CreateMultipart(ctx context.Context, _ object.CreateMultipartRequest) (string, error) {
	s.Calls.Add(1)
	return "upload", ctx.Err()
}

// UploadPartCopy succeeds.
func (s *Store) UploadPartCopy(ctx context.Context, _ object.PartCopyRequest) (string, error) {
	s.Calls.Add(1)
	return etag, ctx.Err()
}

// UploadPart reads the body and discards it.
func (s *Store) UploadPart(ctx context.Context, p object.PartRequest) (string, error) {
	s.Calls.Add(1)
	n, err := io.Copy(io.Discard, p.Body)
	s.Bytes.Add(n)
	if err != nil {
		return "", err
	}
	return etag, ctx.Err()
}

// ListParts finds none.
func (s *Store) ListParts(ctx context.Context, _ object.Upload) ([]object.Part, error) {
	s.Calls.Add(1)
	return nil, ctx.Err()
}

// CompleteMultipart succeeds.
func (s *Store) CompleteMultipart(ctx context.Context, _ object.CompleteRequest) (object.CompleteResult, error) {
	s.Calls.Add(1)
	return object.CompleteResult{ETag: etag, HTTPStatus: 200}, ctx.Err()
}

// AbortMultipart succeeds.
func (s *Store) AbortMultipart(ctx context.Context, _ object.Upload) error {
	s.Calls.Add(1)
	return ctx.Err()
}

// List finds nothing.
func (s *Store) List(context.Context, job.Bucket, object.ListOptions) iter.Seq2[object.ListEntry, error] {
	s.Calls.Add(1)
	return func(func(object.ListEntry, error) bool) {}
}
