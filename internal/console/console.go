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
	// Regions are the configured regions; default: Default alone.
	Regions []job.Region
	// Default is the region that a new job begins with.
	Default job.Region
	// SpecJSON renders a job's definition as the JSON API takes it; nil leaves that out of the pages.
	SpecJSON func(job.Spec) ([]byte, error)
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

type server struct {
	o        Options
	sessions *sessions
	throttle *throttle
	pages    map[language]map[string]*template.Template
}

// Console is the handler of /console/ and what is below it.
type Console struct {
	http.Handler
	sessions *sessions
}

// Session finds who has signed in with the browser that sent a request. Reading is no sign that a person is there.
func (c *Console) Session(r *http.Request) (api.Caller, bool) {
	return c.sessions.of(r, r.Method != http.MethodGet)
}

// New makes a Console. It starts nothing.
func New(o Options) (*Console, error) {
	if o.Jobs == nil || o.SignIn == nil || o.Roles == nil || o.Stores == nil {
		return nil, errors.New("console: Jobs, SignIn, Roles and Stores must be given")
	}
	if len(o.Regions) == 0 {
		o.Regions = []job.Region{o.Default}
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
	return &Console{s.handler(), s.sessions}, nil
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
	{"GET /jobs/{id}/report/{file}", func(s *server) handler { return s.reportFile }, false},
	{"GET /jobs/{id}/{action}", func(s *server) handler { return s.askAction }, false},
	{"POST /jobs/{id}/{action}", func(s *server) handler { return s.act }, false},
	{"GET /storage", func(s *server) handler { return s.storage }, false},
}
