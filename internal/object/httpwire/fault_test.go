package httpwire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
)

// fault is what a proxy does to a call, or to its answer.
type fault struct {
	name    string
	times   int  // in a row, before calls pass
	reaches bool // the store carries the call out
	slow    bool // it ends by the client's timeout
	do      func(nc *net.TCPConn, r *bufio.Reader, method string, answer []byte) (goesOn bool)
}

// cut is where a body is broken off, or a head that has none.
func cut(answer []byte) int {
	head := headEnd(answer)
	if body := len(answer) - head; body > 0 {
		return head + body/2
	}
	return head - 1
}

func reset(nc *net.TCPConn) bool {
	_ = nc.SetLinger(0)
	return false
}

func refuse(status, body string) func(*net.TCPConn, *bufio.Reader, string, []byte) bool {
	return func(nc *net.TCPConn, _ *bufio.Reader, method string, _ []byte) bool {
		_, _ = fmt.Fprintf(nc, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n", status, len(body))
		if method != "HEAD" {
			_, _ = io.WriteString(nc, body)
		}
		return true
	}
}

var faults = []fault{
	{name: "burst of 503", times: 7, do: refuse("503 Slow Down", xmlErr("SlowDown"))},
	{name: "burst of 503 without a body", times: 4, do: refuse("503 Slow Down", "")},
	{name: "500", times: 2, do: refuse("500 Internal Server Error", xmlErr("InternalError"))},
	{name: "reset before the store has it", times: 1, do: func(nc *net.TCPConn, _ *bufio.Reader, _ string, _ []byte) bool {
		return reset(nc)
	}},
	{name: "reset before the answer", times: 1, reaches: true, do: func(nc *net.TCPConn, _ *bufio.Reader, _ string, _ []byte) bool {
		return reset(nc)
	}},
	{name: "closed before the answer", times: 2, reaches: true, do: func(*net.TCPConn, *bufio.Reader, string, []byte) bool {
		return false
	}},
	{name: "reset in the head", times: 1, reaches: true, do: func(nc *net.TCPConn, _ *bufio.Reader, _ string, a []byte) bool {
		_, _ = nc.Write(a[:20])
		return reset(nc)
	}},
	{name: "closed in the head", times: 1, reaches: true, do: func(nc *net.TCPConn, _ *bufio.Reader, _ string, a []byte) bool {
		_, _ = nc.Write(a[:20])
		return false
	}},
	{name: "reset in the body", times: 1, reaches: true, do: func(nc *net.TCPConn, _ *bufio.Reader, _ string, a []byte) bool {
		_, _ = nc.Write(a[:cut(a)])
		return reset(nc)
	}},
	{name: "truncated body", times: 2, reaches: true, do: func(nc *net.TCPConn, _ *bufio.Reader, _ string, a []byte) bool {
		_, _ = nc.Write(a[:cut(a)])
		return false
	}},
	{name: "slow first byte", times: 1, reaches: true, slow: true, do: func(_ *net.TCPConn, r *bufio.Reader, _ string, _ []byte) bool {
		_, _ = io.Copy(io.Discard, r) // until the client has had enough
		return false
	}},
}

// errorIn200 are the faults that calls know which look at the body of a 200.
var errorIn200 = []fault{
	{name: "200 with an error", times: 2, do: refuse("200 OK", xmlErr("InternalError"))},
	{name: "200 with SlowDown", times: 7, do: refuse("200 OK", xmlErr("SlowDown"))},
	{name: "200 with nothing", times: 2, do: refuse("200 OK", "")},
}

// faulty is a proxy before a store, which counts the calls that it heard and those that reached the store.
type faulty struct {
	l     *net.TCPListener
	store string // host:port
	f     fault

	mu      sync.Mutex
	heard   int
	reached int
}

func newFaulty(t *testing.T, store string, f fault) *faulty {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &faulty{l: l.(*net.TCPListener), store: strings.TrimPrefix(store, "http://"), f: f}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := p.l.AcceptTCP()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(nc) })
		}
	})
	t.Cleanup(func() {
		p.l.Close()
		wg.Wait()
	})
	return p
}

