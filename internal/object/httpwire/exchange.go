package httpwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// exchanger sends a signed request once and brings the answer's head. It has let go of the request when it returns an
// error or, else, when the answer's body is closed.
type exchanger interface {
	exchange(ctx context.Context, rq *request) (*response, error)
	close()
}

// response is an answer. Its body must be read or closed.
type response struct {
	status int
	header fields
	size   int64 // of the body; < 0 = not told
	body   io.ReadCloser
	data   []byte // the body once read
}

// maxData bounds bodies that are kept in memory: a listing of 1,000 keys of 1,024 bytes, encoded, has 4 MiB.
const maxData = 16 << 20

var errTooLong = errors.New("the answer's body is too long")

// read takes the whole body into data.
func (a *response) read() error {
	if a.body == nil {
		return nil
	}
	defer a.body.Close()
	var err error
	if a.data, err = io.ReadAll(io.LimitReader(a.body, maxData+1)); err != nil {
		return err
	}
	if len(a.data) > maxData {
		return errTooLong
	}
	return nil
}

// transport is the exchanger over net/http.
type transport struct {
	rt        *http.Transport
	t         Timeouts
	userAgent string
}

func newTransport(o Options) *transport {
	d := &net.Dialer{Timeout: o.Timeouts.Dial}
	return &transport{t: o.Timeouts, userAgent: o.UserAgent, rt: &http.Transport{
		DialContext:            d.DialContext,
		TLSHandshakeTimeout:    o.Timeouts.Dial,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1 only
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    o.Conns,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true, // an object's bytes are passed on as they are stored
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

func (t *transport) close() { t.rt.CloseIdleConnections() }

var (
	errSilent  = timeoutError("the store sent nothing for too long")
	errTooSlow = timeoutError("the call took too long")
)

type timeoutError string

func (e timeoutError) Error() string { return string(e) }

// Timeout implements net.Error's half that callers look at.
func (timeoutError) Timeout() bool { return true }

func (t *transport) exchange(ctx context.Context, rq *request) (*response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel, stop: func() {}}
	if !rq.stream && rq.body == nil {
		limit := time.AfterFunc(t.t.Call, func() { cancel(errTooSlow) })
		w.stop = func() { limit.Stop() }
	}
	first := t.t.FirstByte
	if rq.slow {
		first = max(first, t.t.Call)
	}
	w.silence = time.AfterFunc(first, func() { cancel(errSilent) })
	hr, up, err := t.request(ctx, rq, w)
	if err != nil {
		w.end()
		return nil, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	res, err := t.rt.RoundTrip(hr)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		w.end()
		up.wait()
		return nil, err
	}
	w.silence.Reset(t.t.IO)
	a := &response{status: res.StatusCode, size: res.ContentLength, header: make(fields, 0, len(res.Header)+1)}
	for name, values := range res.Header {
		a.header = append(a.header, field{strings.ToLower(name), strings.Join(values, ", ")})
	}
	a.body = &watchedBody{ReadCloser: res.Body, w: w, up: up, ctx: ctx, idle: t.t.IO}
	return a, nil
}

func (t *transport) request(ctx context.Context, rq *request, w *watch) (*http.Request, *upload, error) {
	u := &url.URL{Scheme: "http", Host: rq.addr, Path: rq.plain, RawPath: rq.path}
	if rq.tls {
		u.Scheme = "https"
	}
	if at := len(rq.path) + 1; len(rq.target) > at {
		u.RawQuery = rq.target[at:]
	}
	hr := (&http.Request{
		Method: rq.method, URL: u, Host: rq.host, ContentLength: rq.size,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, len(rq.out)+1),
	}).WithContext(ctx)
	if u.EscapedPath() != rq.path {
		return nil, nil, errors.New("its path cannot be written")
	}
	for _, f := range rq.out {
		if f.name != "host" && f.name != "content-length" {
			hr.Header.Set(f.name, f.value)
		}
	}
	hr.Header.Set("User-Agent", t.userAgent)
	var body io.Reader
	switch {
	case rq.size == 0:
		return hr, nil, nil
	case rq.body != nil:
		body = io.LimitReader(rq.body, rq.size)
	default:
		body = strings.NewReader(string(rq.xml))
	}
	up := &upload{Reader: body, w: w, idle: t.t.IO, first: t.t.FirstByte, done: make(chan struct{})}
	hr.Body = up
	return hr, up, nil
}

// watch ends an exchange that stands still.
type watch struct {
	cancel  context.CancelCauseFunc
	silence *time.Timer
	stop    func()
}

func (w *watch) end() {
	w.silence.Stop()
	w.stop()
	w.cancel(nil)
}

// upload is a request's body. net/http may go on reading it after the answer came; wait is over when it has stopped.
type upload struct {
	io.Reader
	w     *watch
	idle  time.Duration
	first time.Duration
	once  sync.Once
	done  chan struct{}
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err == io.EOF {
		u.w.silence.Reset(u.first)
	} else {
		u.w.silence.Reset(u.idle)
	}
	return n, err
}

func (u *upload) Close() error {
	u.once.Do(func() { close(u.done) })
	return nil
}

func (u *upload) wait() {
	if u != nil {
		<-u.done
	}
}

// watchedBody is an answer's body that must not pause for longer than idle.
type watchedBody struct {
	io.ReadCloser
	w    *watch
	up   *upload
	ctx  context.Context
	idle time.Duration
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.w.silence.Reset(b.idle)
	n, err := b.ReadCloser.Read(p)
	// The reader's own pauses are not the store's.
	b.w.silence.Stop()
	if err != nil && err != io.EOF {
		if cause := context.Cause(b.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	b.w.end()
	b.up.wait()
	return err
}
