//go:build !(linux && (amd64 || arm64 || riscv64 || loong64))

package sockets

import (
	"errors"
	"net"
	"time"
)

// Set is where the connections of one client are. The zero value is ready.
type Set struct{}

// Adopt takes over a connection that was just made.
func (*Set) Adopt(nc net.Conn) (net.Conn, error) { return &Conn{Conn: nc}, nil }

// WithoutRings changes nothing.
func WithoutRings() {}

// RingError says why there is no io_uring.
func RingError() error { return errors.ErrUnsupported }

// Conn is a connection that sends at once what is posted.
type Conn struct {
	net.Conn
	err error // of what was posted
}

// Post sends p.
func (c *Conn) Post(p []byte, over Term) {
	if c.err = ErrOver; over == nil || !over(time.Now()) {
		_, c.err = c.Write(p)
	}
}

// PostNext changes nothing.
func (*Conn) PostNext(Term) {}

// ReadLent is Read into memory that the caller frees; with n = 0 there is none.
func (c *Conn) ReadLent() (*Buffer, int, error) {
	if err := c.err; err != nil {
		c.err = nil
		return nil, 0, err
	}
	answers.Add(1)
	b := NewBuffer()
	n, err := c.Read(b[:])
	if n == 0 {
		b.Free()
		b = nil
	}
	return b, n, err
}
