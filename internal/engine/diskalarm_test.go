package engine_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drover-batch/drover/internal/engine"
)

// loudLog keeps what is logged as an error or, of the disk, as a notice.
type loudLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *loudLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

func (l *loudLog) has(parts ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			n++
		}
	}
	return n
}

func TestNearlyFullDiskIsToldOf(t *testing.T) {
	t.Parallel()
	var free atomic.Int64
	free.Store(9)
	log := &loudLog{}
	r := newRig(t, func(o *engine.Options) {
		o.Logger = slog.New(slog.NewTextHandler(log, nil))
		o.Disk = func() (engine.Disk, error) { return engine.Disk{Free: free.Load(), Size: 100}, nil }
	})
	r.start()
	beaten := func(free int64) { // a beat that says so
		watchUntil(t, r.carrier, engine.Live, func(rec engine.Record) bool {
			var n struct{ Disk engine.Disk }
			return strings.HasPrefix(rec.Key, "node.") && json.Unmarshal(rec.Value, &n) == nil && n.Disk.Free == free
		})
	}
	beaten(9)
	living, err := engine.ReadLiving(t.Context(), r.carrier)
	if err != nil || len(living.Nodes) != 1 || !living.Nodes[0].Disk.Low() {
		t.Errorf("living = %+v, %v, want one node with little room", living, err)
	}
	if d := r.engine.Stats(t.Context()).Disk; d != (engine.Disk{Free: 9, Size: 100}) {
		t.Errorf("stats say %+v", d)
	}
	for _, left := range []int64{10, 9, 11, 50} { // no longer low, but hardly; then whole
		free.Store(left)
		beaten(left)
	}
	if n := log.has("level=ERROR", "disk is nearly full", "free=9"); n != 1 {
		t.Errorf("the alarm was raised %d times", n)
	}
	if n := log.has("has room again", "free=50"); n != 1 {
		t.Errorf("its end was told %d times", n)
	}
}
