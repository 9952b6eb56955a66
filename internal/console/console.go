// Package console is Drover in a browser: HTML pages over the jobs service, for people.
//
// It can do nothing that the service cannot. Every page is made of links and forms and works with script off; a vendored
// htmx only renews what changes by itself. Pages are html/template; views hold text and URLs that are ready to be shown.
package console

import (
	"context"
	"crypto/rand"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// base is where the console is mounted: its handler serves this path and all below it.
const base = "/console"

// Stores opens a region's store as a role of an account. Its errors are *job.Error. Safe for concurrent use.
type Stores interface {
	Store(ctx context.Context, a job.Account, r job.Role, region job.Region) (object.Store, error)
}

// Options sets the console up. Jobs, SignIn, Roles and Stores must be given.
type Options struct {
	Jobs api.Jobs
	// SignIn finds who has this pair of keys. Its errors are *job.Error; whatever they say, a person who could not sign
	// in is told the same.
	SignIn func(accessKey, secretKey string) (api.Caller, error)
	// Roles lists the roles that a caller may pass to a job. Only as these does the console read objects.
	Roles func(context.Context, api.Caller) ([]job.Role, error)
	// Stores is asked for manifests (preview, browse, ETag) and reports.
	Stores Stores
	// Access is where roles, principals and limits of regions are seen and made; nil: they cannot be.
	Access Access
	// Living says who works on the jobs; nil: nobody can be asked.
	Living func(context.Context) (Living, error)
	// Regions are the configured regions; default: Default alone.
	Regions []Region
	// Default is the region that a new job begins with.
	Default job.Region
	// Definitions write a job's definition as the APIs take it: JSON, and the XML of those protocols that have words for
	// it.
	Definitions []Protocol
	// Version is shown at the foot of each page.
	Version string
	// Idle and Lifetime end a session: so long after its last use, and after its beginning. Defaults: 30 minutes, 12 hours.
	Idle, Lifetime time.Duration
	// SecureCookies marks cookies Secure even where a proxy took the TLS off.
	SecureCookies bool
	// Now defaults to time.Now.
	Now func() time.Time
	// Logger takes failures that are ours, and who signed in; default slog.Default().
	Logger *slog.Logger
	// NewRequestID makes what an error page shows and the log has; default 26 random letters and digits.
	NewRequestID func() string
}

// Protocol is an API that a job could be made with.
type Protocol struct {
	Name string // as people know it
	// Define writes a job's definition; false where the protocol has no words for the job.
	Define func(job.Spec) ([]byte, bool)
}

type server struct {
	o        Options
	sessions *sessions
	throttle *throttle
	probes   *probes
	pages    map[language]map[string]*template.Template
}

// Console is the handler of /console/ and what is below it.
type Console struct {
	http.Handler
	server *server
}

// Session finds who has signed in with the browser that sent a request. Reading is no sign that a person is there.
func (c *Console) Session(r *http.Request) (api.Caller, bool) {
	return c.server.sessions.of(r, r.Method != http.MethodGet)
}

// New makes a Console. It starts nothing.
func New(o Options) (*Console, error) {
	if o.Jobs == nil || o.SignIn == nil || o.Roles == nil || o.Stores == nil {
		return nil, errors.New("console: Jobs, SignIn, Roles and Stores must be given")
	}
	if len(o.Regions) == 0 {
		o.Regions = []Region{{Name: o.Default}}
	}
	if o.Idle <= 0 {
		o.Idle = 30 * time.Minute
	}
	if o.Lifetime <= 0 {
		o.Lifetime = 12 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.NewRequestID == nil {
		o.NewRequestID = rand.Text
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	s := &server{o: o, sessions: newSessions(o.Now, o.Idle, o.Lifetime), throttle: newThrottle(o.Now), pages: pages}
	s.probes = &probes{of: map[string][]probed{}, now: map[string]bool{}}
	return &Console{s.handler(), s}, nil
}

// route is one path of the console.
type route struct {
	pattern string // below base
	handle  func(*server) handler
	open    bool // for whoever has not signed in too
}

var routes = []route{
	{"GET /{$}", func(s *server) handler { return s.overview }, false},
	{"GET /sign-in", func(s *server) handler { return s.signInPage }, true},
	{"POST /sign-in", func(s *server) handler { return s.signIn }, true},
	{"POST /sign-out", func(s *server) handler { return s.signOut }, true},
	{"POST /preferences", func(s *server) handler { return s.preferences }, true},
	{"GET /jobs", func(s *server) handler { return s.listJobs }, false},
	{"POST /jobs/actions", func(s *server) handler { return s.actOnMany }, false},
	{"GET /jobs/new", func(s *server) handler { return s.newJob }, false},
	{"POST /jobs/new", func(s *server) handler { return s.wizard }, false},
	{"GET /jobs/{id}", func(s *server) handler { return s.showJob }, false},
	{"GET /jobs/{id}/failures", func(s *server) handler { return s.failures }, false},
	{"GET /jobs/{id}/retry", func(s *server) handler { return s.askRetry }, false},
	{"POST /jobs/{id}/retry", func(s *server) handler { return s.retry }, false},
	{"GET /jobs/{id}/limits", func(s *server) handler { return s.jobLimitsPage }, false},
	{"POST /jobs/{id}/limits", func(s *server) handler { return s.limitJob }, false},
	{"GET /jobs/{id}/report/{file}", func(s *server) handler { return s.reportFile }, false},
	{"GET /jobs/{id}/{action}", func(s *server) handler { return s.askAction }, false},
	{"POST /jobs/{id}/{action}", func(s *server) handler { return s.act }, false},
	{"GET /workers", func(s *server) handler { return s.workers }, false},
	{"GET /storage", func(s *server) handler { return s.storage }, false},
	{"GET /storage/regions/{region}/limits", func(s *server) handler { return s.regionLimitsPage }, false},
	{"POST /storage/regions/{region}/limits", func(s *server) handler { return s.limitRegion }, false},
	{"POST /storage/regions/{region}/clear", func(s *server) handler { return s.clearRegion }, false},
	{"POST /storage/probe", func(s *server) handler { return s.probe }, false},
	{"GET /access", func(s *server) handler { return s.access }, false},
	{"GET /access/roles/new", func(s *server) handler { return s.newRolePage }, false},
	{"POST /access/roles", func(s *server) handler { return s.createRole }, false},
	{"GET /access/roles/{name}/delete", func(s *server) handler { return s.askDeleteRole }, false},
	{"POST /access/roles/{name}/delete", func(s *server) handler { return s.deleteRole }, false},
	{"GET /access/principals/new", func(s *server) handler { return s.newPrincipalPage }, false},
	{"POST /access/principals", func(s *server) handler { return s.createPrincipal }, false},
	{"GET /access/principals/{key}/{action}", func(s *server) handler { return s.askPrincipal }, false},
	{"POST /access/principals/{key}/{action}", func(s *server) handler { return s.actOnPrincipal }, false},
}
