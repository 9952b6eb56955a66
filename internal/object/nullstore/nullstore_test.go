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
