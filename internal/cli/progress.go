package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

// explained are the statuses whose reason a user wants to see.
var explained = []job.Status{
	job.Suspended, job.Pausing, job.Paused, job.Failing, job.Failed, job.Cancelling, job.Cancelled,
}

// progress shows how a job comes on: a bar with rate and ETA on a terminal, a plain line for each change of status and
// every so often elsewhere. It writes to stderr only.
type progress struct {
	sh     *shell
	label  string // before everything; "" for none
	every  time.Duration
	status string
	said   time.Time // when the last plain line was written
	bar    *progressbar.ProgressBar
}

func newProgress(sh *shell, label string) *progress {
	return &progress{sh: sh, label: label, every: 5 * time.Second}
}

// update shows the job as it is now.
func (p *progress) update(j client.Job) {
	if p.sh.quiet {
		return
	}
	moved := j.Status != p.status
	p.status = j.Status
	if p.sh.plain() {
		if moved || time.Since(p.said) >= p.every {
			p.said = time.Now()
			p.sh.note("%s", p.line(j))
		}
		return
	}
	if p.bar == nil && j.Progress.Total > 0 && !j.Final() {
		p.bar = p.newBar(j.Progress)
	}
	switch {
	case p.bar == nil && moved:
		p.sh.note("%s", p.line(j))
	case p.bar != nil:
		p.bar.Describe(p.title(j))
		_ = p.bar.Set64(done(j.Progress)) // an error of the terminal's is nobody's concern
		if j.Final() {
			p.end()
		}
	}
}

// end leaves the terminal on a fresh line, whatever became of the job.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.sh.Stderr)
		p.bar = nil
	}
}

func (p *progress) newBar(now client.Progress) *progressbar.ProgressBar {
	return progressbar.NewOptions64(now.Total,
		progressbar.OptionSetWriter(p.sh.Stderr),
		progressbar.OptionSetWidth(24),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("objects"),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
	)
}

func (p *progress) title(j client.Job) string {
	title := j.Status
	if p.label != "" {
		title = p.label + ": " + title
	}
	if j.Progress.Failed > 0 {
		title += fmt.Sprintf(", %s failed", count(j.Progress.Failed))
	}
	return title
}

func (p *progress) line(j client.Job) string {
	line := p.title(j)
	if t := j.Progress.Total; t > 0 {
		line += fmt.Sprintf(", %s of %s", count(done(j.Progress)), count(t))
	}
	if slices.Contains(explained, job.Status(j.Status)) && reasonOf(j) != "" {
		line += ": " + oneLine(reasonOf(j))
	}
	return line
}
