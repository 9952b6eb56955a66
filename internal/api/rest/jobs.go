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
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

const (
	maxReason = 256 // bytes
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
	return writeJob(w, http.StatusCreated, j)
}

// writeJob answers with a job; its revision is the entity tag. Progress does not change that: whoever changes a job on a
// condition means what the job is asked to do and where it stands.
func writeJob(w http.ResponseWriter, status int, j job.Job) error {
	if j.Revision != "" {
		w.Header().Set("ETag", strconv.Quote(j.Revision))
	}
	return writeJSON(w, status, FromJob(j))
}

// ifMatch reads the condition of a change (RFC 9110, 13.1.1) into the caller.
func ifMatch(c call) (api.Caller, error) {
	tags := c.Header.Values("If-Match")
	if len(tags) == 0 || len(tags) == 1 && strings.TrimSpace(tags[0]) == "*" {
		return c.caller, nil
	}
	tag := strings.TrimSpace(tags[0])
	if len(tags) > 1 || len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' || strings.Contains(tag[1:len(tag)-1], `"`) {
		return c.caller, job.FieldErrorf("If-Match", "must be one entity tag in quotes, as the ETag of an answer has it, or *.")
	}
	conditional := c.caller
	conditional.IfRevision = tag[1 : len(tag)-1]
	return conditional, nil
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
	return writeJob(w, http.StatusOK, j)
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
		caller, err := ifMatch(c)
		if err != nil {
			return err
		}
		j, err := do(c.Context(), caller, id, in.Reason)
		if err != nil {
			return err
		}
		return writeJob(w, http.StatusOK, j)
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
	caller, err := ifMatch(c)
	if err != nil {
		return err
	}
	j, err := s.jobs.SetPriority(c.Context(), caller, id, job.Priority(*in.Priority))
	if err != nil {
		return err
	}
	return writeJob(w, http.StatusOK, j)
}

// retry makes a new job of a finished job's failed tasks.
func (s *server) retry(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	var in client.Retry
	if err := decodeJSON(c.body, &in, true); err != nil {
		return err
	}
	r := job.Retry{Token: in.Token, ConfirmationRequired: in.ConfirmationRequired, Description: in.Description}
	if r.Token == "" {
		r.Token = rand.Text()
	}
	if in.Priority != nil {
		p := job.Priority(*in.Priority)
		r.Priority = &p
	}
	j, err := s.jobs.Retry(c.Context(), c.caller, id, r)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/jobs/"+string(j.ID))
	return writeJob(w, http.StatusCreated, j)
}

// work tells of a job's chunks and segments.
func (s *server) work(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	work, err := s.jobs.Work(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, fromWork(work))
}

func (s *server) tags(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	tags, err := s.jobs.Tags(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	return writeTags(w, tags)
}

func writeTags(w http.ResponseWriter, tags []job.Tag) error {
	return writeJSON(w, http.StatusOK, client.Tags{Tags: append([]client.Tag{}, fromTags(tags)...)})
}

// setTags answers with the tags that the job has from now on.
func (s *server) setTags(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	var in client.Tags
	if err := decodeJSON(c.body, &in, false); err != nil {
		return err
	}
	if in.Tags == nil {
		return job.FieldErrorf("tags", "are missing; give a list, an empty one to take all away.")
	}
	tags := toTags(in.Tags)
	if err := s.jobs.SetTags(c.Context(), c.caller, id, tags); err != nil {
		return err
	}
	return writeTags(w, tags)
}
