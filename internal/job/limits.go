package job

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Bounds are how much a store is called at most. A zero field bounds nothing.
type Bounds struct {
	Rate  float64 // calls that begin in a second
	Bytes int64   // bytes a second of bodies, and of copies whose size is known
	Calls int     // at a time
}

// Hours are a part of each day with bounds of its own, in minutes after midnight. Where To is not after From it goes on
// past midnight.
type Hours struct {
	From, To int // 0–1439
	Bounds
}

// Limits are bounds, and others at some hours of the day.
type Limits struct {
	Bounds         // whenever none of Hours holds
	Hours  []Hours // at most MaxHours; the first that holds decides
	Zone   string  // of Hours: a name of the IANA time zone database, as Europe/Berlin, or UTC
}

// The largest limits.
const (
	MaxHours     = 24
	maxRate      = 1e6
	maxBytes     = 1 << 50
	maxCalls     = 1_000_000
	minutesADay  = 24 * 60
	leastRateSet = 0.001 // one call in a quarter of an hour
)

// IsZero reports whether nothing is ever bounded.
func (l Limits) IsZero() bool { return l.Bounds == Bounds{} && len(l.Hours) == 0 }

// Validate checks every field; its errors are InvalidArgument with the field's name.
func (l Limits) Validate() error {
	var p Problems
	l.Bounds.check(&p, "Limits")
	if len(l.Hours) > MaxHours {
		p.Addf("Limits.Hours", "are %d; at most %d are allowed.", len(l.Hours), MaxHours)
	}
	for i, h := range l.Hours {
		field := fmt.Sprintf("Limits.Hours[%d]", i)
		if h.From < 0 || h.From >= minutesADay || h.To < 0 || h.To >= minutesADay {
			p.Addf(field, "must run from one time of the day to another, 00:00 to 23:59.")
		} else if h.From == h.To {
			p.Addf(field, "begin and end at %s; for the whole day set the bounds themselves.", ClockText(h.From))
		}
		h.check(&p, field)
	}
	switch _, err := l.location(); {
	case len(l.Hours) > 0 && l.Zone == "":
		p.Addf("Limits.Zone", "is missing; name the time zone of the hours, for example UTC or Asia/Shanghai.")
	case len(l.Hours) == 0 && l.Zone != "":
		p.Addf("Limits.Zone", "is given without hours; leave it out.")
	case err != nil:
		p.Addf("Limits.Zone", "%s is no time zone that is known here; use UTC or a name like Asia/Shanghai.", Quote(l.Zone))
	}
	return p.Err()
}

func (b Bounds) check(p *Problems, field string) {
	if math.IsNaN(b.Rate) || b.Rate < 0 || b.Rate > maxRate || b.Rate > 0 && b.Rate < leastRateSet {
		p.Addf(field+".Rate", "is %v; give calls a second from %v to %v, or 0 for no bound.", b.Rate, leastRateSet, int(maxRate))
	}
	if b.Bytes < 0 || b.Bytes > maxBytes {
		p.Addf(field+".Bytes", "is %d; give bytes a second, or 0 for no bound.", b.Bytes)
	}
	if b.Calls < 0 || b.Calls > maxCalls {
		p.Addf(field+".Calls", "is %d; give calls at a time up to %d, or 0 for no bound.", b.Calls, maxCalls)
	}
}

func (l Limits) location() (*time.Location, error) {
	if l.Zone == "Local" { // the machine's, which differs from machine to machine
		return nil, errors.New("it names no time zone of its own")
	}
	return time.LoadLocation(l.Zone)
}

// At gives the bounds that hold at a time.
func (l Limits) At(t time.Time) Bounds {
	if len(l.Hours) == 0 {
		return l.Bounds
	}
	where, err := l.location()
	if err != nil {
		return l.Bounds // it was checked: only the zones of this machine may have changed
	}
	t = t.In(where)
	now := t.Hour()*60 + t.Minute()
	for _, h := range l.Hours {
		if h.From < h.To && h.From <= now && now < h.To || h.From > h.To && (now >= h.From || now < h.To) {
			return h.Bounds
		}
	}
	return l.Bounds
}

// Share is what each of n processes gets of bounds that hold for all of them, but at least one call at a time.
func (b Bounds) Share(n int) Bounds {
	if n < 2 {
		return b
	}
	out := Bounds{Rate: b.Rate / float64(n)}
	if b.Bytes > 0 {
		out.Bytes = max(1, b.Bytes/int64(n))
	}
	if b.Calls > 0 {
		out.Calls = max(1, b.Calls/n)
	}
	return out
}

// ClockText writes minutes after midnight as 22:30.
func ClockText(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// ParseClock reads a time of the day like 22:30; field is named by its error, which is InvalidArgument.
func ParseClock(field, s string) (minutes int, err error) {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, FieldErrorf(field, "%s is no time of the day; write it like 06:00 or 22:30.", Quote(s))
	}
	return t.Hour()*60 + t.Minute(), nil
}
