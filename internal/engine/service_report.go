package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/report"
)

// openReport opens the place of a finished job's report, as the job's role.
func (s *Service) openReport(ctx context.Context, j job.Job) (report.Sink, error) {
	switch {
	case !j.Spec.Report.Enabled:
		return nil, job.Errorf(job.InvalidRequest, "Job %s was made without a report.", j.ID)
	case j.ReportManifest == "" && j.Status.Final():
		return nil, job.Errorf(job.InvalidRequest, "Job %s ended as %s before a report could be written.", j.ID, j.Status)
	case j.ReportManifest == "":
		return nil, job.Errorf(job.Conflict, "Job %s is %s: its report is written when it has ended.", j.ID, j.Status)
	}
	rec, err := fromSpec(j.Spec)
	if err != nil {
		return nil, err
	}
	return s.e.readSink(ctx, j.ID, rec)
}

// closeSink releases a folder; buckets have nothing to release.
func closeSink(s report.Sink) {
	if c, ok := s.(io.Closer); ok {
		_ = c.Close() // nothing was written
	}
}

// unreadable turns a failed read of a report into what callers see.
func unreadable(what string, name string, err error) error {
	if _, ok := errors.AsType[*job.Error](err); ok {
		return err
	}
	said := object.CodeOf(err)
	if errors.Is(err, fs.ErrNotExist) {
		said = "it is not there"
	}
	if st := object.StatusOf(err); st >= 400 && st < 500 || errors.Is(err, fs.ErrNotExist) {
		return &job.Error{Code: job.InvalidRequest, Err: err, Message: fmt.Sprintf("The report's %s %s cannot be read: %s.", what, job.Quote(name), said)}
	}
	return &job.Error{Code: job.Unavailable, Err: err, Message: "The store that holds the report does not answer. Try again in a few seconds."}
}

// ReportManifest implements the api's Jobs.
func (s *Service) ReportManifest(ctx context.Context, c job.Caller, id job.ID) ([]byte, error) {
	j, err := s.Job(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return s.reportManifest(ctx, j)
}

func (s *Service) reportManifest(ctx context.Context, j job.Job) ([]byte, error) {
	sink, err := s.openReport(ctx, j)
	if err != nil {
		return nil, err
	}
	defer closeSink(sink)
	b, err := sink.Get(ctx, j.ReportManifest)
	if err != nil {
		return nil, unreadable("manifest", j.ReportManifest, err)
	}
	return b, nil
}

// ReportFiles implements the api's Jobs.
func (s *Service) ReportFiles(ctx context.Context, c job.Caller, id job.ID) ([]job.ReportFile, error) {
	j, err := s.Job(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return s.reportFiles(ctx, j)
}

func (s *Service) reportFiles(ctx context.Context, j job.Job) ([]job.ReportFile, error) {
	b, err := s.reportManifest(ctx, j)
	if err != nil {
		return nil, err
	}
	_, bucket, files, err := report.ParseManifest(b)
	if err != nil {
		return nil, err
	}
	under := report.Folder(j.Spec.Report.Prefix, j.ID) + "results/"
	out := make([]job.ReportFile, 0, len(files))
	for _, f := range files {
		// Who can write to the report's bucket must not get the job's role to read other things for them.
		if bucket != j.Spec.Report.Bucket || !strings.HasPrefix(f.Name, under) {
			return nil, job.Errorf(job.InvalidRequest, "The report's manifest of job %s names %s in the bucket %s, which is no file of that report: somebody has changed the manifest.",
				j.ID, job.Quote(f.Name), job.Quote(string(bucket)))
		}
		out = append(out, job.ReportFile{Name: path.Base(f.Name), Status: f.Status, Bucket: bucket, Key: job.Key(f.Name), MD5: f.MD5})
	}
	return out, nil
}

// ReportFile implements the api's Jobs.
func (s *Service) ReportFile(ctx context.Context, c job.Caller, id job.ID, name string) (io.ReadCloser, int64, error) {
	j, err := s.Job(ctx, c, id)
	if err != nil {
		return nil, 0, err
	}
	files, err := s.reportFiles(ctx, j)
	if err != nil {
		return nil, 0, err
	}
	for _, f := range files {
		if f.Name == name {
			return s.openReportFile(ctx, j, f)
		}
	}
	return nil, 0, job.Errorf(job.NoSuchFile, "The report of job %s has no file %s: its manifest lists the ones there are.", id, job.Quote(name))
}

func (s *Service) openReportFile(ctx context.Context, j job.Job, f job.ReportFile) (io.ReadCloser, int64, error) {
	sink, err := s.openReport(ctx, j)
	if err != nil {
		return nil, 0, err
	}
	defer closeSink(sink)
	if k, ok := sink.(keptSink); ok { // a kept file is as long as a segment at most
		if b, err := k.Dir.Get(ctx, string(f.Key)); err == nil {
			return io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
		}
		sink = k.place
		if k.err != nil {
			return nil, 0, unreadable("file", f.Name, k.err)
		}
	}
	if b, ok := sink.(bucketSink); ok {
		body, info, err := b.store.Get(ctx, object.Ref{Bucket: b.bucket, Key: f.Key}, 0, -1)
		if err != nil {
			return nil, 0, unreadable("file", f.Name, err)
		}
		return body, info.Size, nil
	}
	b, err := sink.Get(ctx, string(f.Key))
	if err != nil {
		return nil, 0, unreadable("file", f.Name, err)
	}
	return io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
}
