package httpwire

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// signedFor gives the region of a request's signature.
func signedFor(r *http.Request) string {
	scope := strings.Split(r.Header.Get("Authorization"), "/")
	if len(scope) < 3 {
		return ""
	}
	return scope[2]
}

// A call to a bucket of another region is led there, signed anew, and those after it go there at once.
func TestRegionIsLearntOnceABucket(t *testing.T) {
	for name, refuse := range map[string]func(w http.ResponseWriter){
		"301, header": func(w http.ResponseWriter) {
			w.Header().Set("x-amz-bucket-region", "eu-far-2")
			w.WriteHeader(301)
			_, _ = io.WriteString(w, xmlErr("PermanentRedirect"))
		},
		"400, header": func(w http.ResponseWriter) {
			w.Header().Set("x-amz-bucket-region", "eu-far-2")
			w.WriteHeader(400)
		},
		"400, body": func(w http.ResponseWriter) {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-far-2</Region></Error>")
		},
		"301, endpoint": func(w http.ResponseWriter) {
			w.WriteHeader(301)
			_, _ = io.WriteString(w, "<Error><Code>PermanentRedirect</Code><Endpoint>b.s3-eu-far-2.amazonaws.com</Endpoint></Error>")
		},
		"307, location": func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://b.s3.eu-far-2.amazonaws.com/k?x=y")
			w.WriteHeader(307)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var refused, good atomic.Int32
			c, r := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
				far := strings.HasPrefix(r.URL.Path, "/far/")
				body, _ := io.ReadAll(r.Body)
				switch {
				case far && signedFor(r) != "eu-far-2":
					refused.Add(1)
					refuse(w)
				case !far && signedFor(r) != "ap-test" || r.ContentLength > 0 && !strings.Contains(string(body), "Tagging"):
					w.WriteHeader(403)
				default:
					good.Add(1)
				}
			})
			for range 2 {
				for _, b := range []job.Bucket{"far", "near"} {
					ref := ref
					ref.Bucket = b
					if _, err := c.PutTags(t.Context(), ref, []object.Tag{{Key: "a", Value: "b"}}); err != nil {
						t.Fatal(err)
					}
					if _, err := c.Head(t.Context(), ref); err != nil {
						t.Fatal(err)
					}
				}
			}
			if refused.Load() != 1 || good.Load() != 8 || len(r.pauses) != 0 {
				t.Errorf("%d refused, %d good, pauses %v", refused.Load(), good.Load(), r.pauses)
			}
		})
	}
}

// A store that leads in circles, or nowhere, is followed once.
func TestRedirectsThatLeadNowhere(t *testing.T) {
	for name, v := range map[string]struct {
		region func(n int32) string
		calls  int32
	}{
		"from one to the next": {func(n int32) string { return fmt.Sprint("r-", n) }, 2},
		"to where it is":       {func(int32) string { return "ap-test" }, 1},
		"without a name":       {func(int32) string { return "" }, 1},
		"no region's name":     {func(int32) string { return "evil.example" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			c, _ := start(t, S3, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("x-amz-bucket-region", v.region(n.Add(1)))
				w.WriteHeader(301)
			})
			if _, err := c.Head(t.Context(), ref); object.CodeOf(err) != "PermanentRedirect" || object.Retryable(err) || n.Load() != v.calls {
				t.Errorf("%v after %d calls", err, n.Load())
			}
			if p := c.places.of(ref.Bucket); p.region != "" {
				t.Errorf("learnt %q", p.region)
			}
		})
	}
}

// Who asks where a bucket is gets the answer, not what is there.
func TestHeadBucketIsNotLed(t *testing.T) {
	var n atomic.Int32
	c, _ := start(t, S3, func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.Header().Set("x-amz-bucket-region", "eu-far-2")
		w.WriteHeader(301)
	})
	info, err := c.HeadBucket(t.Context(), "b")
	if info.Region != "eu-far-2" || object.CodeOf(err) != "PermanentRedirect" || n.Load() != 1 {
		t.Errorf("%+v, %v after %d calls", info, err, n.Load())
	}
}

// The host of a call that was led on is the endpoint's own with another region, whatever host the store names.
func TestHostOfAnotherRegion(t *testing.T) {
	for _, v := range []struct{ endpoint, want string }{
		{"http://s3.ap-test.amazonaws.com", "b-125.s3.eu-far-2.amazonaws.com"},
		{"http://s3-ap-test.amazonaws.com", "b-125.s3-eu-far-2.amazonaws.com"},
		{"http://s3.dualstack.ap-test.amazonaws.com", "b-125.s3.dualstack.eu-far-2.amazonaws.com"},
		{"http://s3.amazonaws.com", "b-125.s3.eu-far-2.amazonaws.com"},
		{"http://ap-test.store.example:9000", "b-125.eu-far-2.store.example:9000"},
		{"http://store.example", "b-125.store.example"},
		{"http://nots3.amazonaws.com", "b-125.nots3.amazonaws.com"},
	} {
		var hosts []string
		p := &connectProxy{}
		store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hosts = append(hosts, r.Host)
			if signedFor(r) != "eu-far-2" {
				w.Header().Set("Location", "http://s3.eu-far-2.evil.example/")
				w.WriteHeader(307)
			}
		}))
		t.Cleanup(store.Close)
		p.to = store.Listener.Addr().String()
		proxy := httptest.NewServer(p)
		t.Cleanup(proxy.Close)
		c, _ := openAt(t, Options{Endpoint: v.endpoint, MaxAttempts: 1, Proxy: through(t, proxy.URL)})
		if _, err := c.Head(t.Context(), ref); err != nil || len(hosts) != 2 || hosts[1] != v.want {
			t.Errorf("%s: %v, hosts %q, want %q", v.endpoint, err, hosts, v.want)
		}
	}
}
