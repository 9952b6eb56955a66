// Package report writes completion reports: numbered result files, with succeeded and failed rows apart, and the
// manifest.json that names them. The layout is the one of docs/report.md (COS documents the contents, not the files).
package report

import (
	"github.com/drover-batch/drover/internal/job"
)

// File is one result file of a report.
type File struct {
	Status job.TaskStatus
	Name   string // key in the bucket, or path in the folder
	Size   int64
	MD5    string // lower-case hex
	Rows   int64
}
