package engine

import (
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// What a rate is measured over.
const (
	rateSamples = 12
	rateWindow  = 10 * time.Second
	rateSilence = 2 * time.Second // progress comes every second: with less of it, nothing has ended since
)

// meter remembers a job's progress of the last seconds. The zero value is ready; whoever has it guards it.
type meter struct {
	times [rateSamples]time.Time
	done  [rateSamples]int64
	last  int // index of the newest sample
}

func (m *meter) add(t time.Time, done int64) {
	if done < m.done[m.last] { // another leader counts anew what was not committed
		*m = meter{}
	}
	m.last = (m.last + 1) % rateSamples
	m.times[m.last], m.done[m.last] = t, done
}

// rate gives tasks a second; 0 when nothing is known of the last seconds.
func (m *meter) rate(now time.Time) float64 {
	first := m.last
	for i, t := range m.times {
		if !t.IsZero() && now.Sub(t) <= rateWindow && t.Before(m.times[first]) {
			first = i
		}
	}
	until := m.times[m.last]
	if now.Sub(until) > rateSilence {
		until = now
	}
	if first == m.last || !until.After(m.times[first]) {
		return 0
	}
	return float64(m.done[m.last]-m.done[first]) / until.Sub(m.times[first]).Seconds()
}

// shown is an open job as callers see it.
func (e *entry) shown() (job.Job, error) {
	j, err := view(e.job, e.state, e.live)
	j.Revision = revision(e.jobRev, e.stateRev)
	if j.Status == job.Active {
		j.Progress.Rate = e.meter.rate(time.Now())
	}
	return j, err
}
