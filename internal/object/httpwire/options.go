package httpwire

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/window"
)

// Dialect is a store's protocol.
type Dialect string

// The dialects.
const (
	S3  Dialect = "s3"
	COS Dialect = "cos"
)

// Credentials sign calls. An empty AccessKey leaves calls unsigned.
type Credentials struct {
	AccessKey    string
	SecretKey    string
	SessionToken string // of temporary credentials; else ""
}

// Timeouts bound one attempt of a call. Zero fields take their defaults.
type Timeouts struct {
	Dial      time.Duration // connecting, with the TLS handshake; default 10 s
	IO        time.Duration // silence within a body, in either direction; default 60 s
	FirstByte time.Duration // from the request's last byte to the answer's head; default 60 s
	// Call bounds a whole attempt of each call but Get and Put, and takes FirstByte's place for copies, which many stores
	// answer only when they are done; default 15 min.
	Call time.Duration
}

// Options says which store to talk to, and how. The zero value of each field but Endpoint (for s3) works.
type Options struct {
	// Endpoint is the store's URL, without a path. Required for s3. For cos it may be
	//   - empty: https and <bucket>.cos.<region>.myqcloud.com,
	//   - the region's host (https://cos.<region>.<domain>): the bucket is put before it,
	//   - an IP address or localhost: calls go to that address, with <bucket>.cos.<region>.myqcloud.com as their Host.
	Endpoint string
	Dialect  Dialect    // default s3
	Region   job.Region // of the signature's scope (s3; default us-east-1) and of hosts (cos; required there)
	// SourceRegion is where copy sources lie, when that is not Region. Of use for cos only, whose copy sources name
	// their host.
	SourceRegion job.Region
	// PathStyle puts the bucket into the path (s3 only). It is implied where the endpoint's host is an IP address or
	// localhost, and for buckets whose name cannot be a host label.
	PathStyle bool
	// Credentials is asked before each attempt, so it should keep what it found. nil = unsigned calls.
	Credentials func(ctx context.Context) (Credentials, error)
	MaxAttempts int // of each call, the first one included; five times as many while throttled; default 6
	// Breaker is shared by all clients of an endpoint; nil = none, and calls to an endpoint that is away fail.
	Breaker *Breaker
	// Load bounds the calls of all clients of an endpoint by what the endpoint takes; nil = nothing does.
	Load      *window.Set
	Timeouts  Timeouts
	Conns     int    // idle connections kept for each host; default 256
	UserAgent string // default "drover"
	// CAFile is a PEM file of certificates that are trusted beside the system's; "" = the system's alone. Certificates
	// are always verified.
	CAFile string
	// ClientCert and ClientKey are PEM files that show a store that asks who is calling; "" = nothing. They are read at each
	// handshake, so that they can be replaced.
	ClientCert, ClientKey string
	MinTLS                string // "1.2" (default) or "1.3"
	// Proxy says by which proxy to reach a host:port, nil for none; with an error the call fails. A proxy is an http or
	// https URL, with a user and a password for Basic authentication if it wants them. It is asked to CONNECT whatever the
	// endpoint's scheme is. A nil Proxy is none; see ProxyFor.
	Proxy func(addr string) (*url.URL, error)
}

// cosDomain is where Tencent's public regions live (Tencent doc page 436/6224).
const cosDomain = "myqcloud.com"

// endpoint is a parsed Options.Endpoint.
type endpoint struct {
	tls  bool
	host string // the Host header for path-style calls, with the port unless it is the scheme's own
	addr string // host:port to connect to for path-style and pinned calls
	name string // host without port
	// pinned is set where all hosts are reached at addr.
	pinned bool
	// cos only: what follows "<bucket>.", for the region and for copy sources.
	suffix, sourceSuffix string
}

func (o Options) withDefaults() (Options, error) {
	if o.Dialect == "" {
		o.Dialect = S3
	}
	switch {
	case o.Dialect != S3 && o.Dialect != COS:
		return o, fmt.Errorf("unknown dialect %q: use s3 or cos", o.Dialect)
	case o.Dialect == S3 && o.Endpoint == "":
		return o, fmt.Errorf("an endpoint URL is required for dialect s3")
	case o.Dialect == COS && o.Region == "":
		return o, fmt.Errorf("a region is required for dialect cos: it is part of the hosts' names")
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.SourceRegion == "" {
		o.SourceRegion = o.Region
	}
	for _, r := range []job.Region{o.Region, o.SourceRegion} {
		if !hostName(string(r)) {
			return o, fmt.Errorf("region %q: only letters, digits, hyphens and dots may stand in a region's name", r)
		}
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = 6
	}
	if o.Conns <= 0 {
		o.Conns = 256
	}
	if o.UserAgent == "" {
		o.UserAgent = "drover"
	}
	if !validValue(o.UserAgent) {
		return o, fmt.Errorf("user agent %q has control characters", o.UserAgent)
	}
	o.Timeouts = o.Timeouts.withDefaults()
	return o, nil
}

func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		d   *time.Duration
		def time.Duration
	}{
		{&t.Dial, 10 * time.Second},
		{&t.IO, time.Minute},
		{&t.FirstByte, time.Minute},
		{&t.Call, 15 * time.Minute},
	} {
		if *f.d <= 0 {
			*f.d = f.def
		}
	}
	return t
}

// parseEndpoint takes options that have their defaults.
func parseEndpoint(o Options) (endpoint, error) {
	var e endpoint
	if o.Endpoint == "" {
		e.tls = true
		e.suffix = fmt.Sprintf("cos.%s.%s", o.Region, cosDomain)
		e.sourceSuffix = fmt.Sprintf("cos.%s.%s", o.SourceRegion, cosDomain)
		return e, nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return e, fmt.Errorf("endpoint %q is no URL", o.Endpoint)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return e, fmt.Errorf("endpoint %q: the scheme must be http or https", o.Endpoint)
	}
	if u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return e, fmt.Errorf("endpoint %q must be a scheme and a host, with a port at most", o.Endpoint)
	}
	e.tls = u.Scheme == "https"
	e.name = strings.ToLower(u.Hostname())
	ip := net.ParseIP(e.name)
	if ip == nil && !hostName(e.name) {
		return e, fmt.Errorf("endpoint %q: the host's name has characters that none may have", o.Endpoint)
	}
	port, usual := u.Port(), map[bool]string{true: "443", false: "80"}[e.tls]
	e.host = e.name
	if ip != nil && ip.To4() == nil {
		e.host = "[" + e.name + "]"
	}
	if port == "" {
		port = usual
	}
	if port != usual {
		e.host += ":" + port
	}
	e.addr = net.JoinHostPort(e.name, port)
	e.pinned = ip != nil || e.name == "localhost"
	if o.Dialect == COS {
		e.setSuffixes(o)
	}
	return e, nil
}

func (e *endpoint) setSuffixes(o Options) {
	if e.pinned {
		e.suffix = fmt.Sprintf("cos.%s.%s", o.Region, cosDomain)
		e.sourceSuffix = fmt.Sprintf("cos.%s.%s", o.SourceRegion, cosDomain)
		return
	}
	e.suffix, e.sourceSuffix = e.host, e.host
	if domain, ok := strings.CutPrefix(e.host, fmt.Sprintf("cos.%s.", o.Region)); ok {
		e.sourceSuffix = fmt.Sprintf("cos.%s.%s", o.SourceRegion, domain)
	}
}

// hostName reports whether s can stand in a host's name.
func hostName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return s != "" && s[0] != '.' && !strings.Contains(s, "..")
}
