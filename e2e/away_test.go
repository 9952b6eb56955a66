package e2e

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRunOutlivesAStoreThatIsAway kills the store under a running job, leaves it away for longer than a call's attempts
// and the breaker's patience take, and starts it again: no task fails.
func TestRunOutlivesAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	const rows = 6000
	s := newServer(t)
	s.fillBucket("source", rows, chaosKey)
	s.fillBucket("target", 0, nil)
	list := filepath.Join(t.TempDir(), "list.csv")
	var b strings.Builder
	for i := range rows {
		b.WriteString("source," + url.PathEscape(chaosKey(i)) + "\n")
	}
	if err := os.WriteFile(list, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), binary, "run", "copy", "--manifest", list, "--to", "target",
		"--endpoint-url", s.ready.Store, "--region", s.ready.Region, "--concurrency", "4",
		"--report", t.TempDir(), "--state", t.TempDir())
	var out strings.Builder
	run.Stdout = &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	for calls := 0; calls < 500; { // the job is under way
		<-time.After(20 * time.Millisecond)
		log, err := os.ReadFile(s.dir + "/calls.log")
		if err != nil {
			t.Fatal(err)
		}
		calls = strings.Count(string(log), " CopyObject ")
	}
	s.end(os.Kill)
	<-time.After(13 * time.Second) // how long it is away is the point of the test
	s.start("--store-listen", strings.TrimPrefix(s.ready.Store, "http://"))
	if err := run.Wait(); err != nil {
		t.Fatalf("run: %v\n%s", err, out.String())
	}
	if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), "succeeded 6,000") {
		t.Errorf("not all succeeded:\n%s", out.String())
	}
}
