package manifest_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drover-batch/drover/internal/job"
	. "github.com/drover-batch/drover/internal/manifest"
)

// oracle reads a CSV manifest of Bucket, Key, VersionId with the standard library. ok is false where it has nothing to
// say: it knows no blanks around quotes.
func oracle(text string, plus bool) (rows []job.Entry, err error, ok bool) {
	text = strings.TrimPrefix(text, "\xef\xbb\xbf")
	lines := strings.SplitAfter(text, "\n")
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	bad := errors.New("refused")
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return rows, nil, true
		}
		if err != nil {
			return nil, nil, false
		}
		for i := range rec {
			line, column := r.FieldPos(i)
			if rest := lines[line-1][column-1:]; !strings.HasPrefix(rest, `"`) {
				rec[i] = strings.Trim(rec[i], " \t")
			}
		}
		line, column := r.FieldPos(0)
		if len(rec) == 1 && rec[0] == "" && lines[line-1][column-1] != '"' {
			continue
		}
		if len(rows) == 0 && len(rec) == 3 && strings.EqualFold(rec[0], "bucket") && strings.EqualFold(rec[1], "key") &&
			strings.EqualFold(rec[2], "versionid") {
			return nil, nil, false
		}
		if len(rec) != 3 {
			return nil, bad, true
		}
		unescape := url.PathUnescape
		if plus {
			unescape = url.QueryUnescape
		}
		k, err := unescape(rec[1])
		if err != nil || k == "" || rec[0] == "" || len(k) > 1024 || len(rec[0]) > 255 || len(rec[2]) > 1024 {
			return nil, bad, true
		}
		rows = append(rows, job.Entry{Row: int64(len(rows)), Bucket: job.Bucket(rec[0]), Key: job.Key(k), Version: job.Version(rec[2])})
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"b,k,\n", "b,k,v\r\nb,k%2b+,null", "\xef\xbb\xbfBucket,Key,VersionId\nb,k,v\n", "b,\"k\"\"k\nk\",\"\"\n", " b , k , v \n\n\n",
		"b,%zz,\n", "b,k\n", "b,\"k,\nb,k,\n", "b,k\"k\",\n", "b,k\r,\n", "\r\n \n\tb,k,", "b,\"k\" ,v", "b,k%0d%0a,\"\r\n\"", "\xef\xbb\xbf", "b,k,v\r",
	} {
		f.Add([]byte(s), false, 2)
		f.Add([]byte(s), true, 1)
	}
	f.Fuzz(func(t *testing.T, text []byte, plus bool, rows int) {
		if len(text) > 20_000 || rows < 1 || rows > 1000 {
			return
		}
		s := newStore()
		if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
			text = gzipped(t, string(text))
		}
		got, err := all(t, s, s.csv(text), Options{ChunkRows: rows, PlusSpace: &plus})
		switch CodeOf(err) {
		case "", CodeInvalidContent, CodeEmpty, CodeTooManyBuckets:
		default:
			t.Fatalf("unexpected error %v", err)
		}
		want, bad, ok := oracle(string(text), plus)
		if !ok || CodeOf(err) == CodeTooManyBuckets {
			return
		}
		if bad == nil && len(want) == 0 {
			if CodeOf(err) != CodeEmpty {
				t.Fatalf("got %v and %d rows, the oracle none", err, len(got))
			}
			return
		}
		if (bad == nil) != (err == nil) {
			t.Fatalf("got %v, the oracle says %v", err, bad)
		}
		// The oracle gives line ends within quotes as \n.
		for i := range got {
			got[i].Version = job.Version(strings.ReplaceAll(string(got[i].Version), "\r\n", "\n"))
			got[i].Bucket = job.Bucket(strings.ReplaceAll(string(got[i].Bucket), "\r\n", "\n"))
			got[i].Key = job.Key(strings.ReplaceAll(string(got[i].Key), "\r\n", "\n"))
		}
		for i := range want {
			want[i].Key = job.Key(strings.ReplaceAll(string(want[i].Key), "\r\n", "\n"))
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("-want +got:\n%s", d)
		}
	})
}

func FuzzInventoryManifest(f *testing.F) {
	data := []byte(newRows)
	for _, s := range []string{
		newLayout(data), oldLayout(data), "{}", "null", "[]", `{"fileFormat":"CSV","fileSchema":"Bucket,Key","files":[{"key":"k","size":null}]}`,
		`{"fileFormat":"CSV","fileSchema":"Bucket,Key","files":[{"key":"k","size":-1}]}`, `{"FILEFORMAT":"csv","fileschema":"key, bucket, Key"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newStore()
		s.files[dataKey] = data
		got, err := all(t, s, s.inventory(string(body)), Options{})
		if err != nil {
			if CodeOf(err) == "" {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		for _, e := range got {
			if e.Bucket == "" || e.Key == "" || e.Size < 0 {
				t.Fatalf("entry %+v", e)
			}
		}
	})
}

func FuzzDecodeChunk(f *testing.F) {
	s := newStore()
	m := s.csv(gzipped(f, "b,k1,v\nb,k2,\nc,k22,null\n"))
	p, err := Survey(f.Context(), s, m, Options{ChunkRows: 2})
	if err != nil {
		f.Fatal(err)
	}
	for c, err := range p.Cut(f.Context(), s, Cursor{}) {
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.Chunk.Encode())
	}
	f.Add(Chunk{Number: 1, First: 1000, Rows: 1000, Offset: 60_000, Length: 59_000}.Encode())
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeChunk(b)
		if err != nil {
			return
		}
		again, err := DecodeChunk(c.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c, again); d != "" {
			t.Fatal(d)
		}
		entries, err := p.Entries(t.Context(), s, c)
		if err == nil && len(entries) != c.Rows {
			t.Fatalf("%d entries of a chunk of %d rows", len(entries), c.Rows)
		}
	})
}
