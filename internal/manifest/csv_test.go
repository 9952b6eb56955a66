package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	. "github.com/drover-batch/drover/internal/manifest"
)

func TestCSVForms(t *testing.T) {
	t.Parallel()
	ab := []job.Entry{{Row: 0, Bucket: "b-1", Key: "a"}, {Row: 1, Bucket: "b-1", Key: "b", Version: "v2"}}
	plus, none := true, []job.Field(nil)
	for _, tt := range []struct {
		name   string
		body   string
		fields []job.Field
		plus   *bool
		want   []job.Entry
	}{
		{"plain", "b-1,a,\nb-1,b,v2\n", none, nil, ab},
		{"no last newline", "b-1,a,\nb-1,b,v2", none, nil, ab},
		{"CRLF", "b-1,a,\r\nb-1,b,v2\r\n", none, nil, ab},
		{"CR before the end", "b-1,a,\nb-1,b,v2\r", none, nil, ab},
		{"BOM", "\xef\xbb\xbfb-1,a,\nb-1,b,v2\n", none, nil, ab},
		{"header", "Bucket,Key,VersionId\nb-1,a,\nb-1,b,v2\n", none, nil, ab},
		{"BOM, blank line, header in lower case and quotes", "\xef\xbb\xbf\n\"bucket\", \"key\" ,versionid\r\nb-1,a,\nb-1,b,v2\n", none, nil, ab},
		{"blank lines", "\n\nb-1,a,\n \t\n\r\nb-1,b,v2\n\n\n", none, nil, ab},
		{"blanks after commas", "b-1, a,\n b-1 ,\tb , v2 \n", none, nil, ab},
		{"quoted", "\"b-1\",\"a\",\"\"\n\"b-1\", \"b\" ,v2\n", none, nil, ab},
		{"blanks stay in quotes", "b-1,\" a \",\n", none, nil, []job.Entry{{Bucket: "b-1", Key: " a "}}},
		{"doubled quotes, comma", "b-1,\"a\"\",\"\"\"\"b\",\n", none, nil, []job.Entry{{Bucket: "b-1", Key: `a",""b`}}},
		{"newline in quotes", "b-1,\"a\nb\",\nb-1,c,\n", none, nil, []job.Entry{{Bucket: "b-1", Key: "a\nb"}, {Row: 1, Bucket: "b-1", Key: "c"}}},
		{"escapes", "b-1,%e4%BD%a0%2fx%25%2B%20y%00,\n", none, nil, []job.Entry{{Bucket: "b-1", Key: "你/x%+ y\x00"}}},
		{"raw key", "b-1,test/你 1.txt,\n", none, nil, []job.Entry{{Bucket: "b-1", Key: "test/你 1.txt"}}},
		{"plus stays", "b-1,a+b,\n", none, nil, []job.Entry{{Bucket: "b-1", Key: "a+b"}}},
		{"plus is a space when asked", "b-1,a+b%2B,\n", none, &plus, []job.Entry{{Bucket: "b-1", Key: "a b+"}}},
		{"null version", "b-1,a,null\n", none, nil, []job.Entry{{Bucket: "b-1", Key: "a", Version: "null"}}},
		{"other columns", "x,k,y,b-1,\"z,z\"\n", []job.Field{"Ignore", "Key", "Ignore", "Bucket", "Ignore"}, nil, []job.Entry{{Bucket: "b-1", Key: "k"}}},
		{"header over ignored columns", "Size,Key,Bucket\n7,k,b-1\n", []job.Field{"Ignore", "Key", "Bucket"}, nil, []job.Entry{{Bucket: "b-1", Key: "k"}}},
		{"key of 1,024 bytes", "b-1," + strings.Repeat("%41", 1024) + ",\n", none, nil, []job.Entry{{Bucket: "b-1", Key: job.Key(strings.Repeat("A", 1024))}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, form := range []struct {
				name string
				body []byte
			}{
				{"plain", []byte(tt.body)},
				{"gzip", gzipped(t, tt.body)},
				{"gzip of many members", gzipped(t, tt.body[:2], "", tt.body[2:])},
			} {
				s := newStore()
				got, err := all(t, s, s.csv(form.body, tt.fields...), Options{ChunkRows: 1, PlusSpace: tt.plus})
				if err != nil {
					t.Fatalf("%s: %v", form.name, err)
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("%s (-want +got):\n%s", form.name, d)
				}
			}
		})
	}
}

