package cli

import (
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory gives the runtime a soft bound, so that what a short job leaves to the collector does not grow with the
// length of a long one: the carrier's block caches are dropped under it too. GOMEMLIMIT in the environment goes before.
func limitMemory(sh *shell, base int64, concurrency int) {
	const perCall = 32 << 10 // a connection's buffers and a row on its way
	if sh.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(base + int64(max(concurrency, 64))*perCall)
	}
}

// fixHeap lets the heap grow up to limitMemory's bound before there is anything to collect. With the runtime's own pace, twice what
// is alive, the peak follows whatever was alive at the worst moment, and a long job has more of these: the carrier's blocks and the
// results between two commits make that 11 MB in a job's first rows and up to 20 MB later. GOGC in the environment goes before.
func fixHeap(sh *shell) {
	if sh.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// Bases of limitMemory.
const (
	runMemory = 38 << 20
	// With the destinations that are compared; its calls need none.
	dryRunMemory = 60 << 20
	devMemory    = 120 << 20 // with the embedded store's caches
)

// limitToGroup gives a server's runtime nine tenths of what its control group (cgroup v2) may have as a soft bound, so that
// it collects before the kernel ends it. GOMEMLIMIT in the environment goes before. How many cores the group may use the
// runtime finds by itself (Go 1.25).
func limitToGroup(sh *shell) {
	if sh.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if most := groupMemory(os.DirFS("/")); most > 0 {
		debug.SetMemoryLimit(most / 10 * 9)
	}
}

// groupMemory is the least memory.max of this process's control group and those above it, in bytes; 0 = none.
func groupMemory(root fs.FS) int64 {
	b, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	var least int64
	for line := range strings.Lines(string(b)) {
		at, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		if !ok {
			continue // of version 1
		}
		for dir := path.Join("sys/fs/cgroup", at); strings.HasPrefix(dir, "sys/fs/cgroup"); dir = path.Dir(dir) {
			b, err := fs.ReadFile(root, path.Join(dir, "memory.max"))
			if err != nil {
				continue
			}
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 && (least == 0 || n < least) {
				least = n
			}
		}
	}
	return least
}
