package httpwire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

func xmlErr(code string) string {
	return "<?xml version=\"1.0\"?>\n<Error><Code>" + code + "</Code><Message>text</Message><RequestId>r1</RequestId></Error>"
}

func TestClassesOfAnswers(t *testing.T) {
	for _, v := range []struct {
		status   int
		body     string
		code     string
		class    object.Class
		attempts int32
	}{
		{503, xmlErr("SlowDown"), "SlowDown", object.Throttle, 15},
		{503, "", "ServiceUnavailable", object.Throttle, 15},
		{429, "", "TooManyRequests", object.Throttle, 15},
		{400, xmlErr("RequestLimitExceeded"), "RequestLimitExceeded", object.Throttle, 15},
		{500, xmlErr("InternalError"), "InternalError", object.Transient, 3},
		{500, xmlErr("Strange"), "Strange", object.Transient, 3},
		{502, "<html>bad gateway</html>", "HTTP502", object.Transient, 3},
		{504, "gateway\x00timeout", "HTTP504", object.Transient, 3},
		{400, xmlErr("RequestTimeout"), "RequestTimeout", object.Transient, 3},
		{409, xmlErr("OperationAborted"), "OperationAborted", object.Transient, 3},
		{403, xmlErr("AccessDenied"), "AccessDenied", object.Permanent, 1},
		{403, xmlErr("InvalidObjectState"), "InvalidObjectState", object.Permanent, 1},
		{404, xmlErr("NoSuchKey"), "NoSuchKey", object.Permanent, 1},
		{412, "", "PreconditionFailed", object.Permanent, 1},
		{409, xmlErr("RestoreAlreadyInProgress"), "RestoreAlreadyInProgress", object.Permanent, 1},
		{501, xmlErr("NotImplemented"), "NotImplemented", object.Permanent, 1},
		{301, xmlErr("PermanentRedirect"), "PermanentRedirect", object.Permanent, 1},
		{200, xmlErr("InternalError"), "InternalError", object.Transient, 3},
		{200, xmlErr("SlowDown"), "SlowDown", object.Throttle, 15},
		{200, xmlErr("AccessDenied"), "AccessDenied", object.Permanent, 1},
		{200, "", "InvalidResponse", object.Transient, 3},
		{200, "<CopyObjectResult><ETag>\"e\"</ETag>", "InvalidResponse", object.Transient, 3},
	} {
		t.Run(fmt.Sprint(v.status, " ", v.code), func(t *testing.T) {
			var n atomic.Int32
			c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				w.WriteHeader(v.status)
				_, _ = w.Write([]byte(v.body))
			})
			c.o.MaxAttempts = 3
			_, err := c.Copy(t.Context(), object.CopyRequest{Source: ref, Bucket: "b", Key: "k"})
			e, ok := errors.AsType[*object.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if e.Code != v.code || e.Class != v.class || e.Status != v.status || n.Load() != v.attempts {
				t.Errorf("got %s class %d status %d after %d attempts", e.Code, e.Class, e.Status, n.Load())
			}
		})
	}
}

