package window

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/object"
)

// through sends n calls through a gate, each taking so long, and gives the time that all took.
func through(t *testing.T, g *Gate, n int, each time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := g.Enter(t.Context()); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(each)
			g.Leave()
		})
	}
	all.Wait()
	return time.Since(began)
}

func TestGateKeepsToItsBounds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bounds      Bounds
		n           int
		least, most time.Duration
	}{
		"none":                      {Bounds{}, 1000, time.Second, time.Second},
		"ten at a time":             {Bounds{InFlight: 10}, 100, 10 * time.Second, 10 * time.Second},
		"ten a second":              {Bounds{Rate: 10}, 100, 10700 * time.Millisecond, 11 * time.Second},
		"a burst first":             {Bounds{Rate: 10, Burst: 50}, 100, 5900 * time.Millisecond, 6100 * time.Millisecond},
		"both, and the rate bounds": {Bounds{Rate: 10, InFlight: 20}, 100, 10700 * time.Millisecond, 11 * time.Second},
		"one in ten seconds":        {Bounds{Rate: 0.1}, 3, 20 * time.Second, 21 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if took := through(t, NewGate(tc.bounds), tc.n, time.Second); took < tc.least || took > tc.most {
					t.Errorf("took %v, want %v to %v", took, tc.least, tc.most)
				}
			})
		})
	}
}

func TestBytesThatMovedAreOwed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Bounds{Bytes: 1000})
		began := time.Now()
		for range 10 {
			if err := g.Enter(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.Moved(500)
			g.Leave()
		}
		// All but the last are paid before the next call, and a tenth of a second may come at once.
		if took := time.Since(began); took < 4300*time.Millisecond || took > 4500*time.Millisecond {
			t.Errorf("ten calls of 500 bytes at 1,000 a second took %v", took)
		}
	})
}

func TestBoundsThatChangeHoldAtOnceForThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Bounds{Rate: 0.01})
		time.AfterFunc(10*time.Second, func() { g.Set(Bounds{InFlight: 2}) })
		if took := through(t, g, 21, time.Second); took < 20*time.Second || took > 21*time.Second {
			t.Errorf("took %v, want 20 s: one at once, ten seconds of waiting, and twenty by twos", took)
		}
	})
}

func TestCallsGoThroughInTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Bounds{InFlight: 1})
		if err := g.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []int
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if g.Enter(t.Context()) == nil {
					got = append(got, i) // one at a time
					g.Leave()
				}
			})
			synctest.Wait()
		}
		g.Leave()
		all.Wait()
		for i, v := range got {
			if i != v {
				t.Fatalf("order %v", got)
			}
		}
	})
}

func TestWaitingEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Bounds{InFlight: 1})
		if err := g.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
		halt := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(halt) })
		if err := g.Enter(object.WithWait(t.Context(), halt)); !errors.Is(err, object.ErrWaitEnded) {
			t.Errorf("error %v, want ErrWaitEnded", err)
		}
		g.Leave()
		if g.InFlight() != 0 || g.Waiting() != 0 {
			t.Errorf("%d in flight, %d waiting after all have left", g.InFlight(), g.Waiting())
		}
		if err := g.Enter(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestWhoWaitsIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Bounds{InFlight: 1})
		var told []int
		g.OnRoom(func(n int) { told = append(told, n) })
		through(t, g, 5, time.Second)
		if d := cmp.Diff([]int{1, 1, 1, 1}, told); d != "" {
			t.Errorf("room for others, as 4 calls that waited were let through (-want +got):\n%s", d)
		}
	})
}

// Who stays away while calls wait must hear of all the room that comes at once.
func TestRoomIsToldInFull(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bounds Bounds
		want   int
	}{
		"calls at a time":   {Bounds{InFlight: 10}, 9}, // one in the place of the one that waited, and eight beside the two
		"a rate":            {Bounds{Rate: 10, Burst: 5}, 5},
		"the lesser":        {Bounds{Rate: 10, Burst: 5, InFlight: 4}, 3},
		"none for a second": {Bounds{Rate: 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewGate(Bounds{InFlight: 1})
				told := 0
				g.OnRoom(func(n int) { told += n })
				var all sync.WaitGroup
				for range 2 {
					all.Go(func() {
						if g.Enter(t.Context()) == nil {
							time.Sleep(time.Second)
							g.Leave()
						}
					})
				}
				synctest.Wait()
				g.Set(tc.bounds)
				if told != tc.want {
					t.Errorf("told of room for %d, want %d", told, tc.want)
				}
				all.Wait()
			})
		})
	}
}

// Many callers in real time, for the race detector: nobody is forgotten, and no bound is broken.
func TestGateUnderContention(t *testing.T) {
	t.Parallel()
	g := NewGate(Bounds{InFlight: 7})
	var all sync.WaitGroup
	var mu sync.Mutex
	in, most := 0, 0
	for range 64 {
		all.Go(func() {
			for range 2000 {
				if err := g.Enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				in++
				most = max(most, in)
				mu.Unlock()
				mu.Lock()
				in--
				mu.Unlock()
				g.Leave()
			}
		})
	}
	all.Wait()
	if most > 7 || g.InFlight() != 0 || g.Waiting() != 0 {
		t.Errorf("%d at a time of 7; at the end %d in flight, %d waiting", most, g.InFlight(), g.Waiting())
	}
}

func BenchmarkWindow(b *testing.B) {
	w := New()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c, err := w.Enter(context.Background())
			if err != nil {
				b.Error(err)
			}
			w.Leave(c, Good)
		}
	})
}
