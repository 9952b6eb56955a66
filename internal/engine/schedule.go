package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// candidate is a job that could be Active.
type candidate struct {
	ID       job.ID
	Account  string
	Priority job.Priority
	Created  time.Time
	Served   uint64 // when the worker last took work of it, by its own count; 0 = never
}

// yieldsTo reports whether work of d goes before work of c that was claimed already.
func (c candidate) yieldsTo(d candidate) bool {
	return c.Account == d.Account && c.Priority < d.Priority
}

// before orders candidates of one account: priority, then age, then id so that the order is total.
func (c candidate) before(d candidate) int {
	return cmp.Or(cmp.Compare(d.Priority, c.Priority), c.Created.Compare(d.Created), cmp.Compare(c.ID, d.ID))
}

// admit says which candidates may be Active: of each account the first max by priority, then age.
func admit(cs []candidate, perAccount int) map[job.ID]bool {
	cs = slices.Clone(cs)
	slices.SortFunc(cs, candidate.before)
	taken := map[string]int{}
	out := make(map[job.ID]bool, len(cs))
	for _, c := range cs {
		if taken[c.Account] < perAccount {
			taken[c.Account]++
			out[c.ID] = true
		}
	}
	return out
}

// claimOrder is the order in which a worker asks active jobs for a chunk: accounts in turn (the one served longest ago
// first), within an account strictly by priority, equal priorities in turn.
func claimOrder(cs []candidate) []job.ID {
	byAccount := map[string][]candidate{}
	last := map[string]uint64{}
	for _, c := range cs {
		byAccount[c.Account] = append(byAccount[c.Account], c)
		last[c.Account] = max(last[c.Account], c.Served)
	}
	accounts := make([]string, 0, len(byAccount))
	for a, list := range byAccount {
		accounts = append(accounts, a)
		slices.SortFunc(list, func(c, d candidate) int {
			return cmp.Or(cmp.Compare(d.Priority, c.Priority), cmp.Compare(c.Served, d.Served), c.before(d))
		})
	}
	slices.SortFunc(accounts, func(a, b string) int { return cmp.Or(cmp.Compare(last[a], last[b]), cmp.Compare(a, b)) })
	out := make([]job.ID, 0, len(cs))
	for round := 0; len(out) < len(cs); round++ {
		for _, a := range accounts {
			if list := byAccount[a]; round < len(list) {
				out = append(out, list[round].ID)
			}
		}
	}
	return out
}
