package manifest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Local opens local files, by Name.Path.
type Local struct{}

var _ Opener = Local{}

// Open opens n.Path. Its errors are those of package os.
func (Local) Open(_ context.Context, n Name, offset, length int64) (io.ReadCloser, Info, error) {
	f, err := os.Open(n.Path)
	if err != nil {
		return nil, Info{}, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", n)
	}
	if err == nil && offset > 0 {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, Info{}, errors.Join(err, f.Close())
	}
	info := Info{Size: st.Size(), LastModified: st.ModTime().UTC()}
	if length < 0 {
		return f, info, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, length), f}, info, nil
}

// source reads the stored bytes of one file and holds them to the file's pin: each time it has to open the file, at
// first, for a further window or after a broken connection, the answer must describe the same content.
type source struct {
	ctx  context.Context
	o    Opener
	file *File
	off  int64 // the next byte to read
	// window is how much is fetched at a time; the store's connection is not held while the caller takes its time.
	// 0 = one stream.
	window int64
	buf    []byte
	body   io.ReadCloser
	moved  bool      // something was read since the last open
	sum    hash.Hash // of all bytes read; nil when nobody asks
	err    error     // why reading ended early
}

// openSource opens a file for the first time and fills in what pins it.
func openSource(ctx context.Context, o Opener, f *File) (*source, error) {
	body, info, err := o.Open(ctx, f.Name, 0, -1)
	if err != nil {
		return nil, unreadable(f.Name, err)
	}
	f.pin(info)
	return &source{ctx: ctx, o: o, file: f, body: body}, nil
}

func (f *File) pin(info Info) {
	f.ETag, f.Size = trimETag(info.ETag), info.Size
	if f.ETag == "" {
		f.ModTime = info.LastModified.UTC()
	}
}

// holds reports whether a stored file is still the one that was pinned.
func (f *File) holds(info Info) bool {
	if info.Size != f.Size {
		return false
	}
	if f.ETag != "" {
		return trimETag(info.ETag) == f.ETag
	}
	return info.LastModified.Equal(f.ModTime)
}

func trimETag(s string) string { return strings.Trim(s, `"`) }

// openPinned opens a range of a file that was surveyed.
func openPinned(ctx context.Context, o Opener, f *File, offset, length int64) (io.ReadCloser, error) {
	body, info, err := o.Open(ctx, f.Name, offset, length)
	if err != nil {
		return nil, unreadable(f.Name, err)
	}
	if !f.holds(info) {
		body.Close()
		return nil, fileChanged(f.Name, "it has changed since the job was prepared")
	}
	return body, nil
}

// Read implements io.Reader. It ends at the pinned size.
func (s *source) Read(p []byte) (int, error) {
	for {
		if s.err != nil {
			return 0, s.err
		}
		rest := s.file.Size - s.off
		if rest <= 0 {
			return 0, io.EOF
		}
		if s.err = s.ctx.Err(); s.err != nil {
			continue
		}
		if s.body == nil {
			if s.err = s.reopen(); s.err != nil {
				continue
			}
		}
		n, err := s.body.Read(p[:min(int64(len(p)), rest)])
		s.off += int64(n)
		s.moved = s.moved || n > 0
		if err != nil {
			s.body.Close()
			s.body = nil
			if !s.moved {
				s.err = s.short(err)
			}
		}
		if n > 0 {
			if s.sum != nil {
				s.sum.Write(p[:n])
			}
			return n, nil
		}
	}
}

// reopen goes on where reading stopped.
func (s *source) reopen() error {
	length := int64(-1)
	if s.window > 0 {
		length = min(s.window, s.file.Size-s.off)
	}
	body, err := openPinned(s.ctx, s.o, s.file, s.off, length)
	if err != nil {
		return err
	}
	s.moved = false
	if s.window == 0 {
		s.body = body
		return nil
	}
	if s.buf == nil {
		s.buf = make([]byte, s.window)
	}
	n, err := io.ReadFull(body, s.buf[:length])
	body.Close()
	if n == 0 && err != nil {
		return s.short(err)
	}
	s.body = io.NopCloser(bytes.NewReader(s.buf[:n]))
	return nil
}

// fetch reads one window whole into s.buf.
func (s *source) fetch() error {
	s.buf = make([]byte, s.window)
	body, err := openPinned(s.ctx, s.o, s.file, s.off, s.window)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.ReadFull(body, s.buf); err != nil {
		return s.short(err)
	}
	return nil
}

func (s *source) short(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read manifest file %s at byte %d of %d: %w", s.file.Name, s.off, s.file.Size, err)
}

func (s *source) Close() {
	if s.body != nil {
		s.body.Close()
		s.body = nil
	}
}

// text gives the uncompressed text and finds out the compression by the magic bytes (RFC 1952).
func (s *source) text() (io.Reader, Compression, error) {
	br := bufio.NewReaderSize(s, 64<<10)
	head, err := br.Peek(2)
	if err != nil && err != io.EOF {
		return nil, "", err
	}
	if len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
		return br, Plain, nil
	}
	g := &gunzip{src: s}
	g.zr, err = gzip.NewReader(br)
	if err != nil {
		return nil, "", g.fault(err)
	}
	return g, Gzip, nil
}

// gunzip tells a broken gzip stream from a broken connection. Members one after another are one text.
type gunzip struct {
	zr  *gzip.Reader
	src *source
}

func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.zr.Read(p)
	if err != nil && err != io.EOF {
		err = g.fault(err)
	}
	return n, err
}

func (g *gunzip) fault(err error) error {
	if g.src.err != nil {
		return g.src.err
	}
	message := "its gzip data is damaged; make the file anew"
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		message = "its gzip data is cut off; upload the whole file"
	}
	return &Error{Code: CodeInvalidContent, File: g.src.file.Name.String(), Message: message, Err: err}
}
