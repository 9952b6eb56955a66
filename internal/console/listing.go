package console

import (
	"context"
	"slices"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

const (
	pageSize = 25
	looked   = 1000 // jobs that are looked at where the service has no answer of its own
)

// tab is a group of statuses that people look for together.
type tab struct {
	name     string
	statuses []job.Status // nil = all
}

var tabs = []tab{
	{"all", nil},
	{"active", []job.Status{job.Active, job.Pausing, job.Completing}},
	{"waiting", []job.Status{job.Suspended}},
	{"queued", []job.Status{job.New, job.Preparing, job.Ready}},
	{"paused", []job.Status{job.Paused}},
	{"complete", []job.Status{job.Complete}},
	{"failed", []job.Status{job.Failing, job.Failed}},
	{"cancelled", []job.Status{job.Cancelling, job.Cancelled}},
}

func (t tab) has(s job.Status) bool { return t.statuses == nil || slices.Contains(t.statuses, s) }

// query says which jobs a person looks for.
type query struct {
	tab       tab
	search    string    // in id or description, in small letters or capitals; "" = all
	operation string    // "" = all
	since     time.Time // zero = all
	after     job.ID    // the last job of the page before; "" = from the newest
}

// listing is a page of jobs, the newest first.
type listing struct {
	jobs   []job.Job
	more   bool
	counts map[string]int64 // by tab, of all jobs that the search finds
}

// list asks the service for a page and for the counts of all tabs.
func (s *server) list(ctx context.Context, c api.Caller, q query) (listing, error) {
	l := listing{counts: map[string]int64{}}
	f := api.Filter{Search: q.search, Operation: q.operation, Since: q.since}
	by, err := s.o.Jobs.Counts(ctx, c, f)
	if err != nil {
		return listing{}, err
	}
	for status, n := range by {
		for _, t := range tabs {
			if t.has(status) {
				l.counts[t.name] += n
			}
		}
	}
	f.Statuses = q.tab.statuses
	l.jobs, l.more, err = s.newest(ctx, c, f, q.after, pageSize)
	return l, err
}

// newest gives jobs, the newest first.
func (s *server) newest(ctx context.Context, c api.Caller, f api.Filter, after job.ID, most int) ([]job.Job, bool, error) {
	return s.o.Jobs.List(ctx, c, f, api.Page{Max: most, After: after, NewestFirst: true})
}
