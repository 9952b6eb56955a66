package engine

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/report"
)

// retryFields are the columns of a result file, read as a manifest.
var retryFields = []job.Field{
	job.FieldBucket, job.FieldKey, job.FieldVersion, job.FieldIgnore, job.FieldIgnore, job.FieldIgnore, job.FieldIgnore,
}

// Retry implements the api's Jobs. The failed rows become one manifest beside the report, which the new job reads.
func (s *Service) Retry(ctx context.Context, c job.Caller, id job.ID, r job.Retry) (job.Job, error) {
	old, err := s.Job(ctx, c, id)
	if err != nil {
		return job.Job{}, err
	}
	if err := retryable(old); err != nil {
		return job.Job{}, err
	}
	spec := retrySpec(old, r)
	if err := spec.Validate(); err != nil { // before anything is written
		return job.Job{}, err
	}
	files, err := s.reportFiles(ctx, old)
	if err != nil {
		return job.Job{}, err
	}
	if spec.Manifest.Location.ETag, err = s.writeRetry(ctx, old, files, spec.Manifest.Location); err != nil {
		return job.Job{}, err
	}
	made, err := s.Create(ctx, c, spec)
	if err == nil {
		s.noteRetry(ctx, c, old, made.ID)
	}
	return made, err
}

// retryable says why a job cannot be retried.
func retryable(j job.Job) error {
	r := j.Spec.Report
	switch {
	case !j.Status.Final():
		return job.Errorf(job.Conflict, "Job %s is %s: its failed tasks can be retried when it has ended.", j.ID, j.Status)
	case !r.Enabled:
		return job.Errorf(job.InvalidRequest, "Job %s was made without a report, so there is no list of its failed tasks: make a new job from its manifest.", j.ID)
	case r.Path != "":
		return job.Errorf(job.InvalidRequest, "The report of job %s lies in a local folder: store its failed-tasks files in a bucket and make a new job from them.", j.ID)
	case j.Progress.Failed == 0:
		return job.Errorf(job.InvalidRequest, "No task of job %s failed: there is nothing to retry.", j.ID)
	case j.ReportManifest == "":
		return job.Errorf(job.InvalidRequest, "Job %s ended as %s before a report could be written, so there is no list of its failed tasks: make a new job from its manifest.", j.ID, j.Status)
	case r.Region != "" && r.Region != j.Spec.Region:
		return job.Errorf(job.InvalidRequest, "The report of job %s lies in region %s, and a job's manifest must lie in its own, %s: copy the failed-tasks files there and make a new job from them.", j.ID, r.Region, j.Spec.Region)
	}
	return nil
}

// retrySpec makes the new job's spec; its manifest's ETag is not known yet.
func retrySpec(old job.Job, r job.Retry) job.Spec {
	spec := old.Spec
	spec.RetryOf, spec.Request, spec.Priority = old.ID, job.Request{}, old.Priority
	spec.Generator = nil
	spec.Token = r.Token
	if spec.Token == "" {
		spec.Token = string(job.NewID())
	}
	if r.ConfirmationRequired != nil {
		spec.ConfirmationRequired = *r.ConfirmationRequired
	}
	if r.Description != nil {
		spec.Description = *r.Description
	}
	if r.Priority != nil {
		spec.Priority = *r.Priority
	}
	key := report.Folder(spec.Report.Prefix, old.ID) + "retry/" + url.PathEscape(spec.Token) + ".csv"
	spec.Manifest = job.Manifest{
		Format: job.FormatCSV, Fields: retryFields,
		Location: job.Location{Region: spec.Region, Bucket: spec.Report.Bucket, Key: job.Key(key), ETag: "not written yet"},
	}
	return spec
}

// writeRetry writes the failed rows of a report to one object and gives its ETag. A report may be longer than memory: the
// rows go through a scratch file, which the store's driver can read twice.
func (s *Service) writeRetry(ctx context.Context, old job.Job, files []job.ReportFile, to job.Location) (etag string, err error) {
	if err := os.MkdirAll(s.e.o.Dir, 0o700); err != nil {
		return "", fmt.Errorf("make the scratch folder: %w", err)
	}
	f, err := os.CreateTemp(s.e.o.Dir, "retry-*.csv")
	if err != nil {
		return "", fmt.Errorf("make a scratch file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	var size int64
	for _, file := range files {
		if file.Status != job.TaskFailed {
			continue
		}
		n, err := s.appendReportFile(ctx, f, old, file)
		if err != nil {
			return "", err
		}
		size += n
	}
	if size == 0 {
		return "", job.Errorf(job.InvalidRequest, "The report of job %s lists no failed task: there is nothing to retry.", old.ID)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("read the scratch file: %w", err)
	}
	store, err := s.e.o.Stores.Store(ctx, old.Spec.Account, old.Spec.Role, to.Region)
	if err != nil {
		return "", err
	}
	put, err := store.Put(ctx, object.PutRequest{
		Bucket: to.Bucket, Key: to.Key, Body: f, Size: size, Meta: object.Metadata{ContentType: report.ContentTypeCSV},
	})
	if err != nil {
		if st := object.StatusOf(err); st >= 400 && st < 500 {
			return "", &job.Error{Code: job.InvalidRequest, Err: err, Message: fmt.Sprintf(
				"The list of failed tasks cannot be written to %s/%s: %s. The job's role needs the right to write there.", to.Bucket, to.Key, object.CodeOf(err))}
		}
		return "", &job.Error{Code: job.Unavailable, Err: err, Message: "The store that holds the report does not answer. Try again in a few seconds."}
	}
	return put.ETag, nil
}

// appendReportFile copies a result file and holds it to the MD5 that the report's manifest names.
func (s *Service) appendReportFile(ctx context.Context, to io.Writer, j job.Job, f job.ReportFile) (int64, error) {
	body, _, err := s.openReportFile(ctx, j, f)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	sum := md5.New()
	n, err := io.Copy(io.MultiWriter(to, sum), body)
	if err != nil {
		return n, unreadable("file", f.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.MD5 {
		return n, job.Errorf(job.InvalidRequest, "The report's file %s has the MD5 %s, and its manifest says %s: somebody has changed it.", job.Quote(f.Name), got, f.MD5)
	}
	return n, nil
}
