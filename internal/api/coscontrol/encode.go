package coscontrol

import (
	"encoding/xml"
	"net/http"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// Lengths of what a job tells (Tencent Cloud 436/33782), in bytes.
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
	XMLName xml.Name `xml:"CreateJobResult"`
	JobID   string   `xml:"JobId"`
}

type progressSummary struct {
	Failed    int64 `xml:"NumberOfTasksFailed"`
	Succeeded int64 `xml:"NumberOfTasksSucceeded"`
	Total     int64 `xml:"TotalNumberOfTasks"`
}

type jobFailure struct {
	Code   string `xml:"FailureCode"`
	Reason string `xml:"FailureReason"`
}

// describeJobResult's elements stand in the order of the documentation. Terraform's provider goes through Manifest,
// Location, Spec and Operation without looking, and reads ConfirmationRequired always: they are never left out.
type describeJobResult struct {
	XMLName xml.Name `xml:"DescribeJobResult"`
	Job     describedJob
}

type describedJob struct {
	ConfirmationRequired bool
	CreationTime         string
	Description          string          `xml:",omitempty"`
	FailureReasons       *failureReasons `xml:",omitempty"`
	JobID                string          `xml:"JobId"`
	Manifest             inner
	Operation            inner
	Priority             job.Priority
	ProgressSummary      progressSummary
	Report               inner
	RoleArn              inner
	Status               job.Status
	StatusUpdateReason   string `xml:",omitempty"`
	SuspendedCause       string `xml:",omitempty"`
	SuspendedDate        string `xml:",omitempty"`
	TerminationDate      string `xml:",omitempty"`
}

type failureReasons struct {
	JobFailure []jobFailure
}

type listJobsResult struct {
	XMLName   xml.Name `xml:"ListJobsResult"`
	Jobs      listedJobs
	NextToken string
}

type listedJobs struct {
	Member []listedJob `xml:"member"`
}

type listedJob struct {
	CreationTime    string
	Description     string `xml:",omitempty"`
	JobID           string `xml:"JobId"`
	Operation       string // a word: the SDK reads text here
	Priority        job.Priority
	ProgressSummary progressSummary
	Status          job.Status
	TerminationDate string `xml:",omitempty"`
}

type updateJobPriorityResult struct {
	XMLName  xml.Name `xml:"UpdateJobPriorityResult"`
	JobID    string   `xml:"JobId"`
	Priority job.Priority
}

type updateJobStatusResult struct {
	XMLName            xml.Name `xml:"UpdateJobStatusResult"`
	JobID              string   `xml:"JobId"`
	Status             job.Status
	StatusUpdateReason string
}

func describe(j job.Job) describeJobResult {
	if j.Spec.Generator != nil { // another API's: COS knows the list that was made
		j.Spec.Manifest = j.Generated
		j.Spec.Manifest.Format = job.FormatInventory
	}
	e := echoOf(j.Spec)
	d := describedJob{
		ConfirmationRequired: j.Spec.ConfirmationRequired,
		CreationTime:         timeText(j.Created),
		Description:          j.Spec.Description,
		JobID:                string(j.ID),
		Manifest:             inner{e.Manifest},
		Operation:            inner{e.Operation},
		Priority:             j.Priority,
		ProgressSummary:      progress(j.Progress),
		Report:               inner{e.Report},
		RoleArn:              inner{e.RoleArn},
		Status:               j.Status,
		StatusUpdateReason:   api.CutText(j.StatusReason, maxStatusReason),
		SuspendedCause:       api.CutText(j.SuspendedCause, maxSuspendedCause),
		SuspendedDate:        timeText(j.Suspended),
		TerminationDate:      timeText(j.Terminated),
	}
	if len(j.Failures) > 0 {
		d.FailureReasons = new(failureReasons)
		for _, f := range j.Failures {
			d.FailureReasons.JobFailure = append(d.FailureReasons.JobFailure, jobFailure{api.CutText(f.Code, maxFailureCode), api.CutText(f.Reason, maxFailureReason)})
		}
	}
	return describeJobResult{Job: d}
}

func list(jobs []job.Job, more bool) listJobsResult {
	var r listJobsResult
	for _, j := range jobs {
		r.Jobs.Member = append(r.Jobs.Member, listedJob{
			CreationTime:    timeText(j.Created),
			Description:     j.Spec.Description,
			JobID:           string(j.ID),
			Operation:       operationName(j.Spec.Operation),
			Priority:        j.Priority,
			ProgressSummary: progress(j.Progress),
			Status:          j.Status,
			TerminationDate: timeText(j.Terminated),
		})
	}
	if more && len(jobs) > 0 {
		r.NextToken = string(jobs[len(jobs)-1].ID)
	}
	return r
}

func progress(p job.Progress) progressSummary {
	return progressSummary{Failed: p.Failed, Succeeded: p.Succeeded, Total: p.Total}
}

// timeText is ISO 8601 in UTC and whole seconds, "" for no time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// writeXML writes an answer, with the prolog that COS's own have.
func writeXML(w http.ResponseWriter, status int, v any) error {
	return api.WriteXML(w, status, "<?xml version='1.0' encoding='utf-8' ?>\n", v)
}
