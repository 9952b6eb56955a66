package report_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/report"
)

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte("{}"))
	f.Add(report.Manifest(time.Unix(1709280005, 0), job.ReportFormatS3, "lists-1250000000", []report.File{{Status: job.TaskFailed, Name: "a", MD5: "x"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		created, bucket, files, err := report.ParseManifest(b)
		if err != nil {
			if job.CodeOf(err) != job.InvalidRequest {
				t.Fatal(err)
			}
			return
		}
		if created.UTC().Year() < 0 || created.UTC().Year() > 9999 {
			return
		}
		at, in, again, err := report.ParseManifest(report.Manifest(created, "", bucket, files))
		if err != nil {
			t.Fatal(err)
		}
		if !at.Equal(created.Truncate(time.Second)) || in != bucket {
			t.Fatalf("%v, %q, want %v, %q", at, in, created, bucket)
		}
		if d := cmp.Diff(files, again); d != "" {
			t.Fatal(d)
		}
	})
}
