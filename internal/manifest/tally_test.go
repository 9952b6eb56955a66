package manifest_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
	. "github.com/drover-batch/drover/internal/manifest"
)

func TestATallyCountsWhatAListHolds(t *testing.T) {
	t.Parallel()
	var got Tally
	got.Add([]job.Entry{
		{Row: 0, Bucket: "a", Key: "1", Size: 10, Class: "Standard"},
		{Row: 1, Bucket: "a", Key: "2", Size: 30, Class: "GLACIER"},
		{Row: 2, Bucket: "b", Key: "3", Size: 30, Class: "STANDARD"},
	})
	got.Add([]job.Entry{{Row: 3, Bucket: "a", Key: "4"}})
	want := Tally{
		Rows: 4, Sizes: job.Sizes{Bytes: 70, Largest: 30}, Largest: job.Entry{Row: 1, Bucket: "a", Key: "2", Size: 30, Class: "GLACIER"},
		Buckets: []BucketTally{{"a", 3}, {"b", 1}},
		Classes: []ClassTally{{"STANDARD", 2, job.Sizes{Bytes: 40, Largest: 30}}, {"GLACIER", 1, job.Sizes{Bytes: 30, Largest: 30}}, {"", 1, job.Sizes{}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestATallyOfManyClassesStaysSmall(t *testing.T) {
	t.Parallel()
	var got Tally
	for i := range 1000 {
		got.Add([]job.Entry{{Bucket: "a", Key: "k", Size: 1, Class: fmt.Sprintf("CLASS_%d", i)}})
	}
	last := got.Classes[len(got.Classes)-1]
	if n := len(got.Classes); n != MaxClasses+1 || last.Class != "" || last.Rows != 1000-MaxClasses || last.Sizes.Bytes != last.Rows {
		t.Errorf("%d classes, the last one %+v", n, last)
	}
}

func TestSeenComparesTheFirstWithAllAndTheRestWithNeighbours(t *testing.T) {
	t.Parallel()
	s := NewSeen(2)
	var got []string
	for _, v := range []string{"a", "b", "a", "c", "c", "d", "c", "b"} {
		if s.AddText("bucket", v) {
			got = append(got, v)
		}
	}
	if want := []string{"a", "c", "b"}; !slices.Equal(got, want) { // the c behind d is neither among the first nor a neighbour
		t.Errorf("before came %v, want %v", got, want)
	}
	if s.Kept() != 2 {
		t.Errorf("%d are kept", s.Kept())
	}
	if s := NewSeen(9); s.AddText("a", "bc") || s.AddText("ab", "c") || !s.Add([]byte("a"), []byte("bc")) {
		t.Error("parts run into one another, or text is not the same as its bytes")
	}
}

// TestSurveyGivesAllRowsInOrder over the ends of chunks and files, and pins the same plan as without.
func TestSurveyGivesAllRowsInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt)
		want, err := Survey(t.Context(), d, d.m, d.opt)
		if CodeOf(err) == CodeEmpty {
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		var got []job.Entry
		var runs, chunks []int
		d.opt.Rows = func(rows []job.Entry) error {
			runs, got = append(runs, len(rows)), append(got, rows...)
			return nil
		}
		p, err := Survey(t.Context(), d, d.m, d.opt)
		if err != nil {
			rt.Fatal(err)
		}
		sizes := new(job.Sizes)
		for _, e := range d.rows {
			sizes.Add(job.Sizes{Bytes: e.Size, Largest: e.Size})
		}
		if diff := cmp.Diff(sizes, p.Sizes()); diff != "" {
			rt.Fatalf("sizes (-want +got):\n%s", diff)
		}
		for c := range p.Chunks {
			_, n := p.RowsOf(c)
			chunks = append(chunks, n)
		}
		if diff := cmp.Diff(d.rows, got) + cmp.Diff(want, p) + cmp.Diff(chunks, runs); diff != "" {
			rt.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestTheReceiverOfRowsEndsASurvey(t *testing.T) {
	t.Parallel()
	s := newStore()
	m := s.csv([]byte("a,b\na,c\n"), job.FieldBucket, job.FieldKey)
	enough := errors.New("enough")
	told := 0
	_, err := Survey(t.Context(), s, m, Options{ChunkRows: 1, Rows: func([]job.Entry) error { told++; return enough }})
	if !errors.Is(err, enough) || told != 1 {
		t.Errorf("the survey told of rows %d times and ended with %v", told, err)
	}
}

func TestAPlanSaysWhatItsListHas(t *testing.T) {
	t.Parallel()
	p := &Plan{Columns: []Column{"bucket", "Key", "size"}}
	if !p.Has(ColumnKey) || !p.Has(ColumnSize) || p.Has(ColumnClass) {
		t.Errorf("%v is not understood", p.Columns)
	}
}

// TestSizesAreUnknownWhereAFileHasNone: of a list without them, and where a survey goes on from an older plan.
func TestSizesAreUnknownWhereAFileHasNone(t *testing.T) {
	t.Parallel()
	s := newStore()
	p, err := Survey(t.Context(), s, s.csv([]byte("a,b\n"), job.FieldBucket, job.FieldKey), Options{})
	if err != nil || p.Sizes() != nil {
		t.Errorf("a list without sizes has %+v, %v", p.Sizes(), err)
	}
	s.files["1"], s.files["2"] = []byte("a,b,5\n"), []byte("a,c,7\na,d,\n")
	m := s.inventory(fmt.Sprintf(`{"fileFormat":"CSV","fileSchema":"Bucket, Key, Size","files":[{"key":"1","size":6,"md5Checksum":%q},{"key":"2","size":11,"md5Checksum":%q}]}`,
		etagOf(s.files["1"]), etagOf(s.files["2"])))
	p, err = Survey(t.Context(), s, m, Options{})
	if want := (&job.Sizes{Bytes: 12, Largest: 7}); err != nil || cmp.Diff(want, p.Sizes()) != "" {
		t.Fatalf("sizes %+v, %v, want %+v", p.Sizes(), err, want)
	}
	old := *p
	old.Files = []File{p.Files[0]}
	old.Files[0].Sizes = nil // as in a record of before
	p, err = Survey(t.Context(), s, m, Options{Resume: &old})
	if err != nil || p.Sizes() != nil || s.whole["1"] != 1 {
		t.Errorf("gone on from an older plan: sizes %+v, %v; the first file was read %d times", p.Sizes(), err, s.whole["1"])
	}
}