// S3's CSV is COS's but for the plus sign; the plan keeps which of the two a manifest is.
func TestPlusInACSVIsASpaceWhereTheManifestSaysSo(t *testing.T) {
	t.Parallel()
	s := newStore()
	m := s.csv([]byte("b-1,a+b%2B,\n"))
	m.PlusSpace = true
	p, err := Survey(t.Context(), s, m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !p.PlusSpace {
		t.Error("the plan does not say so")
	}
	got, err := all(t, s, m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]job.Entry{{Bucket: "b-1", Key: "a b+"}}, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestCSVFaults(t *testing.T) {
	t.Parallel()
	many := &strings.Builder{}
	for i := range 101 {
		fmt.Fprintf(many, "b-%d,k,\n", i)
	}
	for _, tt := range []struct {
		name string
		body string
		want Error
	}{
		{"empty", "", Error{Code: CodeEmpty}},
		{"header only", "Bucket,Key,VersionId\n\n", Error{Code: CodeEmpty}},
		{"short row", "b,k,\nb,k\n", Error{Code: CodeInvalidContent, Row: 2}},
		{"long row", "b,k,\nb,k,a,v\n", Error{Code: CodeInvalidContent, Row: 2}},
		{"no row of an empty column", "b,k,\n\n,k,\n", Error{Code: CodeInvalidContent, Row: 3, Field: "Bucket"}},
		{"empty key", "b,,\n", Error{Code: CodeInvalidContent, Row: 1, Field: "Key"}},
		{"broken escape", "b,k,\nb,k,\nb,100%,\n", Error{Code: CodeInvalidContent, Row: 3, Field: "Key"}},
		{"broken hex", "b,%4g,\n", Error{Code: CodeInvalidContent, Row: 1, Field: "Key"}},
		{"row after a newline in quotes", "b,\"k\nk\nk\",\nb,%,\n", Error{Code: CodeInvalidContent, Row: 4, Field: "Key"}},
		{"bare quote", "b,k\"k,\n", Error{Code: CodeInvalidContent, Row: 1}},
		{"bare quotes", "b,k\"k\",\n", Error{Code: CodeInvalidContent, Row: 1, Field: "Key"}},
		{"text after a quote", "b,\"k\"k,\n", Error{Code: CodeInvalidContent, Row: 1, Field: "Key"}},
		{"unclosed quote", "b,k,\nb,\"k,\nb,k,\n", Error{Code: CodeInvalidContent, Row: 2}},
		{"unclosed quote in a long file", "b,\"k,\n" + strings.Repeat("b,k,\n", 100_000), Error{Code: CodeInvalidContent, Row: 1}},
		{"long line", "b,k," + strings.Repeat("v", MaxLine), Error{Code: CodeInvalidContent, Row: 1}},
		{"endless line", "b,k,\nb,k," + strings.Repeat("v", 10*MaxLine) + "\n", Error{Code: CodeInvalidContent, Row: 2}},
		{"long key", "b," + strings.Repeat("k", 1025) + ",\n", Error{Code: CodeInvalidContent, Row: 1, Field: "Key"}},
		{"long bucket", strings.Repeat("b", 256) + ",k,\n", Error{Code: CodeInvalidContent, Row: 1, Field: "Bucket"}},
		{"long version", "b,k," + strings.Repeat("v", 1025) + "\n", Error{Code: CodeInvalidContent, Row: 1, Field: "VersionId"}},
		{"many buckets", many.String(), Error{Code: CodeTooManyBuckets, Row: 101, Field: "Bucket"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.want.File = "lists-1250000000/list.csv"
			s := newStore()
			for _, body := range [][]byte{[]byte(tt.body), gzipped(t, tt.body)} {
				_, err := Survey(t.Context(), s, s.csv(body), Options{})
				checkError(t, err, tt.want)
			}
		})
	}
}

// checkError compares what programs see of an error, and that its text names the place.
func checkError(t *testing.T, err error, want Error) {
	t.Helper()
	got, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, want a manifest's error %s", err, want.Code)
	}
	if got.Code != want.Code || got.File != want.File || got.Row != want.Row || got.Field != want.Field || got.Message == "" {
		t.Fatalf("got %+v, want %+v", *got, want)
	}
	text := got.Error()
	for _, part := range []string{want.File, want.Field, got.Message} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not name %q", text, part)
		}
	}
	if want.Row > 0 && !strings.Contains(text, fmt.Sprintf("line %d", want.Row)) {
		t.Errorf("%q does not name line %d", text, want.Row)
	}
}

