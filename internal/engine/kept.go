package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/report"
)

// A job whose report's place is away for longer than Options.ReportWait fails, but what its tasks did is not thrown away:
// the rest of the report is kept in the data folder of the node that led the job, and read from there.

func (e *Engine) keptDir(id job.ID) string { return filepath.Join(e.o.Keep, string(id)) }

// reportLost reports whether the job has given its report's place up.
func (l *leader) reportLost() bool {
	return slices.ContainsFunc(l.st.Failures, func(f job.Failure) bool { return f.Code == codeReportNotWritable }) && !l.st.Started.IsZero()
}

// reportSink is where the job writes its report.
func (l *leader) reportSink(ctx context.Context) (report.Sink, error) {
	if l.made.Spec.Report.Enabled && l.reportLost() {
		return report.NewDir(l.e.keptDir(l.id))
	}
	return l.e.sink(ctx, l.made.Spec)
}

// overdue is the failure of a job that has waited for its report's place for too long; nil while it may wait.
func (l *leader) overdue(n *notice) *job.Failure {
	if n == nil || n.kind != waitsForReport || l.e.o.Now().Sub(l.waitsSince(n)) < l.e.o.ReportWait {
		return nil
	}
	return &job.Failure{Code: codeReportNotWritable, Reason: fmt.Sprintf(
		"The report could not be written for %s. What it lacks is kept in the data folder of the server %s: drover job report gets it from there. %s",
		days(l.e.o.ReportWait), job.Quote(l.e.o.Name), n.text)}
}

// waitsSince is since when the job has waited for something, over restarts.
func (l *leader) waitsSince(n *notice) time.Time {
	if w := l.st.Waits; w != nil && w.For == n.kind && !w.Since.IsZero() {
		return w.Since
	}
	return n.since
}

// readSink opens a finished job's report: what was kept here, and else its place.
func (e *Engine) readSink(ctx context.Context, id job.ID, s specRecord) (report.Sink, error) {
	place, err := e.sink(ctx, s)
	if _, kept := os.Stat(e.keptDir(id)); kept != nil {
		return place, err
	}
	d, derr := report.NewDir(e.keptDir(id))
	if derr != nil {
		return nil, derr
	}
	return keptSink{d, place, err}, nil
}

// keptSink reads what is kept here, and else the report's place.
type keptSink struct {
	*report.Dir
	place report.Sink // nil when err is not
	err   error
}

// Get implements report.Sink.
func (k keptSink) Get(ctx context.Context, name string) ([]byte, error) {
	b, err := k.Dir.Get(ctx, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if k.err != nil {
		return nil, k.err
	}
	return k.place.Get(ctx, name)
}

// List implements report.Sink; nobody lists a report that was kept.
func (k keptSink) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return k.Dir.List(ctx, prefix)
}

// dropKept forgets what was kept of a job.
func (e *Engine) dropKept(id job.ID) error {
	if err := os.RemoveAll(e.keptDir(id)); err != nil {
		return fmt.Errorf("remove what was kept of the report: %w", err)
	}
	return nil
}
