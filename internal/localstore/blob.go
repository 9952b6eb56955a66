package localstore

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// inlineLimit is the largest body, in bytes, that is kept in the key-value store: below it a file of its own would cost
// an fsync that the group commit saves.
const inlineLimit = 32 << 10

var ecma = crc64.MakeTable(crc64.ECMA)

// blobs are the bodies in files. A file is referenced by a row of kindFile; one without it is an orphan of a crash.
type blobs struct {
	dir string

	mu     sync.Mutex
	pinned map[string]int  // readers of a file
	doomed map[string]bool // to be removed by the last reader
}

// body is a stored or staged body. Inline holds the bytes of inline segments.
type body struct {
	segments []segment
	inline   map[string][]byte
	size     int64
	etag     string // hex MD5
	crc64    uint64
}

func openBlobs(dir string) (*blobs, error) {
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprintf("%02x", i)), 0o700); err != nil {
			return nil, err
		}
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	return &blobs{dir: dir, pinned: map[string]int{}, doomed: map[string]bool{}}, nil
}

func (b *blobs) path(id string) string { return filepath.Join(b.dir, id[len(id)-2:], id) }

// newBlobID makes a name that sorts by age, so that small bodies are appended to the key-value store, and whose last
// byte spreads files over folders.
func newBlobID() string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], uint64(time.Now().UnixNano()))
	rand.Read(raw[8:])
	return hex.EncodeToString(raw[:])
}

// stage reads a body to its end and makes it durable, but for inline bytes, which are committed with their record. The
// sums, which may be nil, see every byte.
func (b *blobs) stage(r io.Reader, sums ...hash.Hash) (*body, error) {
	digest, crc := md5.New(), crc64.New(ecma)
	sinks := []io.Writer{digest, crc}
	for _, s := range sums {
		if s != nil {
			sinks = append(sinks, s)
		}
	}
	r = io.TeeReader(r, io.MultiWriter(sinks...))
	id := newBlobID()
	head := bytes.NewBuffer(make([]byte, 0, 2048))
	n, err := io.Copy(head, io.LimitReader(r, inlineLimit+1))
	if err != nil {
		return nil, err
	}
	seg := segment{Blob: id, Size: n, Inline: n <= inlineLimit}
	out := &body{}
	if seg.Inline {
		out.inline = map[string][]byte{id: head.Bytes()}
	} else if seg.Size, err = b.write(id, io.MultiReader(head, r)); err != nil {
		return nil, err
	}
	out.size, out.etag, out.crc64 = seg.Size, hex.EncodeToString(digest.Sum(nil)), crc.Sum64()
	if seg.Size > 0 {
		out.segments = []segment{seg}
	}
	return out, nil
}

// write makes a blob's file, synced together with its folder.
func (b *blobs) write(id string, r io.Reader) (n int64, err error) {
	f, err := os.OpenFile(b.path(id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(b.path(id))
		}
	}()
	if n, err = io.Copy(f, r); err != nil {
		return n, err
	}
	if err = f.Sync(); err != nil {
		return n, err
	}
	return n, syncDir(filepath.Dir(b.path(id)))
}

// duplicate stages a second body with the same bytes. Files are hard links, or copies where the file system has none to
// give.
func (b *blobs) duplicate(from *body) (*body, error) {
	to := &body{size: from.size, etag: from.etag, crc64: from.crc64, inline: map[string][]byte{}}
	for _, seg := range from.segments {
		old := seg.Blob
		seg.Blob = newBlobID()
		if seg.Inline {
			to.inline[seg.Blob] = from.inline[old]
		} else if err := b.link(old, seg.Blob); err != nil {
			b.remove(to.segments)
			return nil, err
		}
		to.segments = append(to.segments, seg)
	}
	return to, nil
}

func (b *blobs) link(from, to string) error {
	if os.Link(b.path(from), b.path(to)) == nil {
		return syncDir(filepath.Dir(b.path(to)))
	}
	f, err := os.Open(b.path(from))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = b.write(to, f)
	return err
}

// pin keeps the files of segments until unpin, even when their object is deleted meanwhile.
func (b *blobs) pin(segs []segment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range segs {
		if !s.Inline {
			b.pinned[s.Blob]++
		}
	}
}

func (b *blobs) unpin(segs []segment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range segs {
		if s.Inline {
			continue
		}
		if b.pinned[s.Blob]--; b.pinned[s.Blob] > 0 {
			continue
		}
		delete(b.pinned, s.Blob)
		if b.doomed[s.Blob] {
			delete(b.doomed, s.Blob)
			os.Remove(b.path(s.Blob))
		}
	}
}

// remove deletes the files of segments that no record names any more. What cannot be removed now is an orphan that the
// next start sweeps.
func (b *blobs) remove(segs []segment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range segs {
		switch {
		case s.Inline:
		case b.pinned[s.Blob] > 0:
			b.doomed[s.Blob] = true
		default:
			os.Remove(b.path(s.Blob))
		}
	}
}

// sweep removes the files that no row names: what a crash left between a blob and its record.
func (b *blobs) sweep(db *pebble.DB) error {
	return filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		_, closer, err := db.Get(blobRow(kindFile, d.Name()))
		if errors.Is(err, pebble.ErrNotFound) {
			return os.Remove(path)
		}
		if err != nil {
			return err
		}
		return closer.Close()
	})
}

// reader reads length bytes of a body from offset on. Its files must be pinned.
func (b *blobs) reader(from *body, offset, length int64) io.ReadCloser {
	return &segmentReader{blobs: b, body: from, segments: from.segments, skip: offset, left: length}
}

// segmentReader opens one segment after the other.
type segmentReader struct {
	blobs    *blobs
	body     *body
	segments []segment
	skip     int64
	left     int64
	open     io.ReadCloser
}

func (r *segmentReader) Read(p []byte) (int, error) {
	for r.left > 0 {
		if r.open == nil {
			if err := r.next(); err != nil {
				return 0, err
			}
		}
		n, err := r.open.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
		if err == io.EOF {
			r.open.Close()
			r.open, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// next opens the segment that holds the next byte.
func (r *segmentReader) next() error {
	for len(r.segments) > 0 && r.skip >= r.segments[0].Size {
		r.skip -= r.segments[0].Size
		r.segments = r.segments[1:]
	}
	if len(r.segments) == 0 {
		return io.ErrUnexpectedEOF
	}
	seg := r.segments[0]
	r.segments = r.segments[1:]
	skip := r.skip
	r.skip = 0
	if seg.Inline {
		r.open = io.NopCloser(bytes.NewReader(r.body.inline[seg.Blob][skip:]))
		return nil
	}
	f, err := os.Open(r.blobs.path(seg.Blob))
	if err != nil {
		return err
	}
	if _, err := f.Seek(skip, io.SeekStart); err != nil {
		f.Close()
		return err
	}
	r.open = f
	return nil
}

func (r *segmentReader) Close() error {
	if r.open == nil {
		return nil
	}
	return r.open.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
