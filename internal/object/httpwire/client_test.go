package httpwire

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

// recorder keeps the pauses that a client would have made.
type recorder struct {
	mu     sync.Mutex
	pauses []time.Duration
}

func (r *recorder) sleep(ctx context.Context, d time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pauses = append(r.pauses, d)
	return ctx.Err()
}

func static(ak, sk string) func(context.Context) (Credentials, error) {
	return func(context.Context) (Credentials, error) { return Credentials{AccessKey: ak, SecretKey: sk}, nil }
}

// start serves h and opens a client to it that does not wait.
func start(t *testing.T, d Dialect, h http.HandlerFunc) (*Client, *recorder) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return openAt(t, Options{Endpoint: srv.URL, Dialect: d})
}

func openAt(t *testing.T, o Options) (*Client, *recorder) {
	t.Helper()
	if o.Region == "" {
		o.Region = "ap-test"
	}
	if o.Credentials == nil {
		o.Credentials = static("AK", "SK")
	}
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := &recorder{}
	c.sleep = r.sleep
	c.jitter = func(top time.Duration) time.Duration { return top }
	return c, r
}

var ref = object.Ref{Bucket: "b-125", Key: "dir/a é +%.txt"}

func TestOpenRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no endpoint for s3":   {},
		"unknown dialect":      {Endpoint: "http://x", Dialect: "oss"},
		"no region for cos":    {Dialect: COS},
		"region with a slash":  {Endpoint: "http://x", Region: "a/b"},
		"endpoint with a path": {Endpoint: "http://x/y"},
		"endpoint with a user": {Endpoint: "http://u:p@x"},
		"other scheme":         {Endpoint: "ftp://x"},
		"no URL":               {Endpoint: "http://[x"},
		"agent with newline":   {Endpoint: "http://x", UserAgent: "a\nb"},
	} {
		if _, err := Open(o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestAim(t *testing.T) {
	for _, v := range []struct {
		name                          string
		o                             Options
		ref                           object.Ref
		host, addr, server, path, src string
		tls                           bool
	}{
		{
			"address: by path",
			Options{Endpoint: "http://127.0.0.1:9000"},
			object.Ref{Bucket: "b", Key: "k/a b+ü"},
			"127.0.0.1:9000", "127.0.0.1:9000", "127.0.0.1", "/b/k/a%20b%2B%C3%BC", "b/k/a%20b%2B%C3%BC", false,
		},
		{
			"IPv6",
			Options{Endpoint: "http://[::1]"},
			object.Ref{Bucket: "b", Key: "k"},
			"[::1]", "[::1]:80", "::1", "/b/k", "b/k", false,
		},
		{
			"name: by host",
			Options{Endpoint: "https://s3.eu.example.com/"},
			object.Ref{Bucket: "b", Key: "/k//x"},
			"b.s3.eu.example.com", "b.s3.eu.example.com:443", "b.s3.eu.example.com", "//k//x", "b//k//x", true,
		},
		{
			"name with port",
			Options{Endpoint: "http://store.example:9000"},
			object.Ref{Bucket: "b", Key: "k"},
			"b.store.example:9000", "b.store.example:9000", "b.store.example", "/k", "b/k", false,
		},
		{
			"path style asked for",
			Options{Endpoint: "https://s3.example.com:443", PathStyle: true},
			object.Ref{Bucket: "b", Key: "k"},
			"s3.example.com", "s3.example.com:443", "s3.example.com", "/b/k", "b/k", true,
		},
		{
			"bucket with a dot",
			Options{Endpoint: "https://s3.example.com"},
			object.Ref{Bucket: "a.b", Key: "k", Version: "v+1"},
			"s3.example.com", "s3.example.com:443", "s3.example.com", "/a.b/k", "a.b/k?versionId=v%2B1", true,
		},
		{
			"cos, public",
			Options{Dialect: COS, Region: "ap-nanjing"},
			object.Ref{Bucket: "b-1", Key: "k"},
			"b-1.cos.ap-nanjing.myqcloud.com", "b-1.cos.ap-nanjing.myqcloud.com:443", "b-1.cos.ap-nanjing.myqcloud.com",
			"/k", "b-1.cos.ap-nanjing.myqcloud.com/k", true,
		},
		{
			"cos, other domain and source region",
			Options{Dialect: COS, Endpoint: "https://cos.r1.tencentcos.cn", Region: "r1", SourceRegion: "r2"},
			object.Ref{Bucket: "b-1", Key: "k"},
			"b-1.cos.r1.tencentcos.cn", "b-1.cos.r1.tencentcos.cn:443", "b-1.cos.r1.tencentcos.cn",
			"/k", "b-1.cos.r2.tencentcos.cn/k", true,
		},
		{
			"cos, pinned",
			Options{Dialect: COS, Endpoint: "http://127.0.0.1:8601", Region: "local"},
			object.Ref{Bucket: "b-1", Key: "k"},
			"b-1.cos.local.myqcloud.com", "127.0.0.1:8601", "127.0.0.1", "/k", "b-1.cos.local.myqcloud.com/k", false,
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			c, err := Open(v.o)
			if err != nil {
				t.Fatal(err)
			}
			rq := c.onObject("Head", "HEAD", v.ref)
			if rq.err != nil {
				t.Fatal(rq.err)
			}
			got := [...]string{rq.host, rq.addr, rq.server, rq.path, c.copySource(v.ref, "")}
			want := [...]string{v.host, v.addr, v.server, v.path, v.src}
			if got != want || rq.tls != v.tls {
				t.Errorf("got  %q %v\nwant %q %v", got, rq.tls, want, v.tls)
			}
		})
	}
}

// Nothing that could change the call's meaning may leave the machine.
func TestRefusedBeforeSending(t *testing.T) {
	c, _ := start(t, S3, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	ctx := t.Context()
	put := func(p object.PutRequest) func() error {
		return func() error { _, err := c.Put(ctx, p); return err }
	}
	for name, f := range map[string]func() error{
		"delete without a key":    func() error { _, err := c.Delete(ctx, object.Ref{Bucket: "b"}); return err },
		"bucket with a slash":     func() error { _, err := c.Head(ctx, object.Ref{Bucket: "b/c", Key: "k"}); return err },
		"bucket with a newline":   func() error { _, err := c.HeadBucket(ctx, "b\r\nX: y"); return err },
		"no bucket":               func() error { _, err := c.HeadBucket(ctx, ""); return err },
		"bucket of dots":          func() error { _, err := c.HeadBucket(ctx, ".."); return err },
		"copy without a source":   func() error { _, err := c.Copy(ctx, object.CopyRequest{Bucket: "b", Key: "k"}); return err },
		"newline in metadata":     put(object.PutRequest{Bucket: "b", Key: "k", Meta: object.Metadata{User: map[string]string{"a": "b\r\nc"}}}),
		"NUL in metadata":         put(object.PutRequest{Bucket: "b", Key: "k", Meta: object.Metadata{ContentType: "a\x00"}}),
		"blank in metadata name":  put(object.PutRequest{Bucket: "b", Key: "k", Meta: object.Metadata{User: map[string]string{"a b": "c"}}}),
		"newline in class":        put(object.PutRequest{Bucket: "b", Key: "k", Class: "A\nB"}),
		"body shorter than said":  put(object.PutRequest{Bucket: "b", Key: "k", Size: 1}),
		"tag XML cannot carry":    func() error { _, err := c.PutTags(ctx, ref, []object.Tag{{Key: "a\x01"}}); return err },
		"ACL of both kinds":       func() error { return c.PutACL(ctx, ref, "private", &object.ACL{}) },
		"ACL of no kind":          func() error { return c.PutACL(ctx, ref, "", nil) },
		"negative range":          func() error { _, _, err := c.Get(ctx, ref, -1, 5); return err },
		"grant WRITE":             func() error { _, err := c.Copy(ctx, withGrant("WRITE", "1")); return err },
		"grant with a quote":      func() error { _, err := c.Copy(ctx, withGrant("READ", `1",id="2`)); return err },
		"tier XML cannot carry":   func() error { _, err := c.Restore(ctx, object.RestoreRequest{Ref: ref, Tier: "\x02"}); return err },
		"negative range of a get": func() error { _, _, err := c.Get(ctx, ref, -5, -1); return err },
	} {
		if err := f(); object.CodeOf(err) != object.CodeInvalidRequest || object.Retryable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func withGrant(permission, id string) object.CopyRequest {
	return object.CopyRequest{
		Source: ref, Bucket: "b", Key: "k",
		Grants: []object.Grant{{Permission: permission, Grantee: object.Grantee{ID: id}}},
	}
}
