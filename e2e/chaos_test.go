package e2e

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/report"
)

var (
	chaosSeeds = flag.Int("chaos.seeds", 1, "how many seeds TestChaos runs")
	chaosSeed  = flag.Uint64("chaos.seed", 0, "the first seed; 0 = from the clock")
	crashSeeds = flag.Int("chaos.crashes", 20, "how many seeds TestCrashes runs")
)

const chaosRows = 20_000

// TestChaos kills drover dev with SIGKILL at three random moments of a job, with a report and without: every row ends
// in one outcome, is counted once and stands in the report once.
func TestChaos(t *testing.T) {
	first := *chaosSeed
	if first == 0 {
		first = uint64(time.Now().UnixNano()) % 1_000_000
	}
	for seed := first; seed < first+uint64(*chaosSeeds); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { chaos(t, seed, seed%2 == 0) })
		if t.Failed() {
			t.Fatalf("run it again with -chaos.seed %d", seed)
		}
	}
}

func chaosKey(i int) string { return fmt.Sprintf("d%d/objet %d+é%%.bin", i%17, i) }

func chaos(t *testing.T, seed uint64, withReport bool) {
	random := rand.New(rand.NewPCG(seed, seed))
	s := newServer(t)
	missing := map[string]bool{}
	keys := make([]string, chaosRows)
	for i := range keys {
		keys[i] = chaosKey(i)
		if random.IntN(1000) == 0 {
			missing[keys[i]] = true
		}
	}
	s.fillBucket("source", chaosRows, func(i int) string {
		if missing[keys[i]] {
			return ""
		}
		return keys[i]
	})
	s.fillBucket("target", 0, nil)
	s.fillBucket("batch", 0, nil)
	s.putManifest("batch", "list.csv", "source", keys)
	args := []string{"job", "create", "copy", "--manifest", "s3://batch/list.csv", "--to", "target", "--start"}
	if withReport {
		args = append(args, "--report", "s3://batch/reports")
	}
	id := s.drover(args...)
	for range 3 {
		// Where the kill falls is the point of the test: a random moment, not an event.
		<-time.After(time.Duration(50+random.IntN(2000)) * time.Millisecond)
		s.end(os.Kill)
		s.start()
	}
	var last client.Job
	if err := s.client().Watch(t.Context(), id, func(j client.Job) error { last = j; return nil }); err != nil {
		t.Fatal(err)
	}
	p := last.Progress
	if last.Status != "Complete" || p.Total != chaosRows || p.Succeeded+p.Failed != chaosRows || p.Failed != int64(len(missing)) {
		t.Fatalf("job is %s with %+v, want Complete with %d rows and %d failed", last.Status, p, chaosRows, len(missing))
	}
	checkCalls(t, s, missing)
	if withReport {
		checkReport(t, s, id, keys, missing)
	}
}

// checkCalls holds the store's own log against the job: each object was asked for, and none more often than kills can
// explain.
func checkCalls(t *testing.T, s *server, missing map[string]bool) {
	t.Helper()
	b, err := os.ReadFile(s.dir + "/calls.log")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "CopyObject" {
			calls[f[3]]++
		}
	}
	repeats := 0
	for k, n := range calls {
		if n > 4 {
			t.Errorf("%s was copied %d times with 3 kills", k, n)
		}
		repeats += n - 1
	}
	t.Logf("%d keys asked for, %d calls repeated", len(calls), repeats)
	if len(calls) != chaosRows {
		t.Errorf("%d keys were asked for, want %d (%d of them missing)", len(calls), chaosRows, len(missing))
	}
}

func checkReport(t *testing.T, s *server, id string, keys []string, missing map[string]bool) {
	t.Helper()
	folder := report.Folder("reports", job.ID(id))
	get := func(name string) []byte {
		bucket := "batch"
		out, err := s.s3().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &name})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		b, err := io.ReadAll(out.Body)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	_, _, files, err := report.ParseManifest(get(report.ManifestName(folder)))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	seen := map[string]string{}
	for _, f := range files {
		named[path.Base(f.Name)] = true
		rows, err := csv.NewReader(bytes.NewReader(get(f.Name))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			k, err := url.PathUnescape(row[1])
			if err != nil || seen[k] != "" {
				t.Fatalf("key %q stands in the report again: %v", k, err)
			}
			seen[k] = row[3]
		}
	}
	for _, k := range keys {
		want := "succeeded"
		if missing[k] {
			want = "failed"
		}
		if seen[k] != want {
			t.Errorf("key %q: %q in the report, want %q", k, seen[k], want)
		}
	}
	bucket, under := "batch", folder+"results/"
	list, err := s.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &under})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		if !named[path.Base(*o.Key)] {
			t.Errorf("%s is not named by the report's manifest", *o.Key)
		}
	}
}
