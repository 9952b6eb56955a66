package inventory_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/inventory"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
)

var update = flag.Bool("update", false, "write golden files")

// store lists what it is told to, and keeps what is put.
type store struct {
	listing []object.ListEntry
	asked   object.ListOptions
	listErr error
	puts    map[object.Ref][]byte
	order   []job.Key
	putErr  error
}

func (s *store) List(_ context.Context, _ job.Bucket, o object.ListOptions) iter.Seq2[object.ListEntry, error] {
	s.asked = o
	return func(yield func(object.ListEntry, error) bool) {
		for _, e := range s.listing {
			if !yield(e, nil) {
				return
			}
		}
		if s.listErr != nil {
			yield(object.ListEntry{}, s.listErr)
		}
	}
}

func (s *store) Put(_ context.Context, p object.PutRequest) (object.PutResult, error) {
	b, err := io.ReadAll(p.Body)
	if err = errors.Join(err, s.putErr); err != nil {
		return object.PutResult{}, err
	}
	if int64(len(b)) != p.Size {
		return object.PutResult{}, fmt.Errorf("%d bytes of %d were put", len(b), p.Size)
	}
	if s.puts == nil {
		s.puts = map[object.Ref][]byte{}
	}
	s.puts[object.Ref{Bucket: p.Bucket, Key: p.Key}] = b
	s.order = append(s.order, p.Key)
	return object.PutResult{ETag: `"` + md5Of(b) + `"`}, nil
}

// Open makes the store a manifest.Opener.
func (s *store) Open(_ context.Context, n manifest.Name, offset, length int64) (io.ReadCloser, manifest.Info, error) {
	b, ok := s.puts[object.Ref{Bucket: n.Bucket, Key: n.Key}]
	if !ok {
		return nil, manifest.Info{}, &object.Error{Op: "Get", Code: object.CodeNoSuchKey, Status: 404}
	}
	info := manifest.Info{ETag: md5Of(b), Size: int64(len(b))}
	b = b[offset:]
	if length >= 0 {
		b = b[:min(length, int64(len(b)))]
	}
	return io.NopCloser(bytes.NewReader(b)), info, nil
}

func md5Of(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

var now = time.Date(2024, 3, 1, 7, 30, 0, 0, time.FixedZone("", 8*3600))

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := &store{}
		o := inventory.Options{
			SourceBucket: rapid.SampledFrom([]job.Bucket{"photos-1250000000", "photos", "my-photos-2024", "a.b-c"}).Draw(t, "source"),
			DestBucket:   rapid.SampledFrom([]job.Bucket{"lists-1250000000", "lists", "lists-1300000000"}).Draw(t, "destination"),
			Prefix:       rapid.SampledFrom([]string{"", "inv", "inv/x/"}).Draw(t, "prefix"),
			AppID:        rapid.SampledFrom([]string{"", "1250000000"}).Draw(t, "appid"),
			Versions:     rapid.Bool().Draw(t, "versions"),
			RowsPerFile:  rapid.Int64Range(1, 10).Draw(t, "rows a file"),
			Region:       "local", Now: now, TempDir: temp,
		}
		var want []job.Entry
		for i := range rapid.IntRange(0, 30).Draw(t, "rows") {
			e := object.ListEntry{
				Key: job.Key(rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "key")), Size: rapid.Int64Range(0, 1<<40).Draw(t, "size"),
				ETag: rapid.SampledFrom([]string{"0a1b", "0a1b-3"}).Draw(t, "etag"), Class: "STANDARD", LastModified: now,
			}
			w := job.Entry{Row: int64(i), Bucket: o.SourceBucket, Key: e.Key, Size: e.Size, ETag: e.ETag, Class: e.Class}
			if o.Versions {
				e.Version = job.Version(rapid.SampledFrom([]string{"null", "v1", "MTg0"}).Draw(t, "version"))
				if e.DeleteMarker = rapid.Bool().Draw(t, "marker"); e.DeleteMarker {
					e.Size, e.ETag, e.Class = 0, "", ""
					w.Size, w.ETag, w.Class = 0, "", ""
				}
				w.Version, w.DeleteMarker = e.Version, e.DeleteMarker
			}
			s.listing = append(s.listing, e)
			want = append(want, w)
		}
		r, err := inventory.Create(context.Background(), s, s, o)
		if err != nil {
			t.Fatal(err)
		}
		files := (len(want) + int(o.RowsPerFile) - 1) / int(o.RowsPerFile)
		if r.Rows != int64(len(want)) || r.Files != files || len(s.puts) != files+2 {
			t.Fatalf("%+v of %d rows; %d objects", r, len(want), len(s.puts))
		}
		if r.ManifestKey != r.Manifest.Location.Key || r.ETag != r.Manifest.Location.ETag || r.Manifest.Location.Region != "local" {
			t.Fatalf("%+v", r)
		}
		p, err := manifest.Survey(context.Background(), s, r.Manifest, manifest.Options{ChunkRows: 7})
		if len(want) == 0 {
			if manifest.CodeOf(err) != manifest.CodeEmpty {
				t.Fatalf("got %v of an empty bucket", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []job.Entry
		for c, err := range p.Cut(context.Background(), s, manifest.Cursor{}) {
			if err != nil {
				t.Fatal(err)
			}
			entries, err := p.Entries(context.Background(), s, c.Chunk)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, entries...)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("-want +got:\n%s", d)
		}
	})
	left, err := os.ReadDir(temp)
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func listing() []object.ListEntry {
	at := time.Date(2024, 2, 29, 23, 59, 59, 999, time.UTC)
	return []object.ListEntry{
		{Key: "a/b c+d\"e,你", Version: "v2", IsLatest: true, Size: 7, ETag: "0a-2", LastModified: at, Class: "STANDARD"},
		{Key: "gone", Version: "v3", IsLatest: true, DeleteMarker: true, LastModified: at},
		{Key: "gone", Version: "v1", Size: 4089, ETag: "0b", LastModified: at, Class: "ARCHIVE"},
	}
}

