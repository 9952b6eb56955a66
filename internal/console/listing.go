package console

import (
	"context"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

const (
	pageSize   = 25
	listedOnce = 1000
	mostListed = 20_000
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
	tab    tab
	search string // in id or description, in small letters or capitals; "" = all
	after  job.ID // the last job of the page before; "" = from the newest
}

func (q query) matches(j job.Job) bool {
	return q.search == "" || containsFold(string(j.ID), q.search) || containsFold(j.Spec.Description, q.search)
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// listing is a page of jobs, the newest first.
type listing struct {
	jobs   []job.Job
	more   bool
	counts map[string]int64 // by tab, of all jobs that the search finds
	cut    bool             // there are more jobs than were looked at
}

// list goes through the account's jobs, the oldest first as the service lists them, and turns them around.
func (s *server) list(ctx context.Context, c api.Caller, q query) (listing, error) {
	all, cut, err := s.all(ctx, c)
	if err != nil {
		return listing{}, err
	}
	l := listing{counts: map[string]int64{}, cut: cut}
	begun := q.after == ""
	for _, j := range slices.Backward(all) {
		if !q.matches(j) {
			begun = begun || j.ID == q.after
			continue
		}
		for _, t := range tabs {
			if t.has(j.Status) {
				l.counts[t.name]++
			}
		}
		if begun && q.tab.has(j.Status) {
			if len(l.jobs) < pageSize {
				l.jobs = append(l.jobs, j)
			} else {
				l.more = true
			}
		}
		begun = begun || j.ID == q.after
	}
	return l, nil
}

// all gives the account's jobs, the oldest first; cut says that there are more.
func (s *server) all(ctx context.Context, c api.Caller) (jobs []job.Job, cut bool, err error) {
	page := api.Page{Max: listedOnce}
	for {
		some, more, err := s.o.Jobs.List(ctx, c, api.Filter{}, page)
		if err != nil {
			return nil, false, err
		}
		jobs = append(jobs, some...)
		if !more || len(some) == 0 {
			return jobs, false, nil
		}
		if len(jobs) >= mostListed {
			return jobs, true, nil
		}
		page.After = some[len(some)-1].ID
	}
}
