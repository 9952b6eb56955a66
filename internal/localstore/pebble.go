package localstore

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleOptions keep the key-value store small: this store shares its machine with what it is there to test.
func pebbleOptions(lock *pebble.Lock) *pebble.Options {
	o := &pebble.Options{
		CacheSize:                   8 << 20,
		MemTableSize:                4 << 20,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                256,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      quiet{},
		Lock:                        lock,
	}
	o.CompactionConcurrencyRange = func() (int, int) { return 1, 1 }
	return o
}

// quiet drops what pebble tells about its own housekeeping; errors reach the requests that meet them.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf must not return: pebble calls it when it can no longer keep its promises, such as after a failed write of its
// log.
func (quiet) Fatalf(format string, args ...any) {
	panic("localstore: " + fmt.Sprintf(format, args...))
}
