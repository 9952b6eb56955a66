package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/engine/carrier"
)

// enginePlace is where the engine's state is, by the configuration: in a folder of this process, or with servers that it
// is a client of.
type enginePlace struct {
	folder carrier.Options
	dial   *carrier.DialOptions // nil = folder
}

// newEnginePlace takes what the configuration says. Without secrets it reads no file, and can only be checked.
func newEnginePlace(f *config.File, secrets bool, logger *slog.Logger) (enginePlace, error) {
	e := &f.Effective.Engine
	if e.URL != "" {
		d, err := dialOptions(f, e.URLs(), secrets, logger)
		if d != nil {
			d.Replicas, d.MaxStore = e.Replicas, int64(e.MaxStore)
		}
		return enginePlace{dial: d}, err
	}
	p := enginePlace{folder: carrier.Options{
		Dir: filepath.Join(e.Dir, carrierDir), Sync: e.Sync, MaxStore: int64(e.MaxStore), Logger: logger,
	}}
	if !e.IsCluster() {
		return p, nil
	}
	c := e.Cluster
	cl := &carrier.Cluster{Name: c.Name, Node: c.Node, Listen: c.Listen, Client: c.Client, Routes: c.Routes}
	p.folder.Cluster = cl
	var err error
	if cl.TLS, err = engineTLS(e.TLS, secrets); err != nil {
		return p, err
	}
	for i, u := range c.Users {
		password, err := secretOf(f, u.Password, secrets)
		if err != nil {
			return p, fmt.Errorf("engine.cluster.users[%d].password: %w", i, err)
		}
		cl.Users = append(cl.Users, carrier.User{Role: carrier.Role(u.Role), NKey: u.NKey, Name: u.Name, Password: password})
	}
	return p, nil
}

// secretOf follows a reference, or stands in for what it names.
func secretOf(f *config.File, s config.Secret, follow bool) (string, error) {
	if !follow {
		return string(s), nil
	}
	return f.Secret(s)
}

func dialOptions(f *config.File, urls []string, secrets bool, logger *slog.Logger) (*carrier.DialOptions, error) {
	e := &f.Effective.Engine
	d := &carrier.DialOptions{
		URLs: urls, NKey: e.NKey, Credentials: e.Credentials, User: e.User, Inbox: e.Inbox, Logger: logger,
	}
	var err error
	if d.Password, err = secretOf(f, e.Password, secrets); err != nil {
		return nil, fmt.Errorf("engine.password: %w", err)
	}
	if d.TLS, err = engineTLS(e.TLS, secrets); err != nil {
		return nil, err
	}
	if d.TLS == nil && strings.HasPrefix(urls[0], "tls://") {
		d.TLS = &tls.Config{MinVersion: tls.VersionTLS12} // by the machine's authorities
	}
	return d, nil
}

// engineTLS reads the files; nil when none are named.
func engineTLS(t config.EngineTLS, read bool) (*tls.Config, error) {
	if t == (config.EngineTLS{}) {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		c.RootCAs = x509.NewCertPool()
		c.ClientCAs = c.RootCAs
	}
	if !read {
		return c, nil
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("engine.tls.ca: %w", err)
		}
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("engine.tls.ca: %s holds no certificate in PEM", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("engine.tls.cert: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// check refuses what would not be safe, or cannot work. It calls nobody.
func (p enginePlace) check() error {
	if p.dial != nil {
		return p.dial.Check()
	}
	return p.folder.Check()
}

// alone reports whether no other process works on the same jobs.
func (p enginePlace) alone() bool { return p.dial == nil && p.folder.Cluster == nil }

// open connects. A node of a cluster waits for the others, a client for a server.
func (p enginePlace) open(ctx context.Context) (*carrier.Carrier, error) {
	if p.dial != nil {
		return carrier.Dial(ctx, *p.dial)
	}
	return carrier.Open(ctx, p.folder)
}

// checkEnginePlace is for drover config check.
func checkEnginePlace(f *config.File, secrets bool) error {
	p, err := newEnginePlace(f, secrets, nil)
	if err != nil {
		return err
	}
	return p.check()
}

// errWorkerAlone says why a process cannot be a worker.
var errWorkerAlone = errors.New("engine.url is missing: a worker takes its chunks from a cluster, or from an outside NATS server. " +
	"Name the client addresses of the nodes; drover serve works by itself")
