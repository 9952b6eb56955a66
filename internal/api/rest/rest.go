// Package rest speaks the JSON API at /api/v1 over the jobs service, for the command line, for scripts and for whoever
// has no COS or S3 SDK at hand. Requests are signed with AWS Signature Version 4 (service s3). Its bodies are the types
// of the client package; openapi.yaml describes them, and tests hold the two together.
package rest

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

//go:embed openapi.yaml
var openAPI []byte

// Options sets a handler up. The zero value works.
type Options struct {
	// DefaultRegion is the region of jobs that name none.
	DefaultRegion job.Region
	// Logger takes failures that are ours; default slog.Default().
	Logger *slog.Logger
	// NewRequestID makes X-Request-Id; default 26 random letters and digits.
	NewRequestID func() string
	// Heartbeat is how often a silent stream of events gets a comment; default 15 s.
	Heartbeat time.Duration
}

type server struct {
	jobs      api.Jobs
	verifier  *access.Verifier
	region    job.Region
	log       *slog.Logger
	newID     func() string
	heartbeat time.Duration
}

// call is one request of a principal; its body was read for the signature.
type call struct {
	*http.Request
	caller    api.Caller
	body      []byte
	requestID string
}

type handler func(w http.ResponseWriter, c call) error

// route is one call of the API. A query parameter that it does not name is refused: it would have been meant.
type route struct {
	method, path string
	query        []string
	handle       func(*server) handler
}

// routes is the whole API; a test compares it with openapi.yaml.
var routes = []route{
	{"POST", "/api/v1/jobs", nil, func(s *server) handler { return s.createJob }},
	{"GET", "/api/v1/jobs", []string{"status", "operation", "search", "order", "cursor", "limit"}, func(s *server) handler { return s.listJobs }},
	{"GET", "/api/v1/jobs/{id}", nil, func(s *server) handler { return s.getJob }},
	{"DELETE", "/api/v1/jobs/{id}", nil, func(s *server) handler { return s.deleteJob }},
	{"POST", "/api/v1/jobs/{id}/confirm", nil, func(s *server) handler { return s.move(s.jobs.Confirm) }},
	{"POST", "/api/v1/jobs/{id}/cancel", nil, func(s *server) handler { return s.move(s.jobs.Cancel) }},
	{"POST", "/api/v1/jobs/{id}/pause", nil, func(s *server) handler { return s.move(s.jobs.Pause) }},
	{"POST", "/api/v1/jobs/{id}/resume", nil, func(s *server) handler { return s.move(s.jobs.Resume) }},
	{"POST", "/api/v1/jobs/{id}/retry", nil, func(s *server) handler { return s.retry }},
	{"PUT", "/api/v1/jobs/{id}/priority", nil, func(s *server) handler { return s.setPriority }},
	{"GET", "/api/v1/jobs/{id}/work", nil, func(s *server) handler { return s.work }},
	{"GET", "/api/v1/jobs/{id}/report", nil, func(s *server) handler { return s.report }},
	{"GET", "/api/v1/jobs/{id}/report/files", nil, func(s *server) handler { return s.reportFiles }},
	{"GET", "/api/v1/jobs/{id}/report/files/{name}", nil, func(s *server) handler { return s.reportFile }},
	{"GET", "/api/v1/jobs/{id}/events", nil, func(s *server) handler { return s.events }},
}

// openAPIPath is served to everybody: it holds nothing of anybody's.
const openAPIPath = "/api/v1/openapi.yaml"

// New makes the handler of /api/v1 and what is below it.
func New(jobs api.Jobs, v *access.Verifier, o Options) http.Handler {
	s := &server{jobs: jobs, verifier: v, region: o.DefaultRegion, log: o.Logger, newID: o.NewRequestID, heartbeat: o.Heartbeat}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.newID == nil {
		s.newID = rand.Text
	}
	if s.heartbeat <= 0 {
		s.heartbeat = 15 * time.Second
	}
	mux := http.NewServeMux()
	paths := make(map[string]bool)
	for _, rt := range routes {
		mux.Handle(rt.method+" "+rt.path, s.adapt(onlyQuery(rt.query, rt.handle(s))))
		paths[rt.path] = true
	}
	for p := range paths {
		mux.Handle(p, s.adapt(wrongMethod))
	}
	mux.Handle("/", s.adapt(noSuchPath))
	mux.HandleFunc("GET "+openAPIPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(openAPI))
	})
	noPath := s.adapt(noSuchPath)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would send a client with // or .. in its path elsewhere, with a page of HTML; nobody has signed that.
		if clean := path.Clean("/" + r.URL.Path); clean != r.URL.Path && clean+"/" != r.URL.Path {
			noPath.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// onlyQuery refuses query parameters that are not named. The signature's check has seen that the query decodes.
func onlyQuery(names []string, h handler) handler {
	return func(w http.ResponseWriter, c call) error {
		for name := range c.URL.Query() {
			if !slices.Contains(names, name) {
				return job.FieldErrorf(fmt.Sprintf("%.64s", name), "there is no such query parameter; see %s.", openAPIPath)
			}
		}
		return h(w, c)
	}
}

// adapt reads the body, verifies the signature over it, calls the handler, and renders what any of them returns.
func (s *server) adapt(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := s.newID()
		w.Header().Set("X-Request-Id", id)
		c, err := s.authenticate(w, r)
		if err == nil {
			c.requestID = id
			err = h(w, c)
		}
		if err != nil {
			s.renderError(w, r, id, err)
		}
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
	return call{Request: r, caller: api.Caller{Account: p.Account, Principal: p.AccessKey}, body: body}, nil
}

func wrongMethod(_ http.ResponseWriter, c call) error {
	return job.Errorf(job.MethodNotAllowed, "%s is not a method of this path; see %s.", c.Method, openAPIPath)
}

// errNoSuchPath is apart from the domain's errors: its status is 404.
var errNoSuchPath = job.Errorf(job.InvalidRequest, "There is no such path in this API; see %s.", openAPIPath)

func noSuchPath(http.ResponseWriter, call) error { return errNoSuchPath }
