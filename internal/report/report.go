// Package report writes completion reports: numbered result files, with succeeded and failed rows apart, and the
// manifest.json that names them. The layout is the one of docs/report.md (COS documents the contents, not the files).
//
// It makes bytes and names; a Sink stores them. When which file is written is the engine's to say.
package report

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

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

// Schema is the columns of a result file, as its report's manifest.json states them.
const Schema = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"

// ContentType of result files and of manifest.json.
const (
	ContentTypeCSV  = "text/csv; charset=utf-8"
	ContentTypeJSON = "application/json"
	ContentTypeText = "text/plain; charset=utf-8"
)

// Folder is where a job's report lies: <prefix>/job-<id>/, or job-<id>/ without a prefix.
func Folder(prefix string, id job.ID) string {
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return prefix + "job-" + string(id) + "/"
}

// ResultName names the result file of a segment, such as <folder>results/00000001-failed.csv.
func ResultName(folder string, segment int64, s job.TaskStatus) string {
	return fmt.Sprintf("%sresults/%08d-%s.csv", folder, segment, s)
}

// ManifestName names the manifest.json of a report.
func ManifestName(folder string) string { return folder + "manifest.json" }

// ChecksumName names the file that holds the manifest.json's MD5 in hex.
func ChecksumName(folder string) string { return folder + "manifest.json.md5" }

// Checksum is the content of the file at ChecksumName.
func Checksum(manifest []byte) []byte {
	sum := md5.Sum(manifest)
	return []byte(hex.EncodeToString(sum[:]))
}

// manifestJSON is a report's manifest.json.
type manifestJSON struct {
	Format       string       `json:"Format"`
	Created      string       `json:"ReportCreationDate"`
	Results      []resultJSON `json:"Results"`
	ReportSchema string       `json:"ReportSchema"`
}

type resultJSON struct {
	Status job.TaskStatus `json:"TaskExecutionStatus"`
	Bucket job.Bucket     `json:"Bucket"`
	MD5    string         `json:"MD5Checksum"`
	Key    string         `json:"Key"`
}

// Manifest makes a report's manifest.json. format is what it calls the format, "" being job.ReportFormat; bucket is ""
// for a report in a local folder. The same arguments give the same bytes.
func Manifest(created time.Time, format string, bucket job.Bucket, files []File) []byte {
	m := manifestJSON{
		Format: cmp.Or(format, job.ReportFormat), Created: created.UTC().Format("2006-01-02T15:04:05Z"),
		Results: make([]resultJSON, 0, len(files)), ReportSchema: Schema,
	}
	for _, f := range files {
		m.Results = append(m.Results, resultJSON{Status: f.Status, Bucket: bucket, MD5: f.MD5, Key: f.Name})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		panic(err) // strings and slices of strings always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// ParseManifest reads a report's manifest.json. Size and Rows of the files are not in it. Its errors carry
// InvalidRequest.
func ParseManifest(b []byte) (created time.Time, bucket job.Bucket, files []File, err error) {
	bad := func(format string, args ...any) (time.Time, job.Bucket, []File, error) {
		return time.Time{}, "", nil, job.Errorf(job.InvalidRequest, "The report's manifest.json "+format, args...)
	}
	var m manifestJSON
	if err := json.Unmarshal(b, &m); err != nil {
		return bad("is not JSON; name the manifest.json of a completion report (%v).", err)
	}
	if m.Format != job.ReportFormat && m.Format != job.ReportFormatS3 {
		return bad("is of format %q; only %s and %s are known.", m.Format, job.ReportFormat, job.ReportFormatS3)
	}
	if m.ReportSchema != Schema {
		return bad("has the columns %q; only %q is known.", m.ReportSchema, Schema)
	}
	if created, err = time.Parse(time.RFC3339, m.Created); err != nil {
		return bad("has the date %q, which is not ISO 8601.", m.Created)
	}
	for i, r := range m.Results {
		if i > 0 && r.Bucket != bucket {
			return bad("names the buckets %q and %q; a report lies in one.", bucket, r.Bucket)
		}
		if r.Status != job.TaskSucceeded && r.Status != job.TaskFailed || r.Key == "" {
			return bad("has a bad result: status %q, key %q.", r.Status, r.Key)
		}
		bucket = r.Bucket
		files = append(files, File{Status: r.Status, Name: r.Key, MD5: r.MD5})
	}
	return created, bucket, files, nil
}
