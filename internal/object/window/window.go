package window

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// End is how a call ended, as far as the store's load goes.
type End int

// The ends.
const (
	Good      End = iota // the store did what it does, were it to refuse for good
	Throttled            // it asked for fewer calls
	Unknown              // it says nothing: no answer, or one that has to do with neither
)

// Window finds out how many calls an endpoint takes. All clients of the endpoint share one. Safe for concurrent use.
type Window struct {
	gate Gate

	epoch     atomic.Uint32 // of the present bounds
	good      atomic.Int64  // answers to calls that began in it
	throttled atomic.Int64
	due       atomic.Int64 // so many answers are worth a look

	// The gate's lock holds for these.
	control *control
	since   time.Time // of the round
	looked  time.Time // when something last happened, about
	latency time.Duration
	timed   int
	refused int64 // throttled answers ever
}

// Call is one call under way.
type Call struct {
	epoch uint32
	began time.Time // of one call in 32; else zero
}

// New makes a Window that knows nothing yet.
func New() *Window { return newWindow(time.Now) }

func newWindow(now func() time.Time) *Window {
	w := &Window{control: newControl()}
	w.gate.begin(now)
	w.apply(now())
	return w
}

// OnRoom is the gate's. Before the first call only.
func (w *Window) OnRoom(f func(n int)) { w.gate.room = f }

// Waiting is how many calls wait for their turn.
func (w *Window) Waiting() int { return w.gate.Waiting() }

// State is what a Window has found.
type State struct {
	InFlight  int
	Waiting   int
	Window    int     // calls that may be in flight
	Rate      float64 // calls a second that was learned; 0 = none
	Noise     float64 // share of throttled answers that our load does not cause
	Throttled int64   // throttled answers ever
}

// State tells what was found so far.
func (w *Window) State() State {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	c := w.control
	return State{
		InFlight: w.gate.InFlight(), Waiting: w.gate.Waiting(), Window: int(c.window), Rate: c.rate, Noise: c.noise,
		Throttled: w.refused,
	}
}

// Enter waits for a call's turn; Leave must follow when it returns nil. It ends with the context, or with
// object.ErrWaitEnded.
func (w *Window) Enter(ctx context.Context) (Call, error) {
	if err := w.gate.Enter(ctx); err != nil {
		return Call{}, err
	}
	return w.begun(), nil
}

// begun notes when, and under which bounds, a call begins.
func (w *Window) begun() Call {
	c := Call{epoch: w.epoch.Load()}
	if w.good.Load()&31 == 0 || w.gate.inFlight.Load() == 1 {
		c.began = w.gate.now()
		if w.gate.inFlight.Load() == 1 {
			w.awake(c.began)
		}
	}
	return c
}

// awake begins the round anew when the first call comes after a silence, which is no time that the store took.
func (w *Window) awake(now time.Time) {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	if now.Sub(w.looked) > silence {
		w.reset(now)
	}
	w.looked = now
}

// silence is how long nothing may happen in a round.
const silence = time.Second

// Leave ends a call.
func (w *Window) Leave(c Call, e End) {
	w.gate.inFlight.Add(-1)
	look := w.gate.waiting.Load() > 0
	if e != Unknown && c.epoch == w.epoch.Load() {
		if e == Good {
			look = w.good.Add(1)+w.throttled.Load() >= w.due.Load() || look
		} else {
			w.throttled.Add(1)
		}
	}
	if look || e == Throttled || !c.began.IsZero() {
		w.look(c, e)
	}
}

// look takes note of a call that may change something.
func (w *Window) look(c Call, e End) {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	now := w.gate.now()
	w.looked = now
	if e == Throttled {
		w.refused++
	}
	if !c.began.IsZero() && e == Good && c.epoch == w.epoch.Load() {
		w.latency += now.Sub(c.began)
		w.timed++
	}
	r := round{
		took: now.Sub(w.since), good: int(w.good.Load()), throttled: int(w.throttled.Load()),
		held: w.gate.held, slowed: w.gate.slowed, inFlight: w.gate.InFlight() + 1,
	}
	if w.timed > 0 {
		r.latency = w.latency / time.Duration(w.timed)
	}
	switch {
	case !w.control.due(r):
		w.due.Store(int64(r.calls() + max(1, r.calls()/4)))
	case w.control.end(r):
		w.apply(now)
	default:
		w.reset(now)
	}
	w.gate.admit()
}

// apply puts the control's bounds in force; the gate's lock is held.
func (w *Window) apply(now time.Time) {
	if !w.control.wider {
		w.epoch.Add(1)
	}
	w.reset(now)
	w.gate.setLimit(int(math.Ceil(w.control.window)))
	if w.gate.calls.rate != w.control.rate {
		if w.control.rate < w.gate.calls.rate || w.gate.calls.rate == 0 {
			defer w.gate.calls.forfeit(now) // the store has nothing left for who would catch up
		}
		w.gate.calls.set(now, w.control.rate, 1)
		w.gate.paced.Store(w.control.rate > 0)
	}
}

// reset begins a round.
func (w *Window) reset(now time.Time) {
	w.since = now
	w.good.Store(0)
	w.throttled.Store(0)
	w.latency, w.timed = 0, 0
	w.gate.held, w.gate.slowed = false, false
	w.due.Store(int64(w.control.window))
	if !w.control.starting {
		w.due.Store(int64(max(roundCalls, 2*w.control.window)))
	}
}
