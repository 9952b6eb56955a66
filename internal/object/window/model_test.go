package window

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// model is a store as its clients see it, in fake time.
type model struct {
	latency time.Duration
	servers int     // calls worked on at a time, the others wait; 0 = all
	limit   float64 // calls a second; above it they are refused
	burst   float64
	random  float64                         // share refused whatever the load
	change  func(m *model, t time.Duration) // what happens over time

	mu       sync.Mutex
	began    time.Time
	rng      *rand.Rand
	tokens   float64
	filled   time.Time
	slots    chan struct{}
	good     int
	refused  int
	first    time.Time
	last     time.Time
	inFlight int
	most     int
}

func (m *model) start() {
	m.began, m.filled, m.tokens = time.Now(), time.Now(), m.burst
	m.rng = rand.New(rand.NewPCG(1, 2))
	if m.servers > 0 {
		m.slots = make(chan struct{}, m.servers)
	}
}

// call is one call; false when it was refused.
func (m *model) call() bool {
	m.mu.Lock()
	now := time.Now()
	if m.change != nil {
		m.change(m, now.Sub(m.began))
	}
	m.inFlight++
	m.most = max(m.most, m.inFlight)
	ok := m.rng.Float64() >= m.random
	if ok && m.limit > 0 {
		m.tokens = min(max(m.burst, 1), m.tokens+now.Sub(m.filled).Seconds()*m.limit)
		m.filled = now
		if ok = m.tokens >= 1; ok {
			m.tokens--
		}
	}
	latency := m.latency
	m.mu.Unlock()
	if m.slots != nil {
		m.slots <- struct{}{}
	}
	time.Sleep(latency)
	if m.slots != nil {
		<-m.slots
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight--
	if !ok {
		m.refused++
		return false
	}
	if m.good++; m.good == 1 {
		m.first = time.Now()
	}
	m.last = time.Now()
	return true
}

func (m *model) rate() float64  { return float64(m.good) / m.last.Sub(m.first).Seconds() }
func (m *model) share() float64 { return float64(m.refused) / float64(m.good+m.refused) }

// objects are n of them, to be worked on.
func objects(n int) <-chan struct{} {
	left := make(chan struct{}, n)
	for range n {
		left <- struct{}{}
	}
	close(left)
	return left
}

// load has objects worked on by so many callers through one window, as the driver does it.
func (m *model) load(w *Window, callers int, left <-chan struct{}) {
	var all sync.WaitGroup
	for i := range callers {
		rng := rand.New(rand.NewPCG(uint64(i), 3))
		all.Go(func() {
			for range left {
				for try := 0; ; try++ {
					c, err := w.Enter(context.Background())
					if err != nil {
						panic(err)
					}
					if m.call() {
						w.Leave(c, Good)
						break
					}
					w.Leave(c, Throttled)
					time.Sleep(time.Duration(rng.Int64N(int64(min(50*time.Millisecond<<min(try, 7), 5*time.Second)))))
				}
			}
		})
	}
	all.Wait()
}

// run loads a store and gives the window that did it.
func (m *model) run(t *testing.T, callers, n int) *Window {
	t.Helper()
	w := New()
	m.start()
	m.load(w, callers, objects(n))
	t.Logf("%.0f/s, %.1f %% refused, at most %d in flight, %v; %+v", m.rate(), 100*m.share(), m.most, m.last.Sub(m.first), w.State())
	return w
}

const rtt = 30 * time.Millisecond

func TestNoLimitIsFoundWhereThereIsNone(t *testing.T) {
	t.Parallel()
	for _, callers := range []int{1, 16, 64, 256, 1024} {
		t.Run(fmt.Sprint(callers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &model{latency: rtt}
				m.run(t, callers, callers*200)
				if share := m.rate() / (float64(callers) / rtt.Seconds()); share < 0.95 {
					t.Errorf("%.1f %% of callers over latency, want 95", 100*share)
				}
			})
		})
	}
}

func TestThrottlingAtRandomCostsItsRetriesAndLittleMore(t *testing.T) {
	t.Parallel()
	for random, least := range map[float64]float64{0.01: 0.93, 0.05: 0.85, 0.09: 0.6, 0.2: 0.1} {
		t.Run(fmt.Sprint(random), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &model{latency: rtt, random: random}
				m.run(t, 256, 50_000)
				if share := m.rate() / (256 / rtt.Seconds() * (1 - random)); share < least {
					t.Errorf("%.1f %% of what is left, want %.0f", 100*share, 100*least)
				}
			})
		})
	}
}

