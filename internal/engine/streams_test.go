package engine_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// windowRows are more chunks than may be under way: what was lost is looked for before the manifest's end.
const windowRows = 60_000

func TestStreamsDeletedWhileAJobRuns(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]struct {
		streams []string
		at      []int // copies begun
	}{
		"chunks":             {[]string{"WORK"}, []int{5000, 25_000, 50_000}},
		"results":            {[]string{"RES"}, []int{5000, 25_000, 50_000}},
		"chunks and results": {[]string{"WORK", "RES"}, []int{5000, 25_000, 50_000}},
		"queue":              {[]string{"consumer"}, []int{5000, 25_000, 50_000}},
		"queue and results":  {[]string{"consumer", "RES"}, []int{5000, 25_000, 50_000}},
		"signs of life":      {[]string{"KV_LIVE"}, []int{5000}},
		"all of these":       {[]string{"WORK", "RES", "KV_LIVE"}, []int{5000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			s := r.start()
			spec := r.spec(windowRows)
			var id job.ID
			known := make(chan struct{})
			lose := func() {
				<-known
				for _, name := range lost.streams {
					err := r.carrier.LoseQueue
					if name != "consumer" {
						err = func(ctx context.Context, _ job.ID) error { return r.carrier.Lose(ctx, name) }
					}
					if err := err(context.Background(), id); err != nil {
						t.Error(err)
					}
				}
			}
			atCopies(r.store, lose, lost.at...)
			id = create(t, s, spec)
			close(known)
			begun := time.Now()
			wantWhole(t, spec, waitFor(t, s, id, final), windowRows)
			total, most := r.store.calls()
			t.Logf("%d calls for %d rows, at most %d a key, in %v", total, windowRows, most, time.Since(begun).Round(10*time.Millisecond))
			// What was in flight or not collected runs again, and nothing else: the window's chunks at most, each time.
			if most > 3 || total > windowRows+2*(maxInFlight+300*100) {
				t.Errorf("%d calls, at most %d a key", total, most)
			}
		})
	}
}

// atCopies calls f when so many copies have begun, each time.
func atCopies(s *fakeStore, f func(), at ...int) {
	var mu sync.Mutex
	count := 0
	s.onCopy = func(context.Context, job.Key) error {
		mu.Lock()
		count++
		hit := slices.Contains(at, count)
		mu.Unlock()
		if hit {
			f()
		}
		return nil
	}
}
