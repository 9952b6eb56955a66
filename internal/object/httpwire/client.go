package httpwire

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

var _ object.Store = (*Client)(nil)

// Client is an object.Store over HTTP. It is safe for concurrent use.
type Client struct {
	o    Options
	d    *dialect
	end  endpoint
	wire *network

	signers  sync.Pool    // of signer
	requests sync.Pool    // of *request
	skew     atomic.Int64 // the store's clock less ours, in nanoseconds

	// Replaced by tests.
	now    func() time.Time
	sleep  func(ctx context.Context, d time.Duration) error
	jitter func(max time.Duration) time.Duration
}

// signer writes all headers of an attempt to rq.out.
type signer interface {
	sign(rq *request, c Credentials, now time.Time)
}

// Open checks the options and makes a client. It does not connect yet.
func Open(o Options) (*Client, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	end, err := parseEndpoint(o)
	if err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	c := &Client{
		o: o, d: newDialect(o.Dialect), end: end, wire: newNetwork(o),
		now: time.Now, sleep: sleep, jitter: rand.N[time.Duration],
	}
	c.requests.New = func() any {
		return &request{header: make(fields, 0, 8), out: make(fields, 0, 16), query: make([]param, 0, 4)}
	}
	c.signers.New = func() any { return signer(newV4(string(o.Region))) }
	if c.d.cos {
		c.signers.New = func() any { return signer(newQSign()) }
	}
	return c, nil
}

// Close closes idle connections. Calls under way end as they would.
func (c *Client) Close() { c.wire.close() }

// request begins any call.
func (c *Client) request(op, method string) *request {
	rq := c.requests.Get().(*request)
	rq.op, rq.method, rq.tls = op, method, c.end.tls
	return rq
}

// free takes back the request of a call that is over. Calls that are rare leave theirs to the garbage collector.
func (c *Client) free(rq *request) {
	rq.reset()
	c.requests.Put(rq)
}

// onBucket begins a call to a bucket.
func (c *Client) onBucket(op, method string, b job.Bucket) *request {
	rq := c.request(op, method)
	rq.wholeBucket = true
	c.aim(rq, b, "")
	return rq
}

// onObject begins a call to an object, or to a version of it.
func (c *Client) onObject(op, method string, r object.Ref) *request {
	rq := c.request(op, method)
	// Without a key the call would go to the bucket itself, and a DELETE would be the bucket's.
	if r.Key == "" {
		rq.refuse("An object's key must not be empty.")
		return rq
	}
	c.aim(rq, r.Bucket, r.Key)
	if r.Version != "" {
		rq.param("versionId", string(r.Version))
	}
	return rq
}

// aim sets host, path and address.
func (c *Client) aim(rq *request, b job.Bucket, k job.Key) {
	bucket := string(b)
	if !bucketName(bucket) {
		rq.refuse("%q cannot be a bucket's name: use letters, digits, hyphens, dots and underscores.", bounded(bucket, maxCode))
		return
	}
	switch {
	case c.d.cos:
		rq.host, rq.plain = bucket+"."+c.end.suffix, "/"+string(k)
	case !c.byPath(bucket):
		rq.host, rq.plain = bucket+"."+c.end.host, "/"+string(k)
	case k == "":
		rq.host, rq.plain = c.end.host, "/"+bucket
	default:
		rq.host, rq.plain = c.end.host, "/"+bucket+"/"+string(k)
	}
	rq.path = escapePath(rq.plain)
	rq.addr, rq.server = c.end.addr, c.end.name
	if !c.end.pinned && rq.host != c.end.host {
		rq.addr, rq.server = withPort(rq.host, c.end.tls)
	}
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