func TestHardLimitIsUsedAndHardlyExceeded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		limit, burst float64
		callers      int
		seconds      int
		random       float64
		least        float64 // share of the limit
	}{
		{100, 10, 64, 15, 0, 0.97},
		{100, 10, 1024, 15, 0, 0.97},
		{100, 100, 64, 60, 0, 0.97},
		{400, 40, 64, 15, 0, 0.97},
		{400, 400, 256, 30, 0, 0.97},
		{3500, 350, 256, 30, 0, 0.9}, // 99 %, but for one run in some thirty
		{3500, 3500, 1024, 30, 0, 0.97},
		{400, 40, 256, 30, 0.05, 0.5}, // usually 90 %: noise is learned late where much is refused at first
		{3500, 350, 1024, 30, 0.02, 0.85},
		// Without any burst every second call is refused as soon as they come a little too fast.
		{10, 1, 64, 240, 0, 0.9},
		{100, 1, 64, 60, 0, 0.9},
		{400, 1, 64, 60, 0, 0.93},
		{3500, 1, 1024, 60, 0, 0.9},
	} {
		t.Run(fmt.Sprintf("%g with burst %g, %g at random, %d callers", tc.limit, tc.burst, tc.random, tc.callers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &model{latency: rtt, limit: tc.limit, burst: tc.burst, random: tc.random}
				m.run(t, tc.callers, int(tc.limit)*tc.seconds)
				if share := m.rate() / tc.limit; share < tc.least {
					t.Errorf("%.1f %% of the limit is used, want %.0f", 100*share, 100*tc.least)
				}
				if share := m.share() - tc.random; share > 0.06 { // of what is measured 5; the model's callers race
					t.Errorf("%.1f %% of the answers refuse, want at most 6", 100*share)
				}
			})
		})
	}
}

func TestLimitThatChangesIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &model{latency: rtt, limit: 400, burst: 40, change: func(m *model, at time.Duration) {
			switch {
			case at > 60*time.Second:
				m.limit, m.burst = 0, 0
			case at > 40*time.Second:
				m.limit, m.burst = 100, 10
			case at > 20*time.Second:
				m.limit, m.burst = 1000, 100
			}
		}}
		m.run(t, 64, 400*20+1000*20+100*20+60_000)
		// All of it at the limits, then 64 calls at a time: 60 s and 28 s; the last one has to be noticed.
		if took := m.last.Sub(m.first); took > 115*time.Second {
			t.Errorf("took %v, want at most 115 s", took)
		}
		if m.share() > 0.05 {
			t.Errorf("%.1f %% of the answers refuse, want at most 5", 100*m.share())
		}
	})
}

func TestProcessesThatShareALimitStayWithinIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &model{latency: rtt, limit: 400, burst: 40}
		m.start()
		var all sync.WaitGroup
		left := objects(12_000)
		for range 4 {
			all.Go(func() {
				w := New()
				m.load(w, 64, left)
				t.Logf("%v: %+v", time.Since(m.began), w.State())
			})
		}
		const before = 25 * time.Second // the last rows are few
		time.Sleep(before)
		m.mu.Lock()
		rate, share := float64(m.good)/before.Seconds(), m.share()
		m.mu.Unlock()
		all.Wait()
		// Usually 4 % are refused. Where one process cuts and the others take what it leaves, its cut seems not to help, and
		// what the others cause is taken for noise: up to 19 % were seen.
		if rate < 0.93*400 || share > 0.2 {
			t.Errorf("%.0f of 400 a second, %.1f %% refused; want 93 %% and at most 20", rate, 100*share)
		}
	})
}

func TestStoreThatOnlyQueuesIsNotCrowded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &model{latency: rtt, servers: 50}
		w := m.run(t, 1024, 100_000)
		if share := m.rate() * rtt.Seconds() / 50; share < 0.97 {
			t.Errorf("%.1f %% of what the store can, want 97", 100*share)
		}
		if n := w.State().Window; n > 300 {
			t.Errorf("%d calls at a time where 50 are worked on", n)
		}
	})
}

func TestSlowObjectsAreNoLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &model{latency: rtt, change: func(m *model, at time.Duration) {
			if at > 2*time.Second {
				m.latency = time.Second // larger objects: it is not our calls that wait for each other
			}
		}}
		m.run(t, 256, 256*60+256*100)
		if took := m.last.Sub(m.first); took > 125*time.Second {
			t.Errorf("took %v, want at most 125 s", took)
		}
	})
}

func TestSilenceIsNoSlowness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New()
		time.Sleep(time.Hour)
		m := &model{latency: rtt, limit: 400, burst: 40}
		m.start()
		m.load(w, 64, objects(400))
		time.Sleep(time.Hour)
		m.load(w, 64, objects(4000))
		if s := w.State(); s.Rate < 350 || s.Rate > 500 {
			t.Errorf("learned %+v of a limit of 400 a second", s)
		}
	})
}

// Whatever the rounds say, the bounds let calls through.
func TestBoundsStaySane(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newControl()
		for range rapid.IntRange(1, 200).Draw(t, "rounds") {
			n := rapid.IntRange(0, 5000).Draw(t, "calls")
			bad := rapid.IntRange(0, n).Draw(t, "throttled")
			r := round{
				took: time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "took")), good: n - bad, throttled: bad,
				latency: time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "latency")),
				held:    rapid.Bool().Draw(t, "held"), slowed: rapid.Bool().Draw(t, "slowed"), inFlight: rapid.IntRange(1, 5000).Draw(t, "in flight"),
			}
			c.due(r)
			c.end(r)
			if !(c.window >= 1 && c.window <= mostWindow) || !(c.rate == 0 || c.rate >= leastRate && c.rate < 1e9) || !(c.noise >= 0 && c.noise <= 0.6) {
				t.Fatalf("window %v, rate %v, noise %v after %+v", c.window, c.rate, c.noise, r)
			}
		}
	})
}
