package credentials

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drover-batch/drover/internal/access"
)

// service gives keys of an hour, numbered, as long as it is up.
type service struct {
	mu    sync.Mutex
	asked int
	life  time.Duration
	takes time.Duration
	err   error
}

func (s *service) ask(ctx context.Context) (temporary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return temporary{}, ctx.Err()
	}
	return temporary{access.Keys{AccessKey: fmt.Sprint("K", s.asked)}, time.Now().Add(s.life)}, s.err
}

func (s *service) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func TestKeysAreRenewedAheadOfTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{life: time.Hour}
		p := renewing(s.ask)
		want := func(key string) {
			t.Helper()
			if k, err := p(t.Context()); err != nil || k.AccessKey != key {
				t.Errorf("got %v, %v; want %s", k, err, key)
			}
		}
		want("K1")
		time.Sleep(54 * time.Minute)
		want("K1")
		time.Sleep(2 * time.Minute)
		want("K2")
		want("K2")
		// The service goes away. The old keys do as long as they are good, and it is not asked at every call.
		s.set(func() { s.err = &unavailable{errors.New("away")} })
		time.Sleep(56 * time.Minute)
		for range 100 {
			want("K2")
		}
		if s.asked != 3 {
			t.Errorf("asked %d times, want 3", s.asked)
		}
		time.Sleep(4 * time.Minute)
		var later interface{ Timeout() bool }
		if _, err := p(t.Context()); !errors.As(err, &later) {
			t.Errorf("after the keys' end: %v, which does not say that it may be asked again", err)
		}
		// It comes back.
		s.set(func() { s.err = nil })
		time.Sleep(minPause)
		want(fmt.Sprint("K", s.asked+1))
	})
}

func TestCallersWaitForTheFirstKeysOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{life: time.Hour, takes: 3 * time.Second}
		p := renewing(s.ask)
		began := time.Now()
		all := func() (longest time.Duration) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			slow := 0
			for range 64 {
				wg.Go(func() {
					at := time.Now()
					if _, err := p(t.Context()); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					if d := time.Since(at); d > 0 {
						slow++
						longest = max(longest, d)
					}
				})
			}
			wg.Wait()
			if began.Equal(time.Now().Add(-3*time.Second)) && slow != 64 || time.Since(began) > time.Minute && slow != 1 {
				t.Errorf("%d callers waited", slow)
			}
			return longest
		}
		if d := all(); d != 3*time.Second || s.asked != 1 {
			t.Errorf("the first keys took %v and %d questions", d, s.asked)
		}
		time.Sleep(57 * time.Minute)
		if d := all(); d != 3*time.Second || s.asked != 2 {
			t.Errorf("the next keys took %v and %d questions", d, s.asked)
		}
	})
}

func TestACallerThatGivesUpSpoilsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{life: time.Hour, takes: 3 * time.Second}
		p := renewing(s.ask)
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p(gone); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if k, err := p(t.Context()); err != nil || k.AccessKey != "K2" {
			t.Errorf("got %v, %v", k, err)
		}
	})
}

func TestARefusalIsFinalAndAskedAboutOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{life: time.Hour, err: errors.New("AccessDenied")}
		p := renewing(s.ask)
		for range 10 {
			var later interface{ Timeout() bool }
			if _, err := p(t.Context()); err == nil || errors.As(err, &later) {
				t.Errorf("got %v", err)
			}
		}
		if s.asked != 1 {
			t.Errorf("asked %d times", s.asked)
		}
		s.set(func() { s.err, s.life = nil, -time.Minute })
		time.Sleep(minPause)
		var later interface{ Timeout() bool }
		if _, err := p(t.Context()); !errors.As(err, &later) {
			t.Errorf("keys that are over: %v", err)
		}
	})
}
