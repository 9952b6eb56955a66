package operation

import (
	"cmp"
	"context"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// The calls that a stage counts.
const (
	callCopy = iota
	callCreateMultipart
	callUploadPartCopy
	callUploadPart
	callCompleteMultipart
	callAbortMultipart
	callListParts
	callPut
	callGet
	callHead
	callGetTags
	callPutTags
	callDeleteTags
	callGetACL
	callPutACL
	callRestore
	callDelete
	callDeleteMany
	callHeadBucket
	callList
	calls // how many kinds there are
)

var callNames = [calls]string{
	"CopyObject", "CreateMultipartUpload", "UploadPartCopy", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts",
	"PutObject", "GetObject", "HeadObject", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging", "GetObjectAcl", "PutObjectAcl",
	"RestoreObject", "DeleteObject", "DeleteObjects", "HeadBucket", "ListObjects",
}

// stage stands in a store's place while one entry is rehearsed. It holds that entry's object, as the list has it and with
// what the list does not tell left out, and the copy that was made of it.
type stage struct {
	calls    [calls]int64
	entry    *job.Entry // nil where several are worked on by one call
	modified time.Time  // of every object
	restored bool
	made     madeCopy
}

// madeCopy is what a copy was asked to have.
type madeCopy struct {
	at   object.Ref // no Bucket = none was made
	info object.Info
	tags []job.Tag
}

var _ object.Store = (*stage)(nil)

// stageETag is the MD5 that an object has of which the list does not tell it.
const stageETag = "d41d8cd98f00b204e9800998ecf8427e"

func (s *stage) set(e *job.Entry) {
	s.entry, s.restored = e, false
	if s.made.at.Bucket != "" {
		s.made = madeCopy{}
	}
}

// source is the entry's object.
func (s *stage) source() object.Info {
	info := object.Info{ETag: stageETag, Class: "STANDARD", LastModified: s.modified}
	if e := s.entry; e != nil {
		info.Size, info.ETag, info.Class = e.Size, cmp.Or(e.ETag, info.ETag), cmp.Or(strings.ToUpper(e.Class), info.Class)
	}
	if s.restored {
		info.Restore = &object.RestoreState{Expiry: time.Unix(1<<40, 0)}
	}
	return info
}

func (s *stage) isMade(r object.Ref) bool {
	return s.made.at.Bucket != "" && r.Bucket == s.made.at.Bucket && r.Key == s.made.at.Key
}

// unreadable is the answer about the body of an archived object, which has not been restored as far as the list tells.
func (s *stage) unreadable() error {
	if s.entry == nil || !archived(s.entry.Class) {
		return nil
	}
	return &object.Error{Op: "Copy", Code: object.CodeInvalidObjectState, Status: 403}
}

func (s *stage) Head(_ context.Context, r object.Ref) (object.Info, error) {
	s.calls[callHead]++
	if s.isMade(r) {
		return s.made.info, nil
	}
	return s.source(), nil
}

// Get gives no bytes: two objects that are compared by reading them are the same.
func (s *stage) Get(_ context.Context, r object.Ref, _, _ int64) (io.ReadCloser, object.Info, error) {
	s.calls[callGet]++
	info := s.source()
	if s.isMade(r) {
		info = s.made.info
	}
	return io.NopCloser(strings.NewReader("")), info, nil
}

func (s *stage) Copy(_ context.Context, r object.CopyRequest) (object.CopyResult, error) {
	s.calls[callCopy]++
	if err := s.unreadable(); err != nil {
		return object.CopyResult{}, err
	}
	src := s.source()
	info := object.Info{Size: src.Size, ETag: src.ETag, Class: cmp.Or(r.Class, "STANDARD"), SSE: r.SSE, Meta: r.Meta}
	if strings.Contains(src.ETag, "-") {
		info.ETag = stageETag // one call makes one body of many parts
	}
	s.made = madeCopy{at: object.Ref{Bucket: r.Bucket, Key: r.Key}, info: info, tags: r.Tags}
	return object.CopyResult{HTTPStatus: 200}, nil
}

func (s *stage) CreateMultipart(_ context.Context, r object.CreateMultipartRequest) (string, error) {
	s.calls[callCreateMultipart]++
	s.made = madeCopy{
		at:   object.Ref{Bucket: r.Bucket, Key: r.Key},
		info: object.Info{Size: s.source().Size, ETag: stageETag + "-2", Class: cmp.Or(r.Class, "STANDARD"), SSE: r.SSE, Meta: r.Meta},
		tags: r.Tags,
	}
	return "upload", nil
}

func (s *stage) UploadPartCopy(context.Context, object.PartCopyRequest) (string, error) {
	s.calls[callUploadPartCopy]++
	return stageETag, s.unreadable()
}

func (s *stage) UploadPart(context.Context, object.PartRequest) (string, error) {
	s.calls[callUploadPart]++
	return stageETag, nil
}

func (s *stage) ListParts(context.Context, object.Upload) ([]object.Part, error) {
	s.calls[callListParts]++
	return nil, nil
}

func (s *stage) CompleteMultipart(context.Context, object.CompleteRequest) (object.CompleteResult, error) {
	s.calls[callCompleteMultipart]++
	return object.CompleteResult{ETag: s.made.info.ETag, HTTPStatus: 200}, nil
}

func (s *stage) AbortMultipart(context.Context, object.Upload) error {
	s.calls[callAbortMultipart]++
	return nil
}

func (s *stage) Put(context.Context, object.PutRequest) (object.PutResult, error) {
	s.calls[callPut]++
	return object.PutResult{ETag: stageETag}, nil
}

// Restore refuses what lies in a class with nothing to restore.
func (s *stage) Restore(_ context.Context, r object.RestoreRequest) (int, error) {
	s.calls[callRestore]++
	if s.entry != nil && (&Restore{IntelligentTiering: r.Days == 0}).inventoryRefusal(s.entry.Class) != nil {
		return 0, &object.Error{Op: "Restore", Code: object.CodeInvalidObjectState, Status: 403}
	}
	s.restored = true
	return 202, nil
}

func (s *stage) Tags(_ context.Context, r object.Ref) ([]job.Tag, error) {
	s.calls[callGetTags]++
	if s.isMade(r) {
		return s.made.tags, nil
	}
	return nil, nil
}

func (s *stage) PutTags(context.Context, object.Ref, []job.Tag) (int, error) {
	s.calls[callPutTags]++
	return 200, nil
}

func (s *stage) DeleteTags(context.Context, object.Ref) (int, error) {
	s.calls[callDeleteTags]++
	return 204, nil
}

// ACL gives the list that an object has by itself.
func (s *stage) ACL(context.Context, object.Ref) (object.ACL, error) {
	s.calls[callGetACL]++
	owner := object.Grantee{ID: "owner"}
	return object.ACL{Owner: owner, Grants: []object.Grant{{Grantee: owner, Permission: permFullControl}}}, nil
}

func (s *stage) PutACL(context.Context, object.Ref, string, *object.ACL) error {
	s.calls[callPutACL]++
	return nil
}

func (s *stage) Delete(context.Context, object.Ref) (object.DeleteResult, error) {
	s.calls[callDelete]++
	return object.DeleteResult{HTTPStatus: 204}, nil
}

func (s *stage) HeadBucket(context.Context, job.Bucket) (object.BucketInfo, error) {
	s.calls[callHeadBucket]++
	return object.BucketInfo{}, nil
}

func (s *stage) List(context.Context, job.Bucket, object.ListOptions) iter.Seq2[object.ListEntry, error] {
	s.calls[callList]++
	return func(func(object.ListEntry, error) bool) {}
}

// manyStage is the stage of a store that deletes many objects by one call.
type manyStage struct {
	*stage
	ok  []bool
	out []object.DeleteOutcome
}

var _ object.ManyDeleter = (*manyStage)(nil)

func (s *manyStage) DeleteMany(_ context.Context, _ job.Bucket, refs []object.Ref) ([]object.DeleteOutcome, []bool, error) {
	s.calls[callDeleteMany]++
	for len(s.ok) < len(refs) {
		s.ok, s.out = append(s.ok, true), append(s.out, object.DeleteOutcome{})
	}
	return s.out[:len(refs)], s.ok[:len(refs)], nil
}