// A HEAD's answer has no body, so that the status must do.
func TestHeadCodes(t *testing.T) {
	for _, v := range []struct {
		status                int
		marker                bool
		onObject, onBucket    string
		message, notInMessage string
	}{
		{404, false, "NoSuchKey", "NoSuchBucket", "", "marker"},
		{403, false, "AccessDenied", "AccessDenied", "", ""},
		{412, false, "PreconditionFailed", "PreconditionFailed", "", ""},
		{304, false, "NotModified", "NotModified", "", ""},
		{400, false, "BadRequest", "BadRequest", "", ""},
		{404, true, "NoSuchKey", "NoSuchKey", "delete marker", ""},
		{405, true, "NoSuchKey", "NoSuchKey", "delete marker", ""},
		{405, false, "MethodNotAllowed", "MethodNotAllowed", "", ""},
		{501, false, "NotImplemented", "NotImplemented", "", ""},
	} {
		c, _ := start(t, COS, func(w http.ResponseWriter, r *http.Request) {
			if v.marker {
				w.Header().Set("x-cos-delete-marker", "true")
			}
			w.Header().Set("x-cos-request-id", "id7")
			w.WriteHeader(v.status)
		})
		_, err := c.Head(t.Context(), ref)
		e, _ := errors.AsType[*object.Error](err)
		if e == nil || e.Code != v.onObject || e.Status != v.status || !strings.Contains(e.Message, v.message) || e.RequestID != "id7" {
			t.Errorf("%d: Head: %v", v.status, err)
		}
		if _, err := c.HeadBucket(t.Context(), "b"); object.CodeOf(err) != v.onBucket {
			t.Errorf("%d: HeadBucket: %v", v.status, err)
		}
	}
}

func TestRetryThenSuccess(t *testing.T) {
	var n atomic.Int32
	var bodies []string
	c, r := start(t, S3, func(w http.ResponseWriter, req *http.Request) {
		b := new(strings.Builder)
		_, _ = fmt.Fprint(b, readAll(req))
		bodies = append(bodies, b.String())
		switch n.Add(1) {
		case 1:
			w.WriteHeader(500)
		case 2:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(503)
		case 3:
			rawAnswer(w, "HTTP/1.") // broken off
		default:
			w.Header().Set("ETag", `"e1"`)
		}
	})
	body := strings.NewReader("skipped|content")
	_, _ = body.Seek(8, 0)
	res, err := c.Put(t.Context(), object.PutRequest{Bucket: "b", Key: "k", Body: body, Size: 7})
	if err != nil || res.ETag != "e1" {
		t.Fatal(res, err)
	}
	if want := []string{"content", "content", "content", "content"}; !slices.Equal(bodies, want) {
		t.Errorf("bodies %q", bodies)
	}
	want := []time.Duration{50 * time.Millisecond, 7 * time.Second, 200 * time.Millisecond}
	if !slices.Equal(r.pauses, want) {
		t.Errorf("pauses %v, want %v", r.pauses, want)
	}
}

func TestBackoffIsBounded(t *testing.T) {
	c, r := start(t, S3, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	c.o.MaxAttempts = 12
	_, err := c.Head(t.Context(), ref)
	if !object.Retryable(err) || len(r.pauses) != 11 {
		t.Fatal(err, r.pauses)
	}
	for i, p := range r.pauses {
		if want := min(5*time.Second, 50*time.Millisecond<<i); p != want {
			t.Errorf("pause %d is %v, want %v", i, p, want)
		}
	}
}

func TestLongRetryAfterIsTheCallersToWait(t *testing.T) {
	c, r := start(t, S3, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
		w.Header().Set("Retry-After", "Mon, 02 Jan 2006 15:14:05 GMT")
		w.WriteHeader(503)
	})
	_, err := c.Head(t.Context(), ref)
	e, _ := errors.AsType[*object.Error](err)
	if e == nil || e.RetryAfter != 10*time.Minute || len(r.pauses) != 0 {
		t.Errorf("%v after %v", err, r.pauses)
	}
}

func TestContextEndsWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := start(t, S3, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	c.sleep = func(ctx context.Context, d time.Duration) error {
		cancel()
		return sleep(ctx, time.Hour)
	}
	_, err := c.Head(ctx, ref)
	if !errors.Is(err, context.Canceled) || !object.Retryable(err) || object.StatusOf(err) != 503 {
		t.Errorf("got %v", err)
	}
}

func TestContextEndsCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, r := start(t, S3, func(w http.ResponseWriter, req *http.Request) {
		cancel()
		<-req.Context().Done()
	})
	_, err := c.Head(ctx, ref)
	if !errors.Is(err, context.Canceled) || len(r.pauses) != 0 {
		t.Errorf("got %v after %v", err, r.pauses)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	c, r := openAt(t, Options{Endpoint: url, MaxAttempts: 2})
	_, err = c.Head(t.Context(), ref)
	if object.CodeOf(err) != object.CodeConnection || !object.Retryable(err) || object.StatusOf(err) != 0 || len(r.pauses) != 1 {
		t.Errorf("got %v after %v", err, r.pauses)
	}
}

func TestUntrustedCertificateIsPermanent(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a call got through") }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake is meant to fail
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c, r := openAt(t, Options{Endpoint: srv.URL})
	_, err := c.Head(t.Context(), ref)
	if object.CodeOf(err) != object.CodeConnection || object.Retryable(err) || len(r.pauses) != 0 {
		t.Errorf("got %v after %v", err, r.pauses)
	}
}

func TestSilentStoreTimesOut(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	c, _ := openAt(t, Options{Endpoint: srv.URL, MaxAttempts: 1, Timeouts: Timeouts{FirstByte: time.Millisecond, Call: time.Millisecond}})
	for name, f := range map[string]func() error{
		"head": func() error { _, err := c.Head(t.Context(), ref); return err },
		"copy": func() error {
			_, err := c.Copy(t.Context(), object.CopyRequest{Source: ref, Bucket: "b", Key: "k"})
			return err
		},
		"put": func() error {
			_, err := c.Put(t.Context(), object.PutRequest{Bucket: "b", Key: "k", Body: strings.NewReader("x"), Size: 1})
			return err
		},
	} {
		var timeout interface{ Timeout() bool }
		if err := f(); !object.Retryable(err) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClockIsLearntOnce(t *testing.T) {
	for _, d := range []Dialect{S3, COS} {
		t.Run(string(d), func(t *testing.T) {
			server := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
			var n, good atomic.Int32
			c, r := start(t, d, func(w http.ResponseWriter, req *http.Request) {
				n.Add(1)
				w.Header().Set("Date", server.UTC().Format(httpDate))
				if !near(d, req, server) {
					w.WriteHeader(403)
					_, _ = w.Write([]byte(xmlErr("RequestTimeTooSkewed")))
					return
				}
				good.Add(1)
			})
			for range 2 {
				if _, err := c.Head(t.Context(), ref); err != nil {
					t.Fatal(err)
				}
			}
			if n.Load() != 3 || good.Load() != 2 || len(r.pauses) != 0 {
				t.Errorf("%d calls, %d good, pauses %v", n.Load(), good.Load(), r.pauses)
			}
		})
	}
}

// near reports whether a request is signed for a time around at.
func near(d Dialect, req *http.Request, at time.Time) bool {
	if d == S3 {
		got, err := time.Parse("20060102T150405Z", req.Header.Get("X-Amz-Date"))
		return err == nil && got.Sub(at).Abs() < time.Minute
	}
	var from, to int64
	_, span, _ := strings.Cut(req.Header.Get("Authorization"), "q-sign-time=")
	_, err := fmt.Sscanf(span, "%d;%d&", &from, &to)
	return err == nil && from <= at.Unix() && at.Unix() < to
}

func TestRefusalThatNoClockExplains(t *testing.T) {
	var n atomic.Int32
	c, _ := start(t, S3, func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.Header().Set("Date", time.Now().Add(5*time.Minute).UTC().Format(httpDate))
		w.WriteHeader(403)
	})
	if _, err := c.Head(t.Context(), ref); object.CodeOf(err) != object.CodeAccessDenied || n.Load() != 1 {
		t.Errorf("%v after %d attempts", err, n.Load())
	}
}

// After an attempt without an answer, the next answer may be about what that attempt did.
func TestLostAnswers(t *testing.T) {
	for _, v := range []struct {
		name  string
		then  int
		code  string
		call  func(c *Client) (int, error)
		want  int
		fails string
		calls int32
	}{
		{"restore in progress", 409, "RestoreAlreadyInProgress", func(c *Client) (int, error) {
			return c.Restore(context.Background(), object.RestoreRequest{Ref: ref, Days: 1, Tier: "Bulk"})
		}, 202, "", 2},
		{"restore of another object state", 403, "InvalidObjectState", func(c *Client) (int, error) {
			return c.Restore(context.Background(), object.RestoreRequest{Ref: ref, Days: 1, Tier: "Bulk"})
		}, 0, "InvalidObjectState", 2},
		{"deleted version", 404, "NoSuchVersion", func(c *Client) (int, error) {
			r, err := c.Delete(context.Background(), object.Ref{Bucket: "b", Key: "k", Version: "v"})
			return r.HTTPStatus, err
		}, 204, "", 2},
		{"bucket that is not there", 404, "NoSuchBucket", func(c *Client) (int, error) {
			r, err := c.Delete(context.Background(), ref)
			return r.HTTPStatus, err
		}, 0, "NoSuchBucket", 2},
		{"self copy under a condition", 412, "PreconditionFailed", func(c *Client) (int, error) {
			r, err := c.Copy(context.Background(), object.CopyRequest{Source: ref, Bucket: ref.Bucket, Key: ref.Key, IfMatch: "e"})
			return r.HTTPStatus, err
		}, 0, object.CodeConnection, 1},
	} {
		t.Run(v.name, func(t *testing.T) {
			var n atomic.Int32
			c, _ := start(t, S3, func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1) == 1 {
					hj, _, _ := w.(http.Hijacker).Hijack()
					_ = hj.Close()
					return
				}
				w.WriteHeader(v.then)
				_, _ = w.Write([]byte(xmlErr(v.code)))
			})
			got, err := v.call(c)
			// net/http may repeat a DELETE by itself: count at least.
			if got != v.want || object.CodeOf(err) != v.fails || n.Load() < v.calls {
				t.Errorf("got %d, %v after %d calls", got, err, n.Load())
			}
		})
	}
}

