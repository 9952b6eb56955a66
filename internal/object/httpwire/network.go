package httpwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/object/sockets"
)

const (
	// How long ago a connection's last call may have begun. To ask for the time again when it ends would cost as much as to
	// read the answer's head.
	idleFor    = 90 * time.Second // then an idle connection is closed
	doubtAfter = time.Second      // then an idle connection is looked at before it is used
	glance     = 100 * time.Microsecond
	// renewAfter is when a connection makes room for another, which may go to an address that its host has gained, and not
	// to one that it has lost. Connections that were made together are not renewed together.
	renewAfter, renewSpread = 5 * time.Minute, time.Minute
)

// network is the exchanger over connections of its own: HTTP/1.1 with kept connections, nothing pipelined.
// It is safe for concurrent use.
type network struct {
	t       Timeouts
	agent   string
	most    int // idle connections kept for each key
	tls     *tls.Config
	dialer  net.Dialer
	proxy   func(addr string) (*url.URL, error)
	hosts   *hosts
	sockets sockets.Set
	now     func() time.Time

	mu     sync.Mutex
	idle   map[poolKey]*idle
	pruned time.Time
	closed bool
}

// poolKey tells apart connections that cannot stand in for each other.
type poolKey struct {
	addr   string
	server string // "" without TLS
}

// idle are connections that wait for a call, the last used at the end.
type idle struct{ conns []*conn }

func newNetwork(o Options) *network {
	w := &network{
		t: o.Timeouts, agent: o.UserAgent, most: o.Conns, proxy: o.Proxy, now: time.Now, idle: map[poolKey]*idle{},
		tls: &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(64)},
	}
	w.hosts = &hosts{known: map[string]*addresses{}, now: func() time.Time { return w.now() }}
	w.hosts.lookup = func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}
	return w
}

// close closes idle connections; those in use are closed when their calls end.
func (w *network) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, p := range w.idle {
		for _, c := range p.conns {
			c.drop()
		}
	}
	clear(w.idle)
}

func (w *network) exchange(ctx context.Context, rq *request) (*response, error) {
	err := sendable(rq)
	if err == nil {
		err = rq.compose(w.agent)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	key := poolKey{addr: rq.addr}
	if rq.tls {
		key.server = rq.server
	}
	c, now, err := w.take(ctx, key)
	for err == nil {
		var a *response
		if a, err = c.exchange(ctx, rq, now); err == nil {
			return a, nil
		}
		c.end()
		c.drop()
		if ctx.Err() != nil || !c.closedWhileIdle(rq, err) {
			break
		}
		rq.unsure = true
		if err = rq.rewind(); err == nil {
			c, err = w.dial(ctx, key)
			now = w.now()
		}
	}
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	return nil, err
}

// closedWhileIdle reports whether a call failed because its connection had been idle for longer than the store keeps
// them: that is no failure of the store. It cannot be told from a store that died over the call, which is why a call that
// may be sent once only is not repeated here.
func (c *conn) closedWhileIdle(rq *request, err error) bool {
	var body *bodyError
	return c.used > 0 && !c.heard && !rq.once && !errors.Is(err, sockets.ErrOver) && !errors.As(err, &body) && !timedOut(err)
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// sendable refuses what would not be one request to the host it is meant for. The calls build none of that; this is the
// last door.
func sendable(rq *request) error {
	switch rq.method {
	case "GET", "PUT", "POST", "HEAD", "DELETE":
	default:
		return errors.New("its method is not known")
	}
	if !printable(rq.target) {
		return errors.New("its target has bytes that must be encoded")
	}
	if rq.target == "" || rq.target[0] != '/' {
		return errors.New("its target is no path")
	}
	if !printable(rq.host) || strings.ContainsAny(rq.host, "/@?#\\") {
		return errors.New("its host is no host")
	}
	if rq.host == "" {
		return errors.New("it has no host")
	}
	return nil
}

// take gives an idle connection, or a new one, and the time.
func (w *network) take(ctx context.Context, key poolKey) (*conn, time.Time, error) {
	for {
		w.mu.Lock()
		p := w.idle[key]
		if p == nil || len(p.conns) == 0 {
			w.mu.Unlock()
			c, err := w.dial(ctx, key)
			return c, w.now(), err
		}
		last := len(p.conns) - 1
		c := p.conns[last]
		p.conns[last], p.conns = nil, p.conns[:last]
		w.mu.Unlock()
		now := w.now()
		if rest := now.Sub(c.since); rest < doubtAfter || rest < idleFor && c.quiet() {
			return c, now, nil
		}
		c.drop()
	}
}

// quiet reports whether an idle connection is open and has nothing to say. What it had said would be taken for the
// answer to the next call.
func (c *conn) quiet() bool {
	c.deadline = time.Time{}
	if c.nc.SetDeadline(time.Now().Add(glance)) != nil {
		return false
	}
	var b [1]byte
	n, err := c.nc.Read(b[:])
	return n == 0 && timedOut(err)
}

// put keeps a connection for the next call.
func (w *network) put(c *conn) {
	c.used++
	c.giveBack()
	c.buf, c.r, c.n = nil, 0, 0
	if cap(c.out) > 4*sockets.BufferSize {
		c.out = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.idle[c.key]
	if w.closed || !c.since.Before(c.old) || p != nil && len(p.conns) >= w.most {
		c.drop()
		return
	}
	if p == nil {
		p = &idle{}
		w.idle[c.key] = p
	}
	p.conns = append(p.conns, c)
	if c.since.Sub(w.pruned) > idleFor {
		w.prune(c.since)
	}
}

// prune closes what has been idle for too long. The lock is held.
func (w *network) prune(now time.Time) {
	w.pruned = now
	for key, p := range w.idle {
		p.conns = slices.DeleteFunc(p.conns, func(c *conn) bool {
			old := now.Sub(c.since) > idleFor
			if old {
				c.drop()
			}
			return old
		})
		if len(p.conns) == 0 {
			delete(w.idle, key)
		}
	}
}
