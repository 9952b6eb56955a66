package job

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFilterMatches(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		f    Filter
		want bool
	}{
		{Filter{}, true},
		{Filter{Since: time.Now()}, true}, // the index looks at times
		{Filter{Statuses: []Status{Failed, Active}}, true},
		{Filter{Statuses: []Status{Failed}}, false},
		{Filter{Operation: "copy"}, true},
		{Filter{Operation: "delete"}, false},
		{Filter{Search: "JOB-1"}, true},
		{Filter{Search: "die größe"}, true},
		{Filter{Search: "DIE GRÖSSE"}, false},
		{Filter{Search: "GRÖß"}, true},
		{Filter{Search: "öß"}, true},
		{Filter{Search: "job-12345 "}, false},
		{Filter{Search: "@"}, false}, // one bit from `
		{Filter{Operation: "copy", Search: "job", Statuses: []Status{Paused}}, false},
	} {
		if got := tc.f.Matches("job-12345", Active, "copy", "Die Größe der `Bilder`"); got != tc.want {
			t.Errorf("%+v: %v, want %v", tc.f, got, tc.want)
		}
	}
}

func TestContainsFoldIsContainsOfASCIIInOneCase(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, part := rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "s"), rapid.StringMatching(`[ -~]{0,3}`).Draw(t, "part")
		if got, want := containsFold(s, part), strings.Contains(strings.ToLower(s), strings.ToLower(part)); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}
