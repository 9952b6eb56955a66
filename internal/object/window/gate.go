package window

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

// Bounds are what a Gate keeps to. A zero field bounds nothing.
type Bounds struct {
	Rate     float64 // calls that begin in a second
	Burst    int     // calls that may begin at once after a silence; default: 10 ms of Rate, and at least one
	Bytes    float64 // bytes a second, as Moved tells of them
	InFlight int     // calls at a time
}

// Gate keeps calls within bounds, which may change at any time. It lets them through in the order in which they came. Safe
// for concurrent use.
type Gate struct {
	now  func() time.Time
	room func(n int) // told that somebody who waited was let through, and how many others may come

	// What a call needs that does not wait.
	inFlight atomic.Int64
	limit    atomic.Int64
	paced    atomic.Bool
	waiting  atomic.Int64

	mu     sync.Mutex
	queue  []*waiter // in the order in which they came, from head on
	head   int
	free   []*waiter
	calls  pace
	bytes  pace
	timer  timer
	held   bool // since the last look, somebody waited for calls in flight to end
	slowed bool // or for the pace
}

// timer calls admit after a while.
type timer interface {
	Reset(d time.Duration) bool
}

// waiter is a call that waits for its turn.
type waiter struct {
	turn chan struct{} // takes one signal
	in   bool          // it was let through
}

// NewGate makes a gate.
func NewGate(b Bounds) *Gate {
	g := new(Gate)
	g.begin(time.Now)
	g.Set(b)
	return g
}

func (g *Gate) begin(now func() time.Time) {
	g.now = now
	g.limit.Store(math.MaxInt64)
}

// OnRoom makes f be told whenever calls that waited are let through: how many others may come now, to wait in their place or
// to go through at once. f must not call the gate. Before the first call only.
func (g *Gate) OnRoom(f func(n int)) { g.room = f }

// Set changes the bounds. Calls in flight beyond new ones end as they would.
func (g *Gate) Set(b Bounds) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.calls.set(now, b.Rate, float64(b.Burst))
	g.bytes.set(now, b.Bytes, b.Bytes/10)
	g.setLimit(b.InFlight)
	g.paced.Store(b.Rate > 0 || b.Bytes > 0)
	g.admit()
}

// setLimit bounds the calls in flight; 0 does not.
func (g *Gate) setLimit(n int) {
	if n <= 0 {
		n = math.MaxInt64
	}
	g.limit.Store(int64(n))
}

// Waiting is how many calls wait for their turn.
func (g *Gate) Waiting() int { return int(g.waiting.Load()) }

// InFlight is how many calls are under way.
func (g *Gate) InFlight() int { return int(g.inFlight.Load()) }

// Enter waits for a call's turn; Leave must follow when it returns nil. It ends with the context, or with
// object.ErrWaitEnded.
func (g *Gate) Enter(ctx context.Context) error {
	if g.slip() {
		return nil
	}
	return g.wait(ctx)
}

// slip lets a call through that need not wait.
func (g *Gate) slip() bool {
	if g.paced.Load() || g.waiting.Load() > 0 {
		return false
	}
	if g.inFlight.Add(1) <= g.limit.Load() {
		return true
	}
	g.inFlight.Add(-1)
	return false
}

// Leave ends a call.
func (g *Gate) Leave() {
	g.inFlight.Add(-1)
	if g.waiting.Load() > 0 {
		g.mu.Lock()
		g.admit()
		g.mu.Unlock()
	}
}

// Moved charges bytes to the bound on them: they are moved already, so it is the calls after them that wait.
func (g *Gate) Moved(n int64) {
	if n <= 0 || !g.paced.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes.take(g.now(), float64(n))
}

func (g *Gate) wait(ctx context.Context) error {
	w := g.join()
	var err error
	select { // its turn first, whatever else has come
	case <-w.turn:
		g.part(w)
		return nil
	default:
	}
	select {
	case <-w.turn:
		g.part(w)
		return nil
	case <-object.WaitDone(ctx):
		err = object.ErrWaitEnded
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	defer func() { g.free = append(g.free, w) }()
	if w.in { // both at once: its turn has come, and whoever called sees the end of the context by itself
		<-w.turn
		return nil
	}
	g.forget(w)
	g.admit()
	return err
}

// join puts a call at the end of the queue, and lets it through at once where it can.
func (g *Gate) join() *waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.waiter()
	g.queue = append(g.queue, w)
	g.waiting.Add(1)
	g.admit()
	return w
}

// part takes back the waiter of a call whose turn was signalled.
func (g *Gate) part(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free = append(g.free, w)
}

// waiter gives one that nobody uses; the lock is held.
func (g *Gate) waiter() *waiter {
	if n := len(g.free); n > 0 {
		w := g.free[n-1]
		g.free = g.free[:n-1]
		w.in = false
		return w
	}
	return &waiter{turn: make(chan struct{}, 1)}
}

// forget takes a waiter out of the queue; the lock is held.
func (g *Gate) forget(w *waiter) {
	for i := g.head; i < len(g.queue); i++ {
		if g.queue[i] == w {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			break
		}
	}
	g.waiting.Add(-1)
}

// admit lets through whose turn it is; the lock is held.
func (g *Gate) admit() {
	let := 0
	for g.head < len(g.queue) {
		now := g.now()
		at := g.calls.at(now)
		if b := g.bytes.at(now); b.After(at) {
			at = b
		}
		if at.After(now) {
			g.slowed = true
			g.wake(at.Sub(now))
			break
		}
		if g.inFlight.Add(1) > g.limit.Load() {
			g.inFlight.Add(-1)
			g.held = true
			break
		}
		g.calls.take(now, 1)
		w := g.queue[g.head]
		g.queue[g.head] = nil
		if g.head++; g.head == len(g.queue) {
			g.queue, g.head = g.queue[:0], 0
		} else if g.head > 1024 && 2*g.head > len(g.queue) {
			g.queue = append(g.queue[:0], g.queue[g.head:]...)
			g.head = 0
		}
		g.waiting.Add(-1)
		w.in = true
		w.turn <- struct{}{}
		let++
	}
	if let > 0 && g.room != nil {
		g.room(let + g.spare())
	}
}

// spare is how many calls more could go through now; the lock is held.
func (g *Gate) spare() int {
	if g.head < len(g.queue) {
		return 0
	}
	now := g.now()
	if g.bytes.at(now).After(now) {
		return 0
	}
	n := min(max(g.limit.Load()-g.inFlight.Load(), 0), mostWindow)
	return min(int(n), g.calls.ready(now))
}

// wake looks again after d; the lock is held.
func (g *Gate) wake(d time.Duration) {
	if g.timer == nil {
		g.timer = time.AfterFunc(d, g.awake)
		return
	}
	g.timer.Reset(d)
}

// awake lets through whose turn has come by time.
func (g *Gate) awake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.admit()
}
