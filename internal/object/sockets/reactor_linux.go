//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package sockets

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// reactor waits for events of its connections, and does what they have to send and to receive in rounds: all that has come up
// since the last round goes to the kernel in one call. When little is to be done it sleeps, and senders send by themselves.
type reactor struct {
	set    *Set
	file   *os.File // the epoll set, which the runtime's poller watches
	raw    syscall.RawConn
	batch  *batch
	events []syscall.EpollEvent
	n      int // events that came
	look   func(fd uintptr) bool

	// A round's own.
	ops     []operation
	refused []*Conn
	wakes   []*side

	mu    sync.Mutex
	conns []*Conn
	free  []int // slots
	count int
	age   uint32
	queue []*Conn // those with something posted
	awake bool    // it will look at the queue
	stop  bool
}

const (
	// roundMost bounds what is done in one call to the kernel, some 4 µs each, during which the world cannot be stopped.
	roundMost = 32
	// fewWakes is how many calls went on by a round that is not worth to stay awake after.
	fewWakes = 3
)

func newReactor(s *Set) (*reactor, error) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(ep, true); err != nil {
		_ = syscall.Close(ep)
		return nil, os.NewSyscallError("fcntl", err)
	}
	r := &reactor{set: s, file: os.NewFile(uintptr(ep), "epoll"), events: make([]syscall.EpollEvent, roundMost), batch: newBatch(roundMost, s.plain)}
	if r.raw, err = r.file.SyscallConn(); err == nil {
		err = r.file.SetReadDeadline(time.Time{}) // says whether the runtime's poller watches it
	}
	if err != nil {
		r.close()
		return nil, err
	}
	r.look = func(fd uintptr) bool {
		n, errno := epollWait(fd, r.events)
		r.n = 0
		if errno == 0 {
			r.n = n
		}
		return r.n > 0
	}
	return r, nil
}

func (r *reactor) close() {
	r.batch.close()
	_ = r.file.Close()
}

// add begins to watch a connection.
func (r *reactor) add(c *Conn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.r = r
	if n := len(r.free); n > 0 {
		c.slot, r.free = r.free[n-1], r.free[:n-1]
	} else {
		c.slot = len(r.conns)
		r.conns = append(r.conns, nil)
	}
	r.age++
	c.age = r.age
	var err error
	cerr := r.raw.Control(func(ep uintptr) {
		e := syscall.EpollEvent{Events: watched, Fd: int32(c.slot), Pad: int32(c.age)}
		err = os.NewSyscallError("epoll_ctl", syscall.EpollCtl(int(ep), syscall.EPOLL_CTL_ADD, c.fd, &e))
	})
	if err = errors.Join(cerr, err); err != nil {
		r.free = append(r.free, c.slot)
		return err
	}
	r.conns[c.slot] = c
	r.count++
	return nil
}

const watched = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | -syscall.EPOLLET&0xffffffff

// remove ends the watch over a connection, and reports whether it was the last. The lock is held.
func (r *reactor) remove(c *Conn) bool {
	_ = r.raw.Control(func(ep uintptr) { _ = syscall.EpollCtl(int(ep), syscall.EPOLL_CTL_DEL, c.fd, &syscall.EpollEvent{}) })
	r.conns[c.slot] = nil
	r.free = append(r.free, c.slot)
	r.count--
	return r.count == 0
}

func (r *reactor) run() {
	defer r.close()
	for r.next() {
		woken := 0
		for more := true; more; {
			more = r.round()
			woken += len(r.wakes)
		}
		if woken > fewWakes {
			// Those that were woken have something to send soon: it goes out together.
			runtime.Gosched()
		}
	}
}

// next waits for something to do; false = there will be nothing more.
func (r *reactor) next() bool {
	r.mu.Lock()
	r.awake = len(r.queue) > 0
	awake := r.awake
	stop := r.stop
	r.mu.Unlock()
	if stop {
		return false
	}
	if awake {
		return r.raw.Control(func(fd uintptr) { r.look(fd) }) == nil
	}
	if err := r.raw.Read(r.look); err != nil {
		r.n = 0
	}
	r.mu.Lock()
	r.awake = true
	r.mu.Unlock()
	return true
}

