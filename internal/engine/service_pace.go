package engine

import (
	"slices"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// paceSamples bounds what is remembered of a job's pace: with more of them, every second one is dropped.
const paceSamples = 120

// pace remembers how a job's count of ended tasks has grown, as far as this process has seen it. The zero value is
// ready; whoever has it guards it.
type pace struct {
	step    time.Duration // samples are so far apart
	samples []job.Sample
	newest  job.Sample
}

func (p *pace) add(t time.Time, done, failed int64) {
	if p.step == 0 {
		p.step = time.Second
	}
	// Another leader counts anew what was not committed.
	p.samples = slices.DeleteFunc(p.samples, func(s job.Sample) bool { return s.Done > done })
	p.newest = job.Sample{Time: t, Done: done, Failed: failed}
	if n := len(p.samples); n > 0 && t.Sub(p.samples[n-1].Time) < p.step {
		return
	}
	if len(p.samples) == paceSamples {
		p.step *= 2
		kept := p.samples[:0]
		for i := 0; i < paceSamples; i += 2 {
			kept = append(kept, p.samples[i])
		}
		p.samples = kept
	}
	p.samples = append(p.samples, p.newest)
}

// all gives a copy of the samples, the newest included.
func (p *pace) all() []job.Sample {
	out := slices.Clone(p.samples)
	if n := len(out); n > 0 && p.newest.Time.After(out[n-1].Time) {
		out = append(out, p.newest)
	}
	return out
}

// paceOf gives what is remembered of an open job's pace.
func (x *index) paceOf(id job.ID) []job.Sample {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.open[id]; e != nil {
		return e.pace.all()
	}
	return nil
}
