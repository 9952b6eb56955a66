package httpwire

import (
	"context"
	"fmt"
	"math/rand/v2"
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

	places places

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
	wire := newNetwork(o)
	if err := configureTLS(wire.tls, o); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	c := &Client{
		o: o, d: newDialect(o.Dialect), end: end, wire: wire,
		now: time.Now, sleep: sleep, jitter: rand.N[time.Duration],
	}
	c.places.locate = c.locate
	c.requests.New = func() any {
		return &request{
			header: make(fields, 0, 8), out: make(fields, 0, 16), query: make([]param, 0, 4),
			text: text{make([]byte, 0, 2<<10)},
		}
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
	p := c.places.of(b)
	if p == nil {
		rq.refuse("%q cannot be a bucket's name: use letters, digits, hyphens, dots and underscores.", bounded(string(b), maxCode))
		return
	}
	rq.bucket = b
	rq.aimAt(p)
	rq.plain = p.dir
	switch {
	case k != "":
		rq.plain = rq.text.join(p.dir, string(k))
	case len(p.dir) > 1:
		rq.plain = p.dir[:len(p.dir)-1] // the bucket without a slash
	}
	rq.path = rq.text.escaped(rq.plain, true)
}
