package manifest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
	. "github.com/drover-batch/drover/internal/manifest"
)

// drawn is an inventory of random files with the rows that are in them.
type drawn struct {
	*store
	m     job.Manifest
	opt   Options
	rows  []job.Entry
	files []job.Key
}

func draw(t *rapid.T) *drawn {
	d := &drawn{store: newStore(), opt: Options{ChunkRows: rapid.IntRange(1, 9).Draw(t, "rows a chunk")}}
	var stated []string
	for i := range rapid.IntRange(1, 5).Draw(t, "files") {
		k := job.Key(fmt.Sprintf("data/%d", i))
		b := d.file(t)
		d.store.files[k] = b
		d.files = append(d.files, k)
		stated = append(stated, fmt.Sprintf(`{"key":%q,"size":%d,"md5Checksum":%q}`, k, len(b), etagOf(b)))
	}
	d.m = d.inventory(`{"fileFormat":"CSV","fileSchema":"Bucket, Key, VersionId, IsDeleteMarker, Size, ETag, StorageClass, Tag","files":[` +
		strings.Join(stated, ",") + `]}`)
	return d
}

// file draws one data file's rows and its form.
func (d *drawn) file(t *rapid.T) []byte {
	var b bytes.Buffer
	end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line end")
	if rapid.Bool().Draw(t, "BOM") {
		b.WriteString("\xef\xbb\xbf")
	}
	if rapid.Bool().Draw(t, "header") {
		b.WriteString("Bucket,Key,versionid,IsDeleteMarker,Size,ETag,StorageClass,Tag" + end)
	}
	for range rapid.IntRange(0, 25).Draw(t, "rows") {
		if rapid.IntRange(0, 5).Draw(t, "blank line") == 0 {
			b.WriteString(end)
		}
		e := job.Entry{
			Row:          int64(len(d.rows)),
			Bucket:       rapid.SampledFrom([]job.Bucket{"b-1", "c,\"-2"}).Draw(t, "bucket"),
			Key:          job.Key(rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key")),
			Version:      job.Version(rapid.SampledFrom([]string{"", "null", "v\nv"}).Draw(t, "version")),
			DeleteMarker: rapid.Bool().Draw(t, "marker"),
			Size:         rapid.Int64Range(0, 1<<62).Draw(t, "size"),
			ETag:         rapid.SampledFrom([]string{"", "abc", "0f0f-2"}).Draw(t, "etag"),
			Class:        rapid.SampledFrom([]string{"", "STANDARD", "ARCHIVE"}).Draw(t, "class"),
		}
		d.rows = append(d.rows, e)
		raw := rapid.Bool().Draw(t, "quoted")
		for i, v := range []string{
			string(e.Bucket), escape(string(e.Key)), string(e.Version), fmt.Sprint(e.DeleteMarker),
			fmt.Sprint(e.Size), e.ETag, e.Class, "tag",
		} {
			if i > 0 {
				b.WriteString(",")
			}
			if raw || strings.ContainsAny(v, ",\"\n") {
				v = `"` + strings.ReplaceAll(v, `"`, `""`) + `"`
			}
			b.WriteString(v)
		}
		b.WriteString(end)
	}
	out := b.Bytes()
	if rapid.Bool().Draw(t, "no last newline") {
		out = bytes.TrimRight(out, "\r\n")
	}
	if !rapid.Bool().Draw(t, "gzip") {
		return out
	}
	var z bytes.Buffer
	at := rapid.IntRange(0, len(out)).Draw(t, "end of the first member")
	for _, part := range [][]byte{out[:at], out[at:]} {
		w := gzip.NewWriter(&z)
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return z.Bytes()
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (d *drawn) survey(t *rapid.T) *Plan {
	p, err := Survey(context.Background(), d, d.m, d.opt)
	if len(d.rows) == 0 {
		if CodeOf(err) != CodeEmpty {
			t.Fatalf("got %v of an empty manifest", err)
		}
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (d *drawn) cut(t *rapid.T, p *Plan, from Cursor) []Cut {
	var cuts []Cut
	for c, err := range p.Cut(context.Background(), d, from) {
		if err != nil {
			t.Fatal(err)
		}
		cuts = append(cuts, c)
	}
	return cuts
}

func TestCuttingCoversEveryRowOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		p := d.survey(t)
		if p == nil {
			return
		}
		var got []job.Entry
		for i, cut := range d.cut(t, p, Cursor{}) {
			c := cut.Chunk
			if c.Number != int64(i) || c.First != int64(len(got)) {
				t.Fatalf("chunk %d is %+v", i, c)
			}
			if plain := p.Files[c.File].Compression == Plain; plain != (c.Packed == nil) || plain != (c.Length > 0) {
				t.Fatalf("chunk %+v of a file of compression %q", c, p.Files[c.File].Compression)
			}
			sent, err := DecodeChunk(c.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, sent); diff != "" {
				t.Fatal(diff)
			}
			entries, err := p.Entries(context.Background(), d, sent)
			if err != nil {
				t.Fatal(err)
			}
			if first, n := p.RowsOf(c.Number); first != c.First || n != len(entries) {
				t.Fatalf("RowsOf(%d) = %d, %d", c.Number, first, n)
			}
			for _, e := range entries {
				if p.ChunkOf(e.Row) != c.Number {
					t.Fatalf("ChunkOf(%d) = %d, want %d", e.Row, p.ChunkOf(e.Row), c.Number)
				}
			}
			got = append(got, entries...)
		}
		if diff := cmp.Diff(d.rows, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		if p.ChunkOf(p.Rows) != -1 || p.ChunkOf(-1) != -1 {
			t.Fatal("rows that are not there have a chunk")
		}
	})
}

func TestCuttingFromAnyCursorGivesTheSameChunks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		p := d.survey(t)
		if p == nil {
			return
		}
		whole := d.cut(t, p, Cursor{})
		i := rapid.IntRange(0, len(whole)-1).Draw(t, "cut")
		for _, from := range []Cursor{whole[i].Next, {Chunk: whole[i].Next.Chunk}} {
			if diff := cmp.Diff(whole[i+1:], d.cut(t, p, from), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("from %+v (-want +got):\n%s", from, diff)
			}
		}
	})
}

func TestResumedSurveyIsTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		want := d.survey(t)
		if want == nil {
			return
		}
		stop := rapid.IntRange(1, len(d.files)).Draw(t, "files before the stop")
		var kept []byte
		n := 0
		opt := d.opt
		opt.Progress = func(p *Plan) error {
			var err error
			if kept, err = json.Marshal(p); err != nil {
				return err
			}
			if n++; n == stop {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		if _, err := Survey(context.Background(), d, d.m, opt); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("got %v, want the progress function's error", err)
		}
		opt = d.opt
		opt.Resume = new(Plan)
		if err := json.Unmarshal(kept, opt.Resume); err != nil {
			t.Fatal(err)
		}
		clear(d.whole)
		got, err := Survey(context.Background(), d, d.m, opt)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		for i, k := range d.files[:stop] {
			if d.whole[k] > 0 && len(d.store.files[k]) > 0 {
				t.Fatalf("file %d was read again", i)
			}
		}
	})
}

func TestResumeReadsAChangedFileAgain(t *testing.T) {
	t.Parallel()
	s := newStore()
	files := func(second string) job.Manifest {
		s.files["1"], s.files["2"] = []byte("b-1,k\n"), []byte(second)
		return s.inventory(fmt.Sprintf(`{"fileFormat":"CSV","fileSchema":"Bucket,Key","files":[
			{"key":"1","size":6,"md5Checksum":"%s"},{"key":"2","size":"%d","md5Checksum":"%s"}]}`,
			etagOf([]byte("b-1,k\n")), len(second), etagOf([]byte(second))))
	}
	old, err := Survey(t.Context(), s, files("b-2,k\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := files("b-3,k\nb-3,l\n")
	clear(s.whole)
	got, err := Survey(t.Context(), s, m, Options{Resume: old})
	if err != nil {
		t.Fatal(err)
	}
	if s.whole["1"] != 0 || s.whole["2"] != 1 {
		t.Errorf("files read: %v", s.whole)
	}
	want, err := Survey(t.Context(), s, m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	clear(s.whole)
	if _, err := Survey(t.Context(), s, m, Options{Resume: old, ChunkRows: 1}); err != nil || s.whole["1"] != 1 {
		t.Errorf("a plan of another chunk size was resumed: %v, %v", err, s.whole)
	}
}

func TestChangedFilesAreFound(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(string) []byte{
		"plain": func(s string) []byte { return []byte(s) },
		"gzip":  func(s string) []byte { return gzipped(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			p, err := Survey(t.Context(), s, s.csv(make("b,k1,\nb,k2,\nb,k3,\n")), Options{ChunkRows: 2})
			if err != nil {
				t.Fatal(err)
			}
			var cuts []Cut
			for c := range p.Cut(t.Context(), s, Cursor{}) {
				cuts = append(cuts, c)
			}
			s.files["list.csv"] = make("b,k1,\nb,k2,\nb,k4,\n")
			want := Error{Code: CodeFileChanged, File: "lists-1250000000/list.csv"}
			_, err = p.Entries(t.Context(), s, cuts[1].Chunk)
			if name == "gzip" && err != nil {
				t.Errorf("packed rows need no file: %v", err)
			}
			if name == "plain" {
				checkError(t, err, want)
			}
			for _, err := range p.Cut(t.Context(), s, cuts[0].Next) {
				checkError(t, err, want)
			}
			delete(s.files, "list.csv")
			want.Code = CodeUnreadable
			for _, err := range p.Cut(t.Context(), s, cuts[0].Next) {
				checkError(t, err, want)
			}
		})
	}
}

func TestForeignChunksAreRefused(t *testing.T) {
	t.Parallel()
	s := newStore()
	p, err := Survey(t.Context(), s, s.csv([]byte("b,k1,\nb,k2,\nb,k3,\n")), Options{ChunkRows: 2})
	if err != nil {
		t.Fatal(err)
	}
	good := Chunk{Number: 1, First: 2, Rows: 1, Offset: 12, Length: 6}
	if e, err := p.Entries(t.Context(), s, good); err != nil || e[0].Key != "k3" {
		t.Fatalf("%v, %+v", err, e)
	}
	for name, change := range map[string]func(*Chunk){
		"number":           func(c *Chunk) { c.Number = 7 },
		"rows":             func(c *Chunk) { c.Rows = 2 },
		"first":            func(c *Chunk) { c.First = 1 },
		"file":             func(c *Chunk) { c.File = 1 },
		"past the end":     func(c *Chunk) { c.Length = 7 },
		"short":            func(c *Chunk) { c.Length = 5 },
		"too many rows":    func(c *Chunk) { c.Offset, c.Length = 6, 12 },
		"before the start": func(c *Chunk) { c.Offset = -1 },
		"not packed rows":  func(c *Chunk) { c.Packed = []byte("x") },
	} {
		c := good
		change(&c)
		if e, err := p.Entries(t.Context(), s, c); err == nil && name != "short" {
			t.Errorf("%s: gives %+v", name, e)
		}
	}
}

func TestManyFilesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	s := newStore()
	var stated []string
	for i := range 50 {
		b := gzipped(t, strings.Repeat(fmt.Sprintf("b-%d,k\n", i), 50-i))
		k := fmt.Sprint(i)
		s.files[job.Key(k)] = b
		stated = append(stated, fmt.Sprintf(`{"key":%q,"size":%d,"md5Checksum":%q}`, k, len(b), etagOf(b)))
	}
	m := s.inventory(`{"fileFormat":"csv","fileSchema":"bucket,key","files":[` + strings.Join(stated, ",") + `]}`)
	p, err := Survey(t.Context(), s, m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Rows != 51*25 || p.Chunks != 50 || len(p.Buckets) != 50 {
		t.Fatalf("%d rows, %d chunks, %d buckets", p.Rows, p.Chunks, len(p.Buckets))
	}
	if !slices.IsSortedFunc(p.Files, func(a, b File) int { return int(a.FirstRow - b.FirstRow) }) {
		t.Error("files are not in order")
	}
	// The first fault in the manifest's order is the one that is told.
	s.files["3"], s.files["9"] = []byte("x"), []byte("y")
	_, err = Survey(t.Context(), s, m, Options{})
	checkError(t, err, Error{Code: CodeFileChanged, File: "lists-1250000000/3"})
}
