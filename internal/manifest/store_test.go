package manifest_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/drover-batch/drover/internal/job"
	. "github.com/drover-batch/drover/internal/manifest"
)

const lists = job.Bucket("lists-1250000000")

// store is stored files in memory. Openings are counted by key.
type store struct {
	files  map[job.Key][]byte
	opened map[job.Key]int
	whole  map[job.Key]int // openings to the end
	// cut makes bodies break off after so many bytes.
	cut int64

	mu    sync.Mutex
	etags map[*byte]string // of bodies, by where they lie: benchmarks should not measure the store
}

func (s *store) etag(b []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(b) == 0 {
		return etagOf(b)
	}
	e, ok := s.etags[&b[0]]
	if !ok {
		e = etagOf(b)
		s.etags[&b[0]] = e
	}
	return e
}

func newStore() *store {
	return &store{files: map[job.Key][]byte{}, opened: map[job.Key]int{}, whole: map[job.Key]int{}, etags: map[*byte]string{}}
}

var errNoSuchKey = errors.New("NoSuchKey")

func (s *store) Open(ctx context.Context, n Name, offset, length int64) (io.ReadCloser, Info, error) {
	b, ok := s.files[n.Key]
	if !ok || n.Bucket != lists {
		return nil, Info{}, fmt.Errorf("%s: %w", n, errNoSuchKey)
	}
	s.mu.Lock()
	s.opened[n.Key]++
	if length < 0 {
		s.whole[n.Key]++
	}
	s.mu.Unlock()
	info := Info{ETag: s.etag(b), Size: int64(len(b))}
	b = b[min(offset, int64(len(b))):]
	if length >= 0 {
		b = b[:min(length, int64(len(b)))]
	}
	var r io.Reader = bytes.NewReader(b)
	if s.cut > 0 && int64(len(b)) > s.cut {
		r = io.MultiReader(bytes.NewReader(b[:s.cut]), broken{})
	}
	return io.NopCloser(r), info, ctx.Err()
}

// broken is a connection that breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func etagOf(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// csv stores a CSV manifest and describes it.
func (s *store) csv(body []byte, fields ...job.Field) job.Manifest {
	if len(fields) == 0 {
		fields = []job.Field{job.FieldBucket, job.FieldKey, job.FieldVersion}
	}
	s.files["list.csv"] = body
	return job.Manifest{
		Format: job.FormatCSV, Fields: fields,
		Location: job.Location{Bucket: lists, Key: "list.csv", ETag: etagOf(body)},
	}
}

// inventory stores a manifest.json and describes it.
func (s *store) inventory(body string) job.Manifest {
	s.files["inv/manifest.json"] = []byte(body)
	return job.Manifest{
		Format:   job.FormatInventory,
		Location: job.Location{Bucket: lists, Key: "inv/manifest.json", ETag: etagOf([]byte(body))},
	}
}

func gzipped(t testing.TB, parts ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&out)
		if _, err := io.WriteString(w, p); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// all reads a manifest by every way there is and fails when they differ: Rows, and Survey, Cut, a chunk's journey and
// Entries.
func all(t testing.TB, o Opener, m job.Manifest, opt Options) ([]job.Entry, error) {
	t.Helper()
	ctx := t.Context()
	p, err := Survey(ctx, o, m, opt)
	if err != nil {
		return nil, err
	}
	var got []job.Entry
	for cut, err := range p.Cut(ctx, o, Cursor{}) {
		if err != nil {
			return nil, err
		}
		c, err := DecodeChunk(cut.Chunk.Encode())
		if err != nil {
			return nil, err
		}
		entries, err := p.Entries(ctx, o, c)
		if err != nil {
			return nil, err
		}
		got = append(got, entries...)
	}
	i := 0
	for e, err := range Rows(ctx, o, m, opt) {
		if err != nil {
			return nil, err
		}
		if i >= len(got) || got[i] != e {
			t.Fatalf("Rows gives %+v as row %d, chunks differ", e, i)
		}
		i++
	}
	if i != len(got) || int64(i) != p.Rows {
		t.Fatalf("Rows gives %d rows, chunks %d, the plan says %d", i, len(got), p.Rows)
	}
	return got, nil
}