// round does what is to be done, and reports whether something was left.
func (r *reactor) round() bool {
	more := r.begin()
	r.refuse()
	r.batch.do(r.ops)
	answers.Add(r.received())
	r.mu.Lock()
	for i := range r.ops {
		r.finish(&r.ops[i])
	}
	for _, c := range r.refused {
		c.posted, c.over = nil, nil
		r.answer(c, 0, ErrOver)
	}
	r.mu.Unlock()
	for _, s := range r.wakes {
		s.wake <- struct{}{}
	}
	for i := range r.ops {
		r.ops[i].c.release()
	}
	for _, c := range r.refused {
		c.release()
	}
	clear(r.refused)
	r.refused = r.refused[:0]
	clear(r.ops)
	return more
}

// begin gathers a round's operations.
func (r *reactor) begin() bool {
	r.ops, r.wakes = r.ops[:0], r.wakes[:0]
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.events[:r.n] {
		e := &r.events[i]
		if c := r.conns[e.Fd]; c != nil && c.age == uint32(e.Pad) {
			r.happened(c, e.Events)
		}
	}
	r.n = 0
	taken := 0
	for _, c := range r.queue {
		if len(r.ops) == roundMost {
			break
		}
		taken++
		if c.queued && !c.closed {
			c.queued = false
			r.op(operation{c: c, p: c.posted, send: true})
		}
	}
	left := copy(r.queue, r.queue[taken:])
	clear(r.queue[left:])
	r.queue = r.queue[:left]
	return left > 0
}

// happened takes in an event. The lock is held.
func (r *reactor) happened(c *Conn, events uint32) {
	if events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		c.ended = true
	}
	if events&(syscall.EPOLLOUT|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		c.out.ready = true
		if c.out.waits {
			c.out.waits = false
			r.wakes = append(r.wakes, &c.out)
		}
	}
	if events&(syscall.EPOLLIN|syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) == 0 {
		return
	}
	if c.in.waits && !c.queued {
		r.op(operation{c: c, p: c.room()})
	} else {
		c.in.ready = true
	}
}

// received is how many operations of the round have received something.
func (r *reactor) received() (n int64) {
	for i := range r.ops {
		if o := &r.ops[i]; !o.send && o.n > 0 {
			n++
		}
	}
	return n
}

// refuse takes out of the round what may not be sent any more. However long it was that this process was stopped: only the call to
// the kernel lies between this look and the sending.
func (r *reactor) refuse() {
	var now time.Time
	r.ops = slices.DeleteFunc(r.ops, func(o operation) bool {
		over := o.c.over
		if !o.send || over == nil {
			return false
		}
		if now.IsZero() {
			now = time.Now()
		}
		if !over(now) {
			return false
		}
		r.refused = append(r.refused, o.c)
		return true
	})
}

// op adds an operation to the round. The lock is held.
func (r *reactor) op(o operation) {
	o.c.busy = true
	o.c.refs.Add(1)
	r.ops = append(r.ops, o)
}

// finish takes in what came of an operation, and wakes its connection's reader unless that goes on waiting. The lock is held.
func (r *reactor) finish(o *operation) {
	c := o.c
	if o.send {
		c.over = nil
	}
	switch {
	case o.send && o.errno != 0 && o.errno != syscall.EAGAIN:
		c.posted = nil
		r.answer(c, 0, c.failed("write", o.errno))
	case o.send && o.n < len(c.posted):
		// The kernel has no room for more: the reader sends the rest, and waits for it.
		c.posted = c.posted[o.n:]
		r.answer(c, 0, errRest)
	case o.send:
		c.posted = nil
		r.goOn(c)
	case o.errno == syscall.EAGAIN:
		c.giveBack()
		r.goOn(c)
	default:
		c.in.ready = c.in.ready || c.leftBy(o)
		n, err := o.received()
		r.answer(c, n, err)
	}
}

// answer ends a Read. The lock is held.
func (r *reactor) answer(c *Conn, n int, err error) {
	c.n, c.err, c.done = n, err, true
	r.wake(c)
}

// goOn lets a Read wait, unless there is something for it to look at. The lock is held.
func (r *reactor) goOn(c *Conn) {
	if c.busy = false; c.in.ready || c.in.expired || c.closed {
		r.wake(c)
	}
}

func (r *reactor) wake(c *Conn) {
	c.busy, c.in.waits = false, false
	r.wakes = append(r.wakes, &c.in)
}
