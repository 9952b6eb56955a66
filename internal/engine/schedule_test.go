package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"pgregory.net/rapid"
)

func drawCandidates(t *rapid.T) []candidate {
	n := rapid.IntRange(0, 30).Draw(t, "n")
	out := make([]candidate, n)
	for i := range out {
		out[i] = candidate{
			ID:       job.ID(fmt.Sprintf("job-%02d", i)),
			Account:  rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "account"),
			Priority: job.Priority(rapid.IntRange(0, 3).Draw(t, "priority")),
			Created:  time.Unix(int64(rapid.IntRange(0, 5).Draw(t, "created")), 0),
			Served:   uint64(rapid.IntRange(0, 4).Draw(t, "served")),
		}
	}
	return out
}

func TestAdmissionTakesTheFirstOfEachAccount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cs := drawCandidates(t)
		most := rapid.IntRange(1, 8).Draw(t, "most")
		got := admit(cs, most)
		for _, account := range []string{"a", "b", "c"} {
			var in, out []candidate
			for _, c := range cs {
				switch {
				case c.Account != account:
				case got[c.ID]:
					in = append(in, c)
				default:
					out = append(out, c)
				}
			}
			if len(in) > most || len(out) > 0 && len(in) < most {
				t.Fatalf("account %s: %d admitted and %d held back, at most %d", account, len(in), len(out), most)
			}
			for _, i := range in {
				for _, o := range out {
					if o.before(i) < 0 {
						t.Fatalf("%v was held back for %v", o, i)
					}
				}
			}
		}
	})
}

func TestClaimsFollowPriorityWithinAnAccountAndTurnsBetweenThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cs := drawCandidates(t)
		byID := map[job.ID]candidate{}
		last := map[string]uint64{}
		for _, c := range cs {
			byID[c.ID] = c
			last[c.Account] = max(last[c.Account], c.Served)
		}
		order := claimOrder(cs)
		if len(order) != len(cs) {
			t.Fatalf("%d of %d jobs in the order", len(order), len(cs))
		}
		seen := map[string]int{}
		for i, id := range order {
			c := byID[id]
			for _, later := range order[i+1:] {
				d := byID[later]
				if d.Account == c.Account && d.Priority > c.Priority {
					t.Fatalf("%v comes before %v", c, d)
				}
				if d.Account == c.Account && d.Priority == c.Priority && d.Served < c.Served {
					t.Fatalf("%v comes before %v, which was served longer ago", c, d)
				}
			}
			seen[c.Account]++
			if seen[c.Account] == 1 { // the first of an account: those before it are first ones served longer ago
				for _, earlier := range order[:i] {
					if e := byID[earlier]; e.Account == c.Account || last[e.Account] > last[c.Account] {
						t.Fatalf("account %s comes before %s out of turn", e.Account, c.Account)
					}
				}
			}
		}
	})
}

func TestEqualPrioritiesShareInTurn(t *testing.T) {
	cs := []candidate{
		{ID: "older", Account: "a", Priority: 1, Created: time.Unix(1, 0), Served: 7},
		{ID: "newer", Account: "a", Priority: 1, Created: time.Unix(2, 0), Served: 6},
		{ID: "urgent", Account: "a", Priority: 2, Created: time.Unix(3, 0), Served: 8},
	}
	if got, want := claimOrder(cs), []job.ID{"urgent", "newer", "older"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
