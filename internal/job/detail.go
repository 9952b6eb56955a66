package job

import (
	"math"
	"time"
)

// Retry is how to do a job's failed tasks again. What is nil is as it was in that job.
type Retry struct {
	Token                string // ClientRequestToken, 1–64 bytes; "" = a random one
	ConfirmationRequired *bool
	Description          *string
	Priority             *Priority
}

// ReportFile is a result file of a completion report.
type ReportFile struct {
	Name   string // the last part of its key, unique in the report
	Status TaskStatus
	Bucket Bucket // "" in a local folder
	Key    Key    // or the path in that folder
	MD5    string // lower-case hex
}

// Sizes are those of a job's objects, as its manifest lists them.
type Sizes struct {
	Bytes   int64 // of all; at most what an int64 holds
	Largest int64 // bytes of the largest object
}

// Add counts an object, or others together, in.
func (s *Sizes) Add(o Sizes) {
	if s.Bytes += o.Bytes; s.Bytes < 0 { // a list may say anything
		s.Bytes = math.MaxInt64
	}
	s.Largest = max(s.Largest, o.Largest)
}

// Work is how far the parts of a job are. Once the job has ended, only Pace is left of it.
type Work struct {
	Chunks    int64 // that the manifest is cut into; 0 until it has been counted
	ChunkRows int   // rows of a chunk; the last of a data file has fewer
	Waiting   int   // chunks that wait for a worker
	Running   int   // chunks that a worker has
	Segments  []Segment
	// Pace is how the tasks ended over time, as far as it was seen by the process that answers, or by the one that ended
	// the job: oldest first, at most 121 samples, evenly apart.
	Pace []Sample
}

// Sample is how many tasks had ended at a time.
type Sample struct {
	Time   time.Time
	Done   int64 // of these Failed failed
	Failed int64
}

// Segment is a part of the report that has been written.
type Segment struct {
	Number int64
	Files  []SegmentFile
}

// SegmentFile is a result file of a segment.
type SegmentFile struct {
	Name   string
	Status TaskStatus
	Size   int64
	Rows   int64
}
