package cli

import (
	"context"
	"crypto/subtle"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/api/coscontrol"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/api/s3control"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/telemetry"
)

// muxOptions are what the one listener serves; dev and serve differ in nothing else.
type muxOptions struct {
	jobs         api.Jobs
	verifier     *access.Verifier
	access       *access.Admin
	engine       func(context.Context) (client.Engine, error)
	session      func(*http.Request) (api.Caller, bool, error) // who is signed in to the console
	region       job.Region                                    // default
	known        func(job.Region) bool
	logger       *slog.Logger
	metrics      *telemetry.Metrics
	metricsToken string                  // "" = /metrics on loopback only
	ready        func() error            // what /readyz says
	mount        map[string]http.Handler // further patterns
}

// newMux puts all protocols behind one handler.
func newMux(o muxOptions) http.Handler {
	// The protocols have their paths as they were sent: ServeMux would send a client with // or .. in its path elsewhere,
	// with a page of HTML and before its signature is looked at.
	protocols := map[string]http.Handler{
		apiCOS: coscontrol.New(o.jobs, o.verifier, coscontrol.Options{DefaultRegion: o.region, Logger: o.logger}),
		apiS3:  s3control.New(o.jobs, o.verifier, s3control.Options{DefaultRegion: o.region, Known: o.known, Logger: o.logger}),
		apiJSON: rest.New(o.jobs, o.verifier, rest.Options{
			DefaultRegion: o.region, Logger: o.logger, Access: o.access, Session: o.session, Engine: o.engine,
		}),
	}
	mux := http.NewServeMux()
	for pattern, h := range o.mount {
		mux.Handle(pattern, h)
	}
	addHealth(mux, o)
	return observe(o.logger, o.metrics, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := protocols[apiOf(r.URL.Path)]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// addHealth adds what probes and scrapes ask for.
func addHealth(mux *http.ServeMux, o muxOptions) {
	mux.Handle("GET /metrics", guardMetrics(o.metricsToken, o.metrics.Handler()))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := o.ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
}

// guardMetrics lets in who has the token or, where there is none, who calls from this machine.
func guardMetrics(token string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		sent, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		ok := loopbackHost(host)
		if token != "" {
			ok = subtle.ConstantTimeCompare([]byte(sent), []byte(token)) == 1
		}
		if !ok {
			http.Error(w, "metrics are for loopback addresses, or for who has listen.metrics_token", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// The protocols, as metrics name them.
const (
	apiCOS     = "cos"
	apiS3      = "s3"
	apiJSON    = "json"
	apiConsole = "console"
	apiOther   = "other"
)

// apiOf names the protocol of a path.
func apiOf(path string) string {
	switch {
	case path == "/jobs" || strings.HasPrefix(path, "/jobs/"):
		return apiCOS
	case strings.HasPrefix(path, "/v20180820/"):
		return apiS3
	case strings.HasPrefix(path, "/api/v1/"):
		return apiJSON
	case path == "/console" || strings.HasPrefix(path, "/console/"):
		return apiConsole
	}
	return apiOther
}

// observe logs and counts each request, and turns a panic into an answer.
func observe(log *slog.Logger, m *telemetry.Metrics, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &answer{ResponseWriter: w}
		if strings.HasSuffix(r.URL.Path, "/events") { // a stream lives as long as its job
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
		}
		defer func() {
			p := recover()
			if p != nil && p != http.ErrAbortHandler {
				log.Error("request panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				if seen.status == 0 {
					http.Error(seen, "internal error", http.StatusInternalServerError)
				}
			}
			took := time.Since(began)
			m.Request(apiOf(r.URL.Path), r.Method, seen.code(), took)
			logRequest(log, r, seen, took)
			if p == http.ErrAbortHandler {
				panic(p)
			}
		}()
		next.ServeHTTP(seen, r)
	})
}

func logRequest(log *slog.Logger, r *http.Request, a *answer, took time.Duration) {
	level := slog.LevelInfo
	if apiOf(r.URL.Path) == apiOther {
		level = slog.LevelDebug // probes and scrapes
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", a.code()),
		slog.Duration("took", took), slog.String("from", r.RemoteAddr),
	}
	for _, name := range []string{"X-Cos-Request-Id", "X-Amz-Request-Id", "X-Request-Id"} {
		if id := a.Header().Get(name); id != "" {
			attrs = append(attrs, slog.String("requestID", id))
			break
		}
	}
	if _, rest, ok := strings.Cut(r.URL.Path, "/jobs/"); ok {
		id, _, _ := strings.Cut(rest, "/")
		attrs = append(attrs, slog.String("job", id))
	}
	log.LogAttrs(context.WithoutCancel(r.Context()), level, "request", attrs...)
}

// answer remembers the status of what is written.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
