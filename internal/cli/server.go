package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// serverOptions say where the one listener is, and what it serves.
type serverOptions struct {
	listen      string
	certificate *certificate // nil = plain HTTP
	handler     http.Handler
	logger      *slog.Logger
}

// server is the one listener.
type server struct {
	url   string
	http  *http.Server
	ended chan struct{} // closed when serving ended with err
	err   error
}

// startServer listens and serves.
func startServer(ctx context.Context, o serverOptions) (*server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return nil, withHint(fmt.Errorf("listen for the API: %w", err), "port 0 takes a free one, as in 127.0.0.1:0")
	}
	s := &server{url: "http://" + l.Addr().String(), ended: make(chan struct{})}
	s.http = &http.Server{
		Handler: o.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		WriteTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, // streams of events take the write timeout off themselves
		ErrorLog: slog.NewLogLogger(o.logger.Handler(), slog.LevelWarn),
	}
	if o.certificate != nil {
		s.url = "https://" + l.Addr().String()
		l = tls.NewListener(l, &tls.Config{
			MinVersion: tls.VersionTLS12, GetCertificate: o.certificate.get, NextProtos: []string{"http/1.1"},
		})
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
