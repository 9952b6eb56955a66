//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package sockets

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is a TCP connection of a Set. Post, PostNext and ReadLent belong to one goroutine at a time; all of net.Conn may be called
// by any number.
type Conn struct {
	r             *reactor
	rmu, wmu      sync.Mutex // one Read, one Write
	fd            int
	local, remote net.Addr
	refs          atomic.Int32 // who uses fd: its owner until Close, and each call under way

	// The reader's own.
	posting bool   // what is written is posted
	spare   []byte // memory of what was copied to be posted
	into    []byte // what Read reads into; nil = a Buffer, taken when there is something to read

	// Guarded by r.mu, but for what of them an operation that is under way works on: it is the reactor's while busy, and else
	// the reader's.
	slot    int
	age     uint32 // tells apart connections that had the same slot
	closed  bool
	in, out side
	timer   *time.Timer // of the sooner deadline; nil until there was one
	ended   bool        // the peer has closed its side, or all: after what has come there is the end, without a further event
	queued  bool        // posted is to go out with the next round
	busy    bool        // an operation of it is under way
	posted  []byte      // goes out before the reader waits
	over    Term        // of what is posted; nil = it may go out at any time
	lent    *Buffer     // what was read into
	n       int         // what came of the last operation
	err     error
	done    bool // n and err are the answer to Read
}

// side is one direction of a connection.
type side struct {
	ready    bool          // an event came: it is worth a try
	waits    bool          // its goroutine waits for wake
	wake     chan struct{} // of one place
	deadline time.Time
	expired  bool // the deadline is over
}

// Post makes p go out as soon as the connection is read from: together with what other connections have to send, where
// there is such. p must not change until that Read has ended. over is asked right before p is sent; where it says so, nothing
// is, and the Read ends with ErrOver.
func (c *Conn) Post(p []byte, over Term) { c.posted, c.over = p, over }

// PostNext makes the Writes up to the next Read keep what they are given for it, as Post does: of TLS, a request is as many Writes
// as it takes records.
func (c *Conn) PostNext(over Term) { c.posting, c.over, c.spare = true, over, c.spare[:0] }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.rmu.Lock()
	defer c.rmu.Unlock()
	c.into = p
	n, err := c.read()
	c.into = nil
	return n, err
}

// ReadLent is Read into memory that is taken when there is something to read, so that connections that wait have none. The
// caller frees it; with n = 0 there is none.
func (c *Conn) ReadLent() (*Buffer, int, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	n, err := c.read()
	b := c.lent
	c.lent = nil
	if n == 0 && b != nil {
		b.Free()
		b = nil
	}
	return b, n, err
}

func (c *Conn) read() (int, error) {
	r := c.r
	if c.posting {
		c.posting = false
	}
	for {
		r.mu.Lock()
		switch {
		case c.closed || c.in.expired:
			c.queued = false // what is posted goes out with the next Read
			err := c.stopped(&c.in, "read")
			r.mu.Unlock()
			return 0, err
		case len(c.posted) > 0 && !r.awake:
			c.refs.Add(1)
			r.mu.Unlock()
			if err := c.sendPosted(); err != nil {
				return 0, err
			}
			continue
		case len(c.posted) > 0:
			c.queued = true
			r.queue = append(r.queue, c)
		case c.in.ready:
			c.in.ready = false
			c.refs.Add(1)
			r.mu.Unlock()
			if n, err := c.receive(); n > 0 || err != nil {
				return n, err
			}
			continue
		}
		c.in.waits = true
		r.mu.Unlock()
		<-c.in.wake
		// Whoever woke this goroutine has done with what follows.
		if !c.done {
			continue
		}
		c.done = false
		if c.err != errRest {
			return c.n, c.err
		}
		if err := c.writePosted(); err != nil {
			return 0, err
		}
	}
}

// sendPosted sends what is posted, without the reactor. It lets go of the descriptor.
func (c *Conn) sendPosted() error {
	o := operation{c: c, p: c.posted, send: true}
	if c.over != nil && c.over(time.Now()) {
		c.release()
		c.posted, c.over = nil, nil
		return ErrOver
	}
	o.call()
	c.release()
	c.over = nil
	switch {
	case o.errno != 0 && o.errno != syscall.EAGAIN:
		c.posted = nil
		return c.failed("write", o.errno)
	case o.n < len(c.posted):
		c.posted = c.posted[o.n:]
		return c.writePosted()
	}
	c.posted = nil
	return nil
}

// receive receives without the reactor, where something should have come; 0 = nothing had. It lets go of the descriptor.
func (c *Conn) receive() (int, error) {
	o := operation{c: c, p: c.room()}
	o.call()
	c.release()
	if o.errno == syscall.EAGAIN {
		c.giveBack()
		return 0, nil
	}
	answers.Add(1)
	c.r.mu.Lock()
	c.in.ready = c.in.ready || c.leftBy(&o)
	c.r.mu.Unlock()
	return o.received()
}

