package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/access/rolestore"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/console"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/telemetry"
)

// servingOptions are what one process of drover serve, or of drover dev, is made of: they differ in nothing else.
type servingOptions struct {
	node         nodeOptions        // all but logger, metrics and open
	book         access.BookOptions // all but KV and Regions
	regions      map[job.Region]rolestore.Region
	region       job.Region // default
	rate         float64    // requests a second of each principal; 0 = unbounded
	burst        int
	silent       bool         // it answers nobody but probes
	listen       string       // "" = nowhere, if silent
	certificate  *certificate // nil = plain HTTP
	metricsToken string       // "" = /metrics on loopback only
	logger       *slog.Logger
}

// serving is a running server: engine, principals and roles, all protocols and the console.
type serving struct {
	o        servingOptions
	metrics  *telemetry.Metrics
	book     *access.Book
	stores   *rolestore.Stores
	node     *node
	server   *server
	stopBook context.CancelFunc
	stopKeep context.CancelFunc // ends the keeping of the regions' limits
	keeping  sync.WaitGroup
	ended    chan struct{} // closed when the book's Run returned bookErr
	bookErr  error
}

// startServing starts all parts, the entrance last. What it started it closes again when a later part does not start.
func startServing(ctx context.Context, o servingOptions) (s *serving, err error) {
	s = &serving{o: o, metrics: telemetry.New(buildVersion().Version), ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	n := o.node
	n.logger, n.metrics, n.open = o.logger, s.metrics, s.open
	if s.node, err = startNode(ctx, n); err != nil {
		return s, err
	}
	s.metrics.WatchCalls(s.calls)
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopKeep = stop
	s.keeping.Go(func() { s.stores.KeepLimits(keep, s.node.workers) })
	if o.silent {
		return s, s.startProbed(ctx)
	}
	verifier := access.NewVerifier(s.book, nil)
	limit := func(access.Principal) error { return nil }
	if o.rate > 0 {
		limit = (&limiter{rate: o.rate, burst: o.burst, metrics: s.metrics}).admit
		verifier = verifier.Limited(limit)
	}
	jobs := &guardedJobs{s.node.jobs, access.NewAuthorizer(s.book), o.region}
	admin := access.NewAdmin(s.book, s.stores)
	pages, err := s.newConsole(jobs, admin)
	if err != nil {
		return s, err
	}
	s.server, err = startServer(ctx, serverOptions{listen: o.listen, certificate: o.certificate, logger: o.logger, handler: newMux(muxOptions{
		jobs: jobs, verifier: verifier, access: admin, session: s.session(pages, limit),
		engine: func(ctx context.Context) (client.Engine, error) { return readEngine(ctx, s.node.carrier) },
		region: o.region, known: func(r job.Region) bool { _, ok := o.regions[r]; return ok }, logger: o.logger,
		metrics: s.metrics, metricsToken: o.metricsToken, ready: s.node.ready,
		mount: map[string]http.Handler{"/console/": pages, "GET /{$}": http.RedirectHandler("/console/", http.StatusSeeOther)},
	})})
	return s, err
}

// startProbed serves a worker's health and metrics, where they are asked for.
func (s *serving) startProbed(ctx context.Context) (err error) {
	o := s.o
	if o.listen == "" {
		return nil
	}
	mux := http.NewServeMux()
	addHealth(mux, muxOptions{metrics: s.metrics, metricsToken: o.metricsToken, ready: s.node.ready})
	s.server, err = startServer(ctx, serverOptions{
		listen: o.listen, certificate: o.certificate, logger: o.logger, handler: observe(o.logger, s.metrics, mux),
	})
	return err
}

// open makes the book and the stores once there is a carrier to keep records in.
func (s *serving) open(ctx context.Context, c *carrier.Carrier) (engine.Stores, error) {
	o := s.o.book
	o.KV, o.Regions = accessRecords{c}, map[job.Region]job.Limits{}
	for name, r := range s.o.regions {
		o.Regions[name] = r.Limits()
	}
	var err error
	if s.book, err = access.NewBook(o); err != nil {
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
		Regions: s.o.regions, Default: s.o.region, Roles: s.book, Limits: s.book, Observe: s.metrics.Call,
	})
	return s.stores, err
}

// calls is what bounds this process's object calls, for the metrics.
func (s *serving) calls() telemetry.Calls {
	out := telemetry.Calls{Regions: map[job.Region]job.Bounds{}, Jobs: s.node.jobBounds()}
	for region, l := range s.stores.Loads() {
		out.Regions[region] = l.Bounds
		for bucket, w := range l.Windows {
			out.Stores = append(out.Stores, telemetry.Store{
				Region: region, Bucket: job.Bucket(bucket), InFlight: w.InFlight, Waiting: w.Waiting, Window: w.Window,
				Rate: w.Rate, Noise: w.Noise, Throttled: w.Throttled,
			})
		}
	}
	return out
}

// session finds who is signed in to the console; the limit is that of the signed requests.
func (s *serving) session(pages *console.Console, limit func(access.Principal) error) func(*http.Request) (api.Caller, bool, error) {
	return func(r *http.Request) (api.Caller, bool, error) {
		c, ok := pages.Session(r)
		if !ok {
			return c, false, nil
		}
		p, ok := s.book.Principal(c.Principal)
		if !ok { // disabled since
			return api.Caller{}, false, nil
		}
		return c, true, limit(p)
	}
}

// wait blocks until ctx ends, which is no error, or a part has stopped by itself.
func (s *serving) wait(ctx context.Context) error {
	var served chan struct{}
	if s.server != nil {
		served = s.server.ended
	}
	select {
	case <-ctx.Done():
		return nil
	case <-s.node.ended:
		return context.Cause(s.node.life)
	case <-served:
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
	if s.stopKeep != nil {
		s.stopKeep()
		s.keeping.Wait()
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
