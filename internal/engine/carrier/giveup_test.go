package carrier_test

import (
	"context"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine/carrier"
)

// TestClaimThatGaveUpHoldsNothing has claims end at about the moment at which a chunk comes: who gives up does not keep it
// from others until its term ends.
func TestClaimThatGaveUpHoldsNothing(t *testing.T) {
	t.Parallel()
	c := open(t, carrier.Options{AckWait: time.Hour})
	ctx := t.Context()
	if err := c.Open(ctx, jobA); err != nil {
		t.Fatal(err)
	}
	gaveUp := 0
	for i := range int64(400) {
		short, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.AfterFunc(time.Duration(i%40)*10*time.Microsecond, cancel)
			if err := c.Publish(ctx, jobA, 1, i, nil); err != nil {
				t.Error(err)
			}
		}()
		l, _ := c.Claim(short, jobA, time.Minute)
		<-done
		cancel()
		if l == nil {
			gaveUp++
			var err error
			if l, err = c.Claim(ctx, jobA, 10*time.Second); l == nil || err != nil {
				t.Fatalf("chunk %d: %v, %v: it is with the claim that gave up", i, l, err)
			}
		}
		if err := l.Ack(ctx); err != nil {
			t.Fatal(err)
		}
	}
	t.Log(gaveUp, "claims gave up")
}
