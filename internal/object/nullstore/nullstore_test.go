package nullstore

import (
	"strings"
	"testing"

	"github.com/drover-batch/drover/internal/object"
)

func TestCountsAndForgets(t *testing.T) {
	var s Store
	ctx := t.Context()
	if _, err := s.Put(ctx, object.PutRequest{Bucket: "b", Key: "k", Body: strings.NewReader("12345"), Size: 5}); err != nil {
		t.Fatal(err)
	}
	r, err := s.Copy(ctx, object.CopyRequest{})
	if err != nil || r.HTTPStatus != 200 {
		t.Error(r, err)
	}
	if status, err := s.Restore(ctx, object.RestoreRequest{}); err != nil || status != 202 {
		t.Error(status, err)
	}
	if _, _, err := s.Get(ctx, object.Ref{}, 0, -1); object.CodeOf(err) != object.CodeNoSuchKey || object.Retryable(err) {
		t.Error(err)
	}
	if i, err := s.Head(ctx, object.Ref{}); err != nil || i.Size != 0 {
		t.Error(i, err)
	}
	if s.Calls.Load() != 5 || s.Puts.Load() != 1 || s.Bytes.Load() != 5 {
		t.Errorf("%d calls, %d puts, %d bytes", s.Calls.Load(), s.Puts.Load(), s.Bytes.Load())
	}
}

func TestPartsAreForgottenToo(t *testing.T) {
	var s Store
	ctx := t.Context()
	id, err := s.CreateMultipart(ctx, object.CreateMultipartRequest{Bucket: "b", Key: "k"})
	if err != nil || id == "" {
		t.Error(id, err)
	}
	u := object.Upload{Bucket: "b", Key: "k", ID: id}
	if etag, err := s.UploadPart(ctx, object.PartRequest{Upload: u, Number: 1, Body: strings.NewReader("123"), Size: 3}); err != nil || etag == "" {
		t.Error(etag, err)
	}
	if etag, err := s.UploadPartCopy(ctx, object.PartCopyRequest{Upload: u, Number: 2, Length: 1}); err != nil || etag == "" {
		t.Error(etag, err)
	}
	if parts, err := s.ListParts(ctx, u); err != nil || len(parts) > 0 {
		t.Error(parts, err)
	}
	if r, err := s.CompleteMultipart(ctx, object.CompleteRequest{Upload: u}); err != nil || r.HTTPStatus != 200 || r.ETag == "" {
		t.Error(r, err)
	}
	if err := s.AbortMultipart(ctx, u); err != nil {
		t.Error(err)
	}
	if s.Calls.Load() != 6 || s.Bytes.Load() != 3 {
		t.Errorf("%d calls, %d bytes", s.Calls.Load(), s.Bytes.Load())
	}
}
