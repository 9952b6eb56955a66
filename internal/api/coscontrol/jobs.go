package coscontrol

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

const (
	// listWindow is how far back a listing goes (Tencent Cloud 436/32961).
	listWindow = 90 * 24 * time.Hour
	maxResults = 1000
)

func (s *server) createJob(w http.ResponseWriter, c call) error {
	if len(c.body) == 0 {
		return job.Errorf(job.InvalidRequest, "The body is empty: send a CreateJobRequest.")
	}
	spec, err := decode(c.body, c.caller.Account.AppID)
	if err != nil {
		return err
	}
	spec.Account, spec.Region = c.caller.Account, c.region
	j, err := s.jobs.Create(c.Context(), c.caller, spec)
	if err != nil {
		return err
	}
	return writeXML(w, http.StatusOK, createJobResult{JobID: string(j.ID)})
}

func (s *server) describeJob(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	j, err := s.jobs.Job(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	return writeXML(w, http.StatusOK, describe(j))
}

func (s *server) listJobs(w http.ResponseWriter, c call) error {
	q := c.URL.Query()
	filter, err := s.filter(q["jobStatuses"])
	if err != nil {
		return err
	}
	page, err := page(q)
	if err != nil {
		return err
	}
	jobs, more, err := s.jobs.List(c.Context(), c.caller, filter, page)
	if err != nil {
		return err
	}
	return writeXML(w, http.StatusOK, list(jobs, more))
}

// filter reads the statuses: the parameter may be repeated, and each may be a list with commas.
func (s *server) filter(params []string) (api.Filter, error) {
	f := api.Filter{Since: s.now().Add(-listWindow)}
	for _, param := range params {
		for name := range strings.SplitSeq(param, ",") {
			status := job.Status(strings.TrimSpace(name))
			switch {
			case status == "":
			case status.Valid():
				f.Statuses = append(f.Statuses, status)
			default:
				return api.Filter{}, job.FieldErrorf("jobStatuses", "%.64q is not a status of jobs.", name)
			}
		}
	}
	return f, nil
}

func page(q url.Values) (api.Page, error) {
	p := api.Page{Max: maxResults}
	if err := once(q, "maxResults", "nextToken"); err != nil {
		return p, err
	}
	if q.Has("maxResults") {
		n, err := strconv.Atoi(q.Get("maxResults"))
		if err != nil || n < 1 || n > maxResults {
			return api.Page{}, job.FieldErrorf("maxResults", "%.64q is not a whole number from 1 to %d.", q.Get("maxResults"), maxResults)
		}
		p.Max = n
	}
	if token := q.Get("nextToken"); token != "" {
		id, err := api.ParseID(token)
		if err != nil {
			return api.Page{}, job.FieldErrorf("nextToken", "is not a token that a listing answered; start the listing anew.")
		}
		p.After = id
	}
	return p, nil
}

// once refuses a parameter that is given twice: the signature does not say which one was meant.
func once(q url.Values, names ...string) error {
	for _, name := range names {
		if len(q[name]) > 1 {
			return job.FieldErrorf(name, "is given %d times; give it once.", len(q[name]))
		}
	}
	return nil
}

func (s *server) updateJobPriority(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	q := c.URL.Query()
	if err := once(q, "priority"); err != nil {
		return err
	}
	if !q.Has("priority") {
		return job.Errorf(job.InvalidRequest, "The request gives no priority: send it in the query, like ?priority=10.")
	}
	p, err := api.ParsePriority("priority", strings.TrimSpace(q.Get("priority")))
	if err != nil {
		return err
	}
	j, err := s.jobs.SetPriority(c.Context(), c.caller, id, p)
	if err != nil {
		return err
	}
	return writeXML(w, http.StatusOK, updateJobPriorityResult{JobID: string(j.ID), Priority: j.Priority})
}

func (s *server) updateJobStatus(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	q := c.URL.Query() // form-decoded: the SDK sends a blank in the reason as +
	if err := once(q, "requestedJobStatus", "statusUpdateReason"); err != nil {
		return err
	}
	reason := q.Get("statusUpdateReason")
	if len(reason) > maxStatusReason {
		return job.FieldErrorf("statusUpdateReason", "is %d bytes long; at most %d are allowed.", len(reason), maxStatusReason)
	}
	update := s.jobs.Confirm
	switch status := q.Get("requestedJobStatus"); status {
	case string(job.Ready):
	case string(job.Cancelled):
		update = s.jobs.Cancel
	default:
		return job.FieldErrorf("requestedJobStatus", "%.64q cannot be asked for; give Ready or Cancelled.", status)
	}
	j, err := update(c.Context(), c.caller, id, reason)
	if err != nil {
		return err
	}
	return writeXML(w, http.StatusOK, updateJobStatusResult{JobID: string(j.ID), Status: j.Status, StatusUpdateReason: api.CutText(j.StatusReason, maxStatusReason)})
}

func (s *server) deleteJob(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.jobs.Delete(c.Context(), c.caller, id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
