package console

import (
	"fmt"

	"github.com/drover-batch/drover/internal/job"
)

// bar is a stacked bar of a job's tasks, drawn in a box of 100 by 1: succeeded, failed, and the rest.
type bar struct {
	OK, Bad     string // widths
	BadAt       string
	Percent     string
	Known       bool // the number of tasks is known
	Label       string
	Total       string
	Succeeded   string
	Failed      string
	Left        string
	AnyFailed   bool
	Interrupted bool // the job ended before all tasks had
}

func (l language) bar(j job.Job) bar {
	p := j.Progress
	b := bar{
		Known: p.Total > 0, Total: number(p.Total), Succeeded: number(p.Succeeded), Failed: number(p.Failed),
		Left: number(max(p.Total-p.Done(), 0)), AnyFailed: p.Failed > 0, OK: "0", Bad: "0", BadAt: "0", Percent: "–",
		Interrupted: j.Status.Final() && p.Done() < p.Total,
	}
	if p.Total <= 0 {
		b.Label = l.t("The tasks are not counted yet")
		return b
	}
	ok, bad := share(p.Succeeded, p.Total), share(p.Failed, p.Total)
	b.OK, b.Bad, b.BadAt = decimal(ok), decimal(bad), decimal(ok)
	done := share(p.Done(), p.Total)
	b.Percent = fmt.Sprintf("%.0f %%", done)
	if done > 99 && p.Done() < p.Total { // not before all are
		b.Percent = "99 %"
	}
	b.Label = l.t("%s of %s tasks succeeded, %s failed", b.Succeeded, b.Total, b.Failed)
	return b
}

// share is n of total in percent. A share that is not zero is drawn at least so wide that it can be seen.
func share(n, total int64) float64 {
	if n <= 0 {
		return 0
	}
	return min(max(100*float64(n)/float64(total), 0.5), 100)
}

func decimal(f float64) string { return fmt.Sprintf("%.2f", f) }

// widths are a histogram: each bar in percent of the largest.
func widths(counts []int64) []string {
	largest := int64(1)
	for _, n := range counts {
		largest = max(largest, n)
	}
	out := make([]string, len(counts))
	for i, n := range counts {
		out[i] = decimal(share(n, largest))
	}
	return out
}
