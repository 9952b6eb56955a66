package httpwire

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/sockets"
)

const (
	lookupEvery = 30 * time.Second // a name's addresses are looked up anew at most this often
	leastDial   = 2 * time.Second  // for one address of several, if there is that much
)

// hosts keeps the addresses of names, and gives them in turn, so that connections spread over all of them. Safe for
// concurrent use.
type hosts struct {
	lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	now    func() time.Time

	mu    sync.Mutex
	known map[string]*addresses
}

type addresses struct {
	all  []netip.Addr
	next int
	at   time.Time // of the lookup
	bad  map[netip.Addr]bool
}

// of gives a name's addresses in the order in which to try them. An address itself is its only one.
func (h *hosts) of(ctx context.Context, name string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a}, nil
	}
	if list := h.kept(name, false); list != nil {
		return list, nil
	}
	all, err := h.lookup(ctx, name)
	if err != nil || len(all) == 0 {
		// Names seldom move: where they were is better than nothing.
		if list := h.kept(name, true); list != nil && ctx.Err() == nil {
			return list, nil
		}
		if err == nil {
			err = &net.DNSError{Err: "no addresses", Name: name, IsNotFound: true}
		}
		return nil, err
	}
	for i := range all {
		all[i] = all[i].Unmap()
	}
	h.keep(name, all)
	return h.kept(name, true), nil
}

func (h *hosts) keep(name string, all []netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := &addresses{all: all, at: h.now(), bad: map[netip.Addr]bool{}}
	if old := h.known[name]; old != nil {
		a.next = old.next
	}
	if len(h.known) >= maxPlaces {
		clear(h.known)
	}
	h.known[name] = a
}

// kept gives the next order of a name's addresses: those that were found bad come last. nil = it must be looked up.
func (h *hosts) kept(name string, old bool) []netip.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.known[name]
	if a == nil || !old && h.now().Sub(a.at) >= lookupEvery {
		return nil
	}
	a.next++
	var good, bad []netip.Addr
	for i := range a.all {
		if addr := a.all[(a.next+i)%len(a.all)]; a.bad[addr] {
			bad = append(bad, addr)
		} else {
			good = append(good, addr)
		}
	}
	return append(good, bad...)
}

// tried notes whether an address could be connected to.
func (h *hosts) tried(name string, addr netip.Addr, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.known[name]
	switch {
	case a == nil:
	case ok:
		delete(a.bad, addr)
	default:
		a.bad[addr] = true
	}
}

// dial connects anew.
func (w *network) dial(ctx context.Context, key poolKey) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, w.t.Dial)
	defer cancel()
	nc, err := w.connect(ctx, key.addr)
	if err != nil {
		return nil, err
	}
	if key.server != "" {
		if nc, err = w.encrypt(ctx, nc, key.server); err != nil {
			return nil, err
		}
	}
	c := &conn{w: w, key: key, nc: nc, sock: plainly(nc), old: w.now().Add(renewAfter - rand.N(renewSpread))}
	c.plain, _ = nc.(*sockets.Conn)
	return c, nil
}

// connect reaches addr directly, or through the proxy for it.
func (w *network) connect(ctx context.Context, addr string) (net.Conn, error) {
	if w.proxy != nil {
		p, err := w.proxy(addr)
		if err != nil {
			return nil, &proxyError{permanent: true, err: fmt.Errorf("find the proxy for %s: %w", addr, err)}
		}
		if p != nil {
			return w.tunnel(ctx, p, addr)
		}
	}
	return w.reach(ctx, addr)
}

// reach connects to one of a name's addresses.
func (w *network) reach(ctx context.Context, addr string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	list, err := w.hosts.of(ctx, name)
	if err != nil {
		return nil, err
	}
	var errs []error
	for i, a := range list {
		nc, err := w.try(ctx, net.JoinHostPort(a.String(), port), len(list)-i)
		w.hosts.tried(name, a, err == nil)
		if err == nil {
			return nc, nil
		}
		if errs = append(errs, err); ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// try connects to one address, within its share of the time when others are left.
func (w *network) try(ctx context.Context, addr string, left int) (net.Conn, error) {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		rest := time.Until(end)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(rest/time.Duration(left), min(rest, leastDial)))
		defer cancel()
	}
	nc, err := w.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return w.sockets.Adopt(nc)
}

// encrypt begins TLS. With an error the connection is closed.
func (w *network) encrypt(ctx context.Context, nc net.Conn, server string) (net.Conn, error) {
	cfg := w.tls.Clone()
	cfg.ServerName = server
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

// proxyError is a proxy's refusal, or one of ours to use it.
type proxyError struct {
	permanent bool
	err       error
}

func (e *proxyError) Error() string { return e.err.Error() }
func (e *proxyError) Unwrap() error { return e.err }

// tunnel connects to addr by the CONNECT of a proxy (RFC 9110, 9.3.6).
func (w *network) tunnel(ctx context.Context, p *url.URL, addr string) (net.Conn, error) {
	secure := p.Scheme == "https"
	if p.Hostname() == "" || !secure && p.Scheme != "http" {
		return nil, &proxyError{permanent: true, err: fmt.Errorf(
			"the proxy for %s must be an http or https URL with a host, not %q", addr, p.Redacted())}
	}
	at := p.Host
	if p.Port() == "" {
		port := "80"
		if secure {
			port = "443"
		}
		at = net.JoinHostPort(p.Hostname(), port)
	}
	nc, err := w.reach(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("connect to the proxy %s: %w", at, err)
	}
	if secure {
		if nc, err = w.encrypt(ctx, nc, p.Hostname()); err != nil {
			return nil, fmt.Errorf("connect to the proxy %s: %w", at, err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(aLongTimeAgo) })
	err = askProxy(nc, p.User, addr, w.agent)
	if !stop() || err != nil {
		nc.Close()
		if cause := ctx.Err(); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("connect through the proxy %s: %w", at, err)
	}
	return nc, nil
}

// askProxy asks a proxy to connect to addr, and hears whether it did.
func askProxy(nc net.Conn, user *url.Userinfo, addr, agent string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "CONNECT %s HTTP/1.1\r\nhost: %[1]s\r\nuser-agent: %s\r\n", addr, agent)
	if user != nil {
		secret, _ := user.Password()
		b.WriteString("proxy-authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+secret)) + "\r\n")
	}
	b.WriteString("\r\n")
	if _, err := nc.Write([]byte(b.String())); err != nil {
		return err
	}
	head, err := proxyHead(nc)
	if err != nil {
		return err
	}
	h, err := parseHead(head, nil)
	switch {
	case err != nil:
		return err
	case h.status/100 == 2:
		return nil
	}
	e := &proxyError{err: fmt.Errorf("it answered HTTP %d %s to CONNECT %s", h.status, http.StatusText(h.status), addr)}
	e.permanent = classOf(h.status, "") == object.Permanent
	return e
}

// proxyHead reads a proxy's answer and nothing beyond it: what follows is the store's.
func proxyHead(nc net.Conn) ([]byte, error) {
	var head []byte
	var one [1]byte
	for len(head) < maxHead {
		if _, err := io.ReadFull(nc, one[:]); err != nil {
			return nil, unexpected(err)
		}
		if head = append(head, one[0]); one[0] == '\n' && headEnd(head) == len(head) {
			return head, nil
		}
	}
	return nil, malformed("the proxy's answer is too long")
}
