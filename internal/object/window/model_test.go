package window

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// seeds is how many runs of each model are made. The bounds below are what the control holds over 200; see
// docs/adr/0005-adaptive-window.md.
var seeds = flag.Int("seeds", 2, "runs of each model")

const rtt = 30 * time.Millisecond

// figure is what is measured of every run of a model, and how much of it there has to be.
type figure struct {
	name        string
	least, most float64
}

// hold runs a model with one seed after the other, every second time with latencies that vary by a fifth, and checks the
// figures.
func hold(t *testing.T, figures []figure, run func(seed uint64, jitter float64) []float64) {
	t.Helper()
	t.Parallel()
	all := make([][]float64, len(figures))
	for seed := range *seeds {
		got := run(uint64(seed), []float64{0, 0.2}[seed%2])
		for i, f := range figures {
			all[i] = append(all[i], got[i])
			if got[i] < f.least || got[i] > f.most {
				t.Errorf("seed %d: %s %.2f, want %g to %g", seed, f.name, got[i], f.least, f.most)
			}
		}
	}
	for i, f := range figures {
		slices.Sort(all[i])
		t.Logf("%s: least %.2f, median %.2f, most %.2f", f.name, all[i][0], all[i][len(all[i])/2], all[i][len(all[i])-1])
	}
}

func TestNoLimitIsFoundWhereThereIsNone(t *testing.T) {
	for _, callers := range []int{1, 16, 64, 256, 1024} {
		t.Run(fmt.Sprint(callers), func(t *testing.T) {
			hold(t, []figure{{"% of callers over latency", 96.5, 103}}, func(seed uint64, jitter float64) []float64 {
				m := &model{latency: rtt, jitter: jitter}
				m.start(seed, 1, callers, callers*200)
				m.run(time.Hour)
				return []float64{100 * m.rate() / (float64(callers) / rtt.Seconds())}
			})
		})
	}
}

func TestThrottlingAtRandomCostsItsRetriesAndLittleMore(t *testing.T) {
	for _, tc := range []struct{ random, least float64 }{{0.01, 93}, {0.05, 48}, {0.09, 40}, {0.2, 16}} {
		t.Run(fmt.Sprint(tc.random), func(t *testing.T) {
			hold(t, []figure{{"% of what is left", tc.least, 102}}, func(seed uint64, jitter float64) []float64 {
				m := &model{latency: rtt, jitter: jitter, random: tc.random}
				m.start(seed, 1, 256, 50_000)
				m.run(time.Hour)
				return []float64{100 * m.rate() / (256 / rtt.Seconds() * (1 - tc.random))}
			})
		})
	}
}

func TestHardLimitIsUsedAndHardlyExceeded(t *testing.T) {
	for _, tc := range []struct {
		limit, burst float64
		callers      int
		seconds      int
		random       float64
		least, most  float64 // % of the limit used, and refused beyond what is at random
	}{
		{100, 10, 64, 15, 0, 99.5, 6},
		{100, 10, 1024, 15, 0, 99.5, 6},
		{100, 100, 64, 60, 0, 101, 4},
		{400, 40, 64, 15, 0, 100, 3},
		{400, 400, 256, 30, 0, 103, 5.5},
		{3500, 350, 256, 30, 0, 99, 1.5},
		{3500, 3500, 1024, 30, 0, 102, 3},
		{400, 40, 256, 30, 0.05, 87, 7},
		{3500, 350, 1024, 30, 0.02, 95, 3.5},
		// Without any burst every second call is refused as soon as they come a little too fast.
		{10, 1, 64, 240, 0, 91, 6},
		{100, 1, 64, 15, 0, 89, 5.5},
		{100, 1, 64, 60, 0, 96, 2.5},
		{400, 1, 64, 60, 0, 96.5, 1},
		{3500, 1, 1024, 60, 0, 95, 1},
	} {
		t.Run(fmt.Sprintf("%g with burst %g, %g at random, %d callers, %d s", tc.limit, tc.burst, tc.random, tc.callers, tc.seconds), func(t *testing.T) {
			hold(t, []figure{{"% used", tc.least, 110}, {"% refused", -1, tc.most}}, func(seed uint64, jitter float64) []float64 {
				m := &model{latency: rtt, jitter: jitter, limit: tc.limit, burst: tc.burst, random: tc.random}
				m.start(seed, 1, tc.callers, int(tc.limit)*tc.seconds)
				m.run(time.Hour)
				return []float64{100 * m.rate() / tc.limit, 100 * (m.share() - tc.random)}
			})
		})
	}
}

