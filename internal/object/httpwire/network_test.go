package httpwire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

// script is a server that plays one connection after another. Each one is a function of the connection; when there are no
// more, the last one is played again.
type script struct {
	l     net.Listener
	conns atomic.Int32
	wg    sync.WaitGroup
}

func play(t *testing.T, parts ...func(c net.Conn, r *bufio.Reader)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{l: l}
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(s.conns.Add(1)) - 1
			s.wg.Go(func() {
				defer c.Close()
				parts[min(n, len(parts)-1)](c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.wg.Wait()
	})
	return s
}

func (s *script) url() string { return "http://" + s.l.Addr().String() }

// hear reads a request and gives its head and body.
func hear(r *bufio.Reader) (*http.Request, string, bool) {
	rq, err := http.ReadRequest(r)
	if err != nil {
		return nil, "", false
	}
	b, err := io.ReadAll(rq.Body)
	return rq, string(b), err == nil
}

// answers replies to each request with the next text; after the last it closes the connection.
func answers(texts ...string) func(c net.Conn, r *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		for _, s := range texts {
			if _, _, ok := hear(r); !ok {
				return
			}
			_, _ = io.WriteString(c, s)
		}
	}
}

const empty200 = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

func client(t *testing.T, s *script, o Options) *Client {
	t.Helper()
	o.Endpoint = s.url()
	c, _ := openAt(t, o)
	t.Cleanup(c.Close)
	return c
}

