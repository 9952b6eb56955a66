package window

import "time"

// slack is how far a pace may lag behind the clock and still catch up: timers are coarse, and a machine under load wakes
// nobody in time. At 100 calls a second it is one call.
const slack = 10 * time.Millisecond

// pace spreads calls over time: so many a second. The zero pace bounds nothing. Owned by its gate.
type pace struct {
	rate  float64 // units a second; 0 = as many as come
	burst float64 // units that may come at once after a silence; less than what slack allows means that
	next  time.Time
}

// at says when the next unit may come.
func (p *pace) at(now time.Time) time.Time {
	if p.rate <= 0 {
		return now
	}
	if first := now.Add(-p.depth()); p.next.Before(first) {
		p.next = first
	}
	return p.next
}

// depth is how far next may lie behind the clock.
func (p *pace) depth() time.Duration {
	return max(slack, seconds((p.burst-1)/p.rate))
}

// ready is how many units may come at once.
func (p *pace) ready(now time.Time) int {
	at := p.at(now)
	switch {
	case p.rate <= 0:
		return mostWindow
	case at.After(now):
		return 0
	}
	return 1 + int(min(now.Sub(at).Seconds()*p.rate, mostWindow))
}

// take notes that n units came.
func (p *pace) take(now time.Time, n float64) {
	if p.rate > 0 {
		p.next = p.at(now).Add(seconds(n / p.rate))
	}
}

// set changes the rate. What was taken before is not owed longer than at the new rate.
func (p *pace) set(now time.Time, rate, burst float64) {
	if p.rate > 0 && rate > 0 && p.next.After(now) {
		p.next = now.Add(min(seconds(p.next.Sub(now).Seconds()*p.rate/rate), maxDebt))
	}
	fresh := p.rate <= 0
	if p.rate, p.burst = rate, burst; fresh && rate > 0 {
		p.next = now.Add(-p.depth())
	}
}

// forfeit gives up what could have come and did not.
func (p *pace) forfeit(now time.Time) {
	if p.next.Before(now) {
		p.next = now
	}
}

// maxDebt bounds what a change of the rate makes of what is owed.
const maxDebt = time.Minute

// seconds is a time in seconds as a Duration, at most a year.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, 365*24*3600) * float64(time.Second))
}
