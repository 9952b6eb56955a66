package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/failpoint"
)

// TestShippedBinaryHasNoFailpoints looks for their traces in the binary that all other tests run.
func TestShippedBinaryHasNoFailpoints(t *testing.T) {
	t.Parallel()
	traces := []string{"DROVER_KILL_AT", "internal/failpoint", string(failpoint.CheckpointWritten), string(failpoint.UploadUnjoined)}
	shipped, armed := readAll(t, binary), readAll(t, armedBinary(t))
	for _, s := range traces {
		if bytes.Contains(shipped, []byte(s)) {
			t.Errorf("%q stands in the shipped binary", s)
		}
		if !bytes.Contains(armed, []byte(s)) {
			t.Errorf("%q does not stand in the binary with failpoints either: this test looks for the wrong thing", s)
		}
	}
}

func readAll(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var buildArmed = sync.OnceValues(func() (string, error) {
	name := filepath.Join(filepath.Dir(binary), "drover-armed")
	build := exec.Command("go", "build", "-trimpath", "-tags", "failpoints", "-o", name, "../cmd/drover")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build -tags failpoints: %w\n%s", err, out)
	}
	return name, nil
})

// armedBinary is drover built with failpoints, once for all tests.
func armedBinary(t *testing.T) string {
	t.Helper()
	name, err := buildArmed()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestCrashes kills drover serve with SIGKILL: at each named place between two writes that belong together, and at
// random moments. Whatever the job does then, each of its rows has one outcome, is counted once and stands in the report
// once, and the store saw no call again but those that were in flight at a kill.
func TestCrashes(t *testing.T) {
	first := *chaosSeed
	if first == 0 {
		first = uint64(time.Now().UnixNano()) % 1_000_000
	}
	w := newChaosWorld(t)
	var mu sync.Mutex
	reached := map[failpoint.Point]int{}
	seeds := uint64(*crashSeeds)
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+seeds; seed++ {
			t.Run(fmt.Sprintf("%d", seed), func(t *testing.T) {
				t.Parallel()
				defer func() {
					if t.Failed() {
						t.Logf("run it again: go test ./e2e -run TestCrashes -chaos.seed %d -chaos.crashes 1", seed)
					}
				}()
				s := newCrashSeed(t, w, seed)
				s.run()
				s.check()
				mu.Lock()
				defer mu.Unlock()
				for _, p := range s.died {
					reached[p]++
				}
			})
		}
	})
	names := slices.Sorted(maps.Keys(reached))
	t.Logf("%d seeds from %d; %d of %d named places were died at: %v", seeds, first, len(names), len(failpoint.Points()), reached)
	if int(seeds) >= len(pairs()) && len(names) < len(failpoint.Points()) {
		for _, p := range failpoint.Points() {
			if reached[p] == 0 {
				t.Errorf("no seed died at %s", p)
			}
		}
	}
}

// pairs puts the named places together by two: a seed dies at the first, and after its restart at the second.
func pairs() [][]failpoint.Point { return slices.Collect(slices.Chunk(failpoint.Points(), 2)) }

// kill is how a life of the server ends: at a named place, or after a time.
type kill struct {
	at    failpoint.Point
	times int
	after time.Duration
}

func (k kill) String() string {
	if k.at == "" {
		return fmt.Sprintf("after %v", k.after)
	}
	return fmt.Sprintf("%s:%d", k.at, k.times)
}

// crashSeed is one job and the kills that it has to live through. All of it follows from the seed.
type crashSeed struct {
	t      *testing.T
	w      *chaosWorld
	seed   uint64
	scene  scene
	list   *chaosList
	report string // AllTasks, FailedTasksOnly, or empty for no report
	plan   []kill
	spec   client.Spec
	dir    string

	steerAt int // how many calls the store has seen by then
	steered bool
	last    client.Job
	died    []failpoint.Point // named places that a life ended at
	kills   []death
	sleeps  []sleep
}

// death is when a process was killed, and when the stores had taken out of their sockets what it had sent by then: no
// other was started before that.
type death struct{ at, taken time.Time }

