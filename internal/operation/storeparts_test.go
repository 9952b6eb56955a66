package operation

import (
	"context"
	"crypto/md5"
	"fmt"
	"maps"
	"slices"

	"github.com/drover-batch/drover/internal/object"
)

// fakeUpload is an unfinished object of the fake: its parts have sizes and no bytes.
type fakeUpload struct {
	begun object.CreateMultipartRequest
	parts map[int]object.Part
}

func (f *fakeStore) CreateMultipart(_ context.Context, r object.CreateMultipartRequest) (string, error) {
	if err := f.call("CREATE", object.Ref{Bucket: r.Bucket, Key: r.Key}); err != nil {
		return "", err
	}
	id := fmt.Sprint("u", len(f.calls))
	f.uploads[id] = &fakeUpload{begun: r, parts: map[int]object.Part{}}
	return id, f.done("CREATE")
}

func (f *fakeStore) upload(kind string, u object.Upload) (*fakeUpload, error) {
	if err := f.call(kind, object.Ref{Bucket: u.Bucket, Key: u.Key}); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	up := f.uploads[u.ID]
	if up == nil || up.begun.Bucket != u.Bucket || up.begun.Key != u.Key {
		return nil, answer(object.CodeNoSuchUpload, 404, "The specified upload does not exist.")
	}
	return up, nil
}

func (f *fakeStore) UploadPartCopy(ctx context.Context, r object.PartCopyRequest) (string, error) {
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	up, err := f.upload("PART", r.Upload)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	src, err := f.find(r.Source)
	switch {
	case err != nil:
		return "", err
	case r.IfMatch != src.Info.ETag:
		return "", answer(object.CodePreconditionFailed, 412, "At least one of the pre-conditions you specified did not hold.")
	case r.Offset+r.Length > src.Info.Size || r.Length > object.MaxPartSize:
		return "", answer("InvalidRange", 416, "The requested range is not satisfiable.")
	}
	etag := fmt.Sprintf("%x", md5.Sum(fmt.Appendf(nil, "%s %d %d", src.Info.ETag, r.Offset, r.Length)))
	up.parts[r.Number] = object.Part{Number: r.Number, ETag: etag, Size: r.Length}
	return etag, f.done("PART")
}

func (f *fakeStore) UploadPart(context.Context, object.PartRequest) (string, error) {
	return "", errNotUsed
}

func (f *fakeStore) ListParts(_ context.Context, u object.Upload) ([]object.Part, error) {
	up, err := f.upload("LISTPARTS", u)
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(up.parts), func(a, b object.Part) int { return a.Number - b.Number }), f.done("LISTPARTS")
}

func (f *fakeStore) CompleteMultipart(_ context.Context, r object.CompleteRequest) (object.CompleteResult, error) {
	up, err := f.upload("COMPLETE", r.Upload)
	if err != nil {
		return object.CompleteResult{}, err
	}
	o := &fakeObject{Tags: up.begun.Tags, ACL: f.list(up.begun.CannedACL, up.begun.Grants)}
	f.now = f.now.AddDate(0, 0, 1)
	o.Info = object.Info{
		ETag: composite(r.Parts), LastModified: f.now, Class: "STANDARD", SSE: up.begun.SSE, Meta: up.begun.Meta,
	}
	if up.begun.Class != "" {
		o.Info.Class = up.begun.Class
	}
	for i, p := range r.Parts {
		if stored := up.parts[p.Number]; stored.ETag != p.ETag || i > 0 && p.Number <= r.Parts[i-1].Number {
			return object.CompleteResult{}, answer("InvalidPart", 400, "One or more of the specified parts could not be found.")
		}
		o.Info.Size += up.parts[p.Number].Size
	}
	delete(f.uploads, r.Upload.ID)
	f.objects[object.Ref{Bucket: r.Upload.Bucket, Key: r.Upload.Key}] = o
	if err := f.done("COMPLETE"); err != nil {
		return object.CompleteResult{}, err
	}
	return object.CompleteResult{ETag: o.Info.ETag, HTTPStatus: 200}, nil
}

func (f *fakeStore) AbortMultipart(ctx context.Context, u object.Upload) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, err := f.upload("ABORT", u); err != nil {
		return err
	}
	delete(f.uploads, u.ID)
	return f.done("ABORT")
}

// memory remembers uploads; a write may be made to fail.
type memory struct {
	rows   map[int64]Upload
	broken bool
}

func (m *memory) Load(_ context.Context, row int64) (Upload, bool, error) {
	u, ok := m.rows[row]
	return u, ok, m.err()
}

func (m *memory) Save(_ context.Context, row int64, u Upload) error {
	if m.rows == nil {
		m.rows = map[int64]Upload{}
	}
	m.rows[row] = u
	return m.err()
}

func (m *memory) Remove(_ context.Context, row int64) error {
	delete(m.rows, row)
	return m.err()
}

func (m *memory) err() error {
	if m.broken {
		return errNotUsed
	}
	return nil
}
