package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/report"
)

// ends says where the statuses of ending lead.
var ends = map[job.Status]job.Status{
	job.Completing: job.Complete, job.Cancelling: job.Cancelled, job.Failing: job.Failed,
}

// ending is Completing, Cancelling and Failing: what was begun ends, is counted, and stands in the report. Each step
// can be repeated.
func (l *leader) ending(ctx context.Context) error {
	to := ends[l.st.Status]
	files, err := l.finalFiles(ctx)
	if f, ok := asFailure(err); ok && l.st.Status != job.Failing {
		return l.fail(ctx, f)
	}
	if err != nil {
		return err
	}
	if err := l.abortUploads(ctx); err != nil {
		return err
	}
	failpoint.Hit(failpoint.EndingFiles)
	name, err := l.writeReport(ctx, files)
	if err != nil {
		if !l.giveUpReport(err) {
			return err
		}
		if l.st.Status != job.Failing {
			return l.fail(ctx, job.Failure{Code: codeReportNotWritable, Reason: fmt.Sprintf("The completion report cannot be written: %v", err)})
		}
		l.log.Warn("no report was written", "err", err)
	}
	failpoint.Hit(failpoint.ReportWritten)
	l.st.ReportManifest = name
	return l.move(ctx, to, l.lastActor(), l.endReason(to))
}

func (l *leader) lastActor() string {
	if l.st.Status == job.Cancelling {
		return l.lastMove().Actor
	}
	return system
}

func (l *leader) endReason(to job.Status) string {
	if to == job.Complete {
		return "Job complete"
	}
	return l.lastMove().Reason
}

// finalFiles brings the job to rest, commits what was handed in, and lists the report's files.
func (l *leader) finalFiles(ctx context.Context) ([]report.File, error) {
	if l.st.Status == job.Completing {
		if err := l.startCollector(ctx); err != nil {
			return nil, err
		}
		if err := l.collected(ctx); err != nil {
			return nil, err
		}
	} else if err := l.drain(ctx); err != nil {
		return nil, err
	}
	if l.coll == nil {
		return nil, nil
	}
	c := l.coll
	l.stopCollector() // from here on its fields are ours to read
	if l.st.Status == job.Completing && c.ckpt.Mark < l.plan.Rows {
		// The checkpoint was lost after every task had ended. Without a report the counts are all there was in it.
		if c.sink == nil && l.st.Progress.Done() == l.plan.Rows {
			return nil, nil
		}
		return nil, failure("CheckpointLost", "The checkpoint was lost after every task had ended, and what lies beside the report has %d of %d tasks.",
			c.ckpt.Succeeded+c.ckpt.Failed, l.plan.Rows)
	}
	l.st.Progress = job.Progress{Succeeded: c.ckpt.Succeeded, Failed: c.ckpt.Failed, ByCode: c.ckpt.Codes}
	if c.asked != nil {
		l.st.Progress.Requested = c.asked.count()
	}
	var files []report.File
	segs, err := l.e.segments(ctx, l.id, c.ckpt)
	if errors.Is(err, ErrNotFound) && c.sink != nil {
		segs, err = c.segmentsOfNotes(ctx)
	}
	if err != nil {
		return nil, err
	}
	for _, s := range segs {
		files = append(files, s.Files...)
	}
	return files, nil
}

// writeReport writes the report's manifest and removes what lies under results/ unnamed. The same job gives the same
// bytes each time.
func (l *leader) writeReport(ctx context.Context, files []report.File) (string, error) {
	spec := l.made.Spec
	sink, err := l.reportSink(ctx)
	if err != nil || sink == nil {
		return "", err
	}
	folder := report.Folder(spec.Report.Prefix, l.id)
	if err := removeStray(ctx, sink, folder+"results/", files); err != nil {
		return "", err
	}
	body := report.Manifest(l.st.Since, spec.Report.Format, spec.Report.Bucket, files)
	if err := putBytes(ctx, sink, report.ChecksumName(folder), report.Checksum(body), report.ContentTypeText); err != nil {
		return "", err
	}
	failpoint.Hit(failpoint.ChecksumThere)
	name := report.ManifestName(folder)
	return name, putBytes(ctx, sink, name, body, report.ContentTypeJSON)
}

func removeStray(ctx context.Context, sink report.Sink, under string, files []report.File) error {
	named := make(map[string]bool, len(files))
	for _, f := range files {
		named[f.Name] = true
	}
	for name, err := range sink.List(ctx, under) {
		if err != nil {
			return fmt.Errorf("list %s: %w", under, err)
		}
		if named[name] {
			continue
		}
		if err := sink.Delete(ctx, name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

// giveUpReport reports whether there is no more waiting for the report's place: at once when the job fails for it or
// could write nothing there before, else after a day.
func (l *leader) giveUpReport(err error) bool {
	for _, f := range l.st.Failures {
		if f.Code == codeReportNotWritable {
			return true
		}
	}
	if l.st.Status == job.Failing && !object.Retryable(err) {
		return true
	}
	return l.e.o.Now().Sub(l.st.Since) > l.e.o.ReportWait
}

// retire moves a final job to the finished ones and removes what it had in flight.
func (l *leader) retire(ctx context.Context) error {
	c := l.e.o.Carrier
	rev, err := c.Put(ctx, Done, doneKey(l.id), encode(doneRecord{Job: l.rec, State: l.st, Pace: l.e.ix.paceOf(l.id)}))
	if err != nil {
		return fmt.Errorf("write finished job: %w", err)
	}
	failpoint.Hit(failpoint.DoneWritten)
	if err := l.e.ix.waitRev(ctx, Done, rev); err != nil {
		return err
	}
	return l.remove(ctx)
}

// remove removes what a finished job had in flight, its own record last: as long as that is there, this is done again.
func (l *leader) remove(ctx context.Context) error {
	c := l.e.o.Carrier
	if err := c.Shut(ctx, l.id); err != nil {
		return fmt.Errorf("shut queue: %w", err)
	}
	if err := c.Purge(ctx, l.id); err != nil {
		return fmt.Errorf("empty queue: %w", err)
	}
	if err := c.PurgeResults(ctx, l.id, 0); err != nil {
		return fmt.Errorf("empty results: %w", err)
	}
	if err := l.removePages(ctx); err != nil {
		return err
	}
	for _, k := range []string{cursorKey(l.id), ckptKey(l.id), planKey(l.id), stateKey(l.id), jobKey(l.id)} {
		if err := c.Delete(ctx, Jobs, k); err != nil {
			return fmt.Errorf("delete record %s: %w", k, err)
		}
		failpoint.Hit(failpoint.RecordRemoved)
	}
	return nil
}
