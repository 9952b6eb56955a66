package apitest

import (
	"bytes"
	"context"
	"io"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// reportFile is a result file and what is in it.
type reportFile struct {
	file job.ReportFile
	body []byte
}

// SetReport gives a job a report manifest.
func (m *Jobs) SetReport(id job.ID, manifest []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reports[id] = manifest
}

// AddReportFile gives a job's report a result file.
func (m *Jobs) AddReportFile(id job.ID, f job.ReportFile, body []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[id] = append(m.files[id], reportFile{f, body})
}

// SetWork says how far a job's parts are.
func (m *Jobs) SetWork(id job.ID, w job.Work) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.work[id] = w
}

// ReportManifest implements api.Jobs.
func (m *Jobs) ReportManifest(_ context.Context, c api.Caller, id job.ID) ([]byte, error) {
	var b []byte
	_, err := m.look("ReportManifest", c, id, func(*job.Job) error {
		if b = m.reports[id]; b == nil {
			return job.Errorf(job.Conflict, "Job %s has no report yet.", id)
		}
		return nil
	})
	return b, err
}

// ReportFiles implements api.Jobs.
func (m *Jobs) ReportFiles(_ context.Context, c api.Caller, id job.ID) ([]job.ReportFile, error) {
	var out []job.ReportFile
	_, err := m.look("ReportFiles", c, id, func(*job.Job) error {
		if m.reports[id] == nil {
			return job.Errorf(job.Conflict, "Job %s has no report yet.", id)
		}
		for _, f := range m.files[id] {
			out = append(out, f.file)
		}
		return nil
	})
	return out, err
}

// ReportFile implements api.Jobs.
func (m *Jobs) ReportFile(_ context.Context, c api.Caller, id job.ID, name string) (io.ReadCloser, int64, error) {
	var body []byte
	_, err := m.look("ReportFile", c, id, func(*job.Job) error {
		for _, f := range m.files[id] {
			if f.file.Name == name {
				body = f.body
				return nil
			}
		}
		return job.Errorf(job.NoSuchFile, "The report of job %s has no such file.", id)
	})
	if err != nil {
		return nil, 0, err
	}
	return io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
}

// Work implements api.Jobs.
func (m *Jobs) Work(_ context.Context, c api.Caller, id job.ID) (job.Work, error) {
	var w job.Work
	_, err := m.look("Work", c, id, func(*job.Job) error {
		w = m.work[id]
		return nil
	})
	return w, err
}

// Retry implements api.Jobs: the new job's manifest is retry.csv in the report's bucket.
func (m *Jobs) Retry(ctx context.Context, c api.Caller, id job.ID, r job.Retry) (job.Job, error) {
	old, err := m.look("Retry", c, id, func(j *job.Job) error {
		switch {
		case !j.Status.Final():
			return job.Errorf(job.Conflict, "Job %s is %s.", id, j.Status)
		case j.Progress.Failed == 0:
			return job.Errorf(job.InvalidRequest, "No task of job %s failed.", id)
		}
		return nil
	})
	if err != nil {
		return job.Job{}, err
	}
	spec := old.Spec
	spec.RetryOf, spec.Token = id, r.Token
	if spec.Token == "" {
		spec.Token = "retry of " + string(id)
	}
	spec.Manifest.Location = job.Location{Bucket: spec.Report.Bucket, Key: "retry.csv", ETag: "e"}
	if r.ConfirmationRequired != nil {
		spec.ConfirmationRequired = *r.ConfirmationRequired
	}
	if r.Description != nil {
		spec.Description = *r.Description
	}
	if r.Priority != nil {
		spec.Priority = *r.Priority
	}
	return m.Create(ctx, c, spec)
}
