package carrier

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
)

const (
	// markerTTL is how long a deleted record's marker stays for watchers to see. It is removed with its subject.
	markerTTL = time.Minute
	// expiryTTL is the same for a record of Live that expired; the server allows no less than a second.
	expiryTTL = time.Second
	// workMessages and workBytes bound WORK as a backstop; the dispatcher paces itself by counting.
	workMessages = 1 << 20
	workBytes    = 1 << 30
	// dedupWindow is short, for no message carries an id by which the server would drop repeats.
	dedupWindow = time.Second
)

// bounds divides the bytes that WORK and RES may take. They bound the streams, not the server, since the server's own
// limit would refuse records too, without which nothing can be collected and the disk never gets emptier.
func bounds(maxStore int64) (work, results int64) {
	work = min(workBytes, maxStore/4)
	return work, maxStore - work
}

// makeStreams makes streams and buckets, or brings those that are there to the present settings.
func (c *Carrier) makeStreams(ctx context.Context, o Options) error {
	for _, cfg := range []jetstream.KeyValueConfig{
		{Bucket: string(engine.Jobs), Storage: jetstream.FileStorage, LimitMarkerTTL: markerTTL},
		{Bucket: string(engine.Done), Storage: jetstream.FileStorage, LimitMarkerTTL: markerTTL},
		{Bucket: string(engine.Access), Storage: jetstream.FileStorage, LimitMarkerTTL: markerTTL},
		{Bucket: string(engine.Live), Storage: jetstream.MemoryStorage, LimitMarkerTTL: expiryTTL, TTL: engine.LiveTTL},
	} {
		if err := c.makeBucket(ctx, cfg); err != nil {
			return fmt.Errorf("make bucket %s: %w", cfg.Bucket, err)
		}
	}
	work, results := bounds(o.MaxStore)
	var err error
	c.work, err = c.makeStream(ctx, jetstream.StreamConfig{
		Name: "WORK", Subjects: []string{"work.>"}, Retention: jetstream.WorkQueuePolicy,
		MaxMsgs: workMessages, MaxBytes: work,
	})
	if err != nil {
		return err
	}
	c.results, err = c.makeStream(ctx, jetstream.StreamConfig{
		Name: "RES", Subjects: []string{"res.>"}, Retention: jetstream.LimitsPolicy, MaxBytes: results,
	})
	return err
}

func (c *Carrier) makeBucket(ctx context.Context, cfg jetstream.KeyValueConfig) error {
	cfg.History = 1
	return c.try(ctx, func(ctx context.Context, _ bool) error {
		kv, err := c.js.CreateOrUpdateKeyValue(ctx, cfg)
		if err != nil {
			return err
		}
		s, err := c.js.Stream(ctx, "KV_"+cfg.Bucket)
		if err != nil {
			return err
		}
		c.records[engine.Bucket(cfg.Bucket)] = bucket{kv: kv, stream: s}
		return checkPersistence(s)
	})
}

// makeStream adds what both streams have in common: a subject is stored once, and when it is full, the new is refused.
func (c *Carrier) makeStream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	cfg.Storage = jetstream.FileStorage
	cfg.Discard = jetstream.DiscardNew
	cfg.DiscardNewPerSubject = true
	cfg.MaxMsgsPerSubject = 1
	cfg.AllowDirect = true
	cfg.Duplicates = dedupWindow
	var s jetstream.Stream
	err := c.try(ctx, func(ctx context.Context, _ bool) error {
		var err error
		if s, err = c.js.CreateOrUpdateStream(ctx, cfg); err != nil {
			return err
		}
		return checkPersistence(s)
	})
	if err != nil {
		return nil, fmt.Errorf("make stream %s: %w", cfg.Name, err)
	}
	return s, nil
}

// checkPersistence refuses a stream that writes later than it answers: the server then leaves out syncing without a word.
func checkPersistence(s jetstream.Stream) error {
	cfg := s.CachedInfo().Config
	if cfg.PersistMode != jetstream.DefaultPersistMode {
		return fmt.Errorf("stream %s is persisted asynchronously, which undoes syncing; move the folder away and start anew", cfg.Name)
	}
	return nil
}
