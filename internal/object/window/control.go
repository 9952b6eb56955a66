package window

import (
	"math"
	"time"
)

// Tuning. The numbers come from the simulations in this package's tests and from bench/RESULTS.md.
const (
	firstWindow = 16   // calls in flight before anything is known
	wide        = 64   // from here on calls under way count when a starting window has grown: a limit would have shown
	leastWindow = 4    // latency does not cut below it
	mostWindow  = 8192 // nobody has so many connections
	mostRate    = 1e6
	leastRate   = 0.5 // calls a second: what is left of a store that refuses all

	threshold = 0.10  // share of throttled answers that may be chance
	tolerance = 0.025 // of them beyond noise, while a learned rate is in force
	quiet     = 0.005 // below it a learned rate may grow

	leastGrowth    = 0.01 // of a learned rate, a round; doubled with each quiet round
	mostGrowth     = 0.15
	near           = 0.05 // above the rate of the last cut: so far growth is slow
	freshGrowth    = 0.25 // while a rate has been learned just now, until something is throttled
	freshLimit     = 0.08 // share of throttled answers that ends such growth
	mostNoise      = 0.40 // no store refuses more at random
	mostBetter     = 8    // that make it better and never well: what looked bad for a moment was chance
	mostCuts       = 3    // that may fail to help, one after the other, before they are undone
	mostRest       = 8    // quiet rounds before a rate grows again
	probeAfter     = 40   // rounds in which a little was throttled, until it is asked whether the load is to blame
	mostProbeAfter = 640  // each time that it was, it is asked half as often
	probeBy        = 0.06 // more of the rate, to ask that

	roundTime   = 500 * time.Millisecond // of a learned rate, at least
	roundCalls  = 50                     // or so many answers
	roundEnd    = 5 * time.Second        // but no longer than this
	alarmTime   = 20 * time.Millisecond  // of a learned rate, before too much is refused for sure
	trialTime   = 100 * time.Millisecond
	trialCalls  = 20  // at least, of a cut that is to be judged
	surelyCalls = 200 // that tell a few per cent from twice as many

	lateBy      = 25 * time.Millisecond // latency beyond twice the best that says nothing
	stayFor     = 5 * time.Second       // after a window was made smaller for latency and that was right
	trialsAgain = 30 * time.Second      // after a window was made smaller for latency and that was wrong; doubled each time
)

// round is what was seen of calls that began under the present bounds.
type round struct {
	took      time.Duration
	good      int // answers that were not throttled
	throttled int
	latency   time.Duration // mean of the good answers; 0 = not known
	held      bool          // somebody waited for calls in flight to end
	slowed    bool          // or for the rate
	inFlight  int           // at its end
}

func (r round) calls() int { return r.good + r.throttled }

func (r round) share() float64 { return float64(r.throttled) / float64(max(r.calls(), 1)) }

// goodput is the good answers a second.
func (r round) goodput() float64 { return float64(r.good) / max(r.took.Seconds(), 1e-3) }

// exceeds reports whether the share of throttled answers is above t by more than chance: so many standard deviations.
func (r round) exceeds(t, sigmas float64) bool {
	n := float64(r.calls())
	return float64(r.throttled) > t*n+sigmas*math.Sqrt(n*t*(1-t))
}

// control finds the bounds of an endpoint. It is a machine without clock or lock: rounds go in, bounds come out.
type control struct {
	window float64 // calls in flight
	rate   float64 // calls a second, learned; 0 = none
	noise  float64 // share of throttled answers that our load does not cause

	starting bool    // the window doubles
	growth   float64 // of the rate, next time
	fresh    bool    // the rate was learned just now
	exact    bool    // and by the share of what was throttled of calls that were spread
	found    float64 // the rate that the last cut came to
	// well is a rate at which nothing was throttled a moment ago; 0 = none. It is gone back to before anything lower: some
	// stores refuse every other call as soon as they come a little too fast.
	well       float64
	rest       int     // quiet rounds until the rate may grow
	restFor    int     // what rest begins with; doubled each time that well was gone back to
	cut        *cut    // made and not yet judged
	seen       round   // answers at the present rate
	holds      int     // rounds in which a little was throttled
	held       float64 // the rate at the first of them
	probe      *probe
	probeAfter int  // holds
	settled    bool // the last round ended without a change: calls were in flight when this one began
	wider      bool // all that it changed is a window that grew while starting: calls under way say as much as those to come
	best       time.Duration
	rtt        time.Duration // the latency seen last
	lower      *lower        // a window made smaller for latency, and not yet judged
	calm       time.Duration // no further trial of that for so long
	calmFor    time.Duration
	stay       time.Duration // the window does not grow for so long
}

