package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/job"
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
	limitToGroup(sh)
	log := newLogger(sh.Stderr, f.Effective.Log)
	tellRings(log)
	s, err := startServe(ctx, f, log, asServer)
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

// serveMode is what a process is.
type serveMode int

const (
	asServer serveMode = iota
	asWorker           // answers probes only, where it is told to
	asMover            // answers nobody; brings jobs to rest
)

// startServe starts what the configuration says.
func startServe(ctx context.Context, f *config.File, logger *slog.Logger, mode serveMode) (*serving, error) {
	c := f.Effective
	place, err := newEnginePlace(f, true, logger)
	if err == nil {
		err = place.check()
	}
	if err != nil {
		return nil, err
	}
	listen := c.Listen.Addr
	if mode == asWorker && !f.Given("listen.addr") || mode == asMover {
		listen = ""
	}
	sealer, err := f.Sealer()
	if err != nil {
		return nil, err
	}
	principals, err := f.Principals()
	if err != nil {
		return nil, err
	}
	roles, err := f.Roles(ctx)
	if err != nil {
		return nil, err
	}
	regions, err := f.Regions()
	if err != nil {
		return nil, err
	}
	token, err := f.Secret(c.Listen.MetricsToken)
	if err != nil {
		return nil, err
	}
	var certificate *certificate
	if c.Listen.TLS.Cert != "" {
		if certificate, err = newCertificate(c.Listen.TLS.Cert, c.Listen.TLS.Key, logger); err != nil {
			return nil, err
		}
	}
	return startServing(ctx, servingOptions{
		node: nodeOptions{
			dir: c.Engine.Dir, place: &place, noLead: !c.Engine.Lead, noWork: c.Worker.Off, moved: mode == asMover, look: c.Engine.Look,
			reportWait:  time.Duration(c.Engine.ReportWait),
			concurrency: c.Worker.Concurrency, maxActive: c.Engine.MaxActive, chunkRows: c.Engine.ChunkRows, drain: time.Duration(c.Worker.Drain),
		},
		book:    access.BookOptions{Principals: principals, Roles: roles, Sealer: sealer},
		regions: regions, region: job.Region(c.DefaultRegion), rate: c.Limits.Rate, burst: c.Limits.Burst,
		silent: mode != asServer, listen: listen, certificate: certificate, metricsToken: token, logger: logger,
	})
}
