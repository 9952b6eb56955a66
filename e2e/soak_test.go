//go:build soak

package e2e

import (
	"fmt"
	"os"
	"testing"
)

// TestWholeProcessStaysSmall runs a job of 100,000 rows on the embedded store, all in one drover dev.
func TestWholeProcessStaysSmall(t *testing.T) {
	const rows = 100_000
	s := newServer(t)
	keys := make([]string, rows)
	for i := range keys {
		keys[i] = fmt.Sprintf("folder %d/object-%06d.bin", i%100, i)
	}
	s.fillBucket("source", rows, func(i int) string { return keys[i] })
	s.fillBucket("target", 0, nil)
	s.fillBucket("batch", 0, nil)
	s.putManifest("batch", "list.csv", "source", keys)
	t.Log(s.drover("job", "create", "copy", "--manifest", "s3://batch/list.csv", "--to", "target",
		"--report", "s3://batch/reports", "--storage-class", "STANDARD_IA", "--start", "--watch"))
	peak := s.end(os.Interrupt)
	t.Logf("peak RSS of drover dev: %d MB", peak>>20)
	if peak > 256<<20 {
		t.Errorf("the peak is %d MB, more than 256", peak>>20)
	}
}
