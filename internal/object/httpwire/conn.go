package httpwire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/object/sockets"
)

// conn is one connection to a store. Owned by one call at a time.
type conn struct {
	w     *network
	key   poolKey
	nc    net.Conn
	sock  *sockets.Conn // below nc; nil where that is not over TCP
	plain *sockets.Conn // nc itself; nil over TLS
	used  int           // calls that it has served

	buf  []byte          // what was read and not yet taken is buf[r:n]
	lent *sockets.Buffer // that buf is of; nil = memory of its own
	r, n int
	out  []byte // for parts of streamed bodies

	ctx      context.Context
	until    time.Time // the present call does not go on past it; zero = none
	deadline time.Time // that nc has
	heard    bool      // some of an answer to the present call came

	// One watch over a context serves all calls that follow each other under it, or under contexts that end with it.
	done  <-chan struct{} // of the context that is watched; nil = none
	stop  func() bool     // ends the watch
	watch uint64          // its number
	call  atomic.Uint64   // the number of the watch that a call under way is under; 0 = none

	spent bool      // not to be used again
	since time.Time // its last call began
	old   time.Time // from then on not kept
}

// aLongTimeAgo makes pending reads and writes end.
var aLongTimeAgo = time.Unix(1, 0)

// begin takes over a call's context and bounds.
func (c *conn) begin(ctx context.Context, rq *request, now time.Time) {
	c.ctx, c.heard, c.until = ctx, false, time.Time{}
	c.since = now
	if !rq.stream && rq.body == nil {
		c.until = now.Add(c.w.t.Call)
	}
	if done := ctx.Done(); done != c.done || c.watch == 0 {
		c.observe(ctx, done)
	}
	c.call.Store(c.watch)
}

// observe makes the end of ctx interrupt calls, instead of the end of what was watched before.
func (c *conn) observe(ctx context.Context, done <-chan struct{}) {
	c.unobserve()
	c.done = done
	c.watch++
	if done == nil {
		return
	}
	watch := c.watch
	c.stop = context.AfterFunc(ctx, func() {
		if c.call.Load() == watch {
			_ = c.nc.SetDeadline(aLongTimeAgo)
		}
	})
}

// unobserve ends the watch. Where the context has just ended, its function may still come: it finds another watch, or no
// call.
func (c *conn) unobserve() {
	if c.stop != nil {
		c.stop()
	}
	c.done, c.stop = nil, nil
}

// end lets go of the call's context and reports whether it left the connection alone.
func (c *conn) end() bool {
	c.call.Store(0)
	// In this order: the function of a context that ends after this line finds no call.
	ok := c.ctx.Err() == nil
	c.ctx = nil
	return ok
}

// bound sets the deadline of what comes next, which is kept to within an eighth of the time.
func (c *conn) bound(d time.Duration) error { return c.boundFrom(c.w.now(), d) }

func (c *conn) boundFrom(now time.Time, d time.Duration) error {
	if !c.until.IsZero() {
		d = min(d, c.until.Sub(now))
	}
	// To set a deadline takes as long as to sign a call: where the one that is set is not too early and not much too late,
	// it stays.
	if at := now.Add(d); c.deadline.Before(at) || c.deadline.After(at.Add(d/8)) {
		at = at.Add(d / 8)
		if err := c.nc.SetDeadline(at); err != nil {
			return err
		}
		c.deadline = at
	}
	// A context that ended before the lines above had its deadline replaced.
	return c.ctx.Err()
}

// exchange sends rq and reads the answer's head; now is about when it begins. With an error the connection is of no further use.
func (c *conn) exchange(ctx context.Context, rq *request, now time.Time) (*response, error) {
	c.begin(ctx, rq, now)
	wait := c.w.t.FirstByte
	if rq.slow {
		wait = max(wait, c.w.t.Call)
	}
	if rq.body == nil && c.sock != nil {
		// One bound does for a request that goes out at once.
		err := c.boundFrom(now, wait)
		if err == nil {
			err = c.post(rq)
		}
		if err != nil {
			return nil, err
		}
		return c.receive(rq)
	}
	if err := c.boundFrom(now, max(wait, c.w.t.IO)); err != nil {
		return nil, err
	}
	if err := c.send(rq); err != nil {
		// A store may refuse a body before it has all of it. Its answer says more than the broken connection.
		if rq.body == nil || ctx.Err() != nil || c.bound(time.Second) != nil {
			return nil, err
		}
		c.spent = true
		if a, aerr := c.receive(rq); aerr == nil && a.status >= 300 {
			return a, nil
		}
		return nil, err
	}
	if err := c.bound(wait); err != nil {
		return nil, err
	}
	return c.receive(rq)
}

// post has a request go out when its answer is waited for, together with those of other connections.
func (c *conn) post(rq *request) error {
	if c.plain != nil {
		c.plain.Post(rq.wire, rq.over)
		return nil
	}
	c.sock.PostNext(rq.over)
	return c.send(rq)
}

// compose writes what goes out: the head, and a body that is in memory.
func (rq *request) compose(agent string) error {
	at := len(rq.text.b)
	rq.text.b = appendHead(rq.text.b, rq, agent)
	// Each header was looked at when it was set. This is the last door: a line more than the headers are would be a header,
	// or a whole request, that nobody meant.
	lines := len(rq.out) + headLines
	for _, f := range rq.out {
		if f.name == "host" || f.name == "content-length" {
			lines--
		}
	}
	if rq.hasLength() {
		lines++
	}
	head := rq.text.b[at:]
	if bytes.Count(head, []byte("\n")) != lines || bytes.Count(head, []byte("\r")) != lines {
		return errors.New("it has a header that no line can carry")
	}
	rq.text.b = append(rq.text.b, rq.xml...)
	rq.wire = rq.text.b[at:]
	return nil
}

