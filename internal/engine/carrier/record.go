package carrier

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
)

const (
	// headerWrite names one write, so that a writer whose answer was lost knows its own write when it reads it back.
	// Values would not do: two writers may write equal ones, and only one of them may be told that it won.
	headerWrite = "Drover-Write"
	// headerOperation marks a record that was deleted (NATS ADR-8), headerReason one that expired (NATS ADR-43).
	headerOperation = "KV-Operation"
	headerReason    = "Nats-Marker-Reason"
	headerRollup    = "Nats-Rollup"
)

// bucket is one store of records.
type bucket struct {
	kv     jetstream.KeyValue
	stream jetstream.Stream
}

// stored is a key's last message: a value or a marker.
type stored struct {
	record engine.Record
	write  string // headerWrite
}

func (c *Carrier) bucket(b engine.Bucket, key string) (bucket, error) {
	bk, ok := c.records[b]
	if !ok {
		return bucket{}, fmt.Errorf("no bucket %q", b)
	}
	return bk, checkKey(key)
}

func recordSubject(b engine.Bucket, key string) string { return "$KV." + string(b) + "." + key }

// last reads a key's last message; engine.ErrNotFound when there is none.
func (c *Carrier) last(ctx context.Context, b engine.Bucket, key string) (stored, error) {
	bk, err := c.bucket(b, key)
	if err != nil {
		return stored{}, err
	}
	var m *jetstream.RawStreamMsg
	err = c.try(ctx, func(ctx context.Context, _ bool) error {
		m, err = bk.stream.GetLastMsgForSubject(ctx, recordSubject(b, key))
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return stored{}, engine.ErrNotFound
	}
	if err != nil {
		return stored{}, err
	}
	return stored{
		record: engine.Record{
			Key: key, Value: m.Data, Rev: m.Sequence,
			Deleted: m.Header.Get(headerOperation) != "" || m.Header.Get(headerReason) != "",
		},
		write: m.Header.Get(headerWrite),
	}, nil
}

// Get implements engine.Records.
func (c *Carrier) Get(ctx context.Context, b engine.Bucket, key string) (engine.Record, error) {
	s, err := c.last(ctx, b, key)
	if err == nil && s.record.Deleted {
		err = engine.ErrNotFound
	}
	if err != nil {
		return engine.Record{}, fmt.Errorf("get record %s %s: %w", b, key, err)
	}
	return s.record, nil
}

// Create implements engine.Records. When ctx ends first, the record may have been created.
func (c *Carrier) Create(ctx context.Context, b engine.Bucket, key string, v []byte) (uint64, error) {
	rev, err := c.create(ctx, b, key, v)
	if err != nil {
		return 0, fmt.Errorf("create record %s %s: %w", b, key, err)
	}
	return rev, nil
}

func (c *Carrier) create(ctx context.Context, b engine.Bucket, key string, v []byte) (uint64, error) {
	var expected uint64
	for {
		rev, err := c.write(ctx, b, key, v, &expected)
		if !errors.Is(err, engine.ErrConflict) {
			return rev, err
		}
		// What stands in the way may be a deleted record's marker, which is replaced, or may be gone by now.
		s, err := c.last(ctx, b, key)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			expected = 0
		case err != nil:
			return 0, err
		case !s.record.Deleted:
			return 0, engine.ErrExists
		default:
			expected = s.record.Rev
		}
	}
}

// Update implements engine.Records. When ctx ends first, the record may have been changed.
func (c *Carrier) Update(ctx context.Context, b engine.Bucket, key string, v []byte, rev uint64) (uint64, error) {
	if rev == 0 { // to the server this would mean "create"
		return 0, fmt.Errorf("update record %s %s: no revision given: %w", b, key, engine.ErrConflict)
	}
	n, err := c.write(ctx, b, key, v, &rev)
	if err != nil {
		return 0, fmt.Errorf("update record %s %s: %w", b, key, err)
	}
	return n, nil
}

