//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package sockets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/nettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachWay runs a test by io_uring and by single calls.
func eachWay(t *testing.T, do func(t *testing.T, s *Set)) {
	for name, plain := range map[string]bool{"ring": false, "calls": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := RingError(); err != nil && !plain {
				t.Logf("this system has no io_uring (%v): calls are made one after another here too", err)
			}
			do(t, &Set{plain: plain})
		})
	}
}

// pair gives a connection of s and its other end.
func pair(t *testing.T, s *Set) (*Conn, *net.TCPConn) {
	t.Helper()
	c, other, err := connected(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); other.Close() })
	return c, other
}

func connected(s *Set) (*Conn, *net.TCPConn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	other, err := l.Accept()
	if err != nil {
		return nil, nil, errors.Join(err, nc.Close())
	}
	c, err := s.Adopt(nc)
	if err != nil {
		return nil, nil, errors.Join(err, other.Close())
	}
	return c.(*Conn), other.(*net.TCPConn), nil
}

// All that a net.Conn must do, by the Go authors' own tests.
func TestIsANetConn(t *testing.T) {
	eachWay(t, func(t *testing.T, s *Set) {
		nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
			c, other, err := connected(s)
			return c, other, func() { c.Close(); other.Close() }, err
		})
	})
}

// Each request gets its own answer, however many are under way and however they meet in rounds.
func TestEachRequestGetsItsAnswer(t *testing.T) {
	for _, conns := range []int{1, 2, 5, 40, 300} {
		t.Run(fmt.Sprint(conns), func(t *testing.T) {
			eachWay(t, func(t *testing.T, s *Set) {
				var all sync.WaitGroup
				for i := range conns {
					c, other := pair(t, s)
					all.Go(func() { answerEach(other) })
					all.Go(func() {
						defer c.Close()
						if err := askOften(c, i, 6000/conns); err != nil {
							t.Error(i, err)
						}
					})
				}
				all.Wait()
			})
		})
	}
}

// answerEach gives back each message: a length, and so many bytes.
func answerEach(c net.Conn) {
	defer c.Close()
	head := make([]byte, 4)
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		m := append(head[:4:4], make([]byte, binary.BigEndian.Uint32(head))...)
		if _, err := io.ReadFull(c, m[4:]); err != nil {
			return
		}
		if _, err := c.Write(m); err != nil {
			return
		}
	}
}

// askOften has n messages given back. Some are longer than a Buffer, and some than what the kernel takes at once.
func askOften(c *Conn, seed, n int) error {
	for i := range n {
		size := 20 + (seed*31+i*7)%400
		switch (seed + i) % 50 {
		case 7:
			size = BufferSize + size
		case 9:
			size = 300_000 + size
		}
		m := binary.BigEndian.AppendUint32(nil, uint32(size))
		m = append(m, bytes.Repeat([]byte{byte(seed), byte(i), byte(i >> 8)}, size/3+1)[:size]...)
		if i%2 == 0 {
			c.Post(m, nil)
		} else {
			c.PostNext(nil)
			if k, err := c.Write(m); k != len(m) || err != nil {
				return fmt.Errorf("posted %d of %d: %w", k, len(m), err)
			}
		}
		var got []byte
		for len(got) < len(m) {
			b, k, err := c.ReadLent()
			if err != nil {
				return err
			}
			got = append(got, b[:k]...)
			b.Free()
		}
		if !bytes.Equal(got, m) {
			return fmt.Errorf("message %d of %d bytes came back as another", i, size)
		}
	}
	return nil
}

// What came before the end of a connection is read, and then the end, be it that both came before anybody looked, or at once.
func TestTheEndComesAfterWhatCame(t *testing.T) {
	eachWay(t, func(t *testing.T, s *Set) {
		for _, size := range []int{0, 5, BufferSize, 2*BufferSize + 1} {
			for _, early := range []bool{true, false} {
				c, other := pair(t, s)
				ended := make(chan struct{})
				end := func() {
					_, _ = other.Write(make([]byte, size))
					_ = other.CloseWrite()
					close(ended)
				}
				if early {
					end()
				} else {
					go end()
				}
				got := 0
				for {
					b, n, err := c.ReadLent()
					got += n
					if b != nil {
						b.Free()
					}
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if got != size {
					t.Errorf("early %t: %d of %d bytes", early, got, size)
				}
				if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("after the end: %d, %v", n, err)
				}
				<-ended
			}
		}
	})
}

func TestReset(t *testing.T) {
	eachWay(t, func(t *testing.T, s *Set) {
		c, other := pair(t, s)
		_ = other.SetLinger(0)
		go other.Close()
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a read ended with %v", err)
		}
		if _, err = c.Write(make([]byte, 1)); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("a write ended with %v", err)
		}
		c.Post(make([]byte, 1), nil)
		if _, err = c.Read(make([]byte, 1)); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("a posted write ended with %v", err)
		}
	})
}