func (p *faulty) serve(nc *net.TCPConn) {
	defer nc.Close()
	r := bufio.NewReader(nc)
	for {
		rq, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(rq.Body)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.heard++
		bad := p.heard <= p.f.times
		if !bad || p.f.reaches {
			p.reached++
		}
		p.mu.Unlock()
		var answer []byte
		if !bad || p.f.reaches {
			if answer, err = p.forward(rq, body); err != nil {
				return
			}
		}
		if bad {
			if !p.f.do(nc, r, rq.Method, answer) {
				return
			}
		} else if _, err := nc.Write(answer); err != nil {
			return
		}
	}
}

// forward takes a call to the store, and gives the answer's bytes.
func (p *faulty) forward(rq *http.Request, body []byte) ([]byte, error) {
	rq.URL.Scheme, rq.URL.Host, rq.RequestURI = "http", p.store, ""
	rq.Body = io.NopCloser(bytes.NewReader(body))
	tr := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	res, err := tr.RoundTrip(rq)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	res.Close = false
	var b bytes.Buffer
	err = res.Write(&b)
	return b.Bytes(), err
}

func (p *faulty) counts() (heard, reached int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard, p.reached
}

// content is an object's body, of more than one read.
var content = strings.Repeat("0123456789abcdef", 6<<10)

// faultCall is a call with what must be so when it is over. clean reaches the store without a proxy.
type faultCall struct {
	name  string
	xml   bool // it looks at the body of a 200
	call  func(ctx context.Context, c *Client, b job.Bucket) error
	after func(ctx context.Context, clean *Client, b job.Bucket) error
}

func nothing(context.Context, *Client, job.Bucket) error { return nil }

// faultCalls are made in buckets with the objects "src", with content and the tag a=b, and "cold", which is archived.
var faultCalls = []faultCall{
	{"copy", true, func(ctx context.Context, c *Client, b job.Bucket) error {
		r, err := c.Copy(ctx, object.CopyRequest{Source: object.Ref{Bucket: b, Key: "src"}, Bucket: b, Key: "dst"})
		return expect(err, r.HTTPStatus == 200, r)
	}, func(ctx context.Context, clean *Client, b job.Bucket) error {
		i, err := clean.Head(ctx, object.Ref{Bucket: b, Key: "dst"})
		return expect(err, i.Size == int64(len(content)), i)
	}},
	{"head", false, func(ctx context.Context, c *Client, b job.Bucket) error {
		i, err := c.Head(ctx, object.Ref{Bucket: b, Key: "src"})
		return expect(err, i.Size == int64(len(content)), i)
	}, nothing},
	{"get", false, func(ctx context.Context, c *Client, b job.Bucket) error {
		body, _, err := c.Get(ctx, object.Ref{Bucket: b, Key: "src"}, 0, -1)
		if err != nil {
			return err
		}
		defer body.Close()
		got, err := io.ReadAll(body)
		return expect(err, string(got) == content, len(got))
	}, nothing},
	{"put", false, func(ctx context.Context, c *Client, b job.Bucket) error {
		_, err := c.Put(ctx, object.PutRequest{Bucket: b, Key: "new", Body: strings.NewReader(content), Size: int64(len(content))})
		return err
	}, func(ctx context.Context, clean *Client, b job.Bucket) error {
		i, err := clean.Head(ctx, object.Ref{Bucket: b, Key: "new"})
		return expect(err, i.Size == int64(len(content)), i)
	}},
	{"put tags", false, func(ctx context.Context, c *Client, b job.Bucket) error {
		status, err := c.PutTags(ctx, object.Ref{Bucket: b, Key: "src"}, []object.Tag{{Key: "c", Value: "d"}})
		return expect(err, status == 200, status)
	}, func(ctx context.Context, clean *Client, b job.Bucket) error {
		tags, err := clean.Tags(ctx, object.Ref{Bucket: b, Key: "src"})
		return expect(err, slices.Equal(tags, []object.Tag{{Key: "c", Value: "d"}}), tags)
	}},
	{"tags", true, func(ctx context.Context, c *Client, b job.Bucket) error {
		tags, err := c.Tags(ctx, object.Ref{Bucket: b, Key: "src"})
		return expect(err, slices.Equal(tags, []object.Tag{{Key: "a", Value: "b"}}), tags)
	}, nothing},
	{"delete", false, func(ctx context.Context, c *Client, b job.Bucket) error {
		r, err := c.Delete(ctx, object.Ref{Bucket: b, Key: "src"})
		return expect(err, r.HTTPStatus == 204, r)
	}, func(ctx context.Context, clean *Client, b job.Bucket) error {
		_, err := clean.Head(ctx, object.Ref{Bucket: b, Key: "src"})
		return expect(nil, object.CodeOf(err) == object.CodeNoSuchKey, err)
	}},
	{"restore", false, func(ctx context.Context, c *Client, b job.Bucket) error {
		status, err := c.Restore(ctx, object.RestoreRequest{Ref: object.Ref{Bucket: b, Key: "cold"}, Days: 3, Tier: "Standard"})
		return expect(err, status == 202, status)
	}, func(ctx context.Context, clean *Client, b job.Bucket) error {
		i, err := clean.Head(ctx, object.Ref{Bucket: b, Key: "cold"})
		return expect(err, i.Restore != nil, i)
	}},
	{"list", true, func(ctx context.Context, c *Client, b job.Bucket) error {
		var keys []job.Key
		for e, err := range c.List(ctx, b, object.ListOptions{}) {
			if err != nil {
				return err
			}
			keys = append(keys, e.Key)
		}
		return expect(nil, slices.Equal(keys, []job.Key{"cold", "src"}), keys)
	}, nothing},
}

