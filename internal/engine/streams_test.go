package engine_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// windowRows are more chunks than may be under way: what was lost is looked for before the manifest's end.
const (
	windowRows  = 20_000
	windowChunk = 40
)

func TestStreamsDeletedWhileAJobRuns(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]struct {
		streams []string
		at      []int // copies begun
	}{
		"chunks":             {[]string{"WORK"}, []int{2000, 9000, 17_000}},
		"results":            {[]string{"RES"}, []int{2000, 9000, 17_000}},
		"chunks and results": {[]string{"WORK", "RES"}, []int{2000, 9000, 17_000}},
		"queue":              {[]string{"consumer"}, []int{2000, 17_000}},
		"queue and results":  {[]string{"consumer", "RES"}, []int{9000}},
		"signs of life":      {[]string{"KV_LIVE"}, []int{2000}},
		"records":            {[]string{"KV_JOBS"}, []int{2000, 9000, 17_000}},
		"finished jobs":      {[]string{"KV_DONE"}, []int{2000}},
		"everything":         {[]string{"WORK", "RES", "KV_LIVE", "KV_JOBS", "KV_DONE", "KV_ACCESS"}, []int{2000, 17_000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *engine.Options) { o.ChunkRows = windowChunk })
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
			again := len(lost.at) * (maxInFlight + 300*windowChunk)
			if !slices.Contains(lost.streams, "RES") {
				again = 0 // all that was done is known
			}
			if most > 1+len(lost.at) || total > windowRows+again {
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

func TestRecordsDeletedWhileAJobRunsKeepItsHistory(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *engine.Options) { o.ChunkRows = windowChunk })
	s := r.start()
	done := r.spec(10)
	ended := create(t, s, done)
	waitFor(t, s, ended, final)
	lose := func() {
		if err := r.carrier.Lose(context.Background(), "KV_JOBS", "KV_DONE"); err != nil {
			t.Error(err)
		}
	}
	asks := r.spec(1000)
	asks.ConfirmationRequired, asks.Tags = true, []job.Tag{{Key: "first", Value: "1"}}
	asking := create(t, s, asks)
	waitFor(t, s, asking, status(job.Suspended))
	tags := map[job.ID]string{ended: "[{year 26}]", asking: "[]"}
	for id, to := range map[job.ID][]job.Tag{ended: {{Key: "year", Value: "26"}}, asking: nil} {
		if err := s.SetTags(t.Context(), caller, id, to); err != nil {
			t.Fatal(err)
		}
	}
	tagged := func(when string) {
		t.Helper()
		for id, want := range tags {
			if got := tagsOf(t, s, caller, id); got != want {
				t.Errorf("job %s has the tags %s %s, want %s", id, got, when, want)
			}
		}
	}

	// Without a report nothing but the process knows what was done.
	spec := r.spec(windowRows)
	spec.Report = job.Report{}
	atCopies(r.store, lose, 10_000)
	id := create(t, s, spec)
	j := waitFor(t, s, id, final)
	total, _ := r.store.calls()
	if j.Status != job.Complete || j.Progress.Succeeded != windowRows || total > 10+windowRows {
		t.Errorf("job is %s with %+v after %d calls", j.Status, j.Progress, total)
	}
	tagged("after the loss")
	var moves []job.Status
	for _, e := range j.Events {
		moves = append(moves, e.To)
	}
	want := []job.Status{
		job.New, job.Preparing, job.Ready, job.Active, job.Pausing, job.Paused, job.Active, job.Completing, job.Complete,
	}
	if diff := cmp.Diff(want, moves); diff != "" {
		t.Error(diff)
	}
	for _, again := range []job.Spec{spec, done} {
		if _, err := s.Create(t.Context(), caller, again); err == nil || !strings.Contains(err.Error(), "job") {
			t.Errorf("the same token once more = %v", err)
		}
	}

	// A job that nobody works on is there as well.
	if _, err := s.Confirm(t.Context(), caller, asking, ""); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, asks, waitFor(t, s, asking, final), 1000)
	r.stop()
	s = r.start()
	tagged("after a restart")
	for _, id := range []job.ID{id, ended, asking} {
		if j, err := s.Job(t.Context(), caller, id); err != nil || j.Status != job.Complete {
			t.Errorf("job %s is %s after a restart: %v", id, j.Status, err)
		}
	}
}
