package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	nats "github.com/nats-io/nats-server/v2/server"

	"github.com/drover-batch/drover/internal/failpoint"
)

var manySeeds = flag.Int("chaos.many", 2, "how many seeds TestCrashesOfMany runs")

// TestCrashesOfMany kills servers and workers that share an outside NATS server: whoever leads the job, and a worker,
// each at a named place, and one more at a random moment. Each is started again a little later. In one seed of three that
// one is stopped instead, for longer than a lease, and wakes as if nothing had been. What holds for the job is what holds
// in TestCrashes.
func TestCrashesOfMany(t *testing.T) {
	t.Parallel()
	first := *chaosSeed
	if first == 0 {
		first = uint64(time.Now().UnixNano()) % 1_000_000
	}
	w := newChaosWorld(t)
	var mu sync.Mutex
	reached := map[failpoint.Point]int{}
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+uint64(*manySeeds); seed++ {
			t.Run(fmt.Sprintf("%d", seed), func(t *testing.T) {
				t.Parallel()
				defer func() {
					if t.Failed() {
						t.Logf("run it again: go test ./e2e -run TestCrashesOfMany -chaos.seed %d -chaos.many 1", seed)
					}
				}()
				s := newManySeed(t, w, seed)
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
	t.Logf("%d seeds from %d; %d of %d named places were died at: %v", *manySeeds, first, len(names), len(failpoint.Points()), reached)
}

// ofWorkers are the places that a process comes by which works on objects; all others are of who leads or serves.
func ofWorkers(p failpoint.Point) bool {
	all := failpoint.Points()
	return slices.Index(all, p) >= slices.Index(all, failpoint.ChunkClaimed) && slices.Index(all, p) <= slices.Index(all, failpoint.UploadForgotten)
}

// manySeed is one job on two servers and two workers.
type manySeed struct {
	*crashSeed
	members []*member

	mu  sync.Mutex
	end bool // nobody is started again
}

// member is one of the processes, in all its lives.
type member struct {
	name, command string
	dir           string
	first         kill // of its first life
	pause         time.Duration
	stopped       time.Duration // after so long its first life is stopped for longer than a lease; 0 = never

	mu     sync.Mutex
	now    *victim
	asleep bool
}

func (m *member) running() *victim {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func newManySeed(t *testing.T, w *chaosWorld, seed uint64) *manySeed {
	s := &manySeed{crashSeed: newCrashSeed(t, w, seed)}
	r := rand.New(rand.NewPCG(seed, 2))
	var lead, work []failpoint.Point
	for _, p := range failpoint.Points() {
		switch {
		case !slices.Contains(scenesOf(p), s.scene):
		case ofWorkers(p):
			work = append(work, p)
		default:
			lead = append(lead, p)
		}
	}
	at := func(of []failpoint.Point) kill {
		if len(of) == 0 {
			return kill{after: time.Duration(100+r.IntN(1500)) * time.Millisecond}
		}
		p := of[r.IntN(len(of))]
		return kill{at: p, times: 1 + r.IntN(1+often[p])}
	}
	leader, worker := at(lead), at(work)
	for _, m := range []*member{
		{name: "a", command: "serve", first: leader},
		{name: "b", command: "serve", first: leader},
		{name: "v", command: "worker", first: worker},
		{name: "w", command: "worker"},
	} {
		m.dir = filepath.Join(s.dir, m.name)
		m.pause = time.Duration(r.IntN(3000)) * time.Millisecond
		s.members = append(s.members, m)
	}
	random := s.members[r.IntN(len(s.members))]
	if after := time.Duration(300+r.IntN(1500)) * time.Millisecond; r.IntN(3) > 0 {
		random.first = kill{after: after}
	} else {
		random.first, random.stopped = kill{}, after
	}
	for _, m := range s.members {
		t.Logf("%s %s: %v, again after %v; stopped after %v", m.command, m.name, m.first, m.pause, m.stopped)
	}
	return s
}

const manyConfig = `
default_region: local
regions:
  local: {endpoint: "%s"}
  far: {endpoint: "%s"}
roles:
  - arn: ` + chaosRole + `
    appid: "1250000000"
    credentials: {"*": {source: static, access_key: drover-dev, secret_key: "env:CHAOS_SECRET"}}
    policy: full-access
engine: {dir: state, chunk_rows: 40, url: "%s"%s}
`

// leaseTerm is the engine's.
const leaseTerm = 15 * time.Second

const manyServer = `
principals:
  - {access_key: drover-dev, secret_key: "env:CHAOS_SECRET", uin: "100000000001", appid: "1250000000", policy: full-access}
listen: {addr: "127.0.0.1:0"}
worker: off
`

// carrierOutside is a NATS server that nobody kills.
func carrierOutside(t *testing.T) string {
	t.Helper()
	s, err := nats.NewServer(&nats.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), MaxPayload: 8 << 20, JetStreamMaxStore: 4 << 30, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	return s.ClientURL()
}

func (s *manySeed) run() {
	url := carrierOutside(s.t)
	for _, m := range s.members {
		if err := os.MkdirAll(m.dir, 0o700); err != nil {
			s.t.Fatal(err)
		}
		extra, rest := "", "worker: {concurrency: 8, drain: 5s}\n"
		if m.command == "serve" {
			extra, rest = ", replicas: 1, max_store: 1GiB", manyServer
		}
		text := fmt.Sprintf(manyConfig, s.w.stores["local"].URL(), s.w.stores["far"].URL(), url, extra) + rest
		if err := os.WriteFile(filepath.Join(m.dir, "drover.yaml"), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 4*time.Minute)
	defer cancel()
	var lives sync.WaitGroup
	for _, m := range s.members {
		lives.Go(func() { s.keep(ctx, m) })
	}
	err := s.toItsEnd(ctx)
	s.mu.Lock()
	s.end = true
	s.mu.Unlock()
	for _, m := range s.members {
		if v := m.running(); v != nil {
			s.wake(m, v)
			if e := v.stop(); e != nil {
				s.t.Errorf("drover %s after SIGTERM: %v\n%s", m.command, e, v.log())
			}
		}
	}
	cancel()
	lives.Wait()
	if err != nil {
		for _, m := range s.members {
			if v := m.running(); v != nil {
				s.t.Logf("%s %s: %s", m.command, m.name, v.log())
			}
		}
		s.t.Fatalf("the job is %s (%s) with %+v: %v", s.last.Status, s.last.StatusReason, s.last.Progress, err)
	}
}

// keep starts a member, and starts it again each time it was killed, until the seed ends.
func (s *manySeed) keep(ctx context.Context, m *member) {
	k := m.first
	for {
		s.mu.Lock()
		over := s.end
		s.mu.Unlock()
		if over || ctx.Err() != nil {
			return
		}
		v, err := s.w.launch(m.command, filepath.Join(m.dir, "drover.yaml"), k)
		if err != nil && !errors.Is(err, errKilled) {
			s.t.Errorf("start %s %s: %v", m.command, m.name, err)
			return
		}
		m.mu.Lock()
		m.now = v
		m.mu.Unlock()
		if m.stopped > 0 {
			s.stopFor(ctx, m, v)
		}
		<-v.ended
		if !v.killed() {
			s.mu.Lock()
			over = s.end
			s.mu.Unlock()
			if !over {
				s.t.Errorf("drover %s ended by itself: %v\n%s", m.command, v.err, v.log())
			}
			return
		}
		s.mu.Lock()
		s.kills = append(s.kills, death{v.endedAt, v.endedAt}) // others go on
		if k.at != "" {
			s.died = append(s.died, k.at)
		}
		s.mu.Unlock()
		k = kill{}
		select { // the others have to do without it for a while
		case <-time.After(m.pause):
		case <-ctx.Done():
			return
		}
	}
}

// stopFor lets a process sleep for longer than a lease. What it had in flight is another's by then.
func (s *manySeed) stopFor(ctx context.Context, m *member, v *victim) {
	wait := func(d time.Duration) bool {
		select {
		case <-time.After(d):
			return true
		case <-v.ended:
		case <-ctx.Done():
		}
		return false
	}
	if !wait(m.stopped) {
		return
	}
	m.stopped = 0
	m.mu.Lock()
	m.asleep = true
	_ = v.cmd.Process.Signal(syscall.SIGSTOP)
	m.mu.Unlock()
	s.mu.Lock()
	now := time.Now()
	s.kills = append(s.kills, death{now, now})
	s.mu.Unlock()
	wait(leaseTerm + 5*time.Second)
	s.wake(m, v)
}

// wake lets a process that sleeps go on.
func (s *manySeed) wake(m *member, v *victim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.asleep {
		return
	}
	m.asleep = false
	s.mu.Lock()
	s.sleeps = append(s.sleeps, sleep{woke: time.Now()})
	s.mu.Unlock()
	_ = v.cmd.Process.Signal(syscall.SIGCONT)
}

// toItsEnd makes the job and follows it, by way of whichever server lives.
func (s *manySeed) toItsEnd(ctx context.Context) error {
	for i := 0; ; i++ {
		m := s.members[i%2]
		if v := m.running(); v != nil && !v.dead() && v.api != "" {
			if err := s.live(ctx, v); err == nil && s.last.Final() {
				return nil
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
