//go:build soak

package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/metrics"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/nullstore"
	"github.com/drover-batch/drover/internal/operation"
)

var simulatedRows = flag.Int64("sim.rows", 50_000_000, "rows of TestFiftyMillionRows")

// simulated is a store in memory: it holds a manifest of any length, which is made as it is read, takes 0.1 ms for a
// copy, and forgets what is put.
type simulated struct {
	object.Store // a nullstore
	rows         int64
	once         sync.Once
	first        func()
	calls        atomic.Int64
}

const simulatedRow = "src,data/0000000000\n"

// Get gives the manifest.
func (s *simulated) Get(_ context.Context, _ object.Ref, offset, length int64) (io.ReadCloser, object.Info, error) {
	size := s.rows * int64(len(simulatedRow))
	end := size
	if length >= 0 {
		end = min(size, offset+length)
	}
	return io.NopCloser(&rowsOf{offset, end}), object.Info{Size: size, ETag: "e"}, nil
}

// Copy takes its time.
func (s *simulated) Copy(ctx context.Context, _ object.CopyRequest) (object.CopyResult, error) {
	s.once.Do(s.first)
	s.calls.Add(1)
	time.Sleep(100 * time.Microsecond) // the store's answer, not a wait of the test's
	return object.CopyResult{HTTPStatus: 200}, ctx.Err()
}

// rowsOf reads rows by their place in the file.
type rowsOf struct{ off, end int64 }

