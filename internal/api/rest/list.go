package rest

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// Limits of a listing.
const (
	maxLimit     = 1000
	defaultLimit = 100
	maxSearch    = 256 // bytes
)

// operations are the names that client.Operation has.
var operations = []string{"copy", "restore", "delete", "tagging", "acl"}

func (s *server) listJobs(w http.ResponseWriter, c call) error {
	filter, page, err := listing(c.URL.Query())
	if err != nil {
		return err
	}
	jobs, more, err := s.jobs.List(c.Context(), c.caller, filter, page)
	if err != nil {
		return err
	}
	counts, err := s.jobs.Counts(c.Context(), c.caller, filter)
	if err != nil {
		return err
	}
	answer := client.JobList{Jobs: []client.Job{}, Counts: map[string]int64{}}
	for status, n := range counts {
		answer.Counts[string(status)] = n
	}
	for _, j := range jobs {
		answer.Jobs = append(answer.Jobs, FromJob(j))
	}
	if more && len(jobs) > 0 {
		answer.Next = cursorBehind(jobs[len(jobs)-1], page.NewestFirst)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// orders are the two orders of a listing, as the query and the cursors name them.
var orders = map[bool]string{false: "asc", true: "desc"}

// cursorBehind names a job's place in a listing. The place stays when the job goes.
func cursorBehind(j job.Job, newestFirst bool) string {
	text := orders[newestFirst] + "." + strconv.FormatInt(j.Created.UnixNano(), 36) + "." + string(j.ID)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// readCursor reads what cursorBehind made for the same order.
func readCursor(cursor string, p *api.Page) error {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	parts := strings.Split(string(text), ".")
	if err == nil && len(parts) == 3 && parts[0] == orders[p.NewestFirst] {
		created, err := strconv.ParseInt(parts[1], 36, 64)
		id, idErr := api.ParseID(parts[2])
		if err == nil && idErr == nil {
			p.After, p.AfterCreated = id, time.Unix(0, created)
			return nil
		}
	}
	return job.FieldErrorf("cursor", "is not one that a listing in this order answered; start the listing anew.")
}

// listing reads the query of a listing. Its names were checked.
func listing(q url.Values) (api.Filter, api.Page, error) {
	var f api.Filter
	p := api.Page{Max: defaultLimit}
	for _, param := range q["status"] {
		for name := range strings.SplitSeq(param, ",") {
			status := job.Status(strings.TrimSpace(name))
			if !status.Valid() {
				return f, p, job.FieldErrorf("status", "%.64q is not a status of jobs.", name)
			}
			f.Statuses = append(f.Statuses, status)
		}
	}
	for _, name := range []string{"limit", "cursor", "order", "search", "operation"} {
		if len(q[name]) > 1 {
			return f, p, job.FieldErrorf(name, "is given %d times; give it once.", len(q[name]))
		}
	}
	if q.Has("limit") {
		n, err := strconv.Atoi(q.Get("limit"))
		if err != nil || n < 1 || n > maxLimit {
			return f, p, job.FieldErrorf("limit", "%.64q is not a whole number from 1 to %d.", q.Get("limit"), maxLimit)
		}
		p.Max = n
	}
	switch order := q.Get("order"); order {
	case "", orders[false]:
	case orders[true]:
		p.NewestFirst = true
	default:
		return f, p, job.FieldErrorf("order", "%.64q is no order; give asc, the oldest first, or desc.", order)
	}
	if f.Search = q.Get("search"); len(f.Search) > maxSearch {
		return f, p, job.FieldErrorf("search", "is %d bytes long; at most %d are allowed.", len(f.Search), maxSearch)
	}
	if f.Operation = q.Get("operation"); f.Operation != "" && !slices.Contains(operations, f.Operation) {
		return f, p, job.FieldErrorf("operation", "%.64q is no operation; give one of %s.", f.Operation, strings.Join(operations, ", "))
	}
	if cursor := q.Get("cursor"); cursor != "" {
		if err := readCursor(cursor, &p); err != nil {
			return f, p, err
		}
	}
	return f, p, nil
}
