//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package sockets

import (
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Set is where the connections of one client are, whose sends and receives go to the kernel together. The zero value is
// ready. It runs goroutines as long as it has connections.
type Set struct {
	mu sync.Mutex
	// reactors share the connections. One of them takes care of some 200,000 calls a second, so there is one for each four
	// processors; where these become more, new connections go to more. nil = it has no connections.
	reactors []*reactor
	next     int
	plain    bool // without io_uring
}

const processorsEach = 4

// Adopt takes over a connection that was just made; what is not TCP is given back as it is. With an error it is closed.
func (s *Set) Adopt(nc net.Conn) (net.Conn, error) {
	tc, ok := nc.(*net.TCPConn)
	if !ok {
		return nc, nil
	}
	// The runtime's poller watches tc's descriptor. One of our own for the same connection is not watched when tc is closed.
	defer tc.Close()
	raw, err := tc.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd uintptr
	var errno syscall.Errno
	err = raw.Control(func(of uintptr) {
		fd, _, errno = syscall.Syscall(syscall.SYS_FCNTL, of, syscall.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("fcntl", errno)
	}
	if err != nil {
		return nil, err
	}
	c := &Conn{fd: int(fd), local: tc.LocalAddr(), remote: tc.RemoteAddr()}
	c.refs.Store(1)
	c.in.wake, c.out.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	if err := s.add(c); err != nil {
		_ = syscall.Close(c.fd)
		return nil, err
	}
	return c, nil
}

func (s *Set) add(c *Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.reactors) < max(1, runtime.GOMAXPROCS(0)/processorsEach) {
		s.reactors = append(s.reactors, nil)
	}
	s.next = (s.next + 1) % len(s.reactors)
	at := &s.reactors[s.next]
	if *at == nil {
		r, err := newReactor(s)
		if err != nil {
			return err
		}
		*at = r
		go r.run()
	}
	err := (*at).add(c)
	if err != nil {
		s.end(*at)
	}
	return err
}

// retire ends a reactor that has no connections.
func (s *Set) retire(r *reactor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(r)
}

// end is retire with the lock held.
func (s *Set) end(r *reactor) {
	r.mu.Lock()
	idle := r.count == 0 && !r.stop
	r.stop = r.stop || idle
	r.mu.Unlock()
	if idle {
		s.reactors[slices.Index(s.reactors, r)] = nil
		_ = r.file.SetReadDeadline(time.Unix(1, 0)) // it looks why
	}
}