// cut is a rate made lower.
type cut struct {
	window, rate float64 // before the first one
	first, share float64 // of throttled answers before the first one, and before the last
	tries        int
	calls, bad   int // in the rounds since the first one
}

// probe is a rate made higher, to see whether more is throttled.
type probe struct{ rate, share float64 }

// lower is a window made smaller.
type lower struct {
	window, to float64
	goodput    float64
}

func newControl() *control {
	return &control{window: firstWindow, starting: true, probeAfter: probeAfter}
}

// limit is how many throttled answers, as a share, may be chance or somebody else's doing.
func (c *control) limit() float64 {
	if c.noise == 0 {
		return threshold
	}
	return max(threshold, 1.5*c.noise+0.05)
}

// due reports whether a round says enough to be judged.
func (c *control) due(r round) bool {
	switch {
	case c.alarmed(r):
		return true
	case c.cut != nil:
		before, end := c.cut.share-c.noise, roundEnd
		need := trialCalls / max(before, 0.01)
		if before < threshold { // a little is told from half of it by many calls only
			need, end = 2*need, 3*end
		}
		return r.took >= trialTime && float64(r.calls()) >= need || r.took >= end
	case c.probe != nil:
		return r.took >= roundTime && r.calls() >= surelyCalls || r.took >= roundEnd
	case c.fresh:
		return r.took >= trialTime && r.calls() >= trialCalls || r.took >= roundEnd
	case c.rate > 0:
		return r.took >= roundTime && r.calls() >= roundCalls || r.took >= roundEnd
	case c.lower != nil:
		return r.calls() >= 4*int(c.window) && r.took >= trialTime
	case c.starting:
		return r.calls() >= int(c.window)
	}
	return r.calls() >= max(roundCalls, 2*int(c.window)) && r.took >= trialTime
}

// alarmed reports whether the round need not be waited for: too much is refused.
func (c *control) alarmed(r round) bool {
	if c.rate > 0 {
		return r.calls() >= max(10, int(c.rate*alarmTime.Seconds())) && r.exceeds(c.noise+threshold, 2.5)
	}
	return r.calls() >= max(10, int(c.window)/8) && r.exceeds(c.limit(), 3.5)
}

// end judges a round and reports whether the bounds have changed.
func (c *control) end(r round) bool {
	window, rate := c.window, c.rate
	if r.latency > 0 {
		c.rtt = r.latency
	}
	c.calm, c.stay = max(0, c.calm-r.took), max(0, c.stay-r.took)
	c.wider = false
	switch {
	case c.cut != nil:
		c.judge(r)
	case c.rate > 0:
		c.steady(r)
	case c.alarmed(r):
		c.starting, c.lower = false, nil
		c.cutTo(r)
		c.fresh, c.growth = true, freshGrowth
	default:
		c.open(r)
	}
	if c.rate > 0 && c.cut == nil && r.share() <= c.noise+tolerance {
		// The rate spreads the calls; a window that bounds them too would have them come in bunches.
		if r.held {
			c.window *= 1.5
		}
		c.window = min(max(c.window, 2*c.rate*c.rtt.Seconds()), mostWindow)
	}
	changed := c.window != window || c.rate != rate
	c.settled = !changed
	return changed
}

