package rest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

const (
	maxReason    = 256 // bytes
	maxLimit     = 1000
	defaultLimit = 100
)

// decodeJSON reads one JSON value; a field that it does not know is refused by name. An empty body leaves v as it is
// when that is allowed.
func decodeJSON(body []byte, v any, emptyAllowed bool) error {
	if emptyAllowed && len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return job.Errorf(job.InvalidRequest, "The body has more behind its JSON value: send one.")
		}
		return nil
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return job.FieldErrorf(t.Field, "a JSON %s does not belong there; see %s.", t.Value, openAPIPath)
	}
	if t, ok := errors.AsType[*time.ParseError](err); ok {
		return job.Errorf(job.InvalidArgument, "%.64s is not a time; write it like \"2026-01-02T15:04:05Z\".", t.Value)
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return job.Errorf(job.InvalidRequest, "The body is not JSON: %s at byte %d.", s.Error(), s.Offset)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = fmt.Sprintf("%.64s", strings.Trim(name, `"`))
		return job.FieldErrorf(name, "there is no such field; see %s.", openAPIPath)
	}
	return &job.Error{Code: job.InvalidRequest, Message: "The body is not the JSON that this call takes; see " + openAPIPath + ".", Err: err}
}

func (s *server) createJob(w http.ResponseWriter, c call) error {
	var in client.Spec
	if err := decodeJSON(c.body, &in, false); err != nil {
		return err
	}
	if in.Token == "" {
		in.Token = rand.Text()
	}
	if in.Region == "" {
		in.Region = string(s.region)
	}
	spec, err := toSpec(in, c.caller.Account)
	if err != nil {
		return err
	}
	j, err := s.jobs.Create(c.Context(), c.caller, spec)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/jobs/"+string(j.ID))
	return writeJSON(w, http.StatusCreated, FromJob(j))
}

func (s *server) listJobs(w http.ResponseWriter, c call) error {
	filter, page, err := listing(c.URL.Query())
	if err != nil {
		return err
	}
	jobs, more, err := s.jobs.List(c.Context(), c.caller, filter, page)
	if err != nil {
		return err
	}
	answer := client.JobList{Jobs: []client.Job{}}
	for _, j := range jobs {
		answer.Jobs = append(answer.Jobs, FromJob(j))
	}
	if more && len(jobs) > 0 {
		answer.Next = string(jobs[len(jobs)-1].ID)
	}
	return writeJSON(w, http.StatusOK, answer)
}

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
	if q.Has("limit") {
		n, err := strconv.Atoi(q.Get("limit"))
		if err != nil || n < 1 || n > maxLimit {
			return f, p, job.FieldErrorf("limit", "%.64q is not a whole number from 1 to %d.", q.Get("limit"), maxLimit)
		}
		p.Max = n
	}
	if cursor := q.Get("cursor"); cursor != "" {
		id, err := api.ParseID(cursor)
		if err != nil {
			return f, p, job.FieldErrorf("cursor", "is not one that a listing answered; start the listing anew.")
		}
		p.After = id
	}
	return f, p, nil
}

func (s *server) getJob(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	j, err := s.jobs.Job(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, FromJob(j))
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

// move makes the handler of a call that moves a job and takes a reason.
func (s *server) move(do func(context.Context, api.Caller, job.ID, string) (job.Job, error)) handler {
	return func(w http.ResponseWriter, c call) error {
		id, err := api.ParseID(c.PathValue("id"))
		if err != nil {
			return err
		}
		var in client.Reason
		if err := decodeJSON(c.body, &in, true); err != nil {
			return err
		}
		if len(in.Reason) > maxReason {
			return job.FieldErrorf("reason", "is %d bytes long; at most %d are allowed.", len(in.Reason), maxReason)
		}
		j, err := do(c.Context(), c.caller, id, in.Reason)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, FromJob(j))
	}
}

func (s *server) setPriority(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	var in client.Priority
	if err := decodeJSON(c.body, &in, false); err != nil {
		return err
	}
	if in.Priority == nil || *in.Priority < 0 {
		return job.FieldErrorf("priority", "give a whole number from 0 to 2147483647.")
	}
	j, err := s.jobs.SetPriority(c.Context(), c.caller, id, job.Priority(*in.Priority))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, FromJob(j))
}

func (s *server) report(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	manifest, err := s.jobs.ReportManifest(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(manifest)
	return nil
}
