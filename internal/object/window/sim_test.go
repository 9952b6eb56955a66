package window

import (
	"math/rand/v2"
	"time"
)

// model is a store, and who calls it through windows, in a simulation that the seed decides: one goroutine, a clock of its
// own, and what happens at one instant in an order drawn from the seed. Windows and gates are the real ones.
type model struct {
	latency time.Duration
	jitter  float64 // of the latency, up or down
	servers int     // calls worked on at a time, the others wait; 0 = all
	limit   float64 // calls a second; above it they are refused
	burst   float64
	random  float64                         // share refused whatever the load
	change  func(m *model, t time.Duration) // what happens over time

	rng     *rand.Rand
	windows []*Window
	waits   [][]*caller // of each window, in their order
	left    int         // objects that nobody has begun
	events  events
	began   time.Time
	now     time.Time

	tokens      float64
	filled      time.Time
	busy        int
	line        []*caller // for a server
	good        int
	refused     int
	first, last time.Duration
	inFlight    int
	most        int
}

// caller works on one object after the other, as the driver does it.
type caller struct {
	window int
	wait   *waiter
	call   Call
	ok     bool
	try    int
}

// event is what happens to a caller, or with none, to the timer of a window.
type event struct {
	at     time.Duration
	order  uint64 // of those at one instant
	what   what
	caller *caller
	window int
	set    int // of the timer
}

type what int

const (
	enters what = iota
	answered
	wakes
)

// events is a heap, the next one first. Millions go through it: with container/heap each would be allocated.
type events []event

func (e event) before(o event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

func (e *events) push(x event) {
	h := append(*e, x)
	*e = h
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !x.before(h[up]) {
			break
		}
		h[i], h[up] = h[up], x
		i = up
	}
}

func (e *events) pop() event {
	h := *e
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*e = h
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(h) {
			if i < len(h) {
				h[i] = last
			}
			return first
		}
		if down+1 < len(h) && h[down+1].before(h[down]) {
			down++
		}
		if !h[down].before(last) {
			h[i] = last
			return first
		}
		h[i] = h[down]
		i = down
	}
}

// simTimer is the timer of a gate.
type simTimer struct {
	m      *model
	window int
	set    int
}

func (t *simTimer) Reset(d time.Duration) bool {
	t.set++
	t.m.after(d, event{what: wakes, window: t.window, set: t.set})
	return true
}

func (m *model) at() time.Duration { return m.now.Sub(m.began) }

func (m *model) after(d time.Duration, e event) {
	e.at, e.order = m.at()+d, m.rng.Uint64()
	m.events.push(e)
}

// start has n objects worked on through so many windows, each with so many callers.
func (m *model) start(seed uint64, windows, callers, n int) {
	m.rng = rand.New(rand.NewPCG(seed, 1))
	m.began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m.now, m.filled, m.tokens, m.left = m.began, m.began, m.burst, n
	m.waits = make([][]*caller, windows)
	for i := range windows {
		w := newWindow(func() time.Time { return m.now })
		w.gate.timer = &simTimer{m: m, window: i}
		m.windows = append(m.windows, w)
		for range callers {
			m.after(0, event{what: enters, caller: &caller{window: i}})
		}
	}
}

// run goes on until all is done or so much time has passed.
func (m *model) run(until time.Duration) {
	for len(m.events) > 0 && m.events[0].at <= until {
		e := m.events.pop()
		m.now = m.began.Add(e.at)
		if m.change != nil {
			m.change(m, e.at)
		}
		switch e.what {
		case enters:
			m.enter(e.caller)
		case answered:
			m.answer(e.caller)
		case wakes:
			if g := &m.windows[e.window].gate; g.timer.(*simTimer).set == e.set {
				g.awake()
			}
		}
		for i := range m.waits {
			for len(m.waits[i]) > 0 && m.waits[i][0].wait.in {
				c := m.waits[i][0]
				m.waits[i] = m.waits[i][1:]
				<-c.wait.turn
				m.windows[i].gate.part(c.wait)
				m.begin(c)
			}
		}
	}
}

func (m *model) enter(c *caller) {
	if c.try == 0 {
		if m.left == 0 {
			return
		}
		m.left--
	}
	g := &m.windows[c.window].gate
	if g.slip() {
		m.begin(c)
		return
	}
	c.wait = g.join()
	m.waits[c.window] = append(m.waits[c.window], c)
}

// begin is a call that reaches the store.
func (m *model) begin(c *caller) {
	c.call = m.windows[c.window].begun()
	m.inFlight++
	m.most = max(m.most, m.inFlight)
	c.ok = m.rng.Float64() >= m.random
	if c.ok && m.limit > 0 {
		m.tokens = min(max(m.burst, 1), m.tokens+m.now.Sub(m.filled).Seconds()*m.limit)
		m.filled = m.now
		if c.ok = m.tokens >= 1; c.ok {
			m.tokens--
		}
	}
	if m.servers > 0 && m.busy == m.servers {
		m.line = append(m.line, c)
		return
	}
	m.work(c)
}

func (m *model) work(c *caller) {
	m.busy++
	latency := m.latency
	if m.jitter > 0 {
		latency = time.Duration(float64(latency) * (1 + m.jitter*(2*m.rng.Float64()-1)))
	}
	m.after(latency, event{what: answered, caller: c})
}

func (m *model) answer(c *caller) {
	m.busy--
	if len(m.line) > 0 {
		m.work(m.line[0])
		m.line = m.line[1:]
	}
	m.inFlight--
	w := m.windows[c.window]
	if !c.ok {
		m.refused++
		w.Leave(c.call, Throttled)
		back := min(50*time.Millisecond<<min(c.try, 7), 5*time.Second)
		c.try++
		m.after(time.Duration(m.rng.Int64N(int64(back))), event{what: enters, caller: c})
		return
	}
	if m.good++; m.good == 1 {
		m.first = m.at()
	}
	m.last = m.at()
	w.Leave(c.call, Good)
	c.try = 0
	m.after(0, event{what: enters, caller: c})
}

func (m *model) took() time.Duration { return m.last - m.first }
func (m *model) rate() float64       { return float64(m.good) / m.took().Seconds() }
func (m *model) share() float64      { return float64(m.refused) / float64(m.good+m.refused) }
