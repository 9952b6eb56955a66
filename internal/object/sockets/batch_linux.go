//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package sockets

import (
	"errors"
	"sync/atomic"
	"syscall"
)

// operation is one send or receive, and what came of it.
type operation struct {
	c     *Conn
	p     []byte
	send  bool
	n     int
	errno syscall.Errno
}

// batch does operations: by io_uring, in one system call, where the kernel lets it, and else one after another.
type batch struct{ ring *ring }

func newBatch(n int, plain bool) *batch {
	if plain || withoutRings.Load() {
		return &batch{}
	}
	ring, err := newRing(n)
	if err != nil {
		return &batch{} // RingError says why
	}
	return &batch{ring}
}

var withoutRings atomic.Bool

// WithoutRings has this process make each system call by itself from now on, as where io_uring is not to be had.
func WithoutRings() { withoutRings.Store(true) }

// RingError says why the kernel gives this process no io_uring; nil = it does.
func RingError() error {
	if withoutRings.Load() {
		return errors.New("it is turned off")
	}
	r, err := newRing(2)
	if err != nil {
		return err
	}
	r.close()
	return nil
}

func (b *batch) close() {
	if b.ring != nil {
		b.ring.close()
	}
}

func (b *batch) do(ops []operation) {
	if b.ring != nil && len(ops) > 1 {
		b.ring.do(ops)
		return
	}
	for i := range ops {
		ops[i].call()
	}
}
