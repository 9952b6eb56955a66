package cli

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object/nullstore"
	"github.com/drover-batch/drover/internal/operation"
)

// TestDryRunSaysWhatIsKnown holds what is printed of a local inventory against testdata, for people and for programs.
func TestDryRunSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := strings.Join([]string{
		`photos-1250000000,a/1.jpg,,false,2000,"d41d8cd98f00b204e9800998ecf8427e",STANDARD`,
		`photos-1250000000,a/2%0A.jpg,v1,false,6442450944,"d41d8cd98f00b204e9800998ecf8427e-12",STANDARD_IA`,
		`photos-1250000000,a/2%0A.jpg,v0,false,10,"d41d8cd98f00b204e9800998ecf8427e",STANDARD_IA`,
		`photos-1250000000,gone,v1,true,,,`,
		`music-1250000000,cold,,false,1073741824,"d41d8cd98f00b204e9800998ecf8427e",ARCHIVE`,
		`backup-1250000000,b/own,,false,1,"d41d8cd98f00b204e9800998ecf8427e",STANDARD`,
	}, "\n") + "\n"
	sum := md5.Sum([]byte(data))
	about := fmt.Sprintf(`{"fileFormat":"CSV","fileSchema":"Bucket, Key, VersionId, IsDeleteMarker, Size, ETag, StorageClass","files":[{"key":"data.csv","size":%d,"md5Checksum":"%x"}]}`,
		len(data), sum)
	list := filepath.Join(dir, "manifest.json")
	for path, text := range map[string]string{list: about, filepath.Join(dir, "data.csv"): data} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string][]string{
		"copy.txt":     {"copy", "--to", "backup-1250000000", "--prefix-replace", "a/=b/", "--storage-class", "standard_ia"},
		"copy.json":    {"copy", "--to", "backup-1250000000", "--prefix-replace", "a/=b/", "--output", "json"},
		"restore.txt":  {"restore", "--days", "3", "--trust-inventory"},
		"delete.txt":   {"delete"},
		"tag.json":     {"tag", "--set", "a=b", "--mode", "add", "--output", "json"},
		"nothing.json": {"copy", "--to", "backup-1250000000", "--prefix-delete", "b/own", "--acl", "copy", "--verify", "checksum", "--output", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append(append([]string{"run"}, args...), "--endpoint-url", "null:", "--manifest", list, "--dry-run", "--state", filepath.Join(dir, "state"))
			code, stdout, stderr := drover(t, nil, args...)
			if code != exitOK || stderr != "" {
				t.Errorf("exit code %d, stderr %q", code, stderr)
			}
			golden := filepath.Join("testdata", "dryrun", name)
			if *update {
				if err := os.WriteFile(golden, []byte(stdout), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), stdout); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := os.Stat(filepath.Join(dir, "state")); err == nil {
				t.Error("a dry run made a state folder")
			}
		})
	}
}

func TestSizesAreWrittenInTheirLargestUnit(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 1023: "1,023 bytes", 1024: "1 KiB (1,024 bytes)", 1536: "1.5 KiB (1,536 bytes)",
		5 << 30: "5 GiB (5,368,709,120 bytes)", 1<<63 - 1: "8 EiB (9,223,372,036,854,775,807 bytes)",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
}

// TestBeyondWhatIsComparedTheDryRunSaysSo: it does not claim what it cannot know.
func TestBeyondWhatIsComparedTheDryRunSaysSo(t *testing.T) {
	t.Parallel()
	d := newDryRun(&operation.Copy{TargetBucket: "backup-1250000000"}, new(nullstore.Store))
	d.seen = manifest.NewSeen(2)
	sh := newShell(Env{Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer), Getenv: func(string) string { return "" }}, false)
	d.look([]job.Entry{{Bucket: "photos-1250000000", Key: "a"}, {Bucket: "photos-1250000000", Key: "b"}, {Bucket: "photos-1250000000", Key: "c"}, {Bucket: "music-1250000000", Key: "c"}})
	want := "1 row would go where another row goes; first: music-1250000000/c, as far as was compared: the first 2 destinations with all others, the rest with their neighbours"
	if got := d.collisions(sh); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// BenchmarkDryRun is all that a row of a local CSV costs.
func BenchmarkDryRun(b *testing.B) {
	const rows = 200_000
	var list bytes.Buffer
	for i := range rows {
		fmt.Fprintf(&list, "photos-1250000000,archive/2024/%02d/camera%%20%02d/IMG_%08d.jpeg\n", i%12, i%37, i)
	}
	path := filepath.Join(b.TempDir(), "list.csv")
	if err := os.WriteFile(path, list.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	m := job.Manifest{Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey}, Location: job.Location{Path: path}}
	for name, op := range map[string]operation.Operation{
		"copy":    &operation.Copy{TargetBucket: "backup-1250000000", PrefixReplace: true, PrefixTo: "2026/"},
		"delete":  &operation.Delete{},
		"restore": &operation.Restore{Days: 1, Tier: operation.TierBulk},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := newDryRun(op, new(nullstore.Store)).read(b.Context(), manifest.Local{}, m); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