// expect makes an error of a result that is not as it must be.
func expect(err error, ok bool, got any) error {
	if err == nil && !ok {
		return fmt.Errorf("got %+v", got)
	}
	return err
}

// faultStore is an embedded store in which each test has a bucket.
type faultStore struct {
	url     string
	dialect Dialect
	clean   *Client
	stock   *s3.Client
	buckets atomic.Int32
}

func newFaultStore(t *testing.T, d Dialect) *faultStore {
	t.Helper()
	s, err := localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), AccessKey: "AK", SecretKey: "SK", Region: "ap-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	clean, _ := openAt(t, Options{Endpoint: s.URL(), Dialect: d})
	return &faultStore{url: s.URL(), dialect: d, clean: clean, stock: s3.New(s3.Options{
		BaseEndpoint: aws.String(s.URL()), Region: "ap-test", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("AK", "SK", ""),
	})}
}

func (s *faultStore) bucket(t *testing.T) job.Bucket {
	t.Helper()
	name := fmt.Sprintf("b%d-1250000000", s.buckets.Add(1))
	if _, err := s.stock.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	b := job.Bucket(name)
	for _, p := range []object.PutRequest{
		{Bucket: b, Key: "src", Body: strings.NewReader(content), Size: int64(len(content)), Tags: []object.Tag{{Key: "a", Value: "b"}}},
		{Bucket: b, Key: "cold", Body: strings.NewReader("x"), Size: 1, Class: map[Dialect]string{S3: "GLACIER", COS: "ARCHIVE"}[s.dialect]},
	} {
		if _, err := s.clean.Put(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// Every call ends well, and the store carries it out as often as it must, whatever happens on the way.
func TestFaults(t *testing.T) {
	for _, d := range []Dialect{S3, COS} {
		s := newFaultStore(t, d)
		for _, call := range faultCalls {
			all := faults
			if call.xml {
				all = slices.Concat(faults, errorIn200)
			}
			for _, f := range all {
				if f.slow && (d == COS || !slices.Contains([]string{"copy", "get", "put", "restore"}, call.name)) {
					continue // each takes as long as the timeout is
				}
				t.Run(fmt.Sprintf("%s/%s/%s", d, call.name, f.name), func(t *testing.T) {
					t.Parallel()
					b := s.bucket(t)
					p := newFaulty(t, s.url, f)
					o := Options{Endpoint: "http://" + p.l.Addr().String(), Dialect: d, MaxAttempts: 3}
					if f.slow {
						o.Timeouts = Timeouts{FirstByte: 2 * time.Second, Call: 2 * time.Second, IO: 2 * time.Second}
					}
					c, _ := openAt(t, o)
					if err := call.call(t.Context(), c, b); err != nil {
						t.Errorf("the call: %v", err)
					}
					if err := call.after(t.Context(), s.clean, b); err != nil {
						t.Errorf("after the call: %v", err)
					}
					reaches := 1
					if f.reaches {
						reaches += f.times
					}
					if heard, reached := p.counts(); heard != f.times+1 || reached != reaches {
						t.Errorf("%d calls, %d reached the store; want %d and %d", heard, reached, f.times+1, reaches)
					}
					c.Close()
				})
			}
		}
	}
}

// A fault that does not end ends the call: as what it was, after the attempts that it has, and not before.
func TestFaultsWithoutEnd(t *testing.T) {
	s := newFaultStore(t, S3)
	for _, call := range faultCalls {
		all := faults
		if call.xml {
			all = slices.Concat(faults, errorIn200)
		}
		for _, f := range all {
			// A broken body of an object is taken up again where it ended, as long as that leads on.
			if f.slow || call.name == "get" && strings.Contains(f.name, "body") {
				continue
			}
			t.Run(call.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				f.times = 1 << 30
				p := newFaulty(t, s.url, f)
				c, _ := openAt(t, Options{Endpoint: "http://" + p.l.Addr().String(), MaxAttempts: 2})
				err := call.call(t.Context(), c, s.bucket(t))
				e, ok := errors.AsType[*object.Error](err)
				if !ok {
					t.Fatalf("got %v", err)
				}
				attempts, class := 2, object.Transient
				if strings.Contains(f.name, "503") || strings.Contains(f.name, "SlowDown") {
					attempts, class = 2*throttledTimes, object.Throttle
				}
				if heard, _ := p.counts(); e.Class != class || heard != attempts {
					t.Errorf("class %d after %d attempts: %v", e.Class, heard, err)
				}
				c.Close()
			})
		}
	}
}

// A call that may be carried out once only is not repeated when nobody knows whether it was.
func TestFaultsOfACallThatIsMadeOnce(t *testing.T) {
	s := newFaultStore(t, S3)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			b := s.bucket(t)
			src, err := s.clean.Head(t.Context(), object.Ref{Bucket: b, Key: "src"})
			if err != nil {
				t.Fatal(err)
			}
			p := newFaulty(t, s.url, f)
			o := Options{Endpoint: "http://" + p.l.Addr().String(), MaxAttempts: 3}
			if f.slow {
				o.Timeouts.Call = 2 * time.Second
				o.Timeouts.FirstByte = 2 * time.Second
				o.Timeouts.IO = 2 * time.Second
			}
			c, _ := openAt(t, o)
			_, err = c.Copy(t.Context(), object.CopyRequest{
				Source: object.Ref{Bucket: b, Key: "src"}, Bucket: b, Key: "src", IfMatch: src.ETag,
				MetadataDirective: object.DirectiveReplace, Meta: object.Metadata{ContentType: "x/y"},
			})
			// Answers that refuse say that nothing was done; 500 says nothing.
			sure := strings.Contains(f.name, "503")
			if heard, _ := p.counts(); sure && (err != nil || heard != f.times+1) || !sure && (!object.Retryable(err) || heard != 1) {
				t.Errorf("%v after %d calls", err, heard)
			}
			c.Close()
		})
	}
}

// A store that closes its connections after each answer, and does not say so, costs no attempt and doubles no call.
func TestFaultOfClosedKeepAlive(t *testing.T) {
	s := newFaultStore(t, S3)
	for _, call := range faultCalls {
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			b := s.bucket(t)
			p := newFaulty(t, s.url, fault{times: 1 << 30, reaches: true, do: func(nc *net.TCPConn, _ *bufio.Reader, _ string, a []byte) bool {
				_, _ = nc.Write(a)
				return false
			}})
			c, _ := openAt(t, Options{Endpoint: "http://" + p.l.Addr().String(), MaxAttempts: 1})
			if _, err := c.Head(t.Context(), object.Ref{Bucket: b, Key: "src"}); err != nil {
				t.Fatal(err)
			}
			if err := call.call(t.Context(), c, b); err != nil {
				t.Errorf("the call: %v", err)
			}
			if err := call.after(t.Context(), s.clean, b); err != nil {
				t.Errorf("after the call: %v", err)
			}
			if heard, reached := p.counts(); heard != 2 || reached != 2 {
				t.Errorf("%d calls, %d reached the store", heard, reached)
			}
			c.Close()
		})
	}
}