// sleep is when a process that had been stopped for longer than its leases was woken, and how many calls are put down to
// that.
type sleep struct {
	woke time.Time
	sent int
}

// scene is what is done to the job while it runs.
type scene string

const (
	toTheEnd  scene = "to the end"
	paused    scene = "paused and resumed"
	cancelled scene = "cancelled"
	failing   scene = "more than half fail"
	byParts   scene = "copies by parts"
)

// often says of places that a job comes by again and again how often that can be waited for.
var often = map[failpoint.Point]int{
	failpoint.FileSurveyed: 2, failpoint.StateMoved: 2, failpoint.ChunkQueued: 20, failpoint.ChunkClaimed: 20, failpoint.RowEnded: 800,
	failpoint.ResultUnsent: 20, failpoint.ResultStored: 20, failpoint.ChunkAcked: 3, failpoint.PartMade: 3, failpoint.RecordRemoved: 4,
}

// scenesOf says in which scenes a place is come by.
func scenesOf(p failpoint.Point) []scene {
	switch p {
	case failpoint.UploadMade, failpoint.UploadSaved, failpoint.PartMade, failpoint.UploadUnjoined, failpoint.UploadJoined, failpoint.UploadForgotten:
		return []scene{byParts}
	case failpoint.QueueShut, failpoint.Drained, failpoint.QueuePurged:
		return []scene{paused, cancelled, failing}
	case failpoint.EndingFiles, failpoint.ChecksumThere, failpoint.ReportWritten, failpoint.DoneWritten, failpoint.RecordRemoved:
		return []scene{toTheEnd, cancelled, failing, paused}
	}
	return []scene{toTheEnd, paused}
}

func newCrashSeed(t *testing.T, w *chaosWorld, seed uint64) *crashSeed {
	r := rand.New(rand.NewPCG(seed, seed))
	s := &crashSeed{t: t, w: w, seed: seed, dir: t.TempDir()}
	pair := pairs()[seed%uint64(len(pairs()))]
	both := slices.DeleteFunc(scenesOf(pair[0]), func(sc scene) bool { return len(pair) > 1 && !slices.Contains(scenesOf(pair[1]), sc) })
	if len(both) == 0 {
		both = []scene{byParts} // where the other place is come by too
	}
	s.scene = both[r.IntN(len(both))]
	for _, p := range pair {
		s.plan = append(s.plan, kill{at: p, times: 1 + r.IntN(1+often[p])})
	}
	s.plan = append(s.plan, kill{after: time.Duration(20+r.IntN(700)) * time.Millisecond})
	s.steerAt = r.IntN(chaosObjects / 2)
	s.report = []string{"AllTasks", "AllTasks", "FailedTasksOnly", ""}[r.IntN(4)]
	if slices.ContainsFunc(pair, needsReport) {
		s.report = "AllTasks"
	}
	s.list = w.lists[[]string{"csv", "inventory"}[r.IntN(2)]]
	switch {
	case s.scene == failing:
		s.list = w.lists["half"]
	case s.scene == byParts:
		s.list = w.lists["large"]
	case slices.Contains(pair, failpoint.FileSurveyed):
		s.list = w.lists["inventory"]
	}
	s.spec = client.Spec{
		Token: fmt.Sprintf("seed-%d", seed), Description: t.Name(), Priority: 1, Role: chaosRole,
		Manifest:  s.list.manifest,
		Operation: client.Operation{Copy: &client.Copy{TargetBucket: "target", PrefixReplace: true, PrefixTo: s.prefix()}},
	}
	if s.scene == byParts {
		s.spec.Operation.Copy.TargetRegion = "far"
	}
	if s.report != "" {
		s.spec.Report = client.Report{Enabled: true, Bucket: "batch", Prefix: "reports", Scope: s.report}
	}
	t.Logf("%s, %s, report %q, kills: %v", s.scene, s.list.name, s.report, s.plan)
	return s
}

// needsReport names the places that are come by only when a report is written.
func needsReport(p failpoint.Point) bool {
	return slices.Contains([]failpoint.Point{failpoint.IntentWritten, failpoint.OneFileWritten, failpoint.FilesWritten, failpoint.ChecksumThere}, p)
}

