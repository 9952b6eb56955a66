package carrier

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
)

// streamLosses is what the loss of each stream counts as.
var streamLosses = map[string]engine.Losses{
	streamWork:                  {Work: 1},
	streamResults:               {Results: 1},
	bucketStream(engine.Jobs):   {Jobs: 1},
	bucketStream(engine.Done):   {Done: 1},
	bucketStream(engine.Access): {Access: 1},
	bucketStream(engine.Live):   {Live: 1},
}

func TestDeletedStreamsAreMadeAgainAndCounted(t *testing.T) {
	t.Parallel()
	for name, want := range streamLosses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := openLosing(t)
			ctx := t.Context()
			if l := c.Losses(ctx); l != (engine.Losses{}) {
				t.Fatalf("at first %+v is lost", l)
			}
			before := map[engine.Bucket]uint64{}
			for _, b := range buckets {
				rev, err := c.Put(ctx, b, "job.a", nil)
				if err != nil {
					t.Fatal(err)
				}
				before[b] = rev
			}
			if err := c.Lose(ctx, name); err != nil {
				t.Fatal(err)
			}
			// Nobody asks: the guard finds it by itself.
			if err := c.AwaitLoss(ctx, engine.Losses{}); err != nil {
				t.Fatal(err)
			}
			if l := c.Losses(ctx); l != want {
				t.Errorf("lost is %+v, want %+v", l, want)
			}
			for _, b := range buckets {
				if rev, err := c.Put(ctx, b, "job.b", nil); err != nil || rev <= before[b] {
					t.Errorf("%s goes on with revision %d after %d: %v", b, rev, before[b], err)
				}
			}
			if err := c.Publish(ctx, roundsJob, 1, 1, nil); err != nil {
				t.Error(err)
			}
			if err := c.PublishResult(ctx, engine.ResultName{Job: roundsJob, Attempt: "w"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRequestsWaitUntilTheirStreamIsThereAgain(t *testing.T) {
	t.Parallel()
	c, _ := openLosing(t)
	ctx := t.Context()
	for range 20 {
		if err := c.Lose(ctx, streamWork, streamResults, bucketStream(engine.Jobs)); err != nil {
			t.Fatal(err)
		}
		if err := c.Publish(ctx, roundsJob, 1, 1, nil); err != nil {
			t.Error(err)
		}
		if err := c.PublishResult(ctx, engine.ResultName{Job: roundsJob, Attempt: "w"}, nil); err != nil {
			t.Error(err)
		}
		if _, err := c.Put(ctx, engine.Jobs, "job.a", nil); err != nil {
			t.Error(err)
		}
	}
	if l := c.Losses(ctx); l != (engine.Losses{Work: 20, Results: 20, Jobs: 20}) {
		t.Errorf("lost is %+v", l)
	}
}

func TestWatchOfALostBucketEnds(t *testing.T) {
	t.Parallel()
	c, _ := openLosing(t)
	seen := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- c.Watch(t.Context(), engine.Jobs, func(r engine.Record) error {
			if r.Key == "" {
				close(seen)
			}
			return nil
		})
	}()
	<-seen
	if err := c.Lose(t.Context(), bucketStream(engine.Jobs)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, engine.ErrLost) {
		t.Errorf("the watch ended with %v", err)
	}
}

func TestDeletedStreamIsMadeAgainOnceItsFilesAreGone(t *testing.T) {
	t.Parallel()
	c, _ := openLosing(t)
	folder := filepath.Join(c.server.JetStreamConfig().StoreDir, "$G", "streams", streamWork)
	if _, err := os.Stat(folder); err != nil {
		t.Fatal(err)
	}
	c.guard.looking.Lock()
	if err := c.Lose(t.Context(), streamWork); err != nil {
		t.Fatal(err)
	}
	// As if the server were still removing them.
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	c.guard.looking.Unlock()
	once, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.Publish(once, roundsJob, 1, 1, nil); err == nil {
		t.Error("a stream was made on what is left of another")
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(t.Context(), roundsJob, 1, 1, nil); err != nil {
		t.Error(err)
	}
}

func TestDeletedQueueIsCounted(t *testing.T) {
	t.Parallel()
	c, _ := openLosing(t)
	ctx := t.Context()
	if err := c.Open(ctx, roundsJob); err != nil {
		t.Fatal(err)
	}
	if l := c.Losses(ctx); l != (engine.Losses{}) {
		t.Fatalf("an open queue counts as %+v", l)
	}
	if err := c.LoseQueue(ctx, roundsJob); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitLoss(ctx, engine.Losses{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if l := c.Losses(ctx); l != (engine.Losses{Work: 1}) {
			t.Errorf("lost is %+v", l)
		}
	}
}

// While queues are opened and shut by many, looks find none of them lost.
func TestOpeningAndShuttingLosesNothing(t *testing.T) {
	t.Parallel()
	c, _ := openLosing(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	looks := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			c.look(context.Background())
		}
		looks <- n
	}()
	for range 200 {
		if err := c.Open(t.Context(), roundsJob); err != nil {
			t.Fatal(err)
		}
		if err := c.Shut(t.Context(), roundsJob); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if n := <-looks; n < 10 {
		t.Errorf("only %d looks", n)
	}
	if l := c.Losses(t.Context()); l != (engine.Losses{}) {
		t.Errorf("lost is %+v", l)
	}
}
