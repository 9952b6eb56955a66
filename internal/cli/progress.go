package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/drover-batch/drover/internal/job"
)

// progress shows how a job comes on: a bar with rate and ETA on a terminal, a plain line for each change of status and
// every so often elsewhere. It writes to stderr only.
type progress struct {
	sh     *shell
	label  string // before everything; "" for none
	every  time.Duration
	status job.Status
	said   time.Time // when the last plain line was written
	bar    *progressbar.ProgressBar
}

func newProgress(sh *shell, label string) *progress {
	return &progress{sh: sh, label: label, every: 5 * time.Second}
}

// update shows the job as it is now.
func (p *progress) update(j job.Job) {
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
	if p.bar == nil && j.Progress.Total > 0 && !j.Status.Final() {
		p.bar = p.newBar(j.Progress)
	}
	switch {
	case p.bar == nil && moved:
		p.sh.note("%s", p.line(j))
	case p.bar != nil:
		p.bar.Describe(p.title(j))
		_ = p.bar.Set64(j.Progress.Done()) // an error of the terminal's is nobody's concern
		if j.Status.Final() {
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

func (p *progress) newBar(now job.Progress) *progressbar.ProgressBar {
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

func (p *progress) title(j job.Job) string {
	title := string(j.Status)
	if p.label != "" {
		title = p.label + ": " + title
	}
	if j.Progress.Failed > 0 {
		title += fmt.Sprintf(", %s failed", count(j.Progress.Failed))
	}
	return title
}

func (p *progress) line(j job.Job) string {
	line := p.title(j)
	if t := j.Progress.Total; t > 0 {
		line += fmt.Sprintf(", %s of %s", count(j.Progress.Done()), count(t))
	}
	if j.Status == job.Suspended || j.Status == job.Paused || j.Status == job.Failed {
		if why := reasonOf(j); why != "" {
			line += ": " + oneLine(why)
		}
	}
	return line
}

// reasonOf says why a job stands where it stands; "" when nothing was said.
func reasonOf(j job.Job) string {
	switch {
	case j.Status == job.Suspended:
		return j.SuspendedCause
	case len(j.Failures) > 0:
		return j.Failures[0].Reason
	}
	return j.StatusReason
}

// count writes a number with a comma between thousands.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rate writes tasks a second over the time that a job was active.
func rate(p job.Progress) string {
	if p.ActiveFor <= 0 {
		return "-"
	}
	return count(int64(float64(p.Done())/p.ActiveFor.Seconds())) + "/s"
}

// summary prints how a job ended, for people.
func (s *shell) summary(j job.Job) {
	p := j.Progress
	s.printf("job %s: %s\n", j.ID, j.Status)
	if why := reasonOf(j); why != "" && j.Status != job.Complete {
		s.printf("  reason     %s\n", oneLine(why))
	}
	s.printf("  total      %s\n", count(p.Total))
	s.printf("  succeeded  %s\n", count(p.Succeeded))
	s.printf("  failed     %s%s\n", count(p.Failed), byCode(p.ByCode))
	s.printf("  rate       %s over %s\n", rate(p), p.ActiveFor.Round(10*time.Millisecond))
	if where := reportAt(j); where != "" {
		s.printf("  report     %s\n", where)
	}
}

func byCode(codes []job.CodeCount) string {
	var parts []string
	for _, c := range codes {
		parts = append(parts, fmt.Sprintf("%s %s", oneLine(c.Code), count(c.Count)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "  (" + strings.Join(parts, ", ") + ")"
}

// reportAt says where a job's report manifest lies; "" when there is none.
func reportAt(j job.Job) string {
	if j.ReportManifest == "" {
		return ""
	}
	return place{bucket: j.Spec.Report.Bucket, key: j.ReportManifest, path: j.ReportManifest}.String()
}
