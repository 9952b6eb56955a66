package httpwire

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// BenchmarkCopyStore is the whole client at work on the store that DROVER_BENCH_STORE names, which should be bench's stub:
// 64 calls in flight, and the CPU of this process alone for each.
func BenchmarkCopyStore(b *testing.B) {
	url := os.Getenv("DROVER_BENCH_STORE")
	if url == "" {
		b.Skip("DROVER_BENCH_STORE names no store; make bench AXES=client starts one")
	}
	if b.N == 1 {
		return // the look before the count, which would do an object twice
	}
	c, err := Open(Options{Endpoint: url, Region: "us-east-1", Credentials: static("AKIDEXAMPLE", "secret"), Breaker: NewBreaker(nil)})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	keys := benchKeys(b.N)
	b.ReportAllocs()
	b.ResetTimer()
	var done atomic.Int64
	var calls sync.WaitGroup
	before := cpuTime(b)
	for range 64 {
		calls.Go(func() {
			for {
				i := done.Add(1) - 1
				if i >= int64(len(keys)) {
					return
				}
				r := object.CopyRequest{Source: object.Ref{Bucket: "src", Key: keys[i]}, Bucket: "dst", Key: keys[i]}
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

// benchKeys are n keys as the lists of bench have them.
func benchKeys(n int) []job.Key {
	// Quickly made, as making them is in the figures of the whole process.
	text := make([]byte, 0, 11*n)
	for i := range n {
		text = append(text, "k/"...)
		for d := 100_000_000; d > 0; d /= 10 {
			text = append(text, byte('0'+i/d%10))
		}
	}
	all := job.Key(text)
	keys := make([]job.Key, n)
	for i := range keys {
		keys[i] = all[11*i : 11*i+11]
	}
	return keys
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