// What was posted stays posted over a deadline, and goes out once.
func TestPostedOverADeadline(t *testing.T) {
	eachWay(t, func(t *testing.T, s *Set) {
		c, other := pair(t, s)
		_ = c.SetDeadline(time.Unix(1, 0))
		c.Post([]byte("request"), nil)
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Time{})
		go func() {
			b := make([]byte, len("request"))
			_, _ = io.ReadFull(other, b)
			_, _ = other.Write(b)
			_ = other.CloseWrite()
		}()
		if b, err := io.ReadAll(c); string(b) != "request" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		_ = c.Close()
		if b, err := io.ReadAll(other); len(b) != 0 || err != nil {
			t.Errorf("then came %q, %v", b, err)
		}
	})
}

// Nothing is sent whose term is over, whoever sends it.
func TestNothingIsSentPastItsTerm(t *testing.T) {
	eachWay(t, func(t *testing.T, s *Set) {
		for _, over := range []bool{true, false} {
			for _, queued := range []bool{false, true} {
				c, other := pair(t, s)
				asked := 0
				c.Post([]byte("late"), func(time.Time) bool { asked++; return over })
				read := func() error { return justRead(c) }
				if queued {
					read = func() error { return readQueued(t, c) }
				}
				_ = other.CloseWrite() // what is answered where something was asked
				want := io.EOF
				if over {
					want = ErrOver
				}
				if err := read(); err != want || asked != 1 {
					t.Errorf("over %t, queued %t: %v, asked %d times", over, queued, err, asked)
				}
				_ = c.Close()
				if b, err := io.ReadAll(other); (len(b) == 0) != over || err != nil {
					t.Errorf("over %t, queued %t: %q was sent, %v", over, queued, b, err)
				}
			}
		}
	})
}

func justRead(c *Conn) error {
	_, err := c.Read(make([]byte, 1))
	return err
}

// readQueued is Read where the reactor is awake: it looks at the queue when the next event comes.
func readQueued(t *testing.T, c *Conn) error {
	t.Helper()
	r := c.r
	r.mu.Lock()
	c.queued, c.in.waits = true, true
	r.queue = append(r.queue, c)
	r.mu.Unlock()
	pair(t, &Set{reactors: []*reactor{r}}) // has an event
	<-c.in.wake
	if !c.done {
		return justRead(c)
	}
	c.done = false
	c.giveBack()
	return c.err
}

func TestCloseEndsWhatWaits(t *testing.T) {
	eachWay(t, func(t *testing.T, s *Set) {
		for range 50 {
			c, other := pair(t, s)
			var all sync.WaitGroup
			var ends atomic.Int32
			all.Go(func() {
				c.Post([]byte("x"), nil)
				if _, err := c.Read(make([]byte, 1)); errors.Is(err, net.ErrClosed) {
					ends.Add(1)
				} else {
					t.Error("read:", err)
				}
			})
			all.Go(func() {
				for {
					if _, err := c.Write(make([]byte, 1<<20)); errors.Is(err, net.ErrClosed) {
						ends.Add(1)
						return
					} else if err != nil {
						t.Error("write:", err)
						return
					}
				}
			})
			_, _ = other.Read(make([]byte, 1))
			_ = c.Close()
			all.Wait()
			if ends.Load() != 2 {
				t.Fatalf("%d of 2 ended", ends.Load())
			}
		}
	})
}

// A set begins anew after its last connection was closed, and leaves no descriptor behind.
func TestASetBeginsAnew(t *testing.T) {
	files := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	for _, plain := range []bool{false, true} {
		s := &Set{plain: plain}
		before := 0
		for i := range 20 {
			var all sync.WaitGroup
			for j := range 8 {
				all.Go(func() {
					c, other, err := connected(s)
					if err != nil {
						t.Error(err)
						return
					}
					go answerEach(other)
					if err := askOften(c, j, 3); err != nil {
						t.Error(err)
					}
					_ = c.Close()
				})
			}
			all.Wait()
			waitFor(func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				for _, r := range s.reactors {
					if r != nil {
						return false
					}
				}
				return true
			})
			if i == 0 {
				before = files()
			}
		}
		// The goroutines of the last reactors, and the other ends, may be a moment behind.
		waitFor(func() bool { return files() <= before+4 })
	}
}

// A job in the foreground begins with one processor, and has more later.
func TestReactorsBecomeMoreWithTheProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := new(Set)
	reactors := func() int {
		in := map[*reactor]bool{}
		for range 6 {
			c, _ := pair(t, s)
			in[c.r] = true
		}
		return len(in)
	}
	for processors, want := range map[int]int{1: 1, processorsEach - 1: 1} {
		if runtime.GOMAXPROCS(processors); reactors() != want {
			t.Errorf("not %d reactors for %d processors", want, processors)
		}
	}
	runtime.GOMAXPROCS(2 * processorsEach)
	if n := reactors(); n != 2 {
		t.Errorf("%d reactors for %d processors", n, 2*processorsEach)
	}
}

// A connection that cannot be watched leaves no reactor behind; TestMain sees whether one goes on.
func TestNoReactorWithoutConnections(t *testing.T) {
	s := new(Set)
	if err := s.add(&Conn{fd: -1}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("got %v", err)
	}
	if s.reactors[s.next] != nil {
		t.Error("a reactor without connections is kept")
	}
}

// waitFor lets others run until something holds; the test's own bound ends it.
func waitFor(holds func() bool) {
	for !holds() {
		runtime.Gosched()
	}
}