// cutTo lowers the rate to what went through.
func (c *control) cutTo(r round) {
	if c.cut == nil {
		c.cut = &cut{window: c.window, rate: c.rate}
	}
	if c.cut.share = r.share(); c.cut.tries == 0 || c.cut.share > c.noise+0.5 {
		c.cut.first, c.cut.tries, c.cut.calls, c.cut.bad = c.cut.share, 0, 0, 0
	}
	c.cut.tries++
	most := 0.75
	sent := float64(r.calls()) / max(r.took.Seconds(), 1e-3)
	if c.rtt > 0 {
		sent = float64(r.inFlight) / c.rtt.Seconds() // answers lag behind: they do not tell how many calls were sent
	}
	switch {
	case c.rate <= 0:
		most = 0.67 // calls that came all at once say little of what there is room for
	case r.slowed || r.held || sent > c.rate:
		sent = c.rate
	}
	refused := r.share() - c.noise
	if c.rate > 0 {
		refused -= deviation(r.share(), r) // of few answers many may be refused by chance: rather a second cut than one too deep
	}
	c.setRate(sent * (1 - min(max(refused, 0), most)))
	if c.rate < c.well {
		c.setRate(c.well)
		c.restFor = min(max(1, 2*c.restFor), mostRest)
		c.rest = c.restFor
	}
	c.exact = r.slowed && r.share()-c.noise < most
	c.found, c.well = c.rate, 0
	c.probe = nil
}

// excess is the share of throttled answers beyond noise, and whether that is more than chance.
func (c *control) excess(r round) (excess float64, much bool) {
	excess = r.share() - c.noise
	return excess, r.throttled >= 2 && excess > tolerance+2*deviation(max(c.noise, tolerance), r)
}

// deviation is the standard deviation of the share of throttled answers where that share is chance.
func deviation(share float64, r round) float64 {
	return math.Sqrt(share * (1 - share) / float64(max(r.calls(), 1)))
}

// judge says whether a cut has helped. One that has not was for nothing, as where answers are throttled at random: then
// all is as before, and that share is known from now on.
func (c *control) judge(r round) {
	excess, much := c.excess(r)
	c.cut.calls += r.calls()
	c.cut.bad += r.throttled
	switch {
	case excess <= (c.cut.share-c.noise)/2:
		switch {
		case much && c.cut.tries >= mostBetter && c.cut.sure():
			c.undo(r)
		case much:
			c.cutTo(r) // better, and still too much
		default:
			if c.cut = nil; c.exact && excess > c.quiet() && r.throttled > 1 {
				c.fresh, c.growth = false, leastGrowth // this is the limit
			}
		}
	case c.cut.tries < mostCuts,
		c.cut.calls < surelyCalls && c.cut.tries < 2*mostCuts, // few answers tell little
		float64(c.cut.bad) > mostNoise*float64(c.cut.calls):
		c.cutTo(r)
	case c.cut.first-c.noise >= threshold && excess < 0.75*(c.cut.first-c.noise): // a little: others may have taken what this process left
		c.cut.tries = 0
		c.cutTo(r)
	default:
		c.undo(r)
	}
}

// sure reports whether what was seen since the first cut can be noise, and is enough to say so.
func (c *cut) sure() bool {
	return c.calls >= surelyCalls && float64(c.bad) <= mostNoise*float64(c.calls)
}

// undo puts back what was before a cut that was for nothing.
func (c *control) undo(r round) {
	c.noise = min(float64(c.cut.bad)/float64(c.cut.calls), r.share()) // at most what is left at the lowest rate
	c.window, c.rate = c.cut.window, c.cut.rate
	c.cut, c.fresh, c.exact, c.growth = nil, true, false, freshGrowth
}

