package window

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// limited is a store with a limit, for callers that are goroutines. Their order is chance, so that tests ask of it only what
// holds in any; how well a limit is used is for the models to say.
type limited struct {
	limit, burst float64

	mu     sync.Mutex
	tokens float64
	filled time.Time
}

func (l *limited) call() End {
	l.mu.Lock()
	now := time.Now()
	l.tokens = min(l.burst, l.tokens+now.Sub(l.filled).Seconds()*l.limit)
	l.filled = now
	e := Throttled
	if l.tokens >= 1 {
		l.tokens--
		e = Good
	}
	l.mu.Unlock()
	time.Sleep(rtt)
	return e
}

// load has n objects worked on by so many callers through one window, as the driver does it, and tells how many were.
func (l *limited) load(t *testing.T, w *Window, callers, n int) int64 {
	t.Helper()
	var all sync.WaitGroup
	var left, done atomic.Int64
	left.Store(int64(n))
	for i := range callers {
		rng := rand.New(rand.NewPCG(uint64(i), 3))
		all.Go(func() {
			for left.Add(-1) >= 0 {
				for try := 0; ; try++ {
					c, err := w.Enter(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					e := l.call()
					w.Leave(c, e)
					if e == Good {
						done.Add(1)
						break
					}
					time.Sleep(time.Duration(rng.Int64N(int64(min(50*time.Millisecond<<min(try, 7), 5*time.Second)))))
				}
			}
		})
	}
	all.Wait()
	return done.Load()
}

func TestWindowServesGoroutinesWithinALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New()
		l := &limited{limit: 400, burst: 40}
		began := time.Now()
		done := l.load(t, w, 64, 4000)
		took, s := time.Since(began), w.State()
		if done != 4000 || s.InFlight != 0 || s.Waiting != 0 {
			t.Errorf("%d of 4000 objects done, %+v left", done, s)
		}
		if s.Throttled == 0 || s.Rate == 0 {
			t.Errorf("nothing learned of a limit: %+v", s)
		}
		if took < 9*time.Second || took > 20*time.Second {
			t.Errorf("4000 calls at 400 a second took %v", took)
		}
	})
}

func TestSilenceIsNoSlowness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New()
		time.Sleep(time.Hour)
		l := &limited{limit: 400, burst: 40}
		l.load(t, w, 64, 400)
		time.Sleep(time.Hour)
		l.load(t, w, 64, 4000)
		if s := w.State(); s.Rate < 250 || s.Rate > 800 {
			t.Errorf("learned %+v of a limit of 400 a second", s)
		}
	})
}

func TestOneBucketsFullnessIsNoOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, byBucket := range []bool{true, false} {
			s := NewSet(byBucket, Bounds{}, nil)
			ctx, stop := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for range firstWindow + 2 {
				all.Go(func() {
					if c, err := s.Of("busy").Enter(ctx); err == nil {
						<-ctx.Done()
						s.Of("busy").Leave(c, Good)
					}
				})
			}
			synctest.Wait()
			if !s.Full("busy") || s.Full("idle") == byBucket {
				t.Errorf("windows by bucket %t: busy full %t, idle full %t", byBucket, s.Full("busy"), s.Full("idle"))
			}
			stop()
			all.Wait()
			if s.Full("busy") {
				t.Errorf("windows by bucket %t: full without a call", byBucket)
			}
		}
	})
}
