package cli

import (
	"testing"

	"github.com/drover-batch/drover/internal/job"
)

func TestDemoHasEnoughObjectsOfEachKind(t *testing.T) {
	t.Parallel()
	seen := map[job.Key]bool{}
	classes := map[string]int{}
	for _, o := range demoObjects() {
		if seen[o.key] {
			t.Fatalf("%q is there twice", o.key)
		}
		seen[o.key] = true
		classes[o.class]++
		if len(o.key) > 1024 {
			t.Errorf("%q is %d bytes long", o.key, len(o.key))
		}
	}
	if classes["STANDARD"] < 5000 || classes["ARCHIVE"]+classes["DEEP_ARCHIVE"] != 500 || classes["DEEP_ARCHIVE"] == 0 {
		t.Errorf("classes: %v", classes)
	}
}
