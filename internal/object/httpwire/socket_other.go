//go:build !(linux && (amd64 || arm64 || riscv64 || loong64))

package httpwire

import "net"

// socket is a connection that holds nothing back.
type socket struct{ net.Conn }

func newSocket(nc net.Conn) (net.Conn, error) { return &socket{nc}, nil }

func (*socket) hold() {}

func (s *socket) holdBack(p []byte) error {
	_, err := s.Write(p)
	return err
}

func (s *socket) readLent() (*buffer, int, error) {
	b := newBuffer()
	n, err := s.Read(b[:])
	if n == 0 {
		b.free()
		b = nil
	}
	return b, n, err
}
