package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestMemoryDoesNotGrowWithTheManifest holds the peak of a job of a million rows on a store that answers at once
// against that of a tenth of it.
func TestMemoryDoesNotGrowWithTheManifest(t *testing.T) {
	if out, err := exec.Command(binary, "manifest", "count", writeManifest(t, 1_000_000)).Output(); err != nil || strings.TrimSpace(string(out)) != "1000000" {
		t.Fatalf("manifest count: %q, %v", out, err)
	}
	small, large := peakOfRun(t, 100_000), peakOfRun(t, 1_000_000)
	t.Logf("peak RSS: %d MB at 100,000 rows, %d MB at 1,000,000", small>>20, large>>20)
	if large-small > 16<<20 {
		t.Errorf("the peak grew by %d MB, more than 16", (large-small)>>20)
	}
}

// writeManifest makes a CSV of Bucket,Key with so many rows.
func writeManifest(t *testing.T, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range rows {
		fmt.Fprintf(w, "source,data/2026/11/%07d/object-with-a-name-%09d.parquet\n", i%1000, i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// peakOfRun is the peak RSS, in bytes, of a copy with a full report.
func peakOfRun(t *testing.T, rows int) int64 {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(binary, "run", "copy", "--endpoint-url", "null:", "--manifest", writeManifest(t, rows),
		"--to", "target", "--report", filepath.Join(dir, "report"), "--state", filepath.Join(dir, "state"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), ": Complete\n") {
		t.Fatalf("run: %v\n%s", err, out)
	}
	return peakRSS(cmd)
}

// peakRSS is what a process that has ended took at most, in bytes.
func peakRSS(cmd *exec.Cmd) int64 {
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10 // Linux counts in KiB
}

// TestMemoryOfADryRunDoesNotGrowWithTheManifest: two lists longer than what is compared of them, the one thrice the other.
func TestMemoryOfADryRunDoesNotGrowWithTheManifest(t *testing.T) {
	peak := func(rows int) int64 {
		cmd := exec.Command(binary, "run", "copy", "--endpoint-url", "null:", "--manifest", writeManifest(t, rows), "--to", "target", "--dry-run")
		out, err := cmd.CombinedOutput()
		calls := regexp.MustCompile(`(?m)^  all +(\S+)$`).FindStringSubmatch(string(out))
		if err != nil || calls == nil || strings.ReplaceAll(calls[1], ",", "") != strconv.Itoa(rows) {
			t.Fatalf("dry run of %d rows: %v\n%s", rows, err, out)
		}
		return peakRSS(cmd)
	}
	small, large := peak(1_100_000), peak(3_300_000)
	t.Logf("peak RSS: %d MB at 1,100,000 rows, %d MB at 3,300,000", small>>20, large>>20)
	if large-small > 8<<20 {
		t.Errorf("the peak grew by %d MB, more than 8", (large-small)>>20)
	}
}
