package cli

import (
	"math"
	"testing"
)

// machine is what a job on it comes to with n processors: the calls a second that these can do, and those that its store gives.
type machine struct {
	can   func(n int) float64
	store float64
}

func (m machine) run(p *processors, looks int) (share map[int]float64) {
	share = map[int]float64{}
	for range looks {
		share[p.now] += 1 / float64(looks)
		can := m.can(p.now)
		rate := min(can, m.store)
		p.look(float64(p.now)*rate/can, rate)
	}
	return share
}

func TestProcessorsThatHelp(t *testing.T) {
	each := func(n int) float64 { return 10_000 * float64(n) }
	harm := func(n int) float64 { return 70_000 - 5_000*float64(n) }
	free := math.Inf(1)
	for name, c := range map[string]struct {
		most  int
		m     machine
		want  int
		share float64 // of the time, at the least
	}{
		"a second one harms":           {2, machine{harm, free}, 1, 0.9},
		"each helps":                   {8, machine{each, free}, 8, 0.9},
		"of a number that is no power": {6, machine{each, free}, 6, 0.9},
		"up to two of them":            {8, machine{func(n int) float64 { return 10_000 * float64(min(n, 2)) }, free}, 2, 0.85},
		"the store is slow":            {8, machine{each, 3000}, 1, 0.9},
		"the store gives what two do":  {8, machine{each, 16_000}, 2, 0.85},
		"there is only one":            {1, machine{each, free}, 1, 0.99},
	} {
		t.Run(name, func(t *testing.T) {
			p := &processors{most: c.most, now: 1, set: func(int) {}}
			if share := c.m.run(p, 400); share[c.want] < c.share {
				t.Errorf("%v of the time with each number, want %g with %d", share, c.share, c.want)
			}
		})
	}
}

// A job changes: it begins with work that no answer tells of, calls a slow store, and reads much in the end.
func TestProcessorsFollowTheJob(t *testing.T) {
	p := &processors{most: 4, now: 1, set: func(int) {}}
	for range 8 {
		p.look(float64(p.now), 0)
	}
	if p.now != 4 {
		t.Errorf("%d processors for work without calls", p.now)
	}
	each := func(n int) float64 { return 10_000 * float64(n) }
	machine{each, 2000}.run(p, 60)
	if p.now != 1 {
		t.Errorf("%d processors for a slow store", p.now)
	}
	if share := (machine{each, math.Inf(1)}).run(p, 200); share[4] < 0.8 {
		t.Errorf("%v of the time with each number, when all help", share)
	}
}
