package carrier

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
)

// losing loses the answer to the next publish, after it was carried out.
type losing struct {
	jetstream.JetStream
	lose  bool
	after func() // called when an answer was lost
}

func (l *losing) lost(ack *jetstream.PubAck, err error) (*jetstream.PubAck, error) {
	if !l.lose {
		return ack, err
	}
	l.lose = false
	if l.after != nil {
		l.after()
	}
	return nil, context.DeadlineExceeded
}

func (l *losing) Publish(ctx context.Context, s string, d []byte, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return l.lost(l.JetStream.Publish(ctx, s, d, o...))
}

func (l *losing) PublishMsg(ctx context.Context, m *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return l.lost(l.JetStream.PublishMsg(ctx, m, o...))
}

func openLosing(t *testing.T) (*Carrier, *losing) {
	t.Helper()
	c, err := Open(t.Context(), Options{Dir: t.TempDir(), markerTTL: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	l := &losing{JetStream: c.js}
	c.js = l
	return c, l
}

func TestLostAnswerIsNoConflict(t *testing.T) {
	t.Parallel()
	c, l := openLosing(t)
	ctx := t.Context()
	var rev uint64
	steps := []struct {
		name string
		do   func() error
	}{
		{"create", func() (err error) { rev, err = c.Create(ctx, engine.Jobs, "job.a", []byte("1")); return err }},
		{"update", func() (err error) { rev, err = c.Update(ctx, engine.Jobs, "job.a", []byte("2"), rev); return err }},
		{"update from what update gave", func() (err error) { rev, err = c.Update(ctx, engine.Jobs, "job.a", []byte("3"), rev); return err }},
		{"put", func() (err error) { _, err = c.Put(ctx, engine.Jobs, "job.a", []byte("4")); return err }},
		{"delete", func() error { return c.Delete(ctx, engine.Jobs, "job.a") }},
		{"create over a marker", func() (err error) { _, err = c.Create(ctx, engine.Jobs, "job.a", []byte("5")); return err }},
		{"publish", func() error { return c.Publish(ctx, "a", 1, 1, nil) }},
		{"result", func() error { return c.PublishResult(ctx, engine.ResultName{Job: "a", Attempt: "w"}, nil) }},
	}
	for _, s := range steps {
		l.lose = true
		if err := s.do(); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		if l.lose {
			t.Errorf("%s: no answer was lost", s.name)
		}
	}
}

func TestLostAnswerHidesNoConflict(t *testing.T) {
	t.Parallel()
	c, l := openLosing(t)
	ctx := t.Context()
	rev, err := c.Create(ctx, engine.Jobs, "job.a", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	// Another writes the very same value first, and then this one's answer is lost.
	if _, err := c.Update(ctx, engine.Jobs, "job.a", []byte("2"), rev); err != nil {
		t.Fatal(err)
	}
	l.lose = true
	if _, err := c.Update(ctx, engine.Jobs, "job.a", []byte("2"), rev); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("update of an old revision = %v", err)
	}
	l.lose = true
	if _, err := c.Create(ctx, engine.Jobs, "job.a", []byte("2")); !errors.Is(err, engine.ErrExists) {
		t.Errorf("create of what exists = %v", err)
	}
}

func TestUnansweredRequestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c, l := openLosing(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.lose, l.after = true, cancel
	if _, err := c.Put(ctx, engine.Jobs, "job.a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("put = %v", err)
	}
}

func TestDeleteLeavesNothing(t *testing.T) {
	t.Parallel()
	c, _ := openLosing(t)
	ctx := t.Context()
	for _, b := range []engine.Bucket{engine.Jobs, engine.Done, engine.Live} {
		if _, err := c.Create(ctx, b, "a.b", []byte("v")); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete(ctx, b, "a.b"); err != nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for b, bk := range c.records {
		for {
			info, err := bk.Info(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if info.State.Msgs == 0 {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("%s still holds %d messages", b, info.State.Msgs)
			}
		}
	}
}