// Put implements engine.Records.
func (c *Carrier) Put(ctx context.Context, b engine.Bucket, key string, v []byte) (uint64, error) {
	rev, err := c.write(ctx, b, key, v, nil)
	if err != nil {
		return 0, fmt.Errorf("put record %s %s: %w", b, key, err)
	}
	return rev, nil
}

// write stores a value if the key's last revision is the expected one (nil = any).
func (c *Carrier) write(ctx context.Context, b engine.Bucket, key string, v []byte, expected *uint64) (uint64, error) {
	if _, err := c.bucket(b, key); err != nil {
		return 0, err
	}
	name := rand.Text()
	opts := []jetstream.PublishOpt{jetstream.WithRetryAttempts(0)}
	if expected != nil {
		opts = append(opts, jetstream.WithExpectLastSequencePerSubject(*expected))
	}
	var rev uint64
	err := c.try(ctx, func(once context.Context, again bool) error {
		ack, err := c.js.PublishMsg(once, &nats.Msg{
			Subject: recordSubject(b, key), Data: v, Header: nats.Header{headerWrite: {name}},
		}, opts...)
		if err == nil {
			rev = ack.Sequence
			return nil
		}
		if refusedBy(err) != refusedOthers {
			return err
		}
		if again {
			s, err := c.last(ctx, b, key)
			if err != nil && !errors.Is(err, engine.ErrNotFound) {
				return err
			}
			if err == nil && s.write == name {
				rev = s.record.Rev
				return nil
			}
		}
		return engine.ErrConflict
	})
	return rev, err
}

// Delete implements engine.Records. It replaces the record by a marker, so that watchers learn of it; the server removes
// the marker after markerTTL, and nothing is left.
func (c *Carrier) Delete(ctx context.Context, b engine.Bucket, key string) error {
	err := c.try(ctx, func(once context.Context, _ bool) error {
		s, err := c.last(ctx, b, key)
		if errors.Is(err, engine.ErrNotFound) || err == nil && s.record.Deleted {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = c.js.PublishMsg(once, &nats.Msg{
			Subject: recordSubject(b, key),
			Header: nats.Header{
				headerOperation: {"PURGE"}, headerRollup: {"sub"}, jetstream.MsgTTLHeader: {c.markerTTL.String()},
			},
		}, jetstream.WithRetryAttempts(0))
		return err
	})
	if err != nil {
		return fmt.Errorf("delete record %s %s: %w", b, key, err)
	}
	return nil
}

// Watch implements engine.Records. An expired record of Live is reported by the marker that the server leaves for it.
// While f is slow, changes of a key that was changed again meanwhile are left out; its last one always comes.
func (c *Carrier) Watch(ctx context.Context, b engine.Bucket, f func(engine.Record) error) error {
	bk, ok := c.records[b]
	if !ok {
		return fmt.Errorf("watch records: no bucket %q", b)
	}
	w, err := bk.kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch records %s: %w", b, err)
	}
	defer func() {
		// Its callback may be blocked on the channel; the channel is closed once it is not.
		_ = w.Stop()
		for range w.Updates() {
		}
	}()
	v := view{f: f, seen: make(map[string]bool)}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.closed:
			return errClosed
		case e, open := <-w.Updates():
			if !open {
				return fmt.Errorf("watch records %s: the watch ended", b)
			}
			if err := v.take(e); err != nil {
				return err
			}
		}
	}
}

// view turns a watcher's entries into what a Watch promises.
type view struct {
	f    func(engine.Record) error
	seen map[string]bool // keys given while the present ones come in; nil afterwards
}

func (v *view) take(e jetstream.KeyValueEntry) error {
	if e == nil {
		v.seen = nil
		return v.f(engine.Record{})
	}
	r := engine.Record{Key: e.Key(), Value: e.Value(), Rev: e.Revision(), Deleted: e.Operation() != jetstream.KeyValuePut}
	if v.seen != nil {
		if r.Deleted && !v.seen[r.Key] {
			return nil // it was gone before the watch began
		}
		v.seen[r.Key] = true
	}
	return v.f(r)
}
