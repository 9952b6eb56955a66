//go:build linux

// Command bare makes the calls of a copy with nothing around them: requests that were written beforehand, one thread, one epoll
// loop, raw system calls, no signature, and of an answer only its length is read. What it needs for a call is what the machine and
// its kernel take, at that minute, from any client over a socket.
//
//	bare -addr 127.0.0.1:9300 -objects 500000 -connections 64
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	addr := flag.String("addr", "", "host:port of the stub store")
	objects := flag.Int("objects", 500_000, "copies to make")
	connections := flag.Int("connections", 64, "calls at a time")
	flag.Parse()
	if err := run(strings.TrimPrefix(*addr, "http://"), *objects, *connections); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

// bare is the loop.
type bare struct {
	ep         int
	request    []byte // its key's last nine bytes are at each of places
	places     []int
	sent, want int
	conns      map[int]*conn
}

type conn struct {
	in []byte
	n  int
}

func run(addr string, objects, connections int) error {
	runtime.LockOSThread()
	to, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return err
	}
	b := &bare{want: objects, conns: map[int]*conn{}}
	b.write(addr)
	if b.ep, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return err
	}
	for range min(connections, objects) {
		if err := b.connect(to); err != nil {
			return err
		}
	}
	for fd := range b.conns {
		if err := b.send(fd); err != nil {
			return err
		}
	}
	return b.run()
}

const digits = 9

// write makes the request, of the length and with the headers that drover's has.
func (b *bare) write(host string) {
	const key = "k/000000000"
	now, none := time.Now().UTC(), strings.Repeat("0", 64)
	b.request = []byte("PUT /dst/" + key + " HTTP/1.1\r\nhost: " + host + "\r\nuser-agent: drover-bench-bare\r\nx-amz-copy-source: src/" + key +
		"\r\nx-amz-content-sha256: " + none + "\r\nx-amz-date: " + now.Format("20060102T150405Z") +
		"\r\nauthorization: AWS4-HMAC-SHA256 Credential=x/" + now.Format("20060102") + "/us-east-1/s3/aws4_request,SignedHeaders=" +
		"host;x-amz-content-sha256;x-amz-copy-source;x-amz-date,Signature=" + none + "\r\ncontent-length: 0\r\n\r\n")
	for at := 0; ; {
		i := bytes.Index(b.request[at:], []byte(key))
		if i < 0 {
			return
		}
		at += i + len(key)
		b.places = append(b.places, at-digits)
	}
}

func (b *bare) connect(to *net.TCPAddr) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	b.conns[fd] = &conn{in: make([]byte, 8192)}
	return errors.Join(
		syscall.Connect(fd, &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}),
		syscall.SetNonblock(fd, true),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.EpollCtl(b.ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}),
	)
}

// send begins the next call, if there is one left.
func (b *bare) send(fd int) error {
	if b.sent == b.want {
		return nil
	}
	for i, n := digits-1, b.sent; i >= 0; i, n = i-1, n/10 {
		for _, at := range b.places {
			b.request[at+i] = byte('0' + n%10)
		}
	}
	b.sent++
	if n, errno := call(syscall.SYS_SENDTO, fd, b.request); errno != 0 || n != len(b.request) {
		return fmt.Errorf("send: %d of %d bytes, %w", n, len(b.request), errno)
	}
	return nil
}

func (b *bare) run() error {
	events := make([]syscall.EpollEvent, 256)
	for done := 0; done < b.want; {
		n, err := syscall.EpollWait(b.ep, events, -1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			fd := int(e.Fd)
			whole, err := b.receive(fd)
			if err != nil {
				return err
			}
			if !whole {
				continue
			}
			done++
			if err := b.send(fd); err != nil {
				return err
			}
		}
	}
	return nil
}

// receive reads what has come, and says whether it is a whole answer.
func (b *bare) receive(fd int) (bool, error) {
	c := b.conns[fd]
	n, errno := call(syscall.SYS_RECVFROM, fd, c.in[c.n:])
	switch {
	case errno == syscall.EAGAIN:
		return false, nil
	case errno != 0:
		return false, fmt.Errorf("receive: %w", errno)
	case n == 0:
		return false, errors.New("the store closed a connection")
	}
	c.n += n
	head := bytes.Index(c.in[:c.n], []byte("\r\n\r\n"))
	if head < 0 {
		return false, nil
	}
	if !bytes.HasPrefix(c.in[:c.n], []byte("HTTP/1.1 200 ")) {
		return false, fmt.Errorf("the store answered %.40q", c.in[:c.n])
	}
	_, rest, _ := bytes.Cut(c.in[:head+2], []byte("Content-Length: "))
	line, _, _ := bytes.Cut(rest, []byte("\r\n"))
	size, err := strconv.Atoi(string(line))
	if err != nil {
		return false, fmt.Errorf("read the answer's length: %w", err)
	}
	if c.n < head+4+size {
		return false, nil
	}
	c.n = 0
	return true, nil
}

// call tells the scheduler nothing: this thread does nothing else, and the descriptors never block.
func call(trap uintptr, fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
