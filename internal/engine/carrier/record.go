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

// stored is a key's last message: a value or a marker.
type stored struct {
	record engine.Record
	write  string // headerWrite
}

func (c *Carrier) bucket(b engine.Bucket, key string) (jetstream.Stream, error) {
	s, ok := c.records[b]
	if !ok {
		return nil, fmt.Errorf("no bucket %q", b)
	}
	return s, checkKey(key)
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
		m, err = bk.GetLastMsgForSubject(ctx, recordSubject(b, key))
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
			Deleted: isMarker(m.Header),
		},
		write: m.Header.Get(headerWrite),
	}, nil
}

func isMarker(h nats.Header) bool { return h.Get(headerOperation) != "" || h.Get(headerReason) != "" }

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
		m := c.message(recordSubject(b, key), v, name)
		m.Header.Set(headerWrite, name)
		ack, err := c.js.PublishMsg(once, m, opts...)
		if err == nil {
			rev = ack.Sequence
			return nil
		}
		if refusedBy(err) != refusedOthers {
			return err
		}
		if !again && !c.shared {
			return engine.ErrConflict
		}
		s, err := c.last(ctx, b, key)
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
		if err == nil && s.write == name {
			rev = s.record.Rev
			return nil
		}
		if c.shared && s.record.Rev <= *expected && (err == nil || *expected == 0) {
			return errAgain // nothing newer is stored: the refusal was a former leader's, or for what was not agreed on
		}
		return engine.ErrConflict
	})
	return rev, err
}

// Delete implements engine.Records. It replaces the record by a marker, so that watchers learn of it; the server removes
// the marker after markerTTL, and nothing is left.
func (c *Carrier) Delete(ctx context.Context, b engine.Bucket, key string) error {
	name := rand.Text()
	err := c.try(ctx, func(once context.Context, _ bool) error {
		s, err := c.last(ctx, b, key)
		if errors.Is(err, engine.ErrNotFound) || err == nil && s.record.Deleted {
			return nil
		}
		if err != nil {
			return err
		}
		m := c.message(recordSubject(b, key), nil, name)
		m.Header.Set(headerOperation, "PURGE")
		m.Header.Set(headerRollup, "sub")
		m.Header.Set(jetstream.MsgTTLHeader, c.markerTTL.String())
		_, err = c.js.PublishMsg(once, m, jetstream.WithRetryAttempts(0))
		return err
	})
	if err != nil {
		return fmt.Errorf("delete record %s %s: %w", b, key, err)
	}
	return nil
}
