//go:build soak

package carrier

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSoakNodesComeAndGo disturbs a node at random, again and again, for DROVER_SOAK (default 10m).
func TestSoakNodesComeAndGo(t *testing.T) {
	length := 10 * time.Minute
	if s := os.Getenv("DROVER_SOAK"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	all := plan(t)
	for i := range all {
		all[i].Sync = true
	}
	nodes := startProcesses(t, all)
	c := dial(t, DialOptions{URLs: urls(all)})
	r := startRounds(t, c, 8, 20_000)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var longest time.Duration
	for end := time.Now().Add(length); time.Now().Before(end); {
		p := nodes[random.IntN(len(nodes))]
		what := []string{"killed", "stopped", "closed"}[random.IntN(3)]
		switch what {
		case "killed":
			p.kill()
		case "stopped":
			p.signal(syscall.SIGSTOP)
		case "closed":
			p.close()
		}
		down := time.NewTimer(time.Duration(random.IntN(30_000)) * time.Millisecond)
		stall := r.more(200)
		<-down.C
		if what == "stopped" {
			p.signal(syscall.SIGCONT)
		} else {
			p.start()
			p.await()
		}
		whole(t, c, busy)
		stall = max(stall, r.more(100))
		longest = max(longest, stall)
		t.Logf("%s %s: longest stall %v", p.o.Cluster.Node, what, stall)
	}
	t.Logf("longest stall of all %v", longest)
	r.finish()
}

// BenchmarkClusterChunk carries a 200-byte reference out and a 100 KB result back by three nodes with fsync, and reports
// the CPU of the nodes and of this process, their only client.
func BenchmarkClusterChunk(b *testing.B) {
	for _, synced := range []bool{false, true} {
		b.Run(fmt.Sprint("sync=", synced), func(b *testing.B) {
			all := plan(b)
			for i := range all {
				all[i].Sync = synced
			}
			nodes := startProcesses(b, all)
			c := dial(b, DialOptions{URLs: urls(all)})
			r := startRounds(b, c, 8, 100_000)
			r.more(50)
			before, own := nodesCPU(b, nodes), ownCPU(b)
			b.ResetTimer()
			r.more(b.N)
			b.StopTimer()
			b.ReportMetric(float64((nodesCPU(b, nodes)-before).Microseconds())/float64(b.N), "nodes-µs/chunk")
			b.ReportMetric(float64((ownCPU(b)-own).Microseconds())/float64(b.N), "client-µs/chunk")
			r.finish()
		})
	}
}

func ownCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// nodesCPU sums the processes' time in user and system mode, which the system counts in hundredths of a second.
func nodesCPU(b *testing.B, nodes []*process) (sum time.Duration) {
	for _, p := range nodes {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		for _, f := range fields[11:13] {
			var ticks int64
			if _, err := fmt.Sscan(f, &ticks); err != nil {
				b.Fatal(err)
			}
			sum += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return sum
}
