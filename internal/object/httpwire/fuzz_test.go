package httpwire

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
)

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		empty200,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"e\"\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\nA;q=1\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\n\r\n<Error/>",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
		"HTTP/1.1 200\r\nA:\t b \r\na: c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, isHead bool) {
		method := "GET"
		if isHead {
			method = "HEAD"
		}
		a, body, err := hearAnswer(raw, method, false)
		b, streamed, serr := hearAnswer(raw, method, true)
		if (err == nil) != (serr == nil) || err == nil && (a.status != b.status || body != streamed || !slices.Equal(a.header, b.header)) {
			t.Fatalf("read at once: %v, %q, %v; as a stream: %v, %q, %v", a, body, err, b, streamed, serr)
		}
		if err != nil {
			return // stricter than net/http is fine; laxer is not
		}
		want, wantBody, err := oracle(raw, method)
		if err != nil {
			t.Fatalf("accepted what net/http refuses: %v", err)
		}
		if a.status != want.StatusCode || body != wantBody {
			t.Fatalf("got %d %q, net/http has %d %q", a.status, body, want.StatusCode, wantBody)
		}
		for _, fld := range a.header {
			switch fld.name {
			// net/http moves these out of the header, or cleans them.
			case "transfer-encoding", "content-length", "connection", "trailer":
				continue
			}
			if got := want.Header.Values(fld.name); !slices.Contains(got, fld.value) {
				t.Fatalf("header %q: got %q, net/http has %q", fld.name, fld.value, got)
			}
		}
	})
}

// hearAnswer reads raw as the answer to a call, which takes its body as a stream or leaves it to be kept in memory.
func hearAnswer(raw []byte, method string, stream bool) (*response, string, error) {
	w := newNetwork(Options{Timeouts: Timeouts{}.withDefaults()})
	c := &conn{w: w, nc: &cannedConn{r: bytes.NewReader(raw)}}
	a, err := c.exchange(context.Background(), &request{asked: asked{method: method, target: "/", host: "h", stream: stream}}, time.Now())
	if err != nil {
		return nil, "", err
	}
	if !stream {
		err := a.read()
		return a, string(a.data), err
	}
	b, err := io.ReadAll(a.body)
	return a, string(b), err
}

// oracle reads raw as net/http does, past interim answers.
func oracle(raw []byte, method string) (*http.Response, string, error) {
	r := bufio.NewReader(bytes.NewReader(raw))
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return nil, "", err
		}
		if res.StatusCode < 200 {
			continue
		}
		b, err := io.ReadAll(res.Body)
		return res, string(b), err
	}
}

// cannedConn is a connection that swallows requests and gives prepared bytes.
type cannedConn struct {
	net.Conn
	r io.Reader
}

func (c *cannedConn) Read(p []byte) (int, error) { return c.r.Read(p) }
func (*cannedConn) Write(p []byte) (int, error)  { return len(p), nil }
func (*cannedConn) Close() error                 { return nil }
func (*cannedConn) SetDeadline(time.Time) error  { return nil }
