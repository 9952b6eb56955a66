package carrier_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
)

// BenchmarkChunk carries a 200-byte reference out and a 100 KB result back: publish, claim, result, ack, by eight workers,
// while results are collected and purged in hundreds. It reports CPU per chunk and the process's highest memory.
func BenchmarkChunk(b *testing.B) {
	b.Run("sync=false", func(b *testing.B) { benchmarkChunk(b, false, true) })
	b.Run("sync=true", func(b *testing.B) { benchmarkChunk(b, true, true) })
}

// BenchmarkStanding is BenchmarkChunk with nobody collecting until all is done: the most that results can weigh.
func BenchmarkStanding(b *testing.B) { benchmarkChunk(b, false, false) }

func benchmarkChunk(b *testing.B, synced, collecting bool) {
	c, err := carrier.Open(b.Context(), carrier.Options{Dir: b.TempDir(), Sync: synced})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	}()
	if err := c.Open(b.Context(), jobA); err != nil {
		b.Fatal(err)
	}
	before := cpu(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	wg.Go(func() {
		ref := make([]byte, 200)
		for i := range int64(b.N) {
			if err := c.Publish(b.Context(), jobA, 1, i, ref); err != nil {
				b.Error(err)
			}
		}
	})
	if collecting {
		wg.Go(func() { collect(b, c) })
	}
	work(b, c, int64(b.N))
	if !collecting {
		collect(b, c)
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/chunk")
	b.ReportMetric(memory(b, "VmHWM"), "peak-MB")
}

func collect(b *testing.B, c *carrier.Carrier) {
	got := 0
	err := c.Results(b.Context(), jobA, 0, time.Second, func(r engine.Result) error {
		if r.Seq == 0 {
			return nil
		}
		got++
		if got%100 == 0 || got == b.N {
			if err := c.PurgeResults(b.Context(), jobA, r.Seq); err != nil {
				return err
			}
		}
		if got == b.N {
			return errStop
		}
		return nil
	})
	if !errors.Is(err, errStop) {
		b.Error(err)
	}
}

// work runs eight workers until n chunks are done.
func work(b *testing.B, c *carrier.Carrier, n int64) {
	ctx := b.Context()
	var done atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			result := make([]byte, 100_000)
			for done.Load() < n {
				l, err := c.Claim(ctx, jobA, 20*time.Millisecond)
				if err != nil {
					b.Error(err)
					return
				}
				if l == nil {
					continue
				}
				name := engine.ResultName{Job: jobA, Phase: 1, Chunk: l.Chunk(), Attempt: "w"}
				if err := c.PublishResult(ctx, name, result); err != nil {
					b.Error(err)
				}
				if err := l.Ack(ctx); err != nil {
					b.Error(err)
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
}

// BenchmarkIdle reports the memory of a carrier that does nothing.
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		c, err := carrier.Open(b.Context(), carrier.Options{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(memory(b, "VmRSS"), "idle-MB")
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory reads a field of the process's status, 0 where the system has none.
func memory(b *testing.B, field string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			var kb float64
			if _, err := fmt.Sscan(rest, &kb); err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	return 0
}
