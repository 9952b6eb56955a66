package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api/coscontrol"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// server is the one listener, with all protocols behind it.
type server struct {
	url   string
	http  *http.Server
	ended chan struct{} // closed when serving ended with err
	err   error
}

// startServer listens and serves the COS XML and JSON APIs and the console of a node for dev's one principal.
func startServer(ctx context.Context, o devOptions, n *node, stores engine.Stores) (*server, error) {
	verifier := access.NewVerifier(access.Static(access.Principal{
		AccessKey: o.accessKey, SecretKey: o.secretKey, Account: job.Account{UIN: devUIN, AppID: devAppID},
	}), nil)
	mux := http.NewServeMux()
	xml := coscontrol.New(n.jobs, verifier, coscontrol.Options{DefaultRegion: devRegion, Logger: o.logger})
	mux.Handle("/jobs", xml)
	mux.Handle("/jobs/", xml)
	mux.Handle("/api/v1/", rest.New(n.jobs, verifier, rest.Options{DefaultRegion: devRegion, Logger: o.logger}))
	pages, err := newConsole(o, n.jobs, stores)
	if err != nil {
		return nil, err
	}
	mux.Handle("/console/", pages)
	mux.Handle("GET /{$}", http.RedirectHandler("/console/", http.StatusSeeOther))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if n.life.Err() != nil {
			http.Error(w, "the engine has stopped", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return nil, withHint(fmt.Errorf("listen for the API: %w", err), "--listen 127.0.0.1:0 takes a free port")
	}
	s := &server{url: "http://" + l.Addr().String(), ended: make(chan struct{})}
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(o.logger.Handler(), slog.LevelWarn),
	}
	go func() {
		defer close(s.ended)
		s.err = s.http.Serve(l)
	}()
	return s, nil
}

// close lets requests in flight end for a while, then cuts them.
func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close() // watchers hold their streams for as long as they may
	}
	<-s.ended
	return err
}
