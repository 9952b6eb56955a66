package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// claims is a carrier that remembers which jobs were asked for a chunk, in order, and which gave one.
type claims struct {
	engine.Carrier
	mu    sync.Mutex
	walk  []job.ID // asked since the last chunk that was given
	taken []taken
	more  chan struct{} // closed and replaced at each chunk
}

type taken struct {
	id     job.ID
	before []job.ID // were asked first, and had none
	at     time.Time
}

func (c *claims) Claim(ctx context.Context, id job.ID, wait time.Duration) (engine.Lease, error) {
	l, err := c.Carrier.Claim(ctx, id, wait)
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.walk, id) {
		c.walk = nil // a new round
	}
	if l == nil || err != nil {
		c.walk = append(c.walk, id)
		return l, err
	}
	c.taken = append(c.taken, taken{id, slices.Clone(c.walk), time.Now()})
	c.walk = nil
	close(c.more)
	c.more = make(chan struct{})
	return l, err
}

// wait waits until n chunks were taken, and gives them.
func (c *claims) wait(t *testing.T, n int) []taken {
	t.Helper()
	for {
		c.mu.Lock()
		got, more := slices.Clone(c.taken), c.more
		c.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-more:
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d chunks were taken", len(got), n)
		}
	}
}

func claimRig(t *testing.T, options func(*engine.Options)) (*rig, *claims) {
	r := newRig(t, options)
	c := &claims{more: make(chan struct{})}
	r.wrap = func(inner engine.Carrier) engine.Carrier { c.Carrier = inner; return c }
	return r, c
}

func (r *rig) prioritised(n int, p job.Priority, name string) job.Spec {
	spec := r.spec(n)
	spec.Priority = p
	spec.Operation = &operation.Copy{TargetBucket: "dst", PrefixReplace: true, PrefixTo: name + "/"}
	return spec
}

// TestFiftyJobsRunByPriority lets 50 jobs of mixed priorities wait behind others, and looks at the order in which they
// are started and in which workers take their chunks.
func TestFiftyJobsRunByPriority(t *testing.T) {
	t.Parallel()
	const jobs, active = 50, 4
	r, c := claimRig(t, func(o *engine.Options) { o.MaxActive = active })
	open := gate(r.store)
	s := r.start()
	var blockers []job.ID
	for i := range active {
		blockers = append(blockers, create(t, s, r.prioritised(100, 1000, fmt.Sprintf("blocker-%d", i))))
	}
	for _, id := range blockers {
		waitFor(t, s, id, status(job.Active))
	}
	type waiting struct {
		id       job.ID
		priority job.Priority
		started  time.Time
	}
	list := make([]waiting, jobs)
	rank := map[job.ID]int{}
	random := rand.New(rand.NewPCG(7, 7))
	for i := range list {
		p := job.Priority(random.IntN(20))
		list[i] = waiting{id: create(t, s, r.prioritised(300, p, fmt.Sprintf("j%d", i))), priority: p}
	}
	for _, w := range list {
		waitFor(t, s, w.id, func(j job.Job) bool { return j.Status == job.Ready && strings.Contains(j.StatusReason, "turn") })
	}
	slices.SortStableFunc(list, func(a, b waiting) int { return cmp.Compare(b.priority, a.priority) }) // and by age
	for i, w := range list {
		rank[w.id] = i
	}
	open()
	for i := range list {
		list[i].started = waitFor(t, s, list[i].id, final).Started
	}

	// Of those that may run at a time any may be the first, but none that comes later.
	byStart := slices.Clone(list)
	slices.SortStableFunc(byStart, func(a, b waiting) int { return a.started.Compare(b.started) })
	var starts, order []string
	for at, w := range byStart {
		starts = append(starts, fmt.Sprint(w.priority))
		if ahead := rank[w.id] - at; ahead >= active {
			t.Errorf("the job of priority %d is number %d by right and was started as number %d", w.priority, rank[w.id]+1, at+1)
		}
	}
	priority := map[job.ID]job.Priority{}
	for _, w := range list {
		priority[w.id] = w.priority
	}
	wrong, had := 0, map[job.ID]int{}
	for _, x := range c.wait(t, active+3*jobs) {
		if _, ours := priority[x.id]; !ours {
			continue
		}
		order = append(order, fmt.Sprint(priority[x.id]))
		for id, n := range had { // jobs at work that have chunks left are asked first
			if n < 3 && priority[id] > priority[x.id] && !slices.Contains(x.before, id) {
				wrong++
			}
		}
		had[x.id]++
	}
	t.Logf("priorities in the order of starts:  %s", strings.Join(starts, " "))
	t.Logf("priorities in the order of claims:  %s", strings.Join(order, " "))
	if len(order) != 3*jobs || wrong != 0 {
		t.Errorf("%d chunks were taken, want %d; %d were taken without asking a job of higher priority first", len(order), 3*jobs, wrong)
	}
}

