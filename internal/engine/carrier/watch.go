package carrier

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
)

const (
	watchBatch = 256
	watchIdle  = time.Second
)

// Watch implements engine.Records. An expired record of Live is reported by the marker that the server leaves for it.
// While f is slow, changes of a key that was changed again meanwhile are left out; its last one always comes. A deletion
// that happened while no node could be reached for half of markerTTL bears the last revision seen, not one of its own.
func (c *Carrier) Watch(ctx context.Context, b engine.Bucket, f func(engine.Record) error) error {
	s, ok := c.records[b]
	if !ok {
		return fmt.Errorf("watch records: no bucket %q", b)
	}
	v := &view{f: f, prefix: len(recordSubject(b, "")), known: make(map[string]bool)}
	r := &follower{
		c: c, stream: s, filter: recordSubject(b, ">"), batch: watchBatch, idle: watchIdle,
		latest: true, replay: v.replay, take: v.take, caughtUp: v.caughtUp, asks: v.replaying,
	}
	return r.run(ctx)
}

// view turns a bucket's messages into what a Watch promises.
type view struct {
	f      func(engine.Record) error
	prefix int             // length of what precedes the key in a subject
	known  map[string]bool // keys that are present, as far as f was told
	again  map[string]bool // those of them seen again; nil unless all records are on their way again
	last   uint64          // highest revision seen
	begun  bool            // f was told that all present ones were seen
}

// replay is told that all records are on their way, for the first time or again, and up to where they are known.
func (v *view) replay(last uint64) { v.last, v.again = last, make(map[string]bool) }

func (v *view) replaying() bool { return v.again != nil }

func (v *view) take(m jetstream.Msg, seq uint64) error {
	key := m.Subject()[v.prefix:]
	r := engine.Record{Key: key, Value: m.Data(), Rev: seq, Deleted: isMarker(m.Headers())}
	if v.again != nil && !r.Deleted {
		v.again[key] = true
	}
	if seq <= v.last && v.known[key] || r.Deleted && !v.known[key] {
		return nil // told before, or gone before it was ever told
	}
	v.last = max(v.last, seq)
	if r.Deleted {
		r.Value = nil
		delete(v.known, key)
	} else {
		v.known[key] = true
	}
	return v.f(r)
}

// caughtUp ends a replay: what did not come again was deleted meanwhile.
func (v *view) caughtUp() error {
	for key := range v.known {
		if v.again[key] {
			continue
		}
		delete(v.known, key)
		if err := v.f(engine.Record{Key: key, Rev: v.last, Deleted: true}); err != nil {
			return err
		}
	}
	v.again = nil
	if v.begun {
		return nil
	}
	v.begun = true
	return v.f(engine.Record{})
}
