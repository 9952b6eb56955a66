package s3control

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

const maxResults = 1000

// createJob answers a request that has made a job already with that job.
func (s *server) createJob(w http.ResponseWriter, c call) error {
	spec, err := decode(c.body)
	if err != nil {
		return err
	}
	spec.Account, spec.Region = c.caller.Account, c.region
	j, err := s.jobs.Create(c.Context(), c.caller, spec)
	if e, ok := errors.AsType[*job.Error](err); ok && e.Code == job.Duplicate && e.Same {
		j.ID, err = e.Job, nil
	}
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

// listJobs lists all jobs that are kept: those that have ended go by themselves after 90 days.
func (s *server) listJobs(w http.ResponseWriter, c call) error {
	q := c.URL.Query()
	filter, err := filter(q["jobStatuses"])
	if err != nil {
		return &coded{codeInvalidRequest, err}
	}
	page, err := page(q)
	if err != nil {
		return err
	}
	jobs, more, err := s.jobs.List(c.Context(), c.caller, filter, page)
	switch {
	case page.After != "" && job.CodeOf(err) == job.InvalidArgument:
		return badToken()
	case err != nil:
		return &coded{codeInvalidRequest, err}
	}
	return writeXML(w, http.StatusOK, list(jobs, more))
}

// filter reads the statuses: the parameter is repeated, one status each.
func filter(statuses []string) (api.Filter, error) {
	var f api.Filter
	for _, name := range statuses {
		status := job.Status(strings.TrimSpace(name))
		if !status.Valid() {
			return api.Filter{}, job.FieldErrorf("jobStatuses", "%s is not a status of jobs.", job.Quote(name))
		}
		f.Statuses = append(f.Statuses, status)
	}
	return f, nil
}

// page reads which part of the listing is asked for. maxResults 0, which AWS allows, is the largest page: an empty one
// would never lead to the next.
func page(q url.Values) (api.Page, error) {
	p := api.Page{Max: maxResults}
	text, err := parameter(q, "maxResults")
	if err != nil {
		return api.Page{}, &coded{codeInvalidRequest, err}
	}
	if text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n > maxResults {
			return api.Page{}, &coded{codeInvalidRequest, job.FieldErrorf("maxResults", "%s is not a whole number from 0 to %d.", job.Quote(text), maxResults)}
		}
		if n > 0 {
			p.Max = int(n)
		}
	}
	token, err := parameter(q, "nextToken")
	if err != nil {
		return api.Page{}, &coded{codeInvalidRequest, err}
	}
	if token != "" {
		if p.After, err = parseToken(token); err != nil {
			return api.Page{}, err
		}
	}
	return p, nil
}

// nextToken makes a token of the last job of a page.
func nextToken(last job.ID) string { return base64.RawURLEncoding.EncodeToString([]byte(last)) }

func parseToken(token string) (job.ID, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", badToken()
	}
	id, err := api.ParseID(string(b))
	if err != nil {
		return "", badToken()
	}
	return id, nil
}

func badToken() error {
	return &coded{codeInvalidNextToken, job.FieldErrorf("nextToken", "is not a token that a listing answered, or its job is gone; start the listing anew.")}
}

// parameter reads a parameter that may stand in the query once; "" when it does not.
func parameter(q url.Values, name string) (string, error) {
	switch vs := q[name]; len(vs) {
	case 0:
		return "", nil
	case 1:
		return vs[0], nil
	default:
		return "", job.FieldErrorf(name, "stands in the query %d times; give it once.", len(vs))
	}
}

func (s *server) updateJobPriority(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	text, err := parameter(c.URL.Query(), "priority")
	if err != nil {
		return err
	}
	p, err := api.ParsePriority("priority", text)
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
	q := c.URL.Query()
	reason, err := parameter(q, "statusUpdateReason")
	if err != nil {
		return err
	}
	if len(reason) > maxStatusReason {
		return job.FieldErrorf("statusUpdateReason", "is %d bytes long; at most %d are allowed.", len(reason), maxStatusReason)
	}
	status, err := parameter(q, "requestedJobStatus")
	if err != nil {
		return err
	}
	update := s.jobs.Confirm
	switch status {
	case string(job.Ready):
	case string(job.Cancelled):
		update = s.jobs.Cancel
	default:
		return job.FieldErrorf("requestedJobStatus", "%s cannot be asked for; give Ready or Cancelled.", job.Quote(status))
	}
	j, err := update(c.Context(), c.caller, id, reason)
	if err != nil {
		return err
	}
	return writeXML(w, http.StatusOK, updateJobStatusResult{JobID: string(j.ID), Status: j.Status, StatusUpdateReason: api.CutText(j.StatusReason, maxStatusReason)})
}

func (s *server) getJobTagging(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	tags, err := s.jobs.Tags(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	return writeXML(w, http.StatusOK, getJobTaggingResult{Tags: inner{tagsNode("Tags", tags).Inner()}})
}

func (s *server) putJobTagging(w http.ResponseWriter, c call) error {
	tags, err := decodeTagging(c.body)
	if err != nil {
		return err
	}
	if len(tags) > job.MaxJobTags {
		return &coded{codeTooManyTags, job.ValidateTags(tags)}
	}
	return s.setTags(w, c, tags, http.StatusOK)
}

func (s *server) deleteJobTagging(w http.ResponseWriter, c call) error {
	return s.setTags(w, c, nil, http.StatusNoContent)
}

func (s *server) setTags(w http.ResponseWriter, c call, tags []job.Tag, status int) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.jobs.SetTags(c.Context(), c.caller, id, tags); err != nil {
		return err
	}
	w.WriteHeader(status)
	return nil
}