// headLines are those of every head: the request line, host, user-agent and the empty one.
const headLines = 4

// hasLength reports whether the request says how long its body is.
func (rq *request) hasLength() bool { return rq.size > 0 || rq.method == "PUT" || rq.method == "POST" }

// appendHead writes a request's head.
func appendHead(b []byte, rq *request, agent string) []byte {
	b = append(b, rq.method...)
	b = append(b, ' ')
	b = append(b, rq.target...)
	b = append(b, " HTTP/1.1\r\nhost: "...)
	b = append(b, rq.host...)
	b = append(b, "\r\nuser-agent: "...)
	b = append(b, agent...)
	for _, f := range rq.out {
		if f.name == "host" || f.name == "content-length" {
			continue
		}
		b = append(b, "\r\n"...)
		b = append(b, f.name...)
		b = append(b, ": "...)
		b = append(b, f.value...)
	}
	if rq.hasLength() {
		b = append(b, "\r\ncontent-length: "...)
		b = strconv.AppendInt(b, rq.size, 10)
	}
	return append(b, "\r\n\r\n"...)
}

// bodyBuffer is how much of a streamed body is sent at a time.
const bodyBuffer = 64 << 10

func (c *conn) send(rq *request) error {
	if rq.body == nil {
		_, err := c.nc.Write(rq.wire)
		return err
	}
	c.out = append(c.out[:0], rq.wire...)
	left := rq.size
	for {
		room := min(left, int64(bodyBuffer))
		at := len(c.out)
		c.out = append(c.out, make([]byte, room)...)
		if _, err := io.ReadFull(rq.body, c.out[at:]); err != nil {
			return &bodyError{err}
		}
		left -= room
		if _, err := c.nc.Write(c.out); err != nil {
			return err
		}
		c.out = c.out[:0]
		if left == 0 {
			return nil
		}
		if err := c.bound(c.w.t.IO); err != nil {
			return err
		}
	}
}

// bodyError is the failure of the caller's own body.
type bodyError struct{ error }

func (e *bodyError) Unwrap() error { return e.error }

// receive reads the head of the final answer and makes its body ready.
func (c *conn) receive(rq *request) (*response, error) {
	for range maxInterim {
		raw, err := c.readHead()
		if err != nil {
			return nil, err
		}
		a := &rq.answer
		a.reset()
		h, err := parseHead(raw, a.header)
		if err != nil {
			return nil, err
		}
		a.header = h.header
		switch {
		case h.status == 101:
			return nil, malformed("it changes the protocol")
		case h.status < 200:
			continue
		}
		size, err := h.framing(rq.method)
		if err != nil {
			return nil, err
		}
		a.status, a.size = h.status, max(size, -1)
		a.net = netBody{c: c, left: size, keep: h.keep && size != untilClose && !c.spent}
		a.body = &a.net
		if !c.handOver(rq, size) {
			if err := a.keepHead(raw, rq.keeps); err != nil {
				return nil, err
			}
		}
		if a.whole || size == 0 {
			a.net.finish()
		}
		return a, nil
	}
	return nil, malformed("too many interim answers")
}

// handOver gives an answer that is here as a whole the memory in which it lies, and says whether it did.
func (c *conn) handOver(rq *request, size int64) bool {
	if c.lent == nil || rq.stream || rq.keeps || size < 0 || int64(c.n-c.r) < size {
		return false
	}
	a := &rq.answer
	a.data, a.whole = c.buf[c.r:c.r+int(size)], true
	a.lent = c.lent
	c.r += int(size)
	c.buf, c.lent = nil, nil
	return true
}

// readHead gives the bytes up to and with the next empty line. They are good until the next read.
func (c *conn) readHead() ([]byte, error) {
	from := 0
	for {
		if i := headEnd(c.buf[c.r+from : c.n]); i >= 0 {
			raw := c.buf[c.r : c.r+from+i]
			c.r += len(raw)
			return raw, nil
		}
		have := c.n - c.r
		if have > maxHead {
			return nil, malformed("its head is too long")
		}
		from = max(0, have-2)
		if err := c.fill(); err != nil {
			if err == io.EOF && c.heard {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// headEnd says where the first empty line ends; < 0 = there is none yet. Whether the lines before it are good is not its
// business.
func headEnd(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
		if at+1 < len(b) && b[at] == '\r' && b[at+1] == '\n' {
			return at + 2
		}
	}
}

// fill reads more into the buffer, which grows when it is full.
func (c *conn) fill() error {
	if c.r == c.n {
		c.r, c.n = 0, 0
	} else if c.r > 0 && c.n == len(c.buf) {
		c.n = copy(c.buf, c.buf[c.r:c.n])
		c.r = 0
	}
	n, err := c.readSome()
	c.n += n
	if n > 0 {
		c.heard = true
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// readSome reads behind what is in the buffer.
func (c *conn) readSome() (n int, err error) {
	if c.buf == nil && c.plain != nil {
		if c.lent, n, err = c.plain.ReadLent(); c.lent != nil {
			c.buf = c.lent[:]
		}
		return n, err
	}
	if c.buf == nil {
		c.lent = sockets.NewBuffer()
		c.buf = c.lent[:]
	}
	if c.n == len(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
		c.giveBack()
	}
	return c.nc.Read(c.buf[c.n:])
}

// giveBack ends the use of a buffer that is no longer the connection's, or that has nothing in it.
func (c *conn) giveBack() {
	if c.lent != nil {
		c.lent.Free()
		c.lent = nil
	}
}

// drop closes a connection that nobody uses.
func (c *conn) drop() {
	c.unobserve()
	_ = c.nc.Close()
}