// steady keeps a learned rate at the store's limit: where a little is throttled, and the limit is not left unused.
func (c *control) steady(r round) {
	if c.probe != nil {
		c.judgeProbe(r)
		return
	}
	if c.noise > 0 {
		c.learnNoise(r)
	}
	c.seen.good += r.good
	c.seen.throttled += r.throttled
	excess, much := c.excess(c.seen)
	if c.fresh {
		much = r.throttled >= 3 && r.share()-c.noise > freshLimit
	}
	switch {
	case much || c.alarmed(r):
		c.growth = max(c.growth/2, leastGrowth)
		c.fresh = c.fresh && c.growth >= near
		if !c.alarmed(r) {
			r.good, r.throttled = c.seen.good, c.seen.throttled
		}
		c.cutTo(r)
	case !c.fresh && excess > c.quiet():
		c.growth = leastGrowth
		if c.holds == 0 {
			c.held = c.rate
		}
		// A little less: near its limit a store is used as well with few refusals as with some more.
		c.rate = max(c.rate*(1-(excess-c.quiet())/3), 0.97*c.held, leastRate)
		if c.holds++; c.holds >= c.probeAfter && r.slowed {
			c.probe = &probe{c.rate, c.seen.share()}
			c.setRate(c.rate * (1 + probeBy))
		}
	case !r.slowed:
	case c.rest > 0:
		c.rest--
	default:
		if excess <= c.quiet() {
			c.well = c.rate
		}
		growth := c.growth
		if c.fresh && c.exact && c.rate < 1.5*c.found {
			growth = min(growth, mostGrowth/2)
		}
		c.setRate(c.rate + max(growth*c.rate, leastRate))
		if !c.fresh && c.rate > (1+near)*c.found {
			c.growth = min(2*c.growth, mostGrowth)
			c.restFor = 0
		}
	}
}

// quiet is the excess up to which a learned rate may grow.
func (c *control) quiet() float64 {
	if c.noise == 0 {
		return quiet
	}
	return tolerance + deviation(c.noise, c.seen)
}

// setRate changes the rate, and forgets what was seen at another.
func (c *control) setRate(rate float64) {
	c.rate = min(max(rate, leastRate), mostRate)
	c.seen, c.holds = round{}, 0
}

// judgeProbe says whether a higher rate has more throttled. If not, what is throttled is noise.
func (c *control) judgeProbe(r round) {
	p := c.probe
	c.probe = nil
	c.setRate(p.rate)
	if r.share()-p.share > probeBy/2 {
		c.probeAfter = min(2*c.probeAfter, mostProbeAfter)
		return
	}
	c.probeAfter = probeAfter
	c.noise = min(max(c.noise, (r.share()+p.share)/2), mostNoise)
}

// learnNoise moves the noise towards what was seen, while a rate is learned only down: more may be our doing.
func (c *control) learnNoise(r round) {
	n, off := float64(r.calls()), r.share()-c.noise
	switch {
	case off < -2*deviation(c.noise, r):
		c.noise += off * n / (n + 500)
	case off < 0 || c.rate == 0:
		c.noise += off * n / (n + 2000)
	}
}

// open looks after a window without a learned rate.
func (c *control) open(r round) {
	if c.noise > 0 {
		c.learnNoise(r)
	}
	late := c.late(r)
	switch {
	case c.lower != nil:
		if c.settled {
			c.judgeLower(r)
		}
	case late && c.settled && c.calm == 0 && min(c.window, float64(r.inFlight)) > leastWindow:
		now := min(c.window, float64(r.inFlight))
		want := now * float64(2*c.best+lateBy) / float64(r.latency)
		c.lower = &lower{window: c.window, to: max(min(want, 0.75*now), now/2, leastWindow), goodput: r.goodput()}
		c.window = c.lower.to
	case late:
		c.starting = false
	case !r.held || c.stay > 0:
	case c.starting:
		by := 2.0
		if r.throttled > 0 {
			by = 1.5
		}
		c.wider = c.window >= wide
		c.window = min(by*c.window, mostWindow)
	default:
		c.window = min(c.window+max(1, c.window/10), mostWindow)
	}
}

// late reports whether answers take so long that they must have waited in a queue, and keeps the best latency seen.
func (c *control) late(r round) bool {
	if r.latency <= 0 {
		return false
	}
	if c.best == 0 || r.latency < c.best {
		c.best = r.latency
	}
	return r.latency > 2*c.best+lateBy
}

// judgeLower says whether a smaller window was worth it: answers came sooner and not fewer of them. Where they were
// fewer, the latency was the objects' own, or the network's.
func (c *control) judgeLower(r round) {
	l := c.lower
	c.lower = nil
	if r.goodput() >= l.goodput*(1-(1-l.to/l.window)/2) {
		c.calmFor, c.stay = 0, stayFor
		return
	}
	c.window = l.window
	c.best = max(c.best, r.latency)
	c.calmFor = min(max(2*c.calmFor, trialsAgain), 10*time.Minute)
	c.calm = c.calmFor
}