func TestConnectionsAreKept(t *testing.T) {
	s := play(t, answers(empty200, empty200, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: v\r\n\r\n", empty200))
	c := client(t, s, Options{MaxAttempts: 1})
	for i := range 4 {
		if i == 2 {
			body, _, err := c.Get(t.Context(), ref, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(body)
			if string(b) != "abc" || err != nil || body.Close() != nil {
				t.Fatalf("got %q, %v", b, err)
			}
			continue
		}
		if _, err := c.Head(t.Context(), ref); err != nil {
			t.Fatal(i, err)
		}
	}
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestConnectionsThatAreNotKept(t *testing.T) {
	for name, answer := range map[string]string{
		"asked to close":  "HTTP/1.1 200 OK\r\nConnection: Keep-Alive, CLOSE\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0":        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"more than asked": empty200 + "HTTP/1.1 500 No\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, func(c net.Conn, r *bufio.Reader) {
				if _, _, ok := hear(r); ok {
					_, _ = io.WriteString(c, answer)
				}
				_, _ = io.Copy(io.Discard, r) // until the client closes
			})
			c := client(t, s, Options{MaxAttempts: 1})
			for range 3 {
				if _, err := c.Head(t.Context(), ref); err != nil {
					t.Fatal(err)
				}
			}
			if n := s.conns.Load(); n != 3 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// A store that closes connections after each answer without saying so is taken calmly: no attempt is used up.
func TestClosedWhileIdle(t *testing.T) {
	s := play(t, answers(empty200))
	c := client(t, s, Options{MaxAttempts: 1})
	for i := range 5 {
		body := fmt.Sprint("body ", i)
		_, err := c.Put(t.Context(), object.PutRequest{Bucket: "b", Key: "k", Body: strings.NewReader(body), Size: int64(len(body))})
		if err != nil {
			t.Fatal(i, err)
		}
	}
	if n := s.conns.Load(); n != 5 {
		t.Errorf("%d connections", n)
	}
}

func TestOnceIsOnce(t *testing.T) {
	s := play(t, answers(empty200))
	c := client(t, s, Options{})
	if _, err := c.Head(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	// The idle connection is closed by now, or will be under the call: either way nothing tells that it was not carried out.
	_, err := c.Copy(t.Context(), object.CopyRequest{Source: ref, Bucket: ref.Bucket, Key: ref.Key, IfMatch: "e"})
	if !object.Retryable(err) || object.CodeOf(err) != object.CodeConnection || s.conns.Load() != 1 {
		t.Errorf("%v over %d connections", err, s.conns.Load())
	}
}

// What a store says unasked must not become the next call's answer.
func TestUnaskedAnswer(t *testing.T) {
	said := make(chan struct{})
	s := play(t, func(c net.Conn, r *bufio.Reader) {
		if _, _, ok := hear(r); ok {
			_, _ = io.WriteString(c, empty200)
			_, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
			close(said)
		}
		_, _ = io.Copy(io.Discard, r)
	}, answers("HTTP/1.1 200 OK\r\nETag: \"second\"\r\nContent-Length: 0\r\n\r\n"))
	c := client(t, s, Options{MaxAttempts: 1})
	later := time.Now()
	c.wire.now = func() time.Time { return later }
	if _, err := c.Head(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	<-said
	later = later.Add(2 * doubtAfter)
	i, err := c.Head(t.Context(), ref)
	if err != nil || i.ETag != "second" {
		t.Errorf("got %+v, %v", i, err)
	}
}

func TestOldConnectionsAreClosed(t *testing.T) {
	s := play(t, answers(empty200, empty200, empty200))
	c := client(t, s, Options{MaxAttempts: 1})
	later := time.Now()
	c.wire.now = func() time.Time { return later }
	for range 2 {
		if _, err := c.Head(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		later = later.Add(idleFor + time.Second)
	}
	if n := s.conns.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	c.Close()
	if _, err := c.Head(t.Context(), ref); err != nil {
		t.Fatal(err) // calls after Close work, over connections that are not kept
	}
	if n := len(c.wire.idle); n != 0 {
		t.Errorf("%d idle after Close", n)
	}
}

func TestInterimAnswersAreSkipped(t *testing.T) {
	s := play(t, answers("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 12\r\nETag: e\r\n\r\n"))
	c := client(t, s, Options{MaxAttempts: 1})
	if i, err := c.Head(t.Context(), ref); err != nil || i.ETag != "e" || i.Size != 12 {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	for name, answer := range map[string]string{
		"no HTTP":            "SSH-2.0-x\r\n\r\n",
		"HTTP/2":             "HTTP/2.0 200 OK\r\n\r\n",
		"status of letters":  "HTTP/1.1 2xx OK\r\n\r\n",
		"status of 4 digits": "HTTP/1.1 2000 OK\r\n\r\n",
		"bare LF":            "HTTP/1.1 200 OK\nContent-Length: 0\n\r\n\r\n",
		"folded line":        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
		"blank before colon": "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
		"NUL in a value":     "HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
		"two lengths":        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"signed length":      "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
		"length and chunks":  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"other encoding":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"101":                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"endless interim":    strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50),
		"endless head":       "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 2*maxHead) + "\r\n\r\n",
		"too many headers":   "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxFields+1) + "\r\n",
		"bad chunk size":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
		"chunk too long":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
		"huge chunk size":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
		"endless chunk line": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 2*maxLine) + "\r\na\r\n0\r\n\r\n",
		"cut body":           "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
		"cut chunks":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		"body beyond bounds": "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
		"cut head":           "HTTP/1.1 200 OK\r\nA: b\r\n",
		"nothing":            "",
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, answers(answer))
			c := client(t, s, Options{MaxAttempts: 1})
			_, err := c.Tags(t.Context(), ref)
			if object.CodeOf(err) != object.CodeConnection || object.StatusOf(err) != 0 {
				t.Errorf("got %v", err)
			}
			if len(c.wire.idle) != 0 {
				t.Error("the connection was kept")
			}
		})
	}
}

// The last door before the network, whatever the calls above let through.
func TestUnsendable(t *testing.T) {
	good := func() *request {
		return &request{asked: asked{method: "GET", target: "/k", host: "h", addr: "127.0.0.1:1"}, out: fields{{"a", "b"}}}
	}
	if err := sendable(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(rq *request){
		"method":         func(rq *request) { rq.method = "GET /x HTTP/1.1\r\nA: b\r\n\r\nGET" },
		"target":         func(rq *request) { rq.target = "/k HTTP/1.1\r\nA: b" },
		"no target":      func(rq *request) { rq.target = "" },
		"foreign target": func(rq *request) { rq.target = "http://other/k" },
		"raw bytes":      func(rq *request) { rq.target = "/\xc3\xbc" },
		"host":           func(rq *request) { rq.host = "h\r\nA: b" },
		"no host":        func(rq *request) { rq.host = "" },
		"host with path": func(rq *request) { rq.host = "h/x" },
		"host with user": func(rq *request) { rq.host = "u@h" },
		"header's value": func(rq *request) { rq.out[0].value = "b\r\nC: d" },
		"header's name":  func(rq *request) { rq.out[0].name = "a: b\r\nc" },
		"CR alone":       func(rq *request) { rq.out[0].value = "b\rc" },
		"LF alone":       func(rq *request) { rq.out[0].value = "b\nc" },
		"a line less":    func(rq *request) { rq.out = append(rq.out, field{"host", "b\r\nC: d"}, field{"x", "\r\n"}) },
	} {
		rq := good()
		spoil(rq)
		_, err := newNetwork(Options{}).exchange(t.Context(), rq)
		if !errors.Is(err, errUnsendable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeadersThatCannotBeSet(t *testing.T) {
	for _, f := range []field{
		{"a", "b\r\nc: d"},
		{"a", "\x00"},
		{"a", "0123456\x7f"},
		{"a", "0123456789abcdef\n"},
		{"a", "b\rc"},
		{"a", "éééé\x1féééé"},
		{"", "b"},
		{"a b", "c"},
		{"a:", "b"},
		{"A", "b"},
		{"a\r\nb", "c"},
	} {
		rq := &request{}
		if rq.set(f.name, f.value); rq.err == nil {
			t.Errorf("%q was set", f)
		}
	}
	rq := &request{}
	for _, f := range []field{{"a", ""}, {"a-1", " \tb\tc "}, {"x", "日本語 ~ÿ\xff, more of it"}} {
		rq.set(f.name, f.value)
	}
	if rq.err != nil || rq.header[1].value != "b\tc" {
		t.Error(rq.err, rq.header)
	}
}

// The checks of eight bytes at a time agree with those of one.
func TestChecksOfText(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			b := []byte("aaaaaaaaaa0aaaaaaaaa")
			b[at] = byte(c)
			s := string(b)
			if want := c >= ' ' && c != 0x7f || c == '\t'; validValue(s) != want {
				t.Errorf("value %q: %v", s, !want)
			}
			if want := c > ' ' && c < 0x7f; printable(s) != want {
				t.Errorf("printable %q: %v", s, !want)
			}
		}
	}
}

func TestHeadOnTheWire(t *testing.T) {
	rq := &request{asked: asked{method: "PUT", target: "/k?a=", host: "h", size: 3}, out: fields{{"host", "h"}, {"x-a", "é"}, {"content-length", "3"}}}
	got := string(appendHead(nil, rq, "agent"))
	want := "PUT /k?a= HTTP/1.1\r\nhost: h\r\nuser-agent: agent\r\nx-a: é\r\ncontent-length: 3\r\n\r\n"
	if got != want {
		t.Errorf("got %q", got)
	}
}

func TestLargeBodiesBothWays(t *testing.T) {
	const size = 3<<20 + 7
	want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	var got string
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case "PUT":
			got = readAll(r)
		case "GET":
			w.Header().Set("ETag", `"e"`)
			_, _ = w.Write(want) // in chunks
		}
	})
	if _, err := c.Put(t.Context(), object.PutRequest{Bucket: "b", Key: "k", Body: bytes.NewReader(want), Size: size}); err != nil || got != string(want) {
		t.Fatalf("%v, %d bytes", err, len(got))
	}
	body, _, err := c.Get(t.Context(), ref, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if !bytes.Equal(b, want) || err != nil {
		t.Errorf("%v, %d bytes", err, len(b))
	}
}

// A store may refuse a body before it has all of it, and close.
func TestEarlyRefusal(t *testing.T) {
	s := play(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 403 No\r\nContent-Length: 52\r\n\r\n<Error><Code>QuotaExceeded</Code><Message/></Error>  ")
		}
		if tc, ok := c.(*net.TCPConn); ok {
			_ = tc.CloseWrite()
		}
		_, _ = io.CopyN(io.Discard, r, 1<<20)
	})
	c := client(t, s, Options{MaxAttempts: 1})
	const size = 1 << 20
	body := bytes.NewReader(make([]byte, size))
	_, err := c.Put(t.Context(), object.PutRequest{Bucket: "b", Key: "k", Body: body, Size: size})
	if object.CodeOf(err) != "QuotaExceeded" {
		t.Error(err)
	}
}

func TestCancelWhileReadingABody(t *testing.T) {
	s := play(t, func(c net.Conn, r *bufio.Reader) {
		if _, _, ok := hear(r); ok {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
		}
		_, _ = io.Copy(io.Discard, r)
	})
	c := client(t, s, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	body, _, err := c.Get(ctx, ref, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b := make([]byte, 5)
	if _, err := io.ReadFull(body, b); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := body.Read(b); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	var n atomic.Int32
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		if r.ProtoMajor != 1 || r.TLS.Version < tls.VersionTLS12 {
			t.Errorf("%s, TLS %x", r.Proto, r.TLS.Version)
		}
	}))
	t.Cleanup(srv.Close)
	c, _ := openAt(t, Options{Endpoint: srv.URL, MaxAttempts: 1})
	c.wire.tls.RootCAs = x509.NewCertPool()
	c.wire.tls.RootCAs.AddCert(srv.Certificate())
	for range 3 {
		if _, err := c.Head(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range c.wire.idle {
		for _, conn := range p.conns {
			if !conn.quiet() {
				t.Error("an idle TLS connection is taken for a talking one")
			}
		}
	}
	if _, err := c.Head(t.Context(), ref); err != nil {
		t.Error(err)
	}
	// A good certificate, for another name.
	other, _ := openAt(t, Options{Endpoint: strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), MaxAttempts: 1})
	other.wire.tls.RootCAs = c.wire.tls.RootCAs
	if _, err := other.Head(t.Context(), ref); err == nil || object.Retryable(err) {
		t.Error(err)
	}
	if n.Load() != 4 {
		t.Errorf("%d calls", n.Load())
	}
}

func TestManyCallsShareConnections(t *testing.T) {
	var mu sync.Mutex
	open := map[string]bool{}
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		open[r.RemoteAddr] = true
		mu.Unlock()
		w.Header().Set("ETag", `"`+r.Header.Get("Range")+`"`)
		_, _ = fmt.Fprintf(w, "%0*d", 4096, 7)
	})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				n := int64(g*100 + i)
				body, info, err := c.Get(t.Context(), ref, n, 5)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(body)
				body.Close()
				body.Close() // twice: it must not touch who has the connection now
				if want := fmt.Sprintf("bytes=%d-%d", n, n+4); info.ETag != want || err != nil || len(b) != 5 {
					t.Errorf("got %s, %v, %d bytes; want %s", info.ETag, err, len(b), want)
				}
			}
		})
	}
	wg.Wait()
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	w := newNetwork(Options{Conns: 2})
	for range 5 {
		a, b := net.Pipe()
		t.Cleanup(func() { b.Close() })
		w.put(&conn{w: w, nc: a, key: poolKey{addr: "x"}, old: time.Now().Add(time.Hour)})
	}
	if n := len(w.idle[poolKey{addr: "x"}].conns); n != 2 {
		t.Errorf("%d idle", n)
	}
}
