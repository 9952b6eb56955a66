package job

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFiltersLetThroughWhatFitsAll(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		f    ObjectFilter
		want bool
	}{
		"nothing asked":        {ObjectFilter{}, true},
		"prefix":               {ObjectFilter{Prefixes: []string{"x", "pics/"}}, true},
		"other prefix":         {ObjectFilter{Prefixes: []string{"x"}}, false},
		"suffix":               {ObjectFilter{Suffixes: []string{".png", ".jpg"}}, true},
		"other suffix":         {ObjectFilter{Suffixes: []string{".JPG"}}, false},
		"substring":            {ObjectFilter{Substrings: []string{"s/a"}}, true},
		"other substring":      {ObjectFilter{Substrings: []string{"z"}}, false},
		"prefix but no suffix": {ObjectFilter{Prefixes: []string{"pics/"}, Suffixes: []string{".png"}}, false},
		"after":                {ObjectFilter{CreatedAfter: at.Add(-1)}, true},
		"not after itself":     {ObjectFilter{CreatedAfter: at}, false},
		"before":               {ObjectFilter{CreatedBefore: at.Add(1)}, true},
		"not before itself":    {ObjectFilter{CreatedBefore: at}, false},
		"larger":               {ObjectFilter{LargerThan: new(int64(9))}, true},
		"not larger":           {ObjectFilter{LargerThan: new(int64(10))}, false},
		"smaller":              {ObjectFilter{SmallerThan: new(int64(11))}, true},
		"not smaller":          {ObjectFilter{SmallerThan: new(int64(10))}, false},
		"class left out":       {ObjectFilter{Classes: []string{"GLACIER", "STANDARD"}}, true},
		"other class":          {ObjectFilter{Classes: []string{"GLACIER"}}, false},
	} {
		if got := c.f.Lets("pics/a.jpg", 10, at, ""); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What the prefixes let through is listed once, and nothing of it is missed.
func TestListingsCoverEachKeyOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ab]{0,3}`)
		f := ObjectFilter{Prefixes: rapid.SliceOf(rapid.StringMatching(`[ab]{1,3}`)).Draw(t, "prefixes")}
		k := text.Draw(t, "key")
		n := 0
		for _, p := range f.Listings() {
			if strings.HasPrefix(k, p) {
				n++
			}
		}
		wanted := f.Lets(Key(k), 1, time.Time{}, "")
		if n > 1 || wanted && n != 1 {
			t.Fatalf("%q is listed %d times by %q", k, n, f.Listings())
		}
		if !slices.IsSorted(f.Listings()) {
			t.Fatalf("%q", f.Listings())
		}
	})
}

func TestGeneratorsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Spec)
		field  string
	}{
		"good":               {func(*Spec) {}, ""},
		"and a manifest":     {func(s *Spec) { s.Manifest = good().Manifest }, "ManifestGenerator"},
		"no bucket":          {func(s *Spec) { s.Generator.Source = "" }, "ManifestGenerator.SourceBucket"},
		"an empty prefix":    {func(s *Spec) { s.Generator.Filter.Prefixes = []string{""} }, "MatchAnyPrefix"},
		"a long suffix":      {func(s *Spec) { s.Generator.Filter.Suffixes = []string{strings.Repeat("x", 1025)} }, "MatchAnySuffix"},
		"too many":           {func(s *Spec) { s.Generator.Filter.Substrings = make([]string, 101) }, "MatchAnySubstring"},
		"a class of control": {func(s *Spec) { s.Generator.Filter.Classes = []string{"\x00"} }, "MatchAnyStorageClass"},
		"a negative size":    {func(s *Spec) { s.Generator.Filter.LargerThan = new(int64(-1)) }, "ObjectSizeGreaterThanBytes"},
		"no size between": {func(s *Spec) {
			s.Generator.Filter.LargerThan, s.Generator.Filter.SmallerThan = new(int64(5)), new(int64(6))
		}, "ObjectSizeGreaterThanBytes"},
		"no time between": {func(s *Spec) {
			s.Generator.Filter.CreatedAfter = time.Unix(2, 0)
			s.Generator.Filter.CreatedBefore = time.Unix(2, 0)
		}, "CreatedAfter"},
		"nowhere to keep it":       {func(s *Spec) { s.Report = Report{} }, "ManifestOutputLocation"},
		"kept, without a report":   {func(s *Spec) { s.Report = Report{}; s.Generator.Output.Bucket = "lists" }, ""},
		"kept in no bucket's name": {func(s *Spec) { s.Generator.Output.Bucket = "-" }, "ManifestOutputLocation.Bucket"},
		"a long place":             {func(s *Spec) { s.Generator.Output = Place{Bucket: "lists", Prefix: strings.Repeat("x", 513)} }, "ManifestPrefix"},
	} {
		s := good()
		s.Manifest, s.Generator = Manifest{}, &Generator{Source: "photos"}
		c.change(&s)
		err := s.Validate()
		if (err == nil) != (c.field == "") || err != nil && !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: %v, want one about %q", name, err, c.field)
		}
	}
}
