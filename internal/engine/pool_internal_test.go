package engine

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
)

// poolOf gives a worker that holds chunks of these jobs, claimed in this order, each with rows rows to do.
func poolOf(rows int, cs ...candidate) *worker {
	w := &worker{e: &Engine{o: Options{Concurrency: 4, ChunkRows: rows}}, held: map[job.ID]int{}, wake: make(chan struct{}, 1)}
	w.cond = sync.NewCond(&w.mu)
	for _, c := range cs {
		r := &chunkRun{
			w: w, id: c.ID, of: c, loaded: true, todo: make([]int, rows),
			jc: &jobContext{most: 1}, runs: new(atomic.Bool), halted: make(chan struct{}), ended: make(chan struct{}, 1),
		}
		r.runs.Store(true)
		until := time.Now().Add(time.Hour)
		r.until.Store(&until)
		w.held[c.ID]++
		w.insert(r)
	}
	return w
}

// starts takes rows until none is left, and gives whose they were.
func starts(w *worker, most int) (got []job.ID) {
	for range most {
		r, _ := w.next()
		if r == nil {
			return got
		}
		got = append(got, r.id)
	}
	return got
}

func TestRowsStartByPriority(t *testing.T) {
	t.Parallel()
	low, high := candidate{ID: "low", Account: "a", Priority: 1}, candidate{ID: "high", Account: "a", Priority: 2}
	other := candidate{ID: "other", Account: "b", Priority: 1}
	w := poolOf(2, low, other, high)
	if d := cmp.Diff([]job.ID{"high", "high", "low", "low", "other", "other"}, starts(w, 9)); d != "" {
		t.Errorf("accounts by age, within one by priority (-want +got):\n%s", d)
	}
	w = poolOf(2, low, high)
	low.Priority = 3
	w.reorder([]candidate{low, high})
	if d := cmp.Diff([]job.ID{"low", "low", "high", "high"}, starts(w, 9)); d != "" {
		t.Errorf("a priority that was raised (-want +got):\n%s", d)
	}
}

func TestRoomIsCountedWithoutWhatYields(t *testing.T) {
	t.Parallel()
	low, high := candidate{ID: "low", Account: "a", Priority: 1}, candidate{ID: "high", Account: "a", Priority: 2}
	other := candidate{ID: "other", Account: "b", Priority: 9}
	w := poolOf(100, low)
	for _, c := range []struct {
		who  candidate
		want bool
	}{{low, false}, {other, false}, {high, true}} {
		if got := w.room(c.who); got != c.want {
			t.Errorf("room for %s beside a chunk of low: %t, want %t", c.who.ID, got, c.want)
		}
	}
	w.runs[0].jc.away = true
	if !w.room(low) || !w.room(other) {
		t.Error("rows that wait for their store leave no room for others")
	}
	if got := starts(w, 9); len(got) != 1 {
		t.Errorf("%d rows start though their store is away, want one that finds out when it is back", len(got))
	}
}

// A claim waits until there is room, and must hear of it: rows of its own level have nearly all started.
func TestRoomThatComesIsTold(t *testing.T) {
	t.Parallel()
	low, high := candidate{ID: "low", Account: "a", Priority: 1}, candidate{ID: "high", Account: "a", Priority: 2}
	w := poolOf(100, low, high)
	told := 0
	for n := range 100 {
		if r, _ := w.next(); r.id != "high" {
			t.Fatalf("row %d is of %s", n, r.id)
		}
		select {
		case <-w.wake:
			if told++; !w.room(high) {
				t.Errorf("told of room after %d rows, and there is none", n+1)
			}
		default:
		}
	}
	if told != 1 {
		t.Errorf("told %d times of room, want once", told)
	}
}

// A run starts rows for as long as its lease is prolonged, and none when it has run out: not even where its holder hangs.
func TestNoRowStartsPastTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := poolOf(9, candidate{ID: "a", Account: "a"})
		r := w.runs[0]
		until := func(d time.Duration) {
			at := time.Now().Add(d)
			r.until.Store(&at)
		}
		start := func() int {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(starts(w, 2))
		}
		until(12 * time.Second)
		w.mu.Lock()
		r.lapses = time.AfterFunc(12*time.Second, r.lapse)
		w.mu.Unlock()
		time.Sleep(8 * time.Second)
		until(12 * time.Second)
		time.Sleep(11 * time.Second)
		if got := start(); got != 2 {
			t.Errorf("%d rows start under a lease that was prolonged, want 2", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := start(); got != 0 {
			t.Errorf("%d rows start when the lease has run out", got)
		}
		select {
		case <-r.halted:
		default:
			t.Error("calls that wait for their store are not told")
		}
	})
}
