package operation

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/drover-batch/drover/internal/object"
)

// spoolInMemory is the largest body, in bytes, that is kept in memory on its way to another store.
const spoolInMemory = 256 << 10

// carry brings an object to a store that cannot read it by itself: its bytes come here, and go there with their MD5.
func (w *copying) carry(ctx context.Context) (object.CopyResult, error) {
	if w.source.Size > cmp.Or(w.task.Limits.Put, 16<<20) {
		own := w.own()
		return own.assemble(ctx, cmp.Or(w.task.Limits.PutPart, 16<<20), cmp.Or(w.task.Limits.Parts, 4), own.carryPart)
	}
	body, err := w.fetch(ctx, 0, w.source.Size)
	if err != nil {
		return object.CopyResult{}, err
	}
	defer body.Close()
	res, err := w.target.Put(ctx, object.PutRequest{
		Bucket: w.req.Bucket, Key: w.req.Key, Body: body, Size: w.source.Size,
		Meta: w.meta, Class: w.req.Class, SSE: w.req.SSE, SSEKey: w.req.SSEKey, Tags: w.tags,
		CannedACL: w.req.CannedACL, Grants: w.req.Grants,
	})
	if err != nil {
		return object.CopyResult{}, during("storing the copy", err)
	}
	return object.CopyResult{Version: res.Version, HTTPStatus: 200}, nil
}

func (w *copying) carryPart(ctx context.Context, u object.Upload, number int, offset, length int64) (string, error) {
	body, err := w.fetch(ctx, offset, length)
	if err != nil {
		return "", err
	}
	defer body.Close()
	etag, err := w.target.UploadPart(ctx, object.PartRequest{Upload: u, Number: number, Body: body, Size: length})
	return etag, during("storing a part of the copy", err)
}

// fetch reads a range of the source into a spool, which must be closed.
func (w *copying) fetch(ctx context.Context, offset, length int64) (*spool, error) {
	body, info, err := w.store.Get(ctx, w.req.Source, offset, length)
	if err != nil {
		return nil, during("reading the source", err)
	}
	defer body.Close()
	if info.ETag != w.source.ETag {
		return nil, &object.Error{
			Op: "Get", Code: object.CodePreconditionFailed, Status: 412, Message: "The source changed while it was read.",
		}
	}
	s, err := newSpool(w.task.SpoolDir, length)
	if err != nil {
		return nil, fmt.Errorf("keep a part of the source: %w", err)
	}
	n, err := s.fill(body)
	if err == nil && n != length {
		err = &object.Error{
			Op: "Get", Code: object.CodeConnection, Class: object.Transient,
			Message: fmt.Sprintf("The source's body has %d bytes where %d were announced.", n, length),
		}
	}
	if err != nil {
		s.Close()
		return nil, during("reading the source", err)
	}
	return s, nil
}

// spool holds a body so that it can be read again: a small one in memory, others in a file that has no name, so that a
// crash leaves nothing behind. Owned by one goroutine.
type spool struct {
	io.ReadSeeker
	file *os.File // nil = in memory
	buf  []byte
}

func newSpool(dir string, size int64) (*spool, error) {
	if size <= spoolInMemory {
		return &spool{buf: make([]byte, 0, size)}, nil
	}
	f, err := os.CreateTemp(dir, "drover-part-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return &spool{file: f}, nil
}

// fill takes a whole body over and rewinds.
func (s *spool) fill(r io.Reader) (int64, error) {
	if s.file == nil {
		b := bytes.NewBuffer(s.buf)
		n, err := io.Copy(b, r)
		s.ReadSeeker = bytes.NewReader(b.Bytes())
		return n, err
	}
	s.ReadSeeker = s.file
	n, err := io.Copy(s.file, r)
	if err != nil {
		return n, err
	}
	_, err = s.file.Seek(0, io.SeekStart)
	return n, err
}

func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
