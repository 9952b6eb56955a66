//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package sockets

import (
	"errors"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// ring is an io_uring used as a way to make many system calls by one: each operation is one that does not block, so it is done
// when the kernel comes back. Not safe for concurrent use. Layouts and numbers: linux/io_uring.h.
type ring struct {
	fd             uintptr
	memory         [][]byte // what is mapped
	sqHead, sqTail *uint32
	sqMask         uint32
	sqes           []sqe
	cqHead, cqTail *uint32
	cqMask         uint32
	cqes           []cqe
	broken         bool // the kernel has refused it: no more
	late           bool // an operation was not done at once
}

type sqe struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	off, addr     uint64
	len, opFlags  uint32
	user          uint64
	_             [3]uint64
}

type cqe struct {
	user  uint64
	res   int32
	flags uint32
}

type ringOffsets struct {
	head, tail, mask, entries uint32
	// For submissions: flags, dropped, array. For completions: overflow, cqes, flags.
	a, b, c uint32
	_       uint32
	_       uint64
}

type ringParams struct {
	sqEntries, cqEntries, flags, cpu, idle, features, wq uint32
	_                                                    [3]uint32
	sq, cq                                               ringOffsets
}

const (
	sysRingSetup, sysRingEnter = 425, 426 // the same on all of Linux's machines
	featureSingleMap           = 1 << 0
	mapSQEs                    = 0x10000000
	enterGetEvents             = 1 << 0
	opSend, opRecv             = 26, 27 // since Linux 5.6
)

// newRing makes a ring for n operations at a time. With an error the kernel has none for us: it is too old, or a container's
// rules or a setting of the system (kernel.io_uring_disabled) forbid it.
func newRing(n int) (*ring, error) {
	if !ringsAllowed {
		return nil, errors.ErrUnsupported
	}
	var p ringParams
	fd, _, errno := syscall.RawSyscall(sysRingSetup, uintptr(n), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, errno
	}
	r := &ring{fd: fd}
	syscall.CloseOnExec(int(fd))
	if p.features&featureSingleMap == 0 {
		r.close()
		return nil, errors.ErrUnsupported // before Linux 5.4
	}
	rings, err := r.mmap(0, max(p.sq.c+4*p.sqEntries, p.cq.b+p.cqEntries*uint32(unsafe.Sizeof(cqe{}))))
	if err != nil {
		return nil, err
	}
	sqes, err := r.mmap(mapSQEs, p.sqEntries*uint32(unsafe.Sizeof(sqe{})))
	if err != nil {
		return nil, err
	}
	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&rings[off])) }
	r.sqHead, r.sqTail, r.sqMask = word(p.sq.head), word(p.sq.tail), *word(p.sq.mask)
	r.cqHead, r.cqTail, r.cqMask = word(p.cq.head), word(p.cq.tail), *word(p.cq.mask)
	r.sqes = unsafe.Slice((*sqe)(unsafe.Pointer(&sqes[0])), p.sqEntries)
	r.cqes = unsafe.Slice((*cqe)(unsafe.Pointer(&rings[p.cq.b])), p.cqEntries)
	for i, order := uint32(0), unsafe.Slice(word(p.sq.c), p.sqEntries); i < p.sqEntries; i++ {
		order[i] = i
	}
	if err := r.try(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// mmap maps a part of the ring. With an error the ring is closed.
func (r *ring) mmap(offset int64, size uint32) ([]byte, error) {
	b, err := syscall.Mmap(int(r.fd), offset, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_POPULATE)
	if err != nil {
		r.close()
		return nil, err
	}
	r.memory = append(r.memory, b)
	return b, nil
}

func (r *ring) close() {
	for _, b := range r.memory {
		_ = syscall.Munmap(b)
	}
	_ = syscall.Close(int(r.fd))
}

// try sees whether operations do what they are wanted to: to be done at once, be it that there is nothing to do.
func (r *ring) try() error {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(ends[0])
	defer syscall.Close(ends[1])
	a, b := &Conn{fd: ends[0]}, &Conn{fd: ends[1]}
	p := make([]byte, 2)
	ops := []operation{{c: a, p: p}, {c: b, p: []byte("x"), send: true}, {c: a, p: p}}
	r.submit(ops)
	if r.broken || r.late || ops[0].errno != syscall.EAGAIN || ops[1].n != 1 || ops[2].n != 1 || p[0] != 'x' {
		return errors.ErrUnsupported
	}
	return nil
}

// do does operations, no more than the ring was made for.
func (r *ring) do(ops []operation) {
	if !r.broken {
		ops = r.submit(ops)
	}
	for i := range ops {
		ops[i].call()
	}
}

// submit does operations and gives those that the kernel did not take.
func (r *ring) submit(ops []operation) []operation {
	first := *r.sqTail
	for i := range ops {
		r.sqes[(first+uint32(i))&r.sqMask].set(&ops[i], uint64(i))
	}
	atomic.StoreUint32(r.sqTail, first+uint32(len(ops)))
	taken, waits := 0, 0
	for refused := 0; taken < len(ops); {
		_, errno := r.enter(len(ops)-taken, 0)
		// What the kernel has taken stands in the ring, whatever it says besides.
		taken = int(atomic.LoadUint32(r.sqHead) - first)
		if errno == 0 || errno == syscall.EINTR {
			continue
		}
		if refused++; refused == refusedMost || errno != syscall.EAGAIN && errno != syscall.EBUSY && errno != syscall.ENOMEM {
			r.broken = true
			break
		}
	}
	for done := r.reap(ops); done < taken; done += r.reap(ops) {
		// None should be left by now; nothing may go on in memory that its owner takes for its own again.
		r.late = true
		if _, errno := r.enter(0, taken-done); errno != 0 && errno != syscall.EINTR {
			if waits++; waits > refusedMost {
				panic("sockets: io_uring does not give back what it was given: " + errno.Error())
			}
		}
	}
	runtime.KeepAlive(ops)
	return ops[taken:]
}

// refusedMost is how often in turn the kernel may be short of memory for operations before they are done without the ring.
const refusedMost = 100

func (e *sqe) set(o *operation, user uint64) {
	*e = sqe{
		opcode: opRecv, fd: int32(o.c.fd), addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(o.p)))), len: uint32(len(o.p)),
		opFlags: callFlags, user: user,
	}
	if o.send {
		e.opcode = opSend
	}
}

// enter hands operations over, and waits for so many to be done.
func (r *ring) enter(submit, done int) (int, syscall.Errno) {
	flags := uintptr(0)
	if done > 0 {
		flags = enterGetEvents
	}
	n, _, errno := syscall.RawSyscall6(sysRingEnter, r.fd, uintptr(submit), uintptr(done), flags, 0, 0)
	return int(n), errno
}

// reap takes in what came of operations, and gives their number.
func (r *ring) reap(ops []operation) int {
	head, tail := *r.cqHead, atomic.LoadUint32(r.cqTail)
	n := int(tail - head)
	for ; head != tail; head++ {
		e := &r.cqes[head&r.cqMask]
		o := &ops[e.user]
		if o.n = int(e.res); e.res < 0 {
			o.n, o.errno = 0, syscall.Errno(-e.res)
		}
	}
	atomic.StoreUint32(r.cqHead, head)
	return n
}
