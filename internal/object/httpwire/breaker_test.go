package httpwire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

var (
	away     = &object.Error{Op: "Copy", Code: object.CodeConnection, Class: object.Transient}
	busy     = &object.Error{Op: "Copy", Code: "SlowDown", Status: 503, Class: object.Throttle}
	poison   = &object.Error{Op: "Copy", Code: "InternalError", Status: 500, Class: object.Transient}
	notThere = &object.Error{Op: "Copy", Code: object.CodeNoSuchKey, Status: 404, Class: object.Permanent}
	unsent   = &object.Error{Op: "Copy", Code: object.CodeConnection, Class: object.Permanent}
)

// try makes one attempt that ends with e.
func try(t *testing.T, b *Breaker, e *object.Error) (counts bool) {
	t.Helper()
	n, err := b.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b.note(n, e)
}

func TestBreakerOpensAfterTenSecondsWithoutASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(nil)
		began := time.Now()
		for time.Since(began) < 10*time.Second {
			if _, open := b.Away(); open {
				t.Fatalf("open after %v", time.Since(began))
			}
			if try(t, b, away) {
				t.Fatal("an attempt counts although nothing succeeds")
			}
			time.Sleep(time.Second)
		}
		try(t, b, busy)
		if since, open := b.Away(); !open || !since.Equal(began) {
			t.Fatalf("not open after 10 s, failing since %v", since)
		}
		// One probe a second, however many ask.
		probes := atomic.Int64{}
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				for {
					n, err := b.enter(ctx)
					if err != nil {
						return
					}
					probes.Add(1)
					b.note(n, away)
				}
			})
		}
		time.Sleep(30*time.Second + time.Millisecond)
		cancel()
		calls.Wait()
		if n := probes.Load(); n != 30 {
			t.Errorf("%d probes in 30 s", n)
		}
	})
}

func TestFirstSuccessLetsAllGoOn(t *testing.T) {
	for _, e := range []*object.Error{nil, notThere} {
		synctest.Test(t, func(t *testing.T) {
			b := NewBreaker(nil)
			try(t, b, away)
			time.Sleep(11 * time.Second)
			try(t, b, away)
			var calls sync.WaitGroup
			var through atomic.Int64
			for range 10 {
				calls.Go(func() {
					if _, err := b.enter(t.Context()); err == nil {
						through.Add(1)
					}
				})
			}
			synctest.Wait()
			if through.Load() != 0 {
				t.Fatal("a call went out at once although the breaker is open")
			}
			time.Sleep(breakerProbe)
			synctest.Wait()
			if through.Load() != 1 {
				t.Fatalf("%d probes after a second", through.Load())
			}
			b.note(0, e)
			calls.Wait()
			if _, open := b.Away(); open || through.Load() != 10 {
				t.Errorf("open %v, %d calls went on", open, through.Load())
			}
		})
	}
}

func TestWhatCounts(t *testing.T) {
	b := NewBreaker(nil)
	for _, v := range []struct {
		name string
		e    *object.Error
		want bool
	}{
		{"no answer", away, false},
		{"throttled", busy, false},
		{"500 is about this one object", poison, true},
		{"a request that cannot be sent", unsent, true},
		{"an answer for good", notThere, true},
	} {
		if got := try(t, b, v.e); got != v.want {
			t.Errorf("%s: counts %v", v.name, got)
		}
	}
	n, _ := b.enter(t.Context())
	try(t, b, nil) // somebody else's call succeeds meanwhile
	if !b.note(n, away) {
		t.Error("no answer does not count although others got theirs")
	}
}

func TestWaitForAnAwayEndpointCanBeEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(nil)
		try(t, b, away)
		time.Sleep(11 * time.Second)
		try(t, b, away)
		done := make(chan struct{})
		got := make(chan error, 1)
		go func() {
			_, err := b.enter(object.WithWait(t.Context(), done))
			got <- err
		}()
		synctest.Wait()
		close(done)
		if err := <-got; !errors.Is(err, object.ErrWaitEnded) {
			t.Errorf("got %v", err)
		}
	})
}

// A store that is down for longer than all attempts take fails no call.
func TestCallsOutliveAnEndpointThatIsAway(t *testing.T) {
	var down atomic.Bool
	var refused atomic.Int64
	down.Store(true)
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			if refused.Add(1) == 200 {
				down.Store(false)
			}
			if refused.Load()%2 == 0 {
				panic(http.ErrAbortHandler) // the connection breaks off
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>`)
	})
	c.o.MaxAttempts, c.o.Breaker = 2, NewBreaker(nil)
	c.sleep = func(context.Context, time.Duration) error { return nil }
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			if _, err := c.Copy(t.Context(), object.CopyRequest{Source: ref, Bucket: "b", Key: "k"}); err != nil {
				t.Errorf("copy: %v", err)
			}
		})
	}
	calls.Wait()
	if refused.Load() < 200 {
		t.Errorf("%d refusals", refused.Load())
	}
}

func TestOneObjectThatItsStoreCannotHandleFails(t *testing.T) {
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	c.o.MaxAttempts, c.o.Breaker = 3, NewBreaker(nil)
	c.sleep = func(context.Context, time.Duration) error { return nil }
	_, err := c.Copy(t.Context(), object.CopyRequest{Source: ref, Bucket: "b", Key: "k"})
	if object.CodeOf(err) != "InternalError" {
		t.Errorf("got %v", err)
	}
}