func (r *rowsOf) Read(p []byte) (n int, err error) {
	const width = int64(len(simulatedRow))
	row := []byte(simulatedRow)
	for n < len(p) && r.off < r.end {
		for i, v := width-2, r.off/width; v > 0; i, v = i-1, v/10 {
			row[i] = byte('0' + v%10)
		}
		k := copy(p[n:min(int64(len(p)), int64(n)+r.end-r.off)], row[r.off%width:])
		n += k
		r.off += int64(k)
		copy(row, simulatedRow)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// beat is what a simulated process says of itself every half second.
type simBeat struct {
	Done       int64
	Calls      int64
	Checkpoint int // bytes
	RSS        int64
	Live       int64 // bytes of the heap that the last collection found in use
	First      bool  // the first object call
	Status     job.Status
}

// TestSimulatedProcess is the process that TestFiftyMillionRows runs and kills: engine and carrier as drover serve has
// them, every write synced.
func TestSimulatedProcess(t *testing.T) {
	dir := os.Getenv("DROVER_SIMULATION")
	if dir == "" {
		t.Skip("run by TestFiftyMillionRows")
	}
	var mu sync.Mutex
	say := func(b simBeat) {
		line, err := json.Marshal(b)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("sim %s\n", line)
	}
	c, err := carrier.Open(t.Context(), carrier.Options{Dir: filepath.Join(dir, "js"), Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	st := &simulated{Store: new(nullstore.Store), rows: *simulatedRows, first: func() { say(simBeat{First: true}) }}
	e, err := engine.New(engine.Options{
		Carrier: c, Stores: oneStore{st}, Dir: filepath.Join(dir, "scratch"), Alone: true, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	<-e.Ready()
	s := e.Service()
	list, _, err := s.List(t.Context(), caller, job.Filter{}, job.Page{Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	var id job.ID
	if len(list) > 0 {
		id = list[0].ID
	} else {
		id = create(t, s, job.Spec{
			Token: "simulation", Priority: 1,
			Manifest:  job.Manifest{Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey}, Location: job.Location{Bucket: "lists", Key: "list.csv", ETag: "e"}},
			Operation: &operation.Copy{TargetBucket: "dst"},
			Report:    job.Report{Enabled: true, Bucket: "lists", Prefix: "reports", Scope: job.AllTasks},
			Role:      job.Role{ARN: "qcs::cam::uin/100000000001:roleName/r", Account: "100000000001", Name: "r"},
			Request:   job.Request{Protocol: "cli"},
		})
	}
	if name := os.Getenv("DROVER_SIMULATION_CPU"); name != "" {
		defer profileCPU(t, name)()
	}
	profiled := time.Now()
	for {
		j, err := s.Job(t.Context(), caller, id)
		if err != nil {
			t.Fatal(err)
		}
		b := simBeat{Done: j.Progress.Done(), Calls: st.calls.Load(), Status: j.Status, RSS: residentNow(t), Live: liveHeap()}
		if r, err := c.Get(t.Context(), engine.Jobs, "ckpt."+string(id)); err == nil {
			b.Checkpoint = len(r.Value)
		}
		say(b)
		if j.Status.Final() {
			break
		}
		if dir := os.Getenv("DROVER_SIMULATION_HEAP"); dir != "" && time.Since(profiled) > 30*time.Second {
			profiled = time.Now()
			writeHeap(t, filepath.Join(dir, fmt.Sprintf("heap-%09d.pprof", b.Done)))
		}
		<-time.After(500 * time.Millisecond) // a sample's time
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// residentNow is the process's resident memory in bytes.
func residentNow(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

func profileCPU(t *testing.T, name string) (stop func()) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		t.Fatal(err)
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// writeHeap writes a profile of the heap, to be compared by go tool pprof -base.
func writeHeap(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := pprof.WriteHeapProfile(f); err != nil {
		t.Fatal(err)
	}
}

func liveHeap() int64 {
	m := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(m)
	return int64(m[0].Value.Uint64())
}

// simulation is one life of the simulated process.
type simulation struct {
	cmd     *exec.Cmd
	lines   *bufio.Scanner
	started time.Time
}

func simulate(t *testing.T, dir string) *simulation {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSimulatedProcess$", "-test.timeout=0", fmt.Sprintf("-sim.rows=%d", *simulatedRows))
	cmd.Env = append(os.Environ(), "DROVER_SIMULATION="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &simulation{cmd: cmd, lines: bufio.NewScanner(out), started: time.Now()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// next waits for what the process says next; false when it has ended.
func (s *simulation) next(t *testing.T) (b simBeat, ok bool) {
	t.Helper()
	for s.lines.Scan() {
		if text, ours := strings.CutPrefix(s.lines.Text(), "sim "); ours {
			if err := json.Unmarshal([]byte(text), &b); err != nil {
				t.Fatal(err)
			}
			return b, true
		}
	}
	return b, false
}

func inKB(b [10]int64) (kb [10]int64) {
	for i := range b {
		kb[i] = b[i] >> 10
	}
	return kb
}

// TestFiftyMillionRows runs a job of 50,000,000 rows on a store in memory that takes 0.1 ms for each, kills the process
// with SIGKILL when nine tenths are done, and starts it again. Memory does not grow with what is done, the checkpoint
// stays small, and work goes on at once. DROVER_SIMULATION_CPU=FILE profiles the process that ends the job,
// DROVER_SIMULATION_HEAP=DIR the heap as it goes.
func TestFiftyMillionRows(t *testing.T) {
	dir := t.TempDir()
	rows := *simulatedRows
	s := simulate(t, dir)
	var resident, largest int64 // at most: the process, the checkpoint
	// What the heap has at the least in each tenth of the job: between two segments, when nothing waits to be committed.
	var least [10]int64
	killed := false
	for {
		b, ok := s.next(t)
		if !ok {
			if err := s.cmd.Wait(); err != nil {
				t.Fatalf("the process ended: %v", err)
			}
			t.Fatal("the process ended before its job")
		}
		if b.First {
			took := time.Since(s.started)
			t.Logf("first object call %v after the start of the process", took.Round(time.Millisecond))
			if killed && took > 5*time.Second {
				t.Errorf("work went on %v after the restart, want at most 5 s", took)
			}
			continue
		}
		largest = max(largest, int64(b.Checkpoint))
		resident = max(resident, b.RSS)
		if tenth := min(9, b.Done*10/rows); b.Status == job.Active && b.Live > 0 && (least[tenth] == 0 || b.Live < least[tenth]) {
			least[tenth] = b.Live
		}
		if int(time.Since(s.started).Seconds())%10 == 0 {
			t.Logf("%v: %s, %d done, %d MB resident, %d KB heap, checkpoint %d bytes", time.Since(s.started).Round(time.Second), b.Status, b.Done, b.RSS>>20, b.Live>>10, b.Checkpoint)
		}
		if !killed && b.Done >= rows/10*9 {
			killed = true
			if err := s.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = s.cmd.Wait() // the error is that it was killed
			u := s.cmd.ProcessState.SysUsage().(*syscall.Rusage)
			cpu := s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime()
			t.Logf("killed with %d rows done after %v: %.2f µs of CPU a row, peak %d MB", b.Done, time.Since(s.started).Round(time.Second),
				float64(cpu.Microseconds())/float64(b.Calls), u.Maxrss>>10)
			s = simulate(t, dir)
			continue
		}
		if b.Status.Final() {
			if b.Status != job.Complete || b.Done != rows {
				t.Errorf("the job is %s with %d of %d rows", b.Status, b.Done, rows)
			}
			break
		}
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the process ended: %v", err)
	}
	t.Logf("resident at most %d MB; the heap by tenths of the job at least, KB: %v; checkpoint at most %d bytes", resident>>20, inKB(least), largest)
	if resident > 300<<20 {
		t.Errorf("%d MB resident, want at most 300", resident>>20)
	}
	if grown := least[8] - least[1]; grown > 16<<20 { // the carrier's pools of blocks come and go by 8 MB
		t.Errorf("the heap grew by %d KB from the second tenth to the ninth", grown>>10)
	}
	if largest > 1<<20 {
		t.Errorf("the checkpoint took %d bytes, want at most 1 MB", largest)
	}
}
