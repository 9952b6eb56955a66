package job

import (
	"strings"
	"testing"
	"time"
)

func clock(t *testing.T, s string) int {
	t.Helper()
	m, err := ParseClock("from", s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLimitsHoldByTheClockOfTheirZone(t *testing.T) {
	t.Parallel()
	day := Bounds{Rate: 10, Calls: 2}
	l := Limits{Bounds: day, Zone: "Asia/Shanghai", Hours: []Hours{
		{From: clock(t, "22:00"), To: clock(t, "06:00")},
		{From: clock(t, "12:00"), To: clock(t, "13:30"), Bounds: Bounds{Rate: 50}},
	}}
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]Bounds{ // in UTC; Shanghai is eight hours ahead
		"13:59": day, "14:00": {}, "18:00": {}, "21:59": {}, "22:00": day,
		"03:59": day, "04:00": {Rate: 50}, "05:29": {Rate: 50}, "05:30": day,
	} {
		now, err := time.Parse("2006-01-02 15:04", "2026-07-01 "+at)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.At(now); got != want {
			t.Errorf("at %s UTC: %+v, want %+v", at, got, want)
		}
	}
}

// Hours go by what the clock on the wall of their zone says: on the day on which it is put forward the night from 22:00 to
// 06:00 is an hour shorter, on the other one an hour longer, and an hour that the clock shows twice counts twice.
func TestHoursFollowTheClockThatIsPutForwardAndBack(t *testing.T) {
	t.Parallel()
	day, night, twice := Bounds{Rate: 10}, Bounds{}, Bounds{Rate: 99}
	l := Limits{Bounds: day, Zone: "Europe/Berlin", Hours: []Hours{
		{From: clock(t, "02:15"), To: clock(t, "02:45"), Bounds: twice}, {From: clock(t, "22:00"), To: clock(t, "06:00")},
	}}
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]Bounds{ // in UTC
		"2026-03-28T20:59": day, "2026-03-28T21:00": night, // winter: UTC+1
		"2026-03-29T00:59": night, "2026-03-29T01:30": night, // 01:59 is followed by 03:00; there is no 02:30
		"2026-03-29T03:59": night, "2026-03-29T04:00": day, // summer: UTC+2, seven hours later
		"2026-10-24T19:59": day, "2026-10-24T20:00": night,
		"2026-10-25T00:30": twice, "2026-10-25T01:00": night, "2026-10-25T01:30": twice, // 02:30 twice
		"2026-10-25T04:59": night, "2026-10-25T05:00": day, // nine hours later
	} {
		now, err := time.Parse("2006-01-02T15:04", at)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.At(now); got != want {
			t.Errorf("at %s UTC: %+v, want %+v", at, got, want)
		}
	}
}

func TestLimitsAreRefusedWithTheirField(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		l    Limits
		want string // of the error's field; "" = none
	}{
		"none":                 {Limits{}, ""},
		"all":                  {Limits{Bounds: Bounds{Rate: 0.5, Bytes: 1, Calls: 1}}, ""},
		"a negative rate":      {Limits{Bounds: Bounds{Rate: -1}}, "Limits.Rate"},
		"a rate of nearly 0":   {Limits{Bounds: Bounds{Rate: 1e-9}}, "Limits.Rate"},
		"too many calls":       {Limits{Bounds: Bounds{Calls: 1e9}}, "Limits.Calls"},
		"negative bytes":       {Limits{Bounds: Bounds{Bytes: -1}}, "Limits.Bytes"},
		"hours without a zone": {Limits{Hours: []Hours{{From: 0, To: 60}}}, "Limits.Zone"},
		"a zone without hours": {Limits{Zone: "UTC"}, "Limits.Zone"},
		"an unknown zone":      {Limits{Zone: "Mars/Olympus", Hours: []Hours{{From: 0, To: 60}}}, "Limits.Zone"},
		"the machine's zone":   {Limits{Zone: "Local", Hours: []Hours{{From: 0, To: 60}}}, "Limits.Zone"},
		"no time at all":       {Limits{Zone: "UTC", Hours: []Hours{{From: 60, To: 60}}}, "Limits.Hours[0]"},
		"past the day":         {Limits{Zone: "UTC", Hours: []Hours{{From: 60, To: 24 * 60}}}, "Limits.Hours[0]"},
		"bad hours":            {Limits{Zone: "UTC", Hours: []Hours{{From: 1, To: 2}, {From: 0, To: 1, Bounds: Bounds{Calls: -1}}}}, "Limits.Hours[1].Calls"},
		"too many hours":       {Limits{Zone: "UTC", Hours: make([]Hours, MaxHours+1)}, "Limits.Hours"},
	} {
		err := tc.l.Validate()
		if tc.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		e, ok := err.(*Error)
		if !ok || e.Field != tc.want || e.Code != InvalidArgument || !strings.Contains(e.Message, tc.want) {
			t.Errorf("%s: %v, want one of %s", name, err, tc.want)
		}
	}
}

func TestBoundsAreSharedOut(t *testing.T) {
	t.Parallel()
	b := Bounds{Rate: 10, Bytes: 1000, Calls: 3}
	for n, want := range map[int]Bounds{0: b, 1: b, 2: {5, 500, 1}, 4: {2.5, 250, 1}} {
		if got := b.Share(n); got != want {
			t.Errorf("of %d: %+v, want %+v", n, got, want)
		}
	}
	if got := (Bounds{}).Share(3); got != (Bounds{}) {
		t.Errorf("no bounds became %+v", got)
	}
}

func TestClocksAreReadAsWritten(t *testing.T) {
	t.Parallel()
	for m := range minutesADay {
		if got, err := ParseClock("f", ClockText(m)); err != nil || got != m {
			t.Fatalf("%s became %d, %v", ClockText(m), got, err)
		}
	}
	for _, s := range []string{"", "24:00", "6:00", "06:60", "06:00:00", "06", "-1:00"} {
		if m, err := ParseClock("f", s); err == nil {
			t.Errorf("%q became %d", s, m)
		}
	}
}