// leftBy reports whether there is more to receive, or the end, of which no further event will tell.
func (c *Conn) leftBy(o *operation) bool { return c.ended || o.n == len(o.p) }

// errRest says that some of what was posted could not be sent at once.
var errRest = errors.New("the rest is to be written")

func (c *Conn) writePosted() error {
	p := c.posted
	c.posted = nil
	_, err := c.write(p)
	return err
}

// room is where to read to.
func (c *Conn) room() []byte {
	if c.into != nil {
		return c.into
	}
	if c.lent == nil {
		c.lent = NewBuffer()
	}
	return c.lent[:]
}

// giveBack ends the use of memory into which nothing was read.
func (c *Conn) giveBack() {
	if c.lent != nil {
		c.lent.Free()
		c.lent = nil
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if !c.posting {
		return c.write(p)
	}
	c.spare = append(c.spare, p...)
	c.posted = c.spare
	return len(p), nil
}

func (c *Conn) write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	r, all := c.r, len(p)
	for {
		r.mu.Lock()
		if c.closed || c.out.expired {
			err := c.stopped(&c.out, "write")
			r.mu.Unlock()
			return all - len(p), err
		}
		c.out.ready = false
		c.refs.Add(1)
		r.mu.Unlock()
		o := operation{c: c, p: p, send: true}
		o.call()
		c.release()
		p = p[o.n:]
		if o.errno != 0 && o.errno != syscall.EAGAIN {
			return all - len(p), c.failed("write", o.errno)
		}
		if len(p) == 0 {
			return all, nil
		}
		r.mu.Lock()
		if c.out.ready || c.out.expired || c.closed {
			r.mu.Unlock()
			continue
		}
		c.out.waits = true
		r.mu.Unlock()
		<-c.out.wake
	}
}

// stopped says why nothing more is done. The lock is held.
func (c *Conn) stopped(s *side, what string) error {
	if c.closed {
		return c.failed(what, net.ErrClosed)
	}
	return c.failed(what, os.ErrDeadlineExceeded)
}

// failed says between whom it was.
func (c *Conn) failed(what string, err error) error {
	return &net.OpError{Op: what, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// received is what an operation that reads has come to.
func (o *operation) received() (int, error) {
	switch {
	case o.errno != 0:
		return 0, o.c.failed("read", o.errno)
	case o.n == 0:
		return 0, io.EOF
	}
	return o.n, nil
}

// release ends a use of the descriptor, which is closed after its last.
func (c *Conn) release() {
	if c.refs.Add(-1) == 0 {
		_ = syscall.Close(c.fd)
	}
}

// Close implements net.Conn. What is under way on the connection ends with net.ErrClosed.
func (c *Conn) Close() error {
	r := c.r
	r.mu.Lock()
	if c.closed {
		r.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	last := r.remove(c)
	c.rouse()
	r.mu.Unlock()
	c.release()
	if last {
		r.set.retire(r)
	}
	return nil
}

// rouse wakes who waits, that they look why. The lock is held.
func (c *Conn) rouse() {
	if c.in.waits && !c.busy {
		c.in.rouse()
	}
	if c.out.waits {
		c.out.rouse()
	}
}

func (s *side) rouse() {
	s.waits = false
	s.wake <- struct{}{}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadline(t, &c.in, &c.out) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, &c.in) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, &c.out) }

func (c *Conn) setDeadline(t time.Time, sides ...*side) error {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if c.closed {
		return c.failed("set", net.ErrClosed)
	}
	for _, s := range sides {
		s.deadline, s.expired = t, false
	}
	c.expire()
	return nil
}

// expire ends the waits whose deadlines are over, and sets the timer for the next. The lock is held.
func (c *Conn) expire() {
	now := time.Now()
	var next time.Time
	for _, s := range []*side{&c.in, &c.out} {
		switch {
		case s.deadline.IsZero() || s.expired:
		case !s.deadline.After(now):
			s.expired = true
		case next.IsZero() || s.deadline.Before(next):
			next = s.deadline
		}
	}
	if c.in.expired && c.in.waits && !c.busy {
		c.in.rouse()
	}
	if c.out.expired && c.out.waits {
		c.out.rouse()
	}
	switch {
	case next.IsZero() && c.timer != nil:
		c.timer.Stop()
	case next.IsZero():
	case c.timer == nil:
		c.timer = time.AfterFunc(next.Sub(now), c.onTimer)
	default:
		c.timer.Reset(next.Sub(now))
	}
}

func (c *Conn) onTimer() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if !c.closed {
		c.expire()
	}
}
