//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"syscall"
	"time"
	"unsafe"
)

// loop serves all connections on one thread.
type loop struct {
	*answerer
	ep, listener int
	conns        map[int]*conn
	later        []answerLater // in the order in which they are due
	head         int           // of later
	gen          uint32
}

// conn is one connection; gen tells it from an earlier one with the same descriptor.
type conn struct {
	fd  int
	gen uint32
	in  []byte
	n   int // bytes in in
	out []byte
	bye bool // close after the answer
}

type answerLater struct {
	due time.Time
	fd  int
	gen uint32
	b   []byte
}

// serveEpoll listens and serves until the process ends.
func serveEpoll(s *store, addr *net.TCPAddr) error {
	runtime.LockOSThread()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	sa := &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}
	if err := errors.Join(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1), syscall.Bind(fd, sa), syscall.Listen(fd, 4096)); err != nil {
		return err
	}
	got, err := syscall.Getsockname(fd)
	if err != nil {
		return err
	}
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	l := &loop{answerer: newAnswerer(s, 0), ep: ep, listener: fd, conns: map[int]*conn{}}
	if err := l.watch(fd); err != nil {
		return err
	}
	s.stats(true)
	ready(fmt.Sprintf("%s:%d", addr.IP, got.(*syscall.SockaddrInet4).Port))
	return l.run()
}

func (l *loop) watch(fd int) error {
	return syscall.EpollCtl(l.ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP, Fd: int32(fd)})
}

func (l *loop) run() error {
	events := make([]syscall.EpollEvent, 256)
	for {
		n, err := l.wait(events)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
		l.tick(time.Now())
		l.sendDue()
		for _, e := range events[:max(n, 0)] {
			if fd := int(e.Fd); fd == l.listener {
				l.accept()
			} else if c := l.conns[fd]; c != nil && !l.readable(c) {
				l.drop(c)
			}
		}
	}
}

// epollPwait2 is the number of epoll_pwait2 on all of Linux's architectures. Its timeout is exact: epoll_wait rounds to a
// millisecond, which every answer would be late by at a latency of 30.
const epollPwait2 = 441

// wait waits for what comes, and no longer than until the next answer is due.
func (l *loop) wait(events []syscall.EpollEvent) (int, error) {
	d := time.Second
	if l.head < len(l.later) {
		d = max(0, time.Until(l.later[l.head].due))
	}
	ts := syscall.NsecToTimespec(d.Nanoseconds())
	n, _, e := syscall.Syscall6(epollPwait2, uintptr(l.ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func (l *loop) sendDue() {
	for l.head < len(l.later) && !l.later[l.head].due.After(l.now) {
		p := l.later[l.head]
		l.later[l.head].b = nil
		l.head++
		if c := l.conns[p.fd]; c != nil && c.gen == p.gen && (!writeAll(p.fd, p.b) || c.bye) {
			l.drop(c)
		}
	}
	if l.head == len(l.later) || l.head > 4096 && l.head > len(l.later)/2 {
		l.later = slices.Delete(l.later, 0, l.head)
		l.head = 0
	}
}

func (l *loop) accept() {
	for {
		fd, _, err := syscall.Accept4(l.listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return // EAGAIN: that was all
		}
		if errors.Join(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1), l.watch(fd)) != nil {
			_ = syscall.Close(fd)
			continue
		}
		l.gen++
		l.conns[fd] = &conn{fd: fd, gen: l.gen, in: make([]byte, 8192)}
		l.s.connected(1)
	}
}

func (l *loop) drop(c *conn) {
	delete(l.conns, c.fd)
	_ = syscall.Close(c.fd)
	l.s.connected(-1)
}

// readable answers what has come; false ends the connection.
func (l *loop) readable(c *conn) bool {
	k, errno := rawRead(c.fd, c.in[c.n:])
	if errno == syscall.EAGAIN {
		return true
	}
	if errno != 0 || k <= 0 {
		return false
	}
	c.n += k
	if !l.serve(c) {
		return false
	}
	if len(c.out) > 0 {
		ok := writeAll(c.fd, c.out)
		c.out = c.out[:0]
		return ok && !c.bye
	}
	return true
}

// serve takes whole requests off c.in.
func (l *loop) serve(c *conn) bool {
	off := 0
	for off < c.n {
		r, size, ok := parse(c.in[off:c.n])
		if !ok {
			return false
		}
		if size == 0 {
			if r.expects && !writeAll(c.fd, []byte("HTTP/1.1 100 Continue\r\n\r\n")) {
				return false
			}
			break
		}
		c.bye = c.bye || r.closes
		if b := l.answer(r); l.s.latency > 0 {
			l.later = append(l.later, answerLater{l.now.Add(l.s.latency), c.fd, c.gen, b})
		} else {
			c.out = append(c.out, b...)
		}
		off += size
	}
	c.n = copy(c.in, c.in[off:c.n])
	if c.n == len(c.in) {
		c.in = append(c.in, make([]byte, len(c.in))...)
	}
	return true
}

// The raw calls tell the scheduler nothing: this thread does nothing else, and the descriptors never block.

func rawRead(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}

func writeAll(fd int, b []byte) bool {
	for len(b) > 0 {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			b = b[n:]
		case syscall.EAGAIN:
			time.Sleep(50 * time.Microsecond) // the answers are small: this is rare
		default:
			return false
		}
	}
	return true
}
