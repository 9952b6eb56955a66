package job

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTheTransitionTableIsTheOneOfTheProtocols(t *testing.T) {
	t.Parallel()
	// Written out a second time on purpose: a slip in the table has to be made twice.
	allowed := map[string]bool{
		"New→Preparing": true, "New→Cancelling": true,
		"Preparing→Suspended": true, "Preparing→Ready": true, "Preparing→Failing": true, "Preparing→Cancelling": true,
		"Suspended→Ready": true, "Suspended→Cancelling": true, "Suspended→Failing": true,
		"Ready→Active": true, "Ready→Pausing": true, "Ready→Failing": true, "Ready→Cancelling": true,
		"Active→Pausing": true, "Active→Completing": true, "Active→Failing": true, "Active→Cancelling": true,
		"Pausing→Paused": true, "Pausing→Completing": true, "Pausing→Failing": true, "Pausing→Cancelling": true,
		"Paused→Active": true, "Paused→Failing": true, "Paused→Cancelling": true,
		"Completing→Complete": true, "Completing→Failing": true,
		"Failing→Failed": true, "Cancelling→Cancelled": true, "Cancelling→Failing": true,
	}
	for _, from := range Statuses() {
		for _, to := range Statuses() {
			if got, want := from.CanBecome(to), allowed[string(from)+"→"+string(to)]; got != want {
				t.Errorf("%s.CanBecome(%s) = %v, want %v", from, to, got, want)
			}
			if got, want := slices.Contains(from.Next(), to), from.CanBecome(to); got != want {
				t.Errorf("Next of %s names %s: %v, want %v", from, to, got, want)
			}
		}
	}
}

func TestStatusesListsEachStatusOnce(t *testing.T) {
	t.Parallel()
	if got := len(Statuses()); got != 13 || len(next) != 13 {
		t.Fatalf("%d statuses listed, %d in the table, want 13", got, len(next))
	}
	for s, after := range next {
		if !slices.Contains(Statuses(), s) {
			t.Errorf("%s is not listed", s)
		}
		if s.Final() != (len(after) == 0) {
			t.Errorf("%s: Final is %v, but it may become %v", s, s.Final(), after)
		}
		for _, to := range after {
			if !to.Valid() {
				t.Errorf("%s may become %q, which is no status", s, to)
			}
		}
	}
}

// reach gives all that s may become in any number of moves, itself included.
func reach(s Status) map[Status]bool {
	seen := map[Status]bool{s: true}
	for todo := []Status{s}; len(todo) > 0; todo = todo[1:] {
		for _, to := range todo[0].Next() {
			if !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	return seen
}

func TestEveryStatusIsReachedAndEveryJobCanEnd(t *testing.T) {
	t.Parallel()
	fromNew := reach(New)
	for _, s := range Statuses() {
		if !fromNew[s] {
			t.Errorf("%s cannot be reached from New", s)
		}
		if ends := reach(s); !s.Final() && !ends[Cancelled] && !ends[Failed] {
			t.Errorf("a job that is %s can neither be cancelled nor fail", s)
		}
	}
}

func TestAWalkNeverLeavesTheTable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		at := New
		for !at.Final() {
			wish := rapid.SampledFrom(Statuses()).Draw(rt, "wish")
			if !at.CanBecome(wish) {
				wish = rapid.SampledFrom(at.Next()).Draw(rt, "move")
			}
			if at == Suspended && wish == Preparing || wish == New {
				rt.Fatalf("went back from %s to %s", at, wish)
			}
			at = wish
			if !at.Valid() {
				rt.Fatalf("reached %q, which is no status", at)
			}
		}
		if at.Next() != nil && len(at.Next()) > 0 {
			rt.Fatalf("%s is final but may become %v", at, at.Next())
		}
		for _, to := range Statuses() {
			if at.CanBecome(to) {
				rt.Fatalf("%s is final but may become %s", at, to)
			}
		}
	})
}

func TestWordsThatAreNoStatusGoNowhere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := Status(rapid.String().Draw(rt, "word"))
		if slices.Contains(Statuses(), s) {
			rt.Skip()
		}
		if s.Valid() || s.Final() || s.Next() != nil || s.CanBecome(New) {
			rt.Fatalf("%q is taken for a status", s)
		}
	})
}

func TestNextCannotBeUsedToChangeTheTable(t *testing.T) {
	t.Parallel()
	New.Next()[0] = Complete
	if New.CanBecome(Complete) {
		t.Fatal("the table was changed through Next")
	}
}

func TestTheDocumentationShowsTheTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/job-states.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[Status][]Status{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z][a-z]+) \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(text), -1) {
		to := []Status{}
		for name := range strings.SplitSeq(m[2], ", ") {
			if name != "final" {
				to = append(to, Status(name))
			}
		}
		table[Status(m[1])] = to
	}
	picture := map[Status][]Status{Complete: {}, Failed: {}, Cancelled: {}}
	for _, m := range regexp.MustCompile(`(?m)^ +([A-Z][a-z]+) --> ([A-Z][a-z]+)$`).FindAllStringSubmatch(string(text), -1) {
		picture[Status(m[1])] = append(picture[Status(m[1])], Status(m[2]))
	}
	if diff := cmp.Diff(next, table); diff != "" {
		t.Errorf("table of docs/job-states.md (-code +docs):\n%s", diff)
	}
	if diff := cmp.Diff(next, picture); diff != "" {
		t.Errorf("picture of docs/job-states.md (-code +docs):\n%s", diff)
	}
	for _, s := range Statuses() {
		if want := "    " + string(s) + " --> [*]\n"; s.Final() != strings.Contains(string(text), want) {
			t.Errorf("the picture ends at %s: %v, want %v", s, !s.Final(), s.Final())
		}
	}
}
