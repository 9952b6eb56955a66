package cli

import "runtime/debug"

// limitMemory gives the runtime a soft bound, so that what a short job leaves to the collector does not grow with the
// length of a long one: the carrier's block caches are dropped under it too. GOMEMLIMIT in the environment goes before.
// Measured with 1,000,000 rows on a store that answers at once: a peak of 75 MB instead of 86–99, at the same CPU.
func limitMemory(sh *shell, base int64, concurrency int) {
	const perCall = 64 << 10 // a connection's buffers and a row on its way
	if sh.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(base + int64(max(concurrency, 64))*perCall)
	}
}

// Bases of limitMemory.
const (
	runMemory = 40 << 20
	devMemory = 120 << 20 // with the embedded store's caches
)
