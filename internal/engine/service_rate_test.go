package engine

import (
	"testing"
	"time"
)

func TestRateOfTheLastSeconds(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	type sample struct {
		second float64
		done   int64
	}
	at := func(second float64) time.Time { return start.Add(time.Duration(second * float64(time.Second))) }
	for name, tc := range map[string]struct {
		samples []sample
		now     float64
		want    float64
	}{
		"nothing known":            {nil, 0, 0},
		"one sample":               {[]sample{{0, 100}}, 0, 0},
		"two samples":              {[]sample{{0, 100}, {1, 150}}, 1, 50},
		"the last ten seconds":     {[]sample{{0, 0}, {5, 5000}, {10, 5010}, {15, 5020}}, 15, 2},
		"more than are kept":       {[]sample{{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}, {6, 6}, {7, 7}, {8, 8}, {9, 9}, {10, 10}, {11, 11}, {12, 12}, {13, 13}, {14, 14}}, 14, 1},
		"silence lowers it":        {[]sample{{0, 0}, {1, 100}}, 5, 20},
		"long silence ends it":     {[]sample{{0, 0}, {1, 100}}, 60, 0},
		"a count that starts anew": {[]sample{{0, 1000}, {1, 2000}, {2, 10}, {3, 30}}, 3, 20},
	} {
		var m meter
		for _, s := range tc.samples {
			m.add(at(s.second), s.done)
		}
		if got := m.rate(at(tc.now)); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
