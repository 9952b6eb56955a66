package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/access/rolestore"
	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/telemetry"
)

type serveCmd struct {
	Config string `required:"" placeholder:"FILE" help:"The configuration file; drover config check shows what it says."`
}

// Help says how it starts and ends.
func (c *serveCmd) Help() string {
	return `When the server answers, one line goes to stdout: ready and a JSON object with api, its URL. The log goes to stderr.
SIGTERM or Ctrl-C stops it: requests and object calls in flight end, no further one starts, and the exit code is 0. Jobs go on
when it is started again.`
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, sh *shell) error {
	f, err := config.Load(c.Config, sh.Getenv)
	if err == nil {
		err = f.Verify(ctx)
	}
	if err != nil {
		return configError(err, c.Config)
	}
	s, err := startServe(ctx, f, newLogger(sh.Stderr, f.Effective.Log))
	if err != nil {
		return interruptedIsFine(err)
	}
	line, err := json.Marshal(map[string]string{"api": s.server.url})
	if err != nil {
		return errors.Join(err, s.close())
	}
	sh.printf("ready %s\n", line)
	return errors.Join(s.wait(ctx), s.close())
}

func configError(err error, path string) error {
	return &problem{code: exitError, err: err, hint: "drover config check --config " + path + " shows what is in force; docs/config.md has every key"}
}

func newLogger(w io.Writer, l config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // the file was checked
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// serving is a running drover serve.
type serving struct {
	file     *config.File
	logger   *slog.Logger
	metrics  *telemetry.Metrics
	book     *access.Book
	stores   *rolestore.Stores
	node     *node
	server   *server
	stopBook context.CancelFunc
	ended    chan struct{} // closed when the book's Run returned bookErr
	bookErr  error
}

// startServe starts all parts, the entrance last. What it started it closes again when a later part does not start.
func startServe(ctx context.Context, f *config.File, logger *slog.Logger) (s *serving, err error) {
	c := f.Effective
	s = &serving{file: f, logger: logger, metrics: telemetry.New(buildVersion().Version), ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.node, err = startNode(ctx, nodeOptions{
		dir: c.Engine.Dir, sync: c.Engine.Sync, logger: logger, concurrency: c.Worker.Concurrency, maxActive: c.Engine.MaxActive,
		chunkRows: c.Engine.ChunkRows, drain: time.Duration(c.Worker.Drain), metrics: s.metrics, open: s.open,
	})
	if err != nil {
		return s, err
	}
	verifier := access.NewVerifier(s.book, nil)
	if c.Limits.Rate > 0 {
		l := &limiter{rate: c.Limits.Rate, burst: c.Limits.Burst, metrics: s.metrics}
		verifier = verifier.Limited(l.admit)
	}
	token, err := f.Secret(c.Listen.MetricsToken)
	if err != nil {
		return s, err
	}
	o := serverOptions{listen: c.Listen.Addr, logger: logger}
	if c.Listen.TLS.Cert != "" {
		if o.certificate, err = newCertificate(c.Listen.TLS.Cert, c.Listen.TLS.Key, logger); err != nil {
			return s, err
		}
	}
	region := job.Region(c.DefaultRegion)
	jobs := &guardedJobs{s.node.jobs, access.NewAuthorizer(s.book), region}
	pages, err := s.newServedConsole(jobs, region, o.certificate != nil)
	if err != nil {
		return s, err
	}
	o.handler = newMux(muxOptions{
		jobs: jobs, verifier: verifier, admin: access.NewAdmin(s.book),
		region: region, known: func(r job.Region) bool { return c.Regions[string(r)] != nil }, logger: logger, metrics: s.metrics, metricsToken: token, ready: s.node.ready,
		mount: map[string]http.Handler{"/console/": pages, "GET /{$}": http.RedirectHandler("/console/", http.StatusSeeOther)},
	})
	s.server, err = startServer(ctx, o)
	return s, err
}

// open makes the book and the stores once there is a carrier to keep records in.
func (s *serving) open(ctx context.Context, c *carrier.Carrier) (engine.Stores, error) {
	sealer, err := s.file.Sealer()
	if err != nil {
		return nil, err
	}
	principals, err := s.file.Principals()
	if err != nil {
		return nil, err
	}
	roles, err := s.file.Roles(ctx)
	if err != nil {
		return nil, err
	}
	s.book, err = access.NewBook(access.BookOptions{
		Principals: principals, Roles: roles, KV: accessRecords{c}, Sealer: sealer,
	})
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopBook = stop
	go func() {
		defer close(s.ended)
		s.bookErr = s.book.Run(run)
	}()
	select {
	case <-s.book.Ready():
	case <-s.ended:
		return nil, s.bookErr
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.stores, err = rolestore.New(rolestore.Options{
		Regions: s.file.Regions(), Default: job.Region(s.file.Effective.DefaultRegion), Roles: s.book, Observe: s.metrics.Call,
	})
	return s.stores, err
}

// wait blocks until ctx ends, which is no error, or a part has stopped by itself.
func (s *serving) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.node.ended:
		return context.Cause(s.node.life)
	case <-s.server.ended:
		return s.server.err
	case <-s.ended:
		return fmt.Errorf("serve: %w", s.bookErr)
	}
}

// close stops the entrance, drains the engine, and closes the rest, in this order.
func (s *serving) close() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.close())
	}
	// The book follows the carrier's records until there is nobody left to ask it.
	if s.node != nil {
		s.node.stop()
		<-s.node.ended
	}
	if s.stopBook != nil {
		s.stopBook()
		<-s.ended
	}
	if s.node != nil {
		errs = append(errs, s.node.close())
	}
	if s.stores != nil {
		s.stores.Close()
	}
	return errors.Join(errs...)
}
