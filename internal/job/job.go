package job

import "time"

// Failure is why a job failed. Code is at most 64 bytes, Reason at most 256 on the wire.
type Failure struct {
	Code   string
	Reason string
}

// CodeCount counts the failed tasks of one error code.
type CodeCount struct {
	Code    string
	Count   int64
	Samples []Key // at most 20
}

// Progress counts a job's tasks. Total is 0 until the manifest has been counted.
type Progress struct {
	Total     int64
	Succeeded int64
	Failed    int64
	ByCode    []CodeCount // failed tasks by error code, most first
	// Requested is how many restorations have been asked for, in a job that waits until the objects can be read.
	Requested int64
	// ActiveFor is the time the job has spent in Active.
	ActiveFor time.Duration
	// Provisional is set while some of it waits to be committed.
	Provisional bool
	// Rate is how many tasks ended a second over the last seconds; 0 when the job is not Active.
	Rate float64
}

// Remaining is how long the rest takes at the present rate; false when nobody can tell.
func (p Progress) Remaining() (time.Duration, bool) {
	if p.Rate <= 0 || p.Total <= p.Done() {
		return 0, false
	}
	seconds := float64(p.Total-p.Done()) / p.Rate
	if seconds > maxRemaining.Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// maxRemaining is the longest time that is a guess and not a joke.
const maxRemaining = 10 * 365 * 24 * time.Hour

// Done is how many tasks have ended.
func (p Progress) Done() int64 { return p.Succeeded + p.Failed }

// FailureRule reports whether so many tasks have failed that the job must end: over half of at least 1,000 done
// (COS's threshold, the count of 1,000 being S3's).
func (p Progress) FailureRule() bool { return p.Done() >= 1000 && 2*p.Failed > p.Done() }

// Job is a job as its callers see it.
type Job struct {
	ID             ID
	Spec           Spec
	Status         Status
	Priority       Priority // the present one; Spec.Priority is what it was made with
	Limits         Limits   // the present ones; Spec.Limits are what it was made with
	StatusReason   string   // StatusUpdateReason: 0–256 bytes
	SuspendedCause string
	PausedByUser   bool
	Progress       Progress
	Sizes          *Sizes // nil until the manifest has been counted, and where it lists no sizes
	Failures       []Failure
	Created        time.Time
	Suspended      time.Time // when it began to wait for confirmation; zero = never
	Started        time.Time // first time Active
	Terminated     time.Time
	Events         []Event // oldest first, at most 200: 100 of what the job did, 100 of what was asked of it
	// ReportManifest is the report manifest's key (or local path) once it is written.
	ReportManifest string
	// Generated is the manifest that Spec.Generator made; zero until then.
	Generated Manifest
	// Revision changes with the job's status, its priority and what else callers ask of it; not with its progress.
	Revision string
}

// TaskStatus is how a task ended, in the words of the report.
type TaskStatus string

// The two ends of a task.
const (
	TaskSucceeded TaskStatus = "succeeded"
	TaskFailed    TaskStatus = "failed"
)

// Outcome is the one end of a task. The zero Outcome is not an end.
type Outcome struct {
	Status     TaskStatus
	Code       string // the store's error code; "" when succeeded
	HTTPStatus int    // 0 when no call was made
	Message    string // foreign text: shown quoted, control bytes taken out
}

// Succeeded makes a good outcome; note may be "".
func Succeeded(httpStatus int, note string) Outcome {
	return Outcome{Status: TaskSucceeded, HTTPStatus: httpStatus, Message: note}
}

// FailedTask makes a bad outcome.
func FailedTask(code string, httpStatus int, message string) Outcome {
	return Outcome{Status: TaskFailed, Code: code, HTTPStatus: httpStatus, Message: message}
}
