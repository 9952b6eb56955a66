// Package rest speaks the JSON API at /api/v1 over the jobs service, for the command line, for scripts and for whoever
// has no COS or S3 SDK at hand; and principals, roles and regions beside. Requests are signed with AWS Signature Version 4 (service
// s3), or come from a browser that has signed in to the console. Its bodies are the types of the client package;
// openapi.yaml describes them, and tests hold the two together.
package rest

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/drover-batch/drover/client"
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
	// Access keeps principals, roles and the limits of regions; nil = this server has none to show or make.
	Access *access.Admin
	// Engine tells the state of the engine; nil = it is not told.
	Engine func(context.Context) (client.Engine, error)
	// Session finds who has signed in to the console with the browser that sent a request; ok = false when nobody has.
	// It is asked where a request has no Authorization header; nil = signatures only.
	Session func(*http.Request) (c api.Caller, ok bool, err error)
}

type server struct {
	jobs      api.Jobs
	verifier  *access.Verifier
	access    *access.Admin
	status    func(context.Context) (client.Engine, error)
	session   func(*http.Request) (api.Caller, bool, error)
	sameSite  *http.CrossOriginProtection
	region    job.Region
	log       *slog.Logger
	heartbeat time.Duration
}

// call is one request of a principal; its body was read for the signature.
type call struct {
	*http.Request
	caller    api.Caller
	body      []byte
	requestID string
}

type handler = api.Handler[call]

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
	{"GET", "/api/v1/jobs/{id}/tags", nil, func(s *server) handler { return s.tags }},
	{"PUT", "/api/v1/jobs/{id}/tags", nil, func(s *server) handler { return s.setTags }},
	{"PUT", "/api/v1/jobs/{id}/limits", nil, func(s *server) handler { return s.setLimits }},
	{"GET", "/api/v1/jobs/{id}/work", nil, func(s *server) handler { return s.work }},
	{"GET", "/api/v1/jobs/{id}/report", nil, func(s *server) handler { return s.report }},
	{"GET", "/api/v1/jobs/{id}/report/files", nil, func(s *server) handler { return s.reportFiles }},
	{"GET", "/api/v1/jobs/{id}/report/files/{name}", nil, func(s *server) handler { return s.reportFile }},
	{"GET", "/api/v1/jobs/{id}/events", nil, func(s *server) handler { return s.events }},
	{"GET", "/api/v1/engine", nil, func(s *server) handler { return s.admin(s.engine) }},
	{"GET", "/api/v1/regions", nil, func(s *server) handler { return s.admin(s.listRegions) }},
	{"PUT", "/api/v1/regions/{name}/limits", nil, func(s *server) handler { return s.admin(s.setRegionLimits) }},
	{"DELETE", "/api/v1/regions/{name}/limits", nil, func(s *server) handler { return s.admin(s.clearRegionLimits) }},
	{"GET", "/api/v1/roles", nil, func(s *server) handler { return s.admin(s.listRoles) }},
	{"POST", "/api/v1/roles", nil, func(s *server) handler { return s.admin(s.createRole) }},
	{"GET", "/api/v1/roles/{name}", nil, func(s *server) handler { return s.admin(s.getRole) }},
	{"DELETE", "/api/v1/roles/{name}", nil, func(s *server) handler { return s.admin(s.deleteRole) }},
	{"POST", "/api/v1/policies/least", nil, func(s *server) handler { return s.admin(s.leastPolicy) }},
	{"GET", "/api/v1/principals", nil, func(s *server) handler { return s.admin(s.listPrincipals) }},
	{"POST", "/api/v1/principals", nil, func(s *server) handler { return s.admin(s.createPrincipal) }},
	{"POST", "/api/v1/principals/{id}/disable", nil, func(s *server) handler { return s.admin(s.disable(true)) }},
	{"POST", "/api/v1/principals/{id}/enable", nil, func(s *server) handler { return s.admin(s.disable(false)) }},
	{"POST", "/api/v1/principals/{id}/rotate", nil, func(s *server) handler { return s.admin(s.rotate) }},
}

// openAPIPath is served to everybody: it holds nothing of anybody's.
const openAPIPath = "/api/v1/openapi.yaml"

// New makes the handler of /api/v1 and what is below it.
func New(jobs api.Jobs, v *access.Verifier, o Options) http.Handler {
	s := &server{
		jobs: jobs, verifier: v, access: o.Access, status: o.Engine, session: o.Session, sameSite: http.NewCrossOriginProtection(),
		region: o.DefaultRegion, log: o.Logger, heartbeat: o.Heartbeat,
	}
	if s.heartbeat <= 0 {
		s.heartbeat = 15 * time.Second
	}
	all := make(map[string]handler)
	for _, rt := range routes {
		all[rt.method+" "+rt.path] = onlyQuery(rt.query, rt.handle(s))
		all[rt.path] = wrongMethod
	}
	all[openAPIPath] = wrongMethod
	door := api.Door[call]{MaxBody: maxBody, NewID: o.NewRequestID, Begin: begin, Enter: s.authenticate, Render: s.renderError}
	signed := door.Routes(all, noSuchPath)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == openAPIPath && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			w.Header().Set("Content-Type", "application/yaml")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(openAPI))
			return
		}
		signed.ServeHTTP(w, r)
	})
}

func begin(answer http.Header, id string) {
	answer.Set("X-Request-Id", id)
	answer.Set("X-Content-Type-Options", "nosniff")
	answer.Set("Cache-Control", "no-store") // an answer may hold a secret, and is anyhow of this moment
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

// authenticate reads the body, and verifies the signature over it or, where there is none, finds the console's session.
func (s *server) authenticate(r *http.Request, id string) (call, error) {
	body, err := api.ReadBody(r)
	if err != nil {
		return call{}, err
	}
	if s.session != nil && len(r.Header.Values("Authorization")) == 0 {
		caller, ok, err := s.session(r)
		if err == nil && ok {
			err = s.fromOurPages(r)
		}
		if ok || err != nil {
			return call{Request: r, caller: caller, body: body, requestID: id}, err
		}
	}
	p, err := s.verifier.SigV4(r, body)
	if err != nil {
		return call{}, err
	}
	return call{Request: r, caller: api.Caller{Account: p.Account, Principal: p.AccessKey}, body: body, requestID: id}, nil
}

// fromOurPages refuses what another site's page made a browser send: the browser adds the session's cookie by itself. A
// query that does not decode is refused too, which for signed requests the signature's check does.
func (s *server) fromOurPages(r *http.Request) error {
	if err := s.sameSite.Check(r); err != nil {
		return &job.Error{Code: job.AccessDenied, Message: "The request was sent by a page of another site. Sign it, or send it from the console's own pages.", Err: err}
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return job.Errorf(job.InvalidRequest, "The query of the request does not decode: percent-encode the names and values in it.")
	}
	return nil
}

func wrongMethod(_ http.ResponseWriter, c call) error {
	return job.Errorf(job.MethodNotAllowed, "%s is not a method of this path; see %s.", c.Method, openAPIPath)
}

// errNoSuchPath is apart from the domain's errors: its status is 404.
var errNoSuchPath = job.Errorf(job.InvalidRequest, "There is no such path in this API; see %s.", openAPIPath)

func noSuchPath(http.ResponseWriter, call) error { return errNoSuchPath }
