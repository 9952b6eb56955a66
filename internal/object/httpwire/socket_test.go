package httpwire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// A store may close a connection after any number of answers without a word before. Where it closes its side only, and
// goes on reading, what is sent to it later is never answered.
func TestStoreThatCloses(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for _, half := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %d, half %t", n, half), func(t *testing.T) {
				s := play(t, func(c net.Conn, r *bufio.Reader) {
					for range n {
						if _, _, ok := hear(r); !ok {
							return
						}
						_, _ = io.WriteString(c, empty200)
					}
					if half {
						_ = c.(*net.TCPConn).CloseWrite()
						_, _ = io.Copy(io.Discard, r)
					}
				})
				c := client(t, s, Options{MaxAttempts: 1})
				if n > holdAfter {
					c.wire.holdFor = 20 * time.Millisecond // else nothing shows it before the bound of a whole call
				}
				for i := range 3 * n {
					if _, err := c.Head(t.Context(), ref); err != nil {
						t.Fatal(i, err)
					}
				}
				if got := s.conns.Load(); got != 3 {
					t.Errorf("%d connections", got)
				}
			})
		}
	}
}

// An answer may take longer than a request is held back for.
func TestSlowAnswerOnABusyConnection(t *testing.T) {
	s := play(t, func(c net.Conn, r *bufio.Reader) {
		for i := range 6 {
			if _, _, ok := hear(r); !ok {
				return
			}
			if i == 4 {
				// Longer than holdFor below: the client shall have given up its first wait.
				time.Sleep(50 * time.Millisecond)
			}
			_, _ = io.WriteString(c, empty200)
		}
	})
	c := client(t, s, Options{MaxAttempts: 1})
	c.wire.holdFor = 10 * time.Millisecond
	for i := range 6 {
		if _, err := c.Head(t.Context(), ref); err != nil {
			t.Fatal(i, err)
		}
	}
	if got := s.conns.Load(); got != 1 {
		t.Errorf("%d connections", got)
	}
}

// What is held back goes out whole, also where it is more than the kernel takes at once, and once.
func TestHeldRequests(t *testing.T) {
	for _, size := range []int{1, 1000, 16 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			got := make(chan []byte, 1)
			s := play(t, func(c net.Conn, _ *bufio.Reader) {
				b := make([]byte, size)
				_, _ = io.ReadFull(c, b)
				got <- b
				_, _ = io.WriteString(c, "answer")
				rest, _ := io.ReadAll(c)
				got <- rest
			})
			dialed, err := net.Dial("tcp", s.l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			nc, err := newSocket(dialed)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			plainly(nc).hold()
			if n, err := nc.Write(want); n != size || err != nil {
				t.Fatal(n, err)
			}
			var b [64]byte
			if n, err := nc.Read(b[:]); string(b[:n]) != "answer" || err != nil {
				t.Fatalf("%q, %v", b[:n], err)
			}
			if !bytes.Equal(<-got, want) {
				t.Error("what came is not what was sent")
			}
			if n, err := nc.Write([]byte("more")); n != 4 || err != nil {
				t.Error(n, err)
			}
			nc.Close()
			if rest := <-got; string(rest) != "more" {
				t.Errorf("then came %q", rest)
			}
		})
	}
}

// A deadline ends a held request's wait, and the connection goes on under another one.
func TestHeldRequestAndDeadline(t *testing.T) {
	go1 := make(chan struct{})
	s := play(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = r.ReadByte()
		<-go1
		_, _ = io.WriteString(c, "late")
	})
	dialed, err := net.Dial("tcp", s.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := newSocket(dialed)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	plainly(nc).hold()
	_, _ = nc.Write([]byte("x"))
	_ = nc.SetDeadline(time.Now().Add(10 * time.Millisecond))
	var b [64]byte
	if n, err := nc.Read(b[:]); n != 0 || !timedOut(err) {
		t.Fatal(n, err)
	}
	close(go1)
	_ = nc.SetDeadline(time.Time{})
	if n, err := nc.Read(b[:]); string(b[:n]) != "late" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
}
