package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/drover-batch/drover/internal/manifest"
)

// codes gives what was found as code, count and lines.
func codes(l *Linted) map[string][]int64 {
	got := map[string][]int64{}
	for _, f := range l.Findings {
		lines := got[f.Code]
		for _, p := range f.Places {
			lines = append(lines, p.Row)
		}
		got[f.Code] = lines
	}
	return got
}

func TestLintNamesAllThatIsWrongAndDoubtful(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		body string
		rows int64
		want map[string][]int64
	}{
		{"clean", "b-1,a%20b,\nb-1,c,\n", 2, map[string][]int64{}},
		{"every bad row", "b-1,a,\nb-1\nb-1,b%zz,\nb-1,,\nb-1,c,\n", 2, map[string][]int64{CodeInvalidContent: {2, 3, 4}}},
		{"two fields' errors apart", "b-1,%zz,\n,k,\nb-1,%1,\n", 0, map[string][]int64{CodeInvalidContent: {1, 3, 2}}},
		{"not encoded", "b-1,a b,\nb-1,你,\nb-1,a/b-c_d~e.f,\n", 3, map[string][]int64{CodeNotEncoded: {1, 2}}},
		{"plus", "b-1,a+b,\n", 1, map[string][]int64{CodePlus: {1}}},
		{"encoded twice", "b-1,a%2520b,\nb-1,100%25,\nb-1,%25zz%25,\n", 3, map[string][]int64{CodeEncodedTwice: {1}}},
		{"doubled, in whatever writing", "b-1,a,\nb-1,b,\nb-1,%61,\nb-1,a,v\nb-2,a,\n", 5, map[string][]int64{CodeDouble: {3}}},
		{"an unclosed quote ends the file", "b-1,a,\nb-1,\"b,\nb-1,c,\n", 1, map[string][]int64{CodeInvalidContent: {2}}},
		{"empty", "", 0, map[string][]int64{CodeEmpty: {0}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, body := range [][]byte{[]byte(tt.body), gzipped(t, tt.body)} {
				s := newStore()
				l, err := Lint(t.Context(), s, s.csv(body), Options{})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(tt.want, codes(l)); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				if l.Rows != tt.rows {
					t.Errorf("%d rows, want %d", l.Rows, tt.rows)
				}
				if _, err := Survey(t.Context(), s, s.csv(body), Options{}); (err != nil) != (l.Errors() > 0) {
					t.Errorf("lint counts %d errors, but a job would say: %v", l.Errors(), err)
				}
			}
		})
	}
}

func TestLintCountsWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	s := newStore()
	l, err := Lint(t.Context(), s, s.csv([]byte(strings.Repeat("b-1,a,\n", 100))), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Findings) != 1 || l.Findings[0].Count != 99 || len(l.Findings[0].Places) != MaxPlaces {
		t.Errorf("found %+v, want 99 doubled rows in one finding of %d places", l.Findings, MaxPlaces)
	}
}

// Each data file of an inventory is linted, whatever is wrong with another.
func TestLintGoesOnBehindAFileThatIsMissing(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.files["1"], s.files["3"] = []byte("b-1,a\n"), []byte("b-1,%zz\nb-1,c\n")
	m := s.inventory(`{"fileFormat":"CSV","fileSchema":"Bucket,Key","files":[
		{"key":"1","size":6},{"key":"2","size":6},{"key":"3","size":14}]}`)
	l, err := Lint(t.Context(), s, m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if l.Files != 3 || l.Rows != 2 {
		t.Errorf("%d rows in %d files, want 2 in 3", l.Rows, l.Files)
	}
	if l.Errors() != 2 {
		t.Errorf("findings %+v, want the missing file and the bad row", l.Findings)
	}
}
