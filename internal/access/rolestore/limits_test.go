package rolestore

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
)

// wanted is the limits of one region, set by the test.
type wanted struct {
	mu      sync.Mutex
	limits  *job.Limits
	changed chan struct{}
}

func newWanted(l *job.Limits) *wanted { return &wanted{limits: l, changed: make(chan struct{})} }

func (w *wanted) RegionLimits(job.Region) (job.Limits, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.limits == nil {
		return job.Limits{}, false
	}
	return *w.limits, true
}

func (w *wanted) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

func (w *wanted) set(l *job.Limits) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limits = l
	close(w.changed)
	w.changed = make(chan struct{})
}

func limitedStores(t *testing.T, endpoint string, inFlight int, w *wanted) *Stores {
	t.Helper()
	s, err := New(Options{
		Regions: map[job.Region]Region{"local": {
			Wire: httpwire.Options{Endpoint: endpoint, Dialect: httpwire.S3, Region: "local", PathStyle: true}, InFlight: inFlight,
		}},
		Default: "local", Limits: w, Roles: &one{roleWith(t, `{"effect":"allow","action":"*","resource":"*"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Calls that wait under a region's limits go on as soon as those are changed, back to the configuration's too.
func TestLimitsOfARegionChangeUnderItsCalls(t *testing.T) {
	t.Parallel()
	arrived, answer := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-answer
	}))
	defer server.Close()
	w := newWanted(&job.Limits{Bounds: job.Bounds{Rate: 0.001}})
	s := limitedStores(t, server.URL, 3, w)
	ctx, stop := context.WithCancel(t.Context())
	var keeping, calls sync.WaitGroup
	keeping.Go(func() { s.KeepLimits(ctx, func() int { return 1 }) })
	defer keeping.Wait()
	defer stop()
	gate := s.o.Regions["local"].Wire.Load.Bounds
	defer calls.Wait()
	defer close(answer)
	for range 6 {
		calls.Go(func() {
			store, err := s.Store(t.Context(), owner, roleName, "")
			if err == nil {
				_, err = store.Head(t.Context(), object.Ref{Bucket: "b", Key: "k"})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	begins := func(n int) {
		t.Helper()
		for range n {
			select {
			case <-arrived:
			case <-t.Context().Done():
				t.Fatal("no call arrives")
			}
		}
		if got := len(arrived); got != 0 {
			t.Errorf("%d calls too many", got)
		}
	}
	begins(1) // and the next in a quarter of an hour
	w.set(&job.Limits{Bounds: job.Bounds{Calls: 2}})
	begins(1)
	w.set(nil) // the configuration's three
	begins(1)
	w.set(&job.Limits{}) // none
	begins(3)
	if n := gate.Waiting(); n != 0 {
		t.Errorf("%d calls wait without limits", n)
	}
}

// The clock changes limits by itself, and workers that come and go change the shares.
func TestLimitsOfARegionGoByTheClockAndAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it begins at midnight
		w := newWanted(&job.Limits{
			Bounds: job.Bounds{Calls: 8}, Zone: "UTC", Hours: []job.Hours{{From: 1, To: 2, Bounds: job.Bounds{Calls: 2}}},
		})
		s := limitedStores(t, "http://127.0.0.1:1", 0, w)
		var mu sync.Mutex
		workers := 0 // not even this one's beat was heard
		ctx, stop := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() {
			s.KeepLimits(ctx, func() int {
				mu.Lock()
				defer mu.Unlock()
				return workers
			})
		})
		defer keeping.Wait()
		defer stop()
		gate := s.o.Regions["local"].Wire.Load.Bounds
		var told atomic.Int64
		s.OnRoom(func(int) { told.Add(1) })
		defer func() {
			if told.Load() == 0 {
				t.Error("nobody was told of room")
			}
		}()
		let := func() int { // how many calls at a time
			var calls sync.WaitGroup
			over, end := context.WithCancel(ctx)
			for range 20 {
				calls.Go(func() {
					if gate.Enter(over) == nil {
						<-over.Done()
						gate.Leave()
					}
				})
			}
			synctest.Wait()
			n := gate.InFlight()
			if !s.Full("local", "b") || !s.Full("", "b") || s.Full("far", "b") {
				t.Error("20 calls do not fill the region")
			}
			end()
			calls.Wait()
			if s.Full("local", "b") {
				t.Error("no call, and the region is full")
			}
			return n
		}
		for _, c := range []struct {
			after   time.Duration
			workers int
			want    int
		}{
			{0, 0, 8},
			{30 * time.Second, 4, 2},
			{31 * time.Second, 1, 2}, // 00:01
			{time.Second, 4, 1},
			{60 * time.Second, 4, 2}, // 00:02
			{time.Second, 1, 8},
		} {
			mu.Lock()
			workers = c.workers
			mu.Unlock()
			time.Sleep(c.after)
			synctest.Wait()
			if got := let(); got != c.want {
				t.Errorf("at %s among %d workers: %d calls at a time, want %d", time.Now().UTC().Format(time.TimeOnly), c.workers, got, c.want)
			}
		}
	})
}
