// Package admin speaks the part of the JSON API that is about who may do what: roles and principals, below
// /api/v1/roles and /api/v1/principals. Requests are signed as all of /api/v1 are, errors are problem+json.
package admin

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// maxBody bounds a request's body, in bytes: a policy may have 64 KiB.
const maxBody = 128 << 10

type server struct {
	admin    *access.Admin
	verifier *access.Verifier
	log      *slog.Logger
}

// call is one request of a principal, its body read for the signature.
type call struct {
	*http.Request
	caller api.Caller
	body   []byte
}

type handler func(c call) (status int, answer any, err error)

// Paths are the roots of what New serves.
var Paths = []string{"/api/v1/roles", "/api/v1/roles/", "/api/v1/principals", "/api/v1/principals/"}

// New makes the handler of Paths. log takes failures that are ours.
func New(admin *access.Admin, v *access.Verifier, log *slog.Logger) http.Handler {
	s := &server{admin, v, log}
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /api/v1/roles":                    s.listRoles,
		"POST /api/v1/roles":                   s.createRole,
		"GET /api/v1/roles/{name}":             s.getRole,
		"DELETE /api/v1/roles/{name}":          s.deleteRole,
		"GET /api/v1/principals":               s.listPrincipals,
		"POST /api/v1/principals":              s.createPrincipal,
		"POST /api/v1/principals/{id}/disable": s.disable(true),
		"POST /api/v1/principals/{id}/enable":  s.disable(false),
		"POST /api/v1/principals/{id}/rotate":  s.rotate,
		"/":                                    noSuchCall,
	} {
		mux.Handle(pattern, s.adapt(h))
	}
	return mux
}

func noSuchCall(c call) (int, any, error) {
	return 0, nil, job.Errorf(job.MethodNotAllowed, "There is no %s at this path.", job.Quote(c.Method))
}

// adapt verifies the signature, calls the handler, and writes its answer or its error.
func (s *server) adapt(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		w.Header().Set("X-Request-Id", id)
		c, err := s.authenticate(w, r)
		status, answer := 0, any(nil)
		if err == nil {
			status, answer, err = h(c)
		}
		if err != nil {
			s.fail(w, r, id, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store") // an answer may hold a secret
		if answer == nil {
			w.WriteHeader(status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // the client has gone: nobody is left to be told
	})
}

func (s *server) authenticate(w http.ResponseWriter, r *http.Request) (call, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return call{}, job.Errorf(job.InvalidRequest, "The body is longer than %d bytes.", maxBody)
	}
	if err != nil {
		return call{}, &job.Error{Code: job.InvalidRequest, Message: "The body did not arrive as a whole: send it again.", Err: err}
	}
	p, err := s.verifier.SigV4(r, body)
	if err != nil {
		return call{}, err
	}
	return call{r, api.Caller{Account: p.Account, Principal: p.AccessKey}, body}, nil
}

// decode reads the body's JSON; elements that are not known are refused.
func (c call) decode(v any) error {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more follows its end")
		}
	}
	if _, ours := errors.AsType[*job.Error](err); ours || err == nil {
		return err
	}
	return job.Errorf(job.InvalidRequest, "The body is not what this call takes: %s.", err)
}

// statuses gives each code that can come up here its HTTP status, as the rest of /api/v1 does.
var statuses = map[job.Code]int{
	job.InvalidArgument:  http.StatusBadRequest,
	job.InvalidRequest:   http.StatusBadRequest,
	job.BadDigest:        http.StatusBadRequest,
	job.Conflict:         http.StatusConflict,
	job.AccessDenied:     http.StatusForbidden,
	job.NoSuchPrincipal:  http.StatusUnauthorized,
	job.BadSignature:     http.StatusUnauthorized,
	job.RequestExpired:   http.StatusUnauthorized,
	job.MethodNotAllowed: http.StatusMethodNotAllowed,
	job.Throttled:        http.StatusTooManyRequests,
	job.Unavailable:      http.StatusServiceUnavailable,
}

// Problem is an error as it is answered (RFC 9457).
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	Field     string `json:"field,omitempty"`
	RequestID string `json:"requestId"`
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, id string, err error) {
	code := job.CodeOf(err)
	status, ok := statuses[code]
	if !ok {
		code, status = job.Internal, http.StatusInternalServerError
	}
	p := Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: string(code), Message: job.MessageOf(err), RequestID: id}
	if e, ok := errors.AsType[*job.Error](err); ok {
		p.Field = e.Field
	}
	if p.Message == "" || code == job.Internal {
		p.Message = "Internal error: try again, and give the request id " + id + " when you report it."
	}
	if status >= http.StatusInternalServerError {
		s.log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("requestID", id),
			slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("err", err))
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p)
}
