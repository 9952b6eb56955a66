//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package sockets

import (
	"bytes"
	"syscall"
	"testing"
)

func openRing(t testing.TB, n int) *ring {
	t.Helper()
	r, err := newRing(n)
	if err != nil {
		t.Skipf("this system has no io_uring: %v", err)
	}
	t.Cleanup(r.close)
	return r
}

// ends gives two ends of a stream, of which nothing blocks.
func ends(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fds[0]); _ = syscall.Close(fds[1]) })
	return fds[0], fds[1]
}

// scene gives operations with all the ends that they can come to.
func scene(t testing.TB) []operation {
	t.Helper()
	in := func(fd, n int) operation { return operation{c: &Conn{fd: fd}, p: make([]byte, n)} }
	out := func(fd, n int) operation {
		return operation{c: &Conn{fd: fd}, p: bytes.Repeat([]byte("x"), n), send: true}
	}
	silent, _ := ends(t)
	said, saying := ends(t)
	if _, err := syscall.Write(saying, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	over, ending := ends(t)
	if err := syscall.Shutdown(ending, syscall.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	broken, gone := ends(t)
	if err := syscall.Shutdown(gone, syscall.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	full, _ := ends(t)
	good, _ := ends(t)
	return []operation{
		in(silent, 8), in(said, 2), in(said, 8), in(said, 8), in(over, 8), out(broken, 3), in(-1, 8), out(-1, 8), out(full, 64<<20), out(full, 1), out(good, 5),
	}
}

// A ring brings what the single calls bring.
func TestRingDoesAsCallsDo(t *testing.T) {
	r := openRing(t, 16)
	for range 10 { // several times around
		want, got := scene(t), scene(t)
		for i := range want {
			want[i].call()
		}
		r.do(got)
		for i := range want {
			w, g := want[i], got[i]
			if w.n != g.n || w.errno != g.errno || !w.send && !bytes.Equal(w.p, g.p) {
				t.Errorf("operation %d: %d, %v, %q; by the ring %d, %v, %q", i, w.n, w.errno, w.p[:max(w.n, 0)], g.n, g.errno, g.p[:max(g.n, 0)])
			}
		}
		if r.broken || r.late {
			t.Fatalf("broken %t, late %t", r.broken, r.late)
		}
	}
}

// Where the kernel refuses a ring that it gave, calls go on without it.
func TestRingThatBreaks(t *testing.T) {
	r := openRing(t, 16)
	fd := r.fd
	r.fd = ^uintptr(0)
	defer func() { r.fd = fd }()
	for range 3 {
		a, b := ends(t)
		ops := []operation{{c: &Conn{fd: a}, p: []byte("ab"), send: true}, {c: &Conn{fd: b}, p: make([]byte, 8)}}
		if r.do(ops); ops[0].n != 2 || ops[1].n != 2 || !r.broken {
			t.Fatalf("%+v, broken %t", ops, r.broken)
		}
	}
}

func TestNoRingWhereNoneIsWanted(t *testing.T) {
	if b := newBatch(4, true); b.ring != nil {
		t.Error("there is a ring")
	}
	withoutRings.Store(true)
	defer withoutRings.Store(false)
	if b := newBatch(4, false); b.ring != nil {
		t.Error("there is a ring")
	}
}

// BenchmarkBatch sends and receives sixteen times, in one system call and in as many.
func BenchmarkBatch(b *testing.B) {
	ring := openRing(b, 32)
	for name, batch := range map[string]*batch{"ring": {ring}, "calls": {}} {
		b.Run(name, func(b *testing.B) {
			var ops []operation
			for range 16 {
				x, y := ends(b)
				ops = append(ops, operation{c: &Conn{fd: x}, p: make([]byte, 100), send: true}, operation{c: &Conn{fd: y}, p: make([]byte, 200)})
			}
			b.ReportAllocs()
			for b.Loop() {
				for i := range ops {
					ops[i].errno = 0
				}
				batch.do(ops)
			}
			for i := range ops {
				if ops[i].n != 100 || ops[i].errno != 0 {
					b.Fatalf("%+v", ops[i])
				}
			}
		})
	}
}