func TestWhatIsWrongWithTheFile(t *testing.T) {
	t.Parallel()
	const file = "lists-1250000000/list.csv"
	s := newStore()
	m := s.csv([]byte("b,k,\n"))

	t.Run("quotes around ETags do not matter", func(t *testing.T) {
		m := m
		m.Location.ETag = `"` + m.Location.ETag + `"`
		if _, err := Survey(t.Context(), s, m, Options{}); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("another ETag", func(t *testing.T) {
		m := m
		m.Location.ETag = "0"
		_, err := Survey(t.Context(), s, m, Options{})
		checkError(t, err, Error{Code: CodeETagMismatch, File: file, Field: "ETag"})
	})
	t.Run("missing", func(t *testing.T) {
		m := m
		m.Location.Key = "no\nsuch.csv"
		_, err := Survey(t.Context(), s, m, Options{})
		checkError(t, err, Error{Code: CodeUnreadable, File: `lists-1250000000/no\nsuch.csv`})
		if !errors.Is(err, errNoSuchKey) {
			t.Errorf("%v has lost its cause", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Survey(ctx, s, m, Options{}); !errors.Is(err, context.Canceled) || CodeOf(err) != "" {
			t.Errorf("got %v, want the context's error", err)
		}
	})
	for name, fields := range map[string][]job.Field{
		"no key": {"Bucket"}, "no bucket": {"Key", "Ignore"}, "key twice": {"Bucket", "Key", "Key"},
		"unknown": {"Bucket", "Key", "Size"}, "none": {"Ignore"},
	} {
		t.Run("columns: "+name, func(t *testing.T) {
			m := m
			m.Fields = fields
			_, err := Survey(t.Context(), s, m, Options{})
			checkError(t, err, Error{Code: CodeUnknownColumn, File: file, Field: "Fields"})
		})
	}
	t.Run("unknown format", func(t *testing.T) {
		m := m
		m.Format = "Parquet"
		if _, err := Survey(t.Context(), s, m, Options{}); job.CodeOf(err) != job.InvalidArgument {
			t.Errorf("got %v", err)
		}
	})
	t.Run("chunks too large", func(t *testing.T) {
		if _, err := Survey(t.Context(), s, m, Options{ChunkRows: MaxChunkRows + 1}); job.CodeOf(err) != job.InvalidArgument {
			t.Errorf("got %v", err)
		}
	})
}

func TestDamagedGzip(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, strings.Repeat("b,k,\n", 1000))
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)/2] ^= 0xff
	for name, body := range map[string][]byte{
		"cut off": whole[:len(whole)-5], "cut off in its header": whole[:5], "bits flipped": flipped,
		"text behind it": append(append([]byte(nil), whole...), "b,k,\n"...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			_, err := Survey(t.Context(), s, s.csv(body), Options{})
			got, ok := errors.AsType[*Error](err)
			if !ok || got.Code != CodeInvalidContent || got.File != "lists-1250000000/list.csv" {
				t.Errorf("got %v, want %s of that file", err, CodeInvalidContent)
			}
		})
	}
}

func TestBrokenConnectionsAreNoEndOfTheFile(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("b-1,some/key,\n", 10_000)
	for _, b := range [][]byte{[]byte(body), gzipped(t, body)} {
		s := newStore()
		s.cut = 17
		if len(b) > 10_000 {
			s.cut = 1000
		}
		m := s.csv(b)
		p, err := Survey(t.Context(), s, m, Options{})
		if err != nil || p.Rows != 10_000 {
			t.Fatalf("%v, %+v", err, p)
		}
		s.cut = 0
		n := 0
		for c, err := range p.Cut(t.Context(), s, Cursor{}) {
			if err != nil {
				t.Fatal(err)
			}
			n += c.Chunk.Rows
		}
		if n != 10_000 {
			t.Errorf("%d rows were cut", n)
		}
	}
}

func TestLocalFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "list.csv")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b,k1,\nb,k2,\n")
	m := job.Manifest{Format: job.FormatCSV, Fields: []job.Field{"Bucket", "Key", "VersionId"}, Location: job.Location{Path: path}}
	got, err := all(t, Local{}, m, Options{ChunkRows: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []job.Entry{{Row: 0, Bucket: "b", Key: "k1"}, {Row: 1, Bucket: "b", Key: "k2"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}

	p, err := Survey(t.Context(), Local{}, m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	write("b,k1,\nb,k22,\n")
	for _, err := range p.Cut(t.Context(), Local{}, Cursor{}) {
		checkError(t, err, Error{Code: CodeFileChanged, File: path})
	}
	m.Location.Path = t.TempDir()
	_, err = Survey(t.Context(), Local{}, m, Options{})
	checkError(t, err, Error{Code: CodeUnreadable, File: m.Location.Path})
}