// TestLayouts compares whole reports with golden files, names and all.
func TestLayouts(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]inventory.Options{
		"cos-all":     {SourceBucket: "photos-1250000000", DestBucket: "lists-1250000000", Prefix: "cos_bucket_inventory", ConfigID: "daily01", Versions: true},
		"cos-current": {SourceBucket: "photos-1250000000", DestBucket: "plain", RowsPerFile: 2},
		"s3":          {SourceBucket: "photos", DestBucket: "lists", Prefix: "inv/", Versions: true, AppID: "1250000000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store{listing: listing()}
			if !o.Versions {
				s.listing = s.listing[:1]
			}
			o.Now, o.TempDir = now, t.TempDir()
			r, err := inventory.Create(t.Context(), s, s, o)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(s.order); s.order[n-1] != r.ManifestKey {
				t.Errorf("manifest.json is not the last file written: %q", s.order)
			}
			var out strings.Builder
			for _, k := range s.order {
				b := s.puts[object.Ref{Bucket: o.DestBucket, Key: k}]
				if strings.HasSuffix(string(k), ".gz") {
					zr, err := gzip.NewReader(bytes.NewReader(b))
					if err != nil {
						t.Fatal(err)
					}
					if b, err = io.ReadAll(zr); err != nil {
						t.Fatal(err)
					}
				}
				fmt.Fprintf(&out, "== %s\n%s\n", k, bytes.TrimSuffix(b, []byte("\n")))
			}
			sum := s.puts[object.Ref{Bucket: o.DestBucket, Key: job.Key(strings.TrimSuffix(string(r.ManifestKey), "json") + "checksum")}]
			if string(sum) != r.ETag {
				t.Errorf("manifest.checksum is %q, want %q", sum, r.ETag)
			}
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), out.String()); d != "" {
				t.Errorf("%s (-want +got):\n%s", path, d)
			}
		})
	}
}

func TestFilterIsAskedOfTheStore(t *testing.T) {
	t.Parallel()
	s := &store{}
	o := inventory.Options{SourceBucket: "b", DestBucket: "b", Filter: "logs/", Versions: true}
	if _, err := inventory.Create(t.Context(), s, s, o); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(object.ListOptions{Prefix: "logs/", Versions: true}, s.asked); d != "" {
		t.Error(d)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	down := &object.Error{Op: "List", Code: "InternalError", Status: 500, Class: object.Transient}
	good := inventory.Options{SourceBucket: "b", DestBucket: "b", RowsPerFile: 1}
	t.Run("listing breaks off", func(t *testing.T) {
		s := &store{listing: listing(), listErr: down}
		o := good
		o.TempDir = t.TempDir()
		if _, err := inventory.Create(t.Context(), s, s, o); !object.Retryable(err) {
			t.Errorf("got %v, want the listing's error", err)
		}
		if slices.ContainsFunc(s.order, func(k job.Key) bool { return strings.HasSuffix(string(k), "manifest.json") }) {
			t.Errorf("a report that is not whole has a manifest.json: %q", s.order)
		}
		if left, err := os.ReadDir(o.TempDir); err != nil || len(left) != 0 {
			t.Errorf("temporary files are left: %v, %v", left, err)
		}
	})
	t.Run("storing fails", func(t *testing.T) {
		s := &store{listing: listing(), putErr: down}
		if _, err := inventory.Create(t.Context(), s, s, good); !object.Retryable(err) {
			t.Errorf("got %v, want the store's error", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := &store{}
		if _, err := inventory.Create(ctx, s, s, good); !errors.Is(err, context.Canceled) || len(s.puts) != 0 {
			t.Errorf("got %v", err)
		}
	})
	for name, change := range map[string]func(*inventory.Options){
		"SourceBucket": func(o *inventory.Options) { o.SourceBucket = "" },
		"DestBucket":   func(o *inventory.Options) { o.DestBucket = "" },
		"RowsPerFile":  func(o *inventory.Options) { o.RowsPerFile = -1 },
		"ConfigID":     func(o *inventory.Options) { o.ConfigID = "a/b" },
	} {
		o := good
		change(&o)
		_, err := inventory.Create(t.Context(), &store{}, &store{}, o)
		if e, ok := errors.AsType[*job.Error](err); !ok || e.Code != job.InvalidArgument || e.Field != name {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
