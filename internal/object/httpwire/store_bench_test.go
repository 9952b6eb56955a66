package httpwire

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// BenchmarkCopyStore is the whole client at work on the store that DROVER_BENCH_STORE names, which should be bench's stub:
// 64 calls in flight, and the CPU of this process alone for each.
func BenchmarkCopyStore(b *testing.B) {
	url := os.Getenv("DROVER_BENCH_STORE")
	if url == "" {
		b.Skip("DROVER_BENCH_STORE names no store; make bench AXES=client starts one")
	}
	c, err := Open(Options{Endpoint: url, Region: "us-east-1", Credentials: static("AKIDEXAMPLE", "secret"), Breaker: NewBreaker(nil)})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := copyOf()
	b.ReportAllocs()
	var done atomic.Int64
	var calls sync.WaitGroup
	before := cpuTime(b)
	for range 64 {
		calls.Go(func() {
			for done.Add(1) <= int64(b.N) {
				if _, err := c.Copy(ctx, r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	calls.Wait()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime is this process's user and system time, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
