package job

import "slices"

// Status is where a job stands, in the spelling of COS and S3.
type Status string

// The thirteen statuses of COS and S3.
const (
	New        Status = "New"
	Preparing  Status = "Preparing"
	Suspended  Status = "Suspended"
	Ready      Status = "Ready"
	Active     Status = "Active"
	Pausing    Status = "Pausing"
	Paused     Status = "Paused"
	Completing Status = "Completing"
	Complete   Status = "Complete"
	Cancelling Status = "Cancelling"
	Cancelled  Status = "Cancelled"
	Failing    Status = "Failing"
	Failed     Status = "Failed"
)

// next is the whole of what a status may become. Tests and docs/job-states.md are compared with it.
var next = map[Status][]Status{
	New:        {Preparing, Cancelling},
	Preparing:  {Suspended, Ready, Failing, Cancelling},
	Suspended:  {Ready, Cancelling, Failing},
	Ready:      {Active, Pausing, Failing, Cancelling},
	Active:     {Pausing, Completing, Failing, Cancelling},
	Pausing:    {Paused, Completing, Failing, Cancelling},
	Paused:     {Active, Failing, Cancelling},
	Completing: {Complete, Failing},
	Failing:    {Failed},
	Cancelling: {Cancelled, Failing},
	Complete:   {},
	Failed:     {},
	Cancelled:  {},
}

// Statuses lists all statuses in the order of a job's life.
func Statuses() []Status {
	return []Status{New, Preparing, Suspended, Ready, Active, Pausing, Paused, Completing, Complete, Cancelling, Cancelled, Failing, Failed}
}

// Next lists what s may become; nil for a final status and for what is no status.
func (s Status) Next() []Status { return slices.Clone(next[s]) }

// CanBecome reports whether a job in status s may move to t.
func (s Status) CanBecome(t Status) bool { return slices.Contains(next[s], t) }

// Final reports whether s is an end: Complete, Failed or Cancelled.
func (s Status) Final() bool { return s == Complete || s == Failed || s == Cancelled }

// Valid reports whether s is one of the thirteen.
func (s Status) Valid() bool { _, ok := next[s]; return ok }
