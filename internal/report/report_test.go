package report_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/report"
)

var update = flag.Bool("update", false, "write golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	var b []byte
	for _, r := range []struct {
		e job.Entry
		o job.Outcome
	}{
		{job.Entry{Bucket: "photos-1250000000", Key: "a/b.txt"}, job.FailedTask("NoSuchKey", 404, "The specified key does not exist.")},
		{job.Entry{Bucket: "photos-1250000000", Key: "a/b.txt", Version: "MTg0NDUx"}, job.Succeeded(200, "")},
		{job.Entry{Bucket: "photos-1250000000", Key: "a b+c,\"d\"\n%~-._"}, job.Succeeded(200, "done by an earlier attempt")},
		{job.Entry{Bucket: "photos-1250000000", Key: "你/好", Version: "null"}, job.FailedTask("ConnectionError", 0, "dial: refused, \"again\"\r\n\x1b[31mred\u0085\x00")},
		{job.Entry{Bucket: "b,1", Key: "\xff", Version: " v\n"}, job.FailedTask("Bad\nCode", 500, " lead and trail ")},
		{job.Entry{Bucket: "b", Key: "k"}, job.FailedTask("X", 500, "\xff is no UTF-8")},
	} {
		b = report.AppendRow(b, r.e, r.o)
	}
	golden(t, "rows.csv", b)
}

func TestMessagesAreCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	for _, message := range []string{strings.Repeat("x", 5000), strings.Repeat("好", 5000), "x" + strings.Repeat("好", 5000)} {
		row := report.AppendRow(nil, job.Entry{Bucket: "b", Key: "k"}, job.FailedTask("C", 500, message))
		got := strings.TrimSuffix(strings.TrimPrefix(string(row), "b,k,,failed,C,500,"), "\n")
		if len(got) > 1024 || len(got) < 1022 || !utf8.ValidString(got) || !strings.HasPrefix(message, got) {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	const id = job.ID("53dc6228-c50b-46f7-8ad7-65e7159f1aae")
	for prefix, want := range map[string]string{
		"": "job-" + string(id) + "/", "out": "out/job-" + string(id) + "/", "out/": "out/job-" + string(id) + "/", "a/b": "a/b/job-" + string(id) + "/",
	} {
		if got := report.Folder(prefix, id); got != want {
			t.Errorf("Folder(%q) = %q, want %q", prefix, got, want)
		}
	}
	if got, want := report.ResultName("out/job-1/", 7, job.TaskSucceeded), "out/job-1/results/00000007-succeeded.csv"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := report.ManifestName("job-1/")+" "+report.ChecksumName("job-1/"), "job-1/manifest.json job-1/manifest.json.md5"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	created := time.Date(2024, 3, 1, 16, 0, 5, 999, time.FixedZone("", 8*3600))
	files := []report.File{
		{Status: job.TaskFailed, Name: "out/job-1/results/00000001-failed.csv", MD5: "9e107d9d372bb6826bd81d3542a419d6", Size: 12, Rows: 1},
		{Status: job.TaskSucceeded, Name: "out/<&>/job-1/results/00000001-succeeded.csv", MD5: "e4d909c290d0fb1ca068ffaddf22cbd0", Size: 34, Rows: 2},
	}
	b := report.Manifest(created, job.ReportFormat, "lists-1250000000", files)
	golden(t, "manifest.json", b)
	golden(t, "empty.json", report.Manifest(created, "", "", nil))
	if got, want := string(report.Checksum([]byte("{}"))), "99914b932bd37a50b983c5e7c90ae93b"; got != want {
		t.Errorf("checksum %s, want %s", got, want)
	}

	inS3 := report.Manifest(created, job.ReportFormatS3, "lists-1250000000", files)
	if want := strings.Replace(string(b), "Report_CSV_V1", "Report_CSV_20180820", 1); string(inS3) != want {
		t.Errorf("in S3's words: %s, want %s", inS3, want)
	}
	if _, _, _, err := report.ParseManifest(inS3); err != nil {
		t.Errorf("in S3's words: %v", err)
	}

	at, bucket, got, err := report.ParseManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i].Size, files[i].Rows = 0, 0
	}
	if d := cmp.Diff(files, got); d != "" || bucket != "lists-1250000000" || !at.Equal(created.Truncate(time.Second)) {
		t.Errorf("%v, %q (-want +got):\n%s", at, bucket, d)
	}
	for name, bad := range map[string]string{
		"not JSON":         "x",
		"another format":   strings.Replace(string(b), "Report_CSV_V1", "Report_CSV_V2", 1),
		"other columns":    strings.Replace(string(b), "ErrorCode", "Error", 1),
		"no date":          strings.Replace(string(b), "2024-03", "2024", 1),
		"two buckets":      strings.Replace(string(b), "lists-", "other-", 1),
		"no status":        strings.Replace(string(b), `"failed"`, `""`, 1),
		"not an inventory": "{}",
	} {
		if _, _, _, err := report.ParseManifest([]byte(bad)); job.CodeOf(err) != job.InvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rows opens one CSV manifest from memory.
type rows []byte

func (r rows) Open(_ context.Context, _ manifest.Name, offset, length int64) (io.ReadCloser, manifest.Info, error) {
	b := r[offset:]
	if length >= 0 {
		b = b[:length]
	}
	return io.NopCloser(bytes.NewReader(b)), manifest.Info{ETag: "e", Size: int64(len(r))}, nil
}

func TestResultFilesAreManifests(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var file rows
		var want []job.Entry
		for i := range rapid.IntRange(1, 20).Draw(t, "rows") {
			e := job.Entry{
				Row:     int64(i),
				Bucket:  job.Bucket(rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{2,40}`).Draw(t, "bucket")), // as Bucket.Validate has it,
				Key:     job.Key(rapid.SliceOfN(rapid.Byte(), 1, 60).Draw(t, "key")),
				Version: job.Version(rapid.StringN(0, 20, 200).Draw(t, "version")),
			}
			want = append(want, e)
			file = report.AppendRow(file, e, job.Outcome{
				Status:     rapid.SampledFrom([]job.TaskStatus{job.TaskSucceeded, job.TaskFailed}).Draw(t, "status"),
				Code:       string(rapid.SliceOf(rapid.Byte()).Draw(t, "code")),
				HTTPStatus: rapid.IntRange(0, 599).Draw(t, "HTTP status"),
				Message:    string(rapid.SliceOf(rapid.Byte()).Draw(t, "message")),
			})
		}
		for _, plus := range []bool{false, true} {
			m := job.Manifest{
				Format: job.FormatCSV, Fields: []job.Field{"Bucket", "Key", "VersionId", "Ignore", "Ignore", "Ignore", "Ignore"},
				Location: job.Location{Key: "failed.csv", ETag: "e"},
			}
			var got []job.Entry
			for e, err := range manifest.Rows(context.Background(), file, m, manifest.Options{PlusSpace: &plus}) {
				if err != nil {
					t.Fatalf("%v of:\n%s", err, file)
				}
				got = append(got, e)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("plus %v (-want +got):\n%s", plus, d)
			}
		}
	})
}

func BenchmarkAppendRow(b *testing.B) {
	e := job.Entry{Bucket: "photos-1250000000", Key: "archive/2024/03/01/camera 07/IMG_00001234+edit.jpeg", Version: "MTg0NDUxNTc1NjIzMTQ1MDg4"}
	for name, o := range map[string]job.Outcome{
		"succeeded": job.Succeeded(200, ""),
		"failed":    job.FailedTask("NoSuchKey", 404, "The specified key does not exist."),
	} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 1<<20)
			b.ReportAllocs()
			for b.Loop() {
				if len(buf) > 1<<19 {
					buf = buf[:0]
				}
				buf = report.AppendRow(buf, e, o)
			}
		})
	}
}
