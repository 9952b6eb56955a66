package carrier

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
)

// TestReaderGetsWhatWasLostOnItsWay sends a reader's last messages elsewhere: nothing comes after them that would show the
// gap.
func TestReaderGetsWhatWasLostOnItsWay(t *testing.T) {
	t.Parallel()
	c, _ := openLosing(t)
	put := func(chunk int64) {
		t.Helper()
		if err := c.PublishResult(t.Context(), engine.ResultName{Job: roundsJob, Chunk: chunk, Attempt: "w"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(resultBatch) { // all that the reader has asked for
		put(i)
	}
	enough := errors.New("enough")
	got := make(chan error, 1)
	go func() {
		n := 0
		got <- c.Results(t.Context(), roundsJob, 0, time.Second, func(r engine.Result) error {
			if r.Name.Job == "" {
				return nil
			}
			if n++; n == resultBatch { // while it is busy with this, the next ones go astray
				for i := range int64(3) {
					put(resultBatch + i)
				}
				steal(t, c, 3)
			}
			if n == resultBatch+3 {
				return enough
			}
			return nil
		})
	}()
	if err := <-got; !errors.Is(err, enough) {
		t.Error(err)
	}
}

// steal takes n messages that a reader's consumer would give to the reader.
func steal(t *testing.T, c *Carrier, n int) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for name := range c.results.ConsumerNames(ctx).Name() {
		cons, err := c.results.Consumer(ctx, name)
		if err != nil {
			t.Error(err)
			return
		}
		batch, err := cons.Fetch(n, jetstream.FetchContext(ctx))
		if err != nil {
			t.Error(err)
			return
		}
		came := 0
		for range batch.Messages() {
			came++
		}
		if came != n {
			t.Errorf("%d of %d messages went astray", came, n)
		}
	}
}