func (s *crashSeed) prefix() string { return fmt.Sprintf("seed-%d/", s.seed) }

// run takes the job through all its lives to its end.
func (s *crashSeed) run() {
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	for i := 0; ; i++ {
		var k kill
		if i < len(s.plan) {
			k = s.plan[i]
		}
		v, err := s.w.start(s.dir, k)
		if errors.Is(err, errKilled) {
			s.note(k, v)
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		err = s.live(ctx, v)
		if err == nil && (k.at == failpoint.DoneWritten || k.at == failpoint.RecordRemoved) {
			err = errKilled // it ends once callers have seen the job's end
		}
		if errors.Is(err, errKilled) || v.dead() {
			select {
			case <-v.ended:
			case <-ctx.Done():
				s.t.Fatalf("life %d was to end at %v: %v\n%s", i, k, ctx.Err(), v.log())
			}
			s.note(k, v)
			continue
		}
		if err != nil {
			s.t.Fatalf("life %d (%v): %v\n%s", i, k, err, v.log())
		}
		if err := v.stop(); err != nil {
			s.t.Fatalf("drover serve after SIGTERM: %v\n%s", err, v.log())
		}
		return
	}
}

func (s *crashSeed) note(k kill, v *victim) {
	if !v.killed() {
		s.t.Fatalf("drover serve ended by itself, where %v was to come: %v\n%s", k, v.err, v.log())
	}
	s.drainStores()
	s.kills = append(s.kills, death{v.endedAt, time.Now()})
	if k.at != "" {
		s.died = append(s.died, k.at)
	}
}

// drainStores asks the stores for something: on a busy machine they may be slow to read what a process that was killed has
// left in its sockets.
func (s *crashSeed) drainStores() {
	bucket := "target"
	for region := range s.w.stores {
		c := s.w.s3(region)
		for range 3 {
			if _, err := c.HeadBucket(s.t.Context(), &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
				s.t.Errorf("look at the store: %v", err)
			}
		}
	}
}

// live does what the caller of a job does while the server lives: make it, steer it, follow it to its end.
func (s *crashSeed) live(ctx context.Context, v *victim) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-v.ended:
			cancel()
		case <-ctx.Done():
		}
	})
	err := s.follow(ctx, v)
	cancel()
	watching.Wait()
	if err != nil {
		select { // a call that broke because the server died is no news
		case <-v.ended:
			return errKilled
		case <-time.After(2 * time.Second):
		}
	}
	return err
}

func (s *crashSeed) follow(ctx context.Context, v *victim) error {
	c, err := v.client()
	if err != nil {
		return err
	}
	id, err := s.make(ctx, c)
	if err != nil {
		return err
	}
	return c.Watch(ctx, id, func(j client.Job) error {
		s.last = j
		return s.steer(ctx, c, j)
	})
}

// make finds the job, or makes it: however often the same token asks, it is one job.
func (s *crashSeed) make(ctx context.Context, c *client.Client) (string, error) {
	list, err := c.Jobs(ctx, client.ListOptions{})
	if err != nil {
		return "", err
	}
	switch len(list.Jobs) {
	case 0:
		j, err := c.CreateJob(ctx, s.spec)
		return j.ID, err
	case 1:
		return list.Jobs[0].ID, nil
	}
	return "", fmt.Errorf("%d jobs, want 1", len(list.Jobs))
}

func (s *crashSeed) steer(ctx context.Context, c *client.Client, j client.Job) error {
	if j.Status == "Active" && (s.scene == paused && !s.steered || s.scene == cancelled) {
		if err := s.w.calls.wait(ctx, s.prefix(), s.steerAt); err != nil {
			return err
		}
	}
	var err error
	switch {
	case s.scene == paused && !s.steered && j.Status == "Active":
		_, err = c.Pause(ctx, j.ID, "chaos")
	case s.scene == paused && j.Status == "Paused":
		s.steered = true
		_, err = c.Resume(ctx, j.ID, "chaos")
	case s.scene == cancelled && j.Status == "Active":
		_, err = c.Cancel(ctx, j.ID, "chaos")
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == "Conflict" {
		return nil // the job has moved on since this event
	}
	return err
}