func TestLimitThatChangesIsFollowed(t *testing.T) {
	// All of it at the limits, then 64 calls at a time: 60 s and 28 s; the last one has to be noticed.
	hold(t, []figure{{"seconds", 80, 113}, {"% refused", 0, 1}}, func(seed uint64, jitter float64) []float64 {
		m := &model{latency: rtt, jitter: jitter, limit: 400, burst: 40, change: func(m *model, at time.Duration) {
			switch {
			case at > 60*time.Second:
				m.limit, m.burst = 0, 0
			case at > 40*time.Second:
				m.limit, m.burst = 100, 10
			case at > 20*time.Second:
				m.limit, m.burst = 1000, 100
			}
		}}
		m.start(seed, 1, 64, 400*20+1000*20+100*20+60_000)
		m.run(time.Hour)
		return []float64{m.took().Seconds(), 100 * m.share()}
	})
}

func TestProcessesThatShareALimitStayWithinIt(t *testing.T) {
	// Where one process cuts and the others take what it leaves, its cut seems not to help, and what the others cause is
	// taken for noise.
	hold(t, []figure{{"% used", 93, 110}, {"% refused", 0, 6}}, func(seed uint64, jitter float64) []float64 {
		const before = 25 * time.Second // the last rows are few
		m := &model{latency: rtt, jitter: jitter, limit: 400, burst: 40}
		m.start(seed, 4, 64, 12_000)
		m.run(before)
		return []float64{100 * float64(m.good) / before.Seconds() / m.limit, 100 * m.share()}
	})
}

func TestStoreThatOnlyQueuesIsNotCrowded(t *testing.T) {
	hold(t, []figure{{"% of what the store can", 97, 102}, {"calls at a time", 50, 300}}, func(seed uint64, jitter float64) []float64 {
		m := &model{latency: rtt, jitter: jitter, servers: 50}
		m.start(seed, 1, 1024, 100_000)
		m.run(time.Hour)
		return []float64{100 * m.rate() * rtt.Seconds() / 50, float64(m.windows[0].State().Window)}
	})
}

func TestSlowObjectsAreNoLoad(t *testing.T) {
	hold(t, []figure{{"seconds", 100, 125}}, func(seed uint64, jitter float64) []float64 {
		m := &model{latency: rtt, jitter: jitter, change: func(m *model, at time.Duration) {
			if at > 2*time.Second {
				m.latency = time.Second // larger objects: it is not our calls that wait for each other
			}
		}}
		m.start(seed, 1, 256, 256*60+256*100)
		m.run(time.Hour)
		return []float64{m.took().Seconds()}
	})
}

func TestARunIsDecidedByItsSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		m := &model{latency: rtt, jitter: 0.2, limit: 400, burst: 40, random: 0.01}
		m.start(seed, 2, 64, 4000)
		m.run(time.Hour)
		return fmt.Sprint(m.good, m.refused, m.last, m.most, m.windows[0].State(), m.windows[1].State())
	}
	if a, b := run(1), run(1); a != b {
		t.Errorf("two runs of one seed:\n%s\n%s", a, b)
	}
	if a, b := run(1), run(2); a == b {
		t.Errorf("two seeds, one run: %s", a)
	}
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
