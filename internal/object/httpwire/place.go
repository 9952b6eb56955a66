package httpwire

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/window"
)

// place is where a bucket is reached. It does not change.
type place struct {
	host   string // the Host header
	dir    string // of the path, before the key: "/" or "/bucket/"
	addr   string // host:port to connect to
	server string // the name that a TLS certificate must be for
	region string // of the signature's scope; "" = the client's
	load   *window.Window
}

// maxPlaces bounds the buckets whose places are kept. Those of others are made anew for each call.
const maxPlaces = 4096

// places keeps where buckets are, so that a call need not work it out. Safe for concurrent use.
type places struct {
	locate func(bucket string) *place

	known atomic.Pointer[map[job.Bucket]*place] // never written to: replaced as a whole
	mu    sync.Mutex                            // for replacing
}

// of gives a bucket's place, nil for what can be no bucket's name.
func (s *places) of(b job.Bucket) *place {
	if m := s.known.Load(); m != nil {
		if p := (*m)[b]; p != nil {
			return p
		}
	}
	name := strings.Clone(string(b))
	if !bucketName(name) {
		return nil
	}
	p := s.locate(name)
	s.learn(job.Bucket(name), p)
	return p
}

// learn keeps a bucket's place.
func (s *places) learn(b job.Bucket, p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[job.Bucket]*place{}
	if old := s.known.Load(); old != nil {
		if _, ok := (*old)[b]; !ok && len(*old) >= maxPlaces {
			return
		}
		m = maps.Clone(*old)
	}
	m[b] = p
	s.known.Store(&m)
}

// aimAt sets where the call goes.
func (rq *request) aimAt(p *place) {
	rq.place = p
	rq.host, rq.addr, rq.server = p.host, p.addr, p.server
}

// locate works out a bucket's place.
func (c *Client) locate(bucket string) *place {
	p := &place{host: c.end.host, dir: "/", addr: c.end.addr, server: c.end.name}
	if c.o.Load != nil {
		p.load = c.o.Load.Of(bucket)
	}
	switch {
	case c.d.cos:
		p.host = bucket + "." + c.end.suffix
	case c.byPath(bucket):
		p.dir = "/" + bucket + "/"
	default:
		p.host = bucket + "." + c.end.host
	}
	if !c.end.pinned && p.host != c.end.host {
		p.addr, p.server = withPort(p.host, c.end.tls)
	}
	return p
}

// byPath reports whether the bucket stands in the path.
func (c *Client) byPath(bucket string) bool {
	return c.o.PathStyle || c.end.pinned || !hostLabel(bucket)
}

// withPort splits a Host header into the address to connect to and the name alone.
func withPort(host string, tls bool) (addr, name string) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		return host, host[:i]
	}
	if tls {
		return host + ":443", host
	}
	return host + ":80", host
}

// bucketName reports whether s is safe in a path and in a host.
func bucketName(s string) bool { return len(s) <= 255 && hostName(s) }

// hostLabel reports whether a bucket's name can be one label of a host's name. Dots would leave a wildcard
// certificate, and AWS tells apart upper case only in paths.
func hostLabel(s string) bool {
	return !strings.ContainsAny(s, "._") && s == strings.ToLower(s) && len(s) <= 63
}
