package rest

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// statuses gives every code of the domain its HTTP status.
var statuses = map[job.Code]int{
	job.InvalidArgument:  http.StatusBadRequest,
	job.InvalidRequest:   http.StatusBadRequest,
	job.MalformedXML:     http.StatusBadRequest,
	job.NoSuchJob:        http.StatusNotFound,
	job.Conflict:         http.StatusConflict,
	job.Duplicate:        http.StatusConflict,
	job.AccessDenied:     http.StatusForbidden,
	job.TooManyJobs:      http.StatusTooManyRequests,
	job.Throttled:        http.StatusTooManyRequests,
	job.Unavailable:      http.StatusServiceUnavailable,
	job.Internal:         http.StatusInternalServerError,
	job.NoSuchPrincipal:  http.StatusUnauthorized,
	job.BadSignature:     http.StatusUnauthorized,
	job.RequestExpired:   http.StatusUnauthorized,
	job.BadDigest:        http.StatusBadRequest,
	job.MethodNotAllowed: http.StatusMethodNotAllowed,
	job.NoSuchFile:       http.StatusNotFound,
	job.Precondition:     http.StatusPreconditionFailed,
}

// problem is an error as callers see it (RFC 9457).
func problem(requestID string, err error) client.Error {
	code := job.CodeOf(err)
	status, ok := statuses[code]
	if !ok {
		code, status = job.Internal, http.StatusInternalServerError
	}
	if errors.Is(err, errNoSuchPath) {
		status = http.StatusNotFound
	}
	// A spec that lacks a part is MalformedXML to the domain; there is no XML here.
	if code == job.MalformedXML {
		code = job.InvalidRequest
	}
	p := client.Error{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Code: string(code), Message: api.Sentence(err, requestID), RequestID: requestID,
	}
	if e, ok := errors.AsType[*job.Error](err); ok {
		p.Field = e.Field
	}
	return p
}

// renderError writes an error, and logs it when it is ours.
func (s *server) renderError(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	p := problem(requestID, err)
	s.logOurs(r, p, err)
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	body, err := json.Marshal(p)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the client has gone: nobody is left to be told
}

func (s *server) logOurs(r *http.Request, p client.Error, err error) {
	if p.Status >= http.StatusInternalServerError {
		api.LogFailure(s.log, r, p.RequestID, err)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}
