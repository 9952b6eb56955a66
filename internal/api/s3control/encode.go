package s3control

import (
	"encoding/xml"
	"net/http"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// Lengths of what a job tells (AWS S3 API), in bytes.
const (
	maxFailureCode    = 64
	maxFailureReason  = 256
	maxStatusReason   = 256
	maxSuspendedCause = 1024
)

// inner is an element whose content is XML already.
type inner struct {
	XML string `xml:",innerxml"`
}

type createJobResult struct {
	XMLName xml.Name `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ CreateJobResult"`
	JobID   string   `xml:"JobId"`
}

type progressSummary struct {
	Total     int64 `xml:"TotalNumberOfTasks"`
	Succeeded int64 `xml:"NumberOfTasksSucceeded"`
	Failed    int64 `xml:"NumberOfTasksFailed"`
	Timers    timers
}

type timers struct {
	Active int64 `xml:"ElapsedTimeInActiveSeconds"`
}

type jobFailure struct {
	Code   string `xml:"FailureCode"`
	Reason string `xml:"FailureReason"`
}

type describeJobResult struct {
	XMLName xml.Name `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ DescribeJobResult"`
	Job     describedJob
}

type describedJob struct {
	JobID                string `xml:"JobId"`
	ConfirmationRequired bool
	Description          string `xml:",omitempty"`
	JobARN               string `xml:"JobArn"`
	Status               job.Status
	Manifest             *inner
	Operation            inner
	Priority             job.Priority
	ProgressSummary      progressSummary
	StatusUpdateReason   string          `xml:",omitempty"`
	FailureReasons       *failureReasons `xml:",omitempty"`
	Report               inner
	CreationTime         string
	TerminationDate      string `xml:",omitempty"`
	RoleArn              inner
	SuspendedDate        string `xml:",omitempty"`
	SuspendedCause       string `xml:",omitempty"`
	ManifestGenerator    *inner
	Generated            *inner `xml:"GeneratedManifestDescriptor"`
}

type failureReasons struct {
	Member []jobFailure `xml:"member"`
}

type listJobsResult struct {
	XMLName   xml.Name `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ ListJobsResult"`
	NextToken string   `xml:",omitempty"` // an empty one would be sent back
	Jobs      listedJobs
}

type listedJobs struct {
	Member []listedJob `xml:"member"`
}

type listedJob struct {
	JobID           string `xml:"JobId"`
	Description     string `xml:",omitempty"`
	Operation       string // the bare name
	Priority        job.Priority
	Status          job.Status
	CreationTime    string
	TerminationDate string `xml:",omitempty"`
	ProgressSummary progressSummary
}

type updateJobPriorityResult struct {
	XMLName  xml.Name `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ UpdateJobPriorityResult"`
	JobID    string   `xml:"JobId"`
	Priority job.Priority
}

type updateJobStatusResult struct {
	XMLName            xml.Name `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ UpdateJobStatusResult"`
	JobID              string   `xml:"JobId"`
	Status             job.Status
	StatusUpdateReason string `xml:",omitempty"`
}

type getJobTaggingResult struct {
	XMLName xml.Name `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ GetJobTaggingResult"`
	Tags    inner
}

func describe(j job.Job) describeJobResult {
	e := echoOf(j.Spec)
	d := describedJob{
		JobID:                string(j.ID),
		ConfirmationRequired: j.Spec.ConfirmationRequired,
		Description:          j.Spec.Description,
		JobARN:               jobARN(j),
		Status:               j.Status,
		Operation:            inner{e.Operation},
		Priority:             j.Priority,
		ProgressSummary:      progress(j.Progress),
		StatusUpdateReason:   api.CutText(j.StatusReason, maxStatusReason),
		Report:               inner{e.Report},
		CreationTime:         timeText(j.Created),
		TerminationDate:      timeText(j.Terminated),
		RoleArn:              inner{e.RoleArn},
		SuspendedDate:        timeText(j.Suspended),
		SuspendedCause:       api.CutText(j.SuspendedCause, maxSuspendedCause),
	}
	if j.Spec.Generator != nil {
		d.ManifestGenerator = &inner{e.Generator}
		if n := generatedNode(j.Generated); n != nil {
			d.Generated = &inner{n.Inner()}
		}
	} else {
		d.Manifest = &inner{e.Manifest}
	}
	if len(j.Failures) > 0 {
		d.FailureReasons = new(failureReasons)
		for _, f := range j.Failures {
			d.FailureReasons.Member = append(d.FailureReasons.Member, jobFailure{api.CutText(f.Code, maxFailureCode), api.CutText(f.Reason, maxFailureReason)})
		}
	}
	return describeJobResult{Job: d}
}

func list(jobs []job.Job, more bool) listJobsResult {
	var r listJobsResult
	for _, j := range jobs {
		r.Jobs.Member = append(r.Jobs.Member, listedJob{
			JobID:           string(j.ID),
			Description:     j.Spec.Description,
			Operation:       echoOf(j.Spec).Name,
			Priority:        j.Priority,
			Status:          j.Status,
			CreationTime:    timeText(j.Created),
			TerminationDate: timeText(j.Terminated),
			ProgressSummary: progress(j.Progress),
		})
	}
	if more && len(jobs) > 0 {
		r.NextToken = nextToken(jobs[len(jobs)-1].ID)
	}
	return r
}

func progress(p job.Progress) progressSummary {
	return progressSummary{Total: p.Total, Succeeded: p.Succeeded, Failed: p.Failed, Timers: timers{int64(p.ActiveFor / time.Second)}}
}

// timeText is ISO 8601 in UTC and milliseconds, "" for no time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// writeXML writes an answer.
func writeXML(w http.ResponseWriter, status int, v any) error {
	return api.WriteXML(w, status, xml.Header, v)
}