// Without a lost answer the same codes are failures.
func TestPlainRestoreInProgressIsAFailure(t *testing.T) {
	c, _ := start(t, S3, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(409)
		_, _ = w.Write([]byte(xmlErr("RestoreAlreadyInProgress")))
	})
	_, err := c.Restore(t.Context(), object.RestoreRequest{Ref: ref, Days: 1, Tier: "Bulk"})
	if object.CodeOf(err) != object.CodeRestoreInProgress {
		t.Error(err)
	}
}

func TestCredentialsErrors(t *testing.T) {
	c, _ := start(t, S3, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	c.o.Credentials = func(context.Context) (Credentials, error) { return Credentials{}, errors.New("no such role") }
	if _, err := c.Head(t.Context(), ref); object.CodeOf(err) != "CredentialsError" || object.Retryable(err) {
		t.Error(err)
	}
	c.o.Credentials = func(context.Context) (Credentials, error) { return Credentials{}, &net.DNSError{IsTimeout: true} }
	if _, err := c.Head(t.Context(), ref); !object.Retryable(err) {
		t.Error(err)
	}
	c.o.Credentials = static("a\r\nb", "s")
	if _, err := c.Head(t.Context(), ref); object.Retryable(err) {
		t.Error(err)
	}
}

func TestForeignTextIsBounded(t *testing.T) {
	c, _ := start(t, S3, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", strings.Repeat("C", 5000), strings.Repeat("é", 5000))
	})
	_, _, err := c.Get(t.Context(), ref, 0, -1)
	e, _ := errors.AsType[*object.Error](err)
	if e == nil || len(e.Code) != 128 || len(e.Message) != 1024 {
		t.Errorf("code of %d bytes, message of %d", len(e.Code), len(e.Message))
	}
}

func readAll(r *http.Request) string {
	b := new(strings.Builder)
	buf := make([]byte, 512)
	for {
		n, err := r.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}
