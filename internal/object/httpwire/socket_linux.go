//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package httpwire

import (
	"io"
	"net"
	"syscall"
)

// socket is a TCP connection whose system calls do not tell the scheduler that they may block, as they never do: that
// costs more than all of our own work on a call. It can hold a request back until its answer is waited for, which saves the
// read that would only find that there is none yet. Read and Write belong to one goroutine at a time. See ADR 0004.
type socket struct {
	net.Conn
	raw syscall.RawConn
	// The callbacks of raw, made once.
	receive, transmit func(fd uintptr) bool

	holding bool    // the next Write is held back
	held    []byte  // goes out with the next Read
	spare   []byte  // memory of what was copied to be held
	in, out []byte  // what the callbacks work on
	lent    *buffer // in is of it, and was made ready when there was something to read
	n       int
	err     error
}

// newSocket wraps what a dialer gave; what is no TCP connection stays as it is.
func newSocket(nc net.Conn) (net.Conn, error) {
	tc, ok := nc.(*net.TCPConn)
	if !ok {
		return nc, nil
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		nc.Close()
		return nil, err
	}
	s := &socket{Conn: tc, raw: raw}
	s.receive, s.transmit = s.onReadable, s.onWritable
	return s, nil
}

// hold makes the next Write wait for the next Read. Not to be used where the store may have said something already: what
// came before the request goes out does not wake the Read, be it the end of the connection.
func (s *socket) hold() { s.holding = true }

// holdBack makes p go out with the next read, under hold's conditions. It must not change before that has ended.
func (s *socket) holdBack(p []byte) error {
	s.held = p
	return nil
}

// Write implements net.Conn.
func (s *socket) Write(p []byte) (int, error) {
	if s.holding {
		s.holding = false
		s.spare = append(s.spare[:0], p...)
		s.held = s.spare
		return len(p), nil
	}
	s.out, s.err = p, nil
	err := s.raw.Write(s.transmit)
	if err == nil {
		err = s.err
	}
	n := len(p) - len(s.out)
	s.out = nil
	return n, err
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.in = p
	return s.read()
}

// readLent reads into memory which it takes when there is something to read, so that connections that wait have none.
func (s *socket) readLent() (*buffer, int, error) {
	s.in = nil
	n, err := s.read()
	b := s.lent
	s.lent = nil
	if n == 0 && b != nil {
		b.free()
		b = nil
	}
	return b, n, err
}

func (s *socket) read() (int, error) {
	s.n, s.err = 0, nil
	err := s.raw.Read(s.receive)
	if err == nil && s.err == nil && len(s.held) > 0 { // the kernel had no room for all of it
		rest := s.held
		s.held = nil
		if _, err = s.Write(rest); err == nil {
			err = s.raw.Read(s.receive)
		}
	}
	s.in = nil
	if err == nil {
		err = s.err
	}
	return s.n, err
}

// onReadable reads once, and waits where there is nothing. It is called first before anything is known to be there.
func (s *socket) onReadable(fd uintptr) bool {
	if len(s.held) > 0 {
		n, errno := send(fd, s.held)
		if errno != 0 && errno != syscall.EAGAIN {
			s.held, s.err = nil, wrote(errno)
			return true
		}
		s.held = s.held[n:]
		return len(s.held) > 0
	}
	if s.in == nil {
		s.lent = newBuffer()
		s.in = s.lent[:]
	}
	n, errno := receive(fd, s.in)
	switch {
	case errno == syscall.EAGAIN:
		if s.lent != nil {
			s.lent.free()
			s.lent, s.in = nil, nil
		}
		return false
	case errno != 0:
		s.err = &net.OpError{Op: "read", Net: "tcp", Err: errno}
	case n == 0:
		s.err = io.EOF
	}
	s.n = n
	return true
}

// onWritable writes what it can, and waits for room for the rest.
func (s *socket) onWritable(fd uintptr) bool {
	for len(s.out) > 0 {
		n, errno := send(fd, s.out)
		if errno == syscall.EAGAIN {
			return false
		}
		if errno != 0 {
			s.err = wrote(errno)
			return true
		}
		s.out = s.out[n:]
	}
	return true
}

func wrote(errno syscall.Errno) error { return &net.OpError{Op: "write", Net: "tcp", Err: errno} }
