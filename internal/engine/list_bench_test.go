package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
)

// finishedJobs is how many finished jobs the listings are measured over.
const finishedJobs = 100_000

// heap is what lives in memory, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// finishedService starts an engine over that many finished jobs of one account, and reports what each costs in memory.
func finishedService(b *testing.B) (s *engine.Service, bytesEach float64) {
	b.Helper()
	before := heap()
	c, err := carrier.Open(b.Context(), carrier.Options{Dir: filepath.Join(b.TempDir(), "js")})
	if err != nil {
		b.Fatal(err)
	}
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range finishedJobs {
		if err := engine.PutFinished(b.Context(), c, caller, i, start.Add(time.Duration(i)*time.Second)); err != nil {
			b.Fatal(err)
		}
	}
	s = serveOver(b, c, newFakeStore())
	return s, float64(int64(heap())-int64(before)) / finishedJobs
}

// openService starts an engine with no jobs.
func openService(b *testing.B, store *fakeStore) *engine.Service {
	b.Helper()
	c, err := carrier.Open(b.Context(), carrier.Options{Dir: filepath.Join(b.TempDir(), "js")})
	if err != nil {
		b.Fatal(err)
	}
	return serveOver(b, c, store)
}

// serveOver starts an engine on a carrier, and ends both with the benchmark.
func serveOver(b *testing.B, c *carrier.Carrier, store *fakeStore) *engine.Service {
	b.Helper()
	e, err := engine.New(engine.Options{Carrier: c, Stores: stores{store}, Dir: b.TempDir(), Alone: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	})
	<-e.Ready()
	return e.Service()
}

// BenchmarkList measures pages of a list of 100,000 finished jobs.
func BenchmarkList(b *testing.B) {
	s, bytesEach := finishedService(b)
	middle := job.Page{Max: 100}
	jobs, _, err := s.List(b.Context(), caller, job.Filter{}, job.Page{Max: 1, AfterCreated: time.Date(2026, 11, 1, 13, 0, 0, 0, time.UTC), After: "0"})
	if err != nil || len(jobs) != 1 {
		b.Fatal(jobs, err)
	}
	middle.After, middle.AfterCreated = jobs[0].ID, jobs[0].Created
	for _, bb := range []struct {
		name string
		f    job.Filter
		p    job.Page
		want int
	}{
		{"first page of 100", job.Filter{}, job.Page{Max: 100}, 100},
		{"newest 100", job.Filter{}, job.Page{Max: 100, NewestFirst: true}, 100},
		{"100 in the middle", job.Filter{}, middle, 100},
		{"1000", job.Filter{}, job.Page{Max: 1000}, 1000},
		{"one in a thousand", job.Filter{Statuses: []job.Status{job.Failed}}, job.Page{Max: 100, NewestFirst: true}, 100},
		{"search that finds one", job.Filter{Search: "NIGHTLY 77777"}, job.Page{Max: 100}, 1},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				begin := time.Now()
				jobs, _, err := s.List(b.Context(), caller, bb.f, bb.p)
				if err != nil || len(jobs) != bb.want {
					b.Fatalf("%d jobs, %v", len(jobs), err)
				}
				times = append(times, time.Since(begin))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
	b.Run("counts", func(b *testing.B) {
		for b.Loop() {
			if n, err := s.Counts(b.Context(), caller, job.Filter{}); err != nil || n[job.Complete] == 0 {
				b.Fatal(fmt.Sprint(n), err)
			}
		}
		b.ReportMetric(bytesEach, "heap-bytes/job")
	})
}