// TestRaisedPriorityHoldsFromTheNextChunk raises a job above one that has all slots.
func TestRaisedPriorityHoldsFromTheNextChunk(t *testing.T) {
	t.Parallel()
	r, c := claimRig(t, nil)
	step := make(chan struct{})
	r.store.onCopy = func(ctx context.Context, _ job.Key) error {
		select {
		case <-step:
		case <-ctx.Done():
		}
		return nil
	}
	s := r.start()
	first, other := r.prioritised(4000, 100, "first"), r.prioritised(2000, 1, "other")
	idFirst, idOther := create(t, s, first), create(t, s, other)
	waitFor(t, s, idOther, status(job.Active))
	r.store.waitCalls(t, 8)
	for deadline := time.Now().Add(30 * time.Second); ; { // its first chunks have to be queued, or there is nothing to take
		st, err := r.carrier.State(t.Context(), idOther)
		if err == nil && st.Waiting >= 8 {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the other job's chunks are not queued: %+v, %v", st, err)
		}
		<-time.After(10 * time.Millisecond)
	}
	if _, err := s.SetPriority(t.Context(), caller, idOther, 500); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	at := len(c.taken)
	c.mu.Unlock()
	close(step)
	got := c.wait(t, at+8)[at : at+8]
	late := 0
	var order []string
	for _, x := range got {
		name := map[job.ID]string{idFirst: "first", idOther: "raised"}[x.id]
		order = append(order, name)
		if x.id == idFirst {
			late++
		}
	}
	t.Logf("chunks taken after the change, one slot: %s", strings.Join(order, " "))
	if late > 1 {
		t.Errorf("%d chunks of the job that is lower now were taken, want at most one a slot", late)
	}
	wantWhole(t, other, waitFor(t, s, idOther, final), 2000)
	wantWhole(t, first, waitFor(t, s, idFirst, final), 4000)
}

// TestPausingTheTopJobLetsTheNextRun measures from the pause to the first call of the next job, where only one may be
// Active at a time.
func TestPausingTheTopJobLetsTheNextRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *engine.Options) { o.MaxActive = 1 })
	next := make(chan time.Time, 1)
	r.store.onCopy = func(ctx context.Context, _ job.Key) error {
		select {
		case <-time.After(5 * time.Millisecond): // the store's answer takes that long
		case <-ctx.Done():
		}
		return nil
	}
	s := r.start()
	top, below := r.prioritised(20_000, 100, "top"), r.prioritised(500, 1, "below")
	idTop, idBelow := create(t, s, top), create(t, s, below)
	waitFor(t, s, idBelow, status(job.Ready))
	r.store.waitCalls(t, 200)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			r.store.mu.Lock()
			began, arrived := slices.ContainsFunc(r.store.order, func(k job.Key) bool { return strings.HasPrefix(string(k), "below/") }), r.store.arrived
			r.store.mu.Unlock()
			if began {
				next <- time.Now()
				return
			}
			select {
			case <-arrived:
			case <-t.Context().Done():
				return
			}
		}
	}()
	asked := time.Now()
	if _, err := s.Pause(t.Context(), caller, idTop, "let others go first"); err != nil {
		t.Fatal(err)
	}
	select {
	case at := <-next:
		t.Logf("the next job's first call came %v after the pause was asked for", at.Sub(asked).Round(time.Millisecond))
		if at.Sub(asked) > time.Second { // two are promised; half of them shows that it waits for nobody's next beat
			t.Errorf("%v, want less than 1 s", at.Sub(asked))
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the next job never began")
	}
	<-watched
	wantWhole(t, below, waitFor(t, s, idBelow, final), 500)
	if _, err := s.Cancel(t.Context(), caller, idTop, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, s, idTop, final)
}
