package cli

import (
	"errors"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// jobView is a job in the JSON output of every command. Scripts rely on its names.
type jobView struct {
	ID             string        `json:"id"`
	Status         job.Status    `json:"status"`
	Operation      string        `json:"operation"`
	Description    string        `json:"description,omitempty"`
	Priority       int32         `json:"priority"`
	Reason         string        `json:"reason,omitempty"`
	Created        *time.Time    `json:"created,omitempty"`
	Started        *time.Time    `json:"started,omitempty"`
	Ended          *time.Time    `json:"ended,omitempty"`
	Total          int64         `json:"total"`
	Succeeded      int64         `json:"succeeded"`
	Failed         int64         `json:"failed"`
	FailedByCode   []codeView    `json:"failedByCode,omitempty"`
	ActiveSeconds  float64       `json:"activeSeconds"`
	Failures       []failureView `json:"failures,omitempty"`
	ReportManifest string        `json:"reportManifest,omitempty"` // s3://BUCKET/KEY, or a path
}

type codeView struct {
	Code    string   `json:"code"`
	Count   int64    `json:"count"`
	Samples []string `json:"samples,omitempty"`
}

type failureView struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

func toView(j job.Job) jobView {
	v := jobView{
		ID: string(j.ID), Status: j.Status, Operation: j.Spec.Operation.Name(), Description: j.Spec.Description,
		Priority: int32(j.Priority), Reason: reasonOf(j),
		Created: stamp(j.Created), Started: stamp(j.Started), Ended: stamp(j.Terminated),
		Total: j.Progress.Total, Succeeded: j.Progress.Succeeded, Failed: j.Progress.Failed,
		ActiveSeconds: j.Progress.ActiveFor.Seconds(), ReportManifest: reportAt(j),
	}
	for _, c := range j.Progress.ByCode {
		code := codeView{Code: c.Code, Count: c.Count}
		for _, k := range c.Samples {
			code.Samples = append(code.Samples, string(k))
		}
		v.FailedByCode = append(v.FailedByCode, code)
	}
	for _, f := range j.Failures {
		v.Failures = append(v.Failures, failureView(f))
	}
	return v
}

func toViews(jobs []job.Job) []jobView {
	views := make([]jobView, 0, len(jobs))
	for _, j := range jobs {
		views = append(views, toView(j))
	}
	return views
}

// stamp leaves times out that never came.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// result prints how a job ended, and gives the exit code that it stands for.
func (s *shell) result(j job.Job, asJSON bool) error {
	var err error
	if asJSON {
		err = s.json(toView(j))
	} else {
		s.summary(j)
	}
	return errors.Join(err, ended(j.Status, j.Progress.Failed))
}

// details prints all that there is to say about a job.
func (s *shell) details(j job.Job) {
	s.summary(j)
	s.printf("  does       %s\n", operation.Describe(j.Spec.Operation))
	if j.Spec.Description != "" {
		s.printf("  about      %s\n", s.foreign(j.Spec.Description))
	}
	l := j.Spec.Manifest.Location
	s.printf("  manifest   %s (%s)\n", s.foreign(place{bucket: l.Bucket, key: string(l.Key), path: l.Path}.String()), j.Spec.Manifest.Format)
	s.printf("  priority   %d\n", j.Priority)
	s.printf("  role       %s\n", j.Spec.Role.ARN)
	for _, e := range j.Events {
		s.printf("  %s  %s", e.Time.UTC().Format(time.RFC3339), e.To)
		if e.Actor != "" {
			s.printf(" by %s", s.foreign(e.Actor))
		}
		if e.Reason != "" {
			s.printf(": %s", oneLine(e.Reason))
		}
		s.printf("\n")
	}
	for _, c := range j.Progress.ByCode {
		for _, key := range c.Samples {
			s.printf("  failed by %s: %s\n", oneLine(c.Code), s.foreign(string(key)))
		}
	}
}
