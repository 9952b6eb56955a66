package cli

import (
	"context"
	"runtime"
	"syscall"
	"time"

	"github.com/drover-batch/drover/internal/object/sockets"
)

// processors lets the runtime have as many processors as help. Most of what a job in the foreground does is to wait for its store. A
// second processor for the little that is left costs more than it brings, as its threads are woken and put to sleep again all the time: on one
// machine half as much CPU again for each call, and fewer calls. A job that reads much, or decrypts or hashes it, can use all.
//
// So there is one at first. Where those that there are have no time left, twice as many are tried, and kept when they bring more; where
// they have much time left, half as many are tried, and kept when they bring as much.
type processors struct {
	most, now int
	set       func(n int)

	from   int     // what a trial that is under way would go back to; 0 = there is none
	before float64 // the rate before it
	up     attempt
	down   attempt
}

// attempt is when a change may be tried again, in looks.
type attempt struct{ pause, next int }

const (
	fitEvery = 250 * time.Millisecond
	busy     = 0.85 // share of the processors' time from which on more are tried
	spare    = 0.6  // and below which fewer are
	gain     = 1.1  // what more of them must bring
	loss     = 0.95 // and fewer
	longest  = int(5 * time.Minute / fitEvery)
)

// look takes in how many processors' time was used since the last look, and how many answers a second came.
func (p *processors) look(used, rate float64) {
	n := float64(p.now)
	switch {
	case p.from > p.now:
		p.judge(&p.down, &p.up, rate >= loss*p.before)
	case p.from > 0:
		p.judge(&p.up, &p.down, rate >= gain*p.before)
	case used > busy*n && p.now < p.most:
		p.try(&p.up, min(2*p.now, p.most), rate)
	case used < spare*n && p.now > 1:
		p.try(&p.down, p.now/2, rate)
	}
}

func (p *processors) try(a *attempt, n int, rate float64) {
	if a.pause > 0 {
		a.pause--
		return
	}
	p.from, p.before = p.now, rate
	p.change(n)
}

// judge ends a trial. What was no good is tried again after pauses that double; so is the way back from what was.
func (p *processors) judge(this, other *attempt, good bool) {
	if good {
		this.next, this.pause = 0, 0
		this = other
	} else {
		p.change(p.from)
	}
	p.from = 0
	this.next = min(max(2*this.next, 4), longest)
	this.pause = this.next
}

func (p *processors) change(n int) {
	p.now = n
	p.set(n)
}

// fitProcessors does so until ctx ends. GOMAXPROCS in the environment goes before.
func fitProcessors(ctx context.Context, sh *shell) {
	most := runtime.GOMAXPROCS(0)
	if sh.Getenv("GOMAXPROCS") != "" || most == 1 {
		return
	}
	p := &processors{most: most, set: func(n int) { runtime.GOMAXPROCS(n) }}
	p.change(1)
	defer runtime.SetDefaultGOMAXPROCS()
	t := time.NewTicker(fitEvery)
	defer t.Stop()
	at, cpu, answers := time.Now(), cpuTime(), sockets.Answers()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now, c, a := time.Now(), cpuTime(), sockets.Answers()
		d := now.Sub(at).Seconds()
		p.look((c-cpu).Seconds()/d, float64(a-answers)/d)
		at, cpu, answers = now, c, a
	}
}

// cpuTime is what this process has used; 0 where the system does not say.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
