package carrier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
)

const (
	streamWork    = "WORK"
	streamResults = "RES"

	// markerTTL is how long the marker of a deleted or expired record stays for watchers to see. It is removed with its
	// subject.
	markerTTL = time.Minute
	// workMessages and workBytes bound WORK as a backstop; the dispatcher paces itself by counting.
	workMessages = 1 << 20
	workBytes    = 1 << 30
	// SmallResults is the most of Options.MaxResults with which the server writes small blocks.
	SmallResults = 31 << 20
	// dedupWindow is short, for on a single node no message carries an id by which the server would drop repeats.
	dedupWindow = time.Second
	// sharedDedupWindow outlasts a request that lay in a stopped node while it was made again elsewhere.
	sharedDedupWindow = time.Minute
)

var buckets = []engine.Bucket{engine.Jobs, engine.Done, engine.Access, engine.Live}

func bucketStream(b engine.Bucket) string { return "KV_" + string(b) }

// bounds divides the bytes that WORK and RES may take. They bound the streams, not the server, since the server's own
// limit would refuse records too, without which nothing can be collected and the disk never gets emptier.
func bounds(maxStore int64) (work, results int64) {
	work = min(workBytes, maxStore/4)
	return work, maxStore - work
}

// streamConfigs are the settings of all streams. Those of a bucket are what JetStream's own key-value stores have (NATS
// ADR-8).
func (c *Carrier) streamConfigs(maxStore int64) []jetstream.StreamConfig {
	var all []jetstream.StreamConfig
	for _, b := range buckets {
		cfg := jetstream.StreamConfig{
			Name: bucketStream(b), Subjects: []string{recordSubject(b, ">")}, Storage: jetstream.FileStorage,
			MaxMsgsPerSubject: 1, AllowRollup: true, DenyDelete: true, Duplicates: 2 * time.Minute, AllowDirect: true,
			Discard: jetstream.DiscardNew, AllowMsgTTL: true, SubjectDeleteMarkerTTL: markerTTL,
			MaxBytes: -1, MaxMsgSize: -1, MaxMsgs: -1, MaxConsumers: -1,
		}
		if b == engine.Live {
			cfg.Storage, cfg.MaxAge, cfg.Duplicates = jetstream.MemoryStorage, engine.LiveTTL, engine.LiveTTL
		}
		all = append(all, cfg)
	}
	work, results := bounds(maxStore)
	for _, cfg := range []jetstream.StreamConfig{
		{Name: streamWork, Subjects: []string{"work.>"}, Retention: jetstream.WorkQueuePolicy, MaxMsgs: workMessages, MaxBytes: work},
		{Name: streamResults, Subjects: []string{"res.>"}, Retention: jetstream.LimitsPolicy, MaxBytes: results},
	} {
		// A subject is stored once, and when the stream is full, the new is refused.
		cfg.Storage, cfg.Discard, cfg.DiscardNewPerSubject, cfg.MaxMsgsPerSubject = jetstream.FileStorage, jetstream.DiscardNew, true, 1
		cfg.AllowDirect, cfg.Duplicates = true, dedupWindow
		all = append(all, cfg)
	}
	// A stream that was lost and made again goes on above all revisions and sequences that were ever told.
	above := uint64(time.Now().UnixMicro())
	for i := range all {
		all[i].Replicas = c.replicas
		if !c.shared {
			if all[i].Name == streamResults {
				all[i].FirstSeq = above
			}
			continue
		}
		// Any replica answers a direct read, also one that lags behind: reads go to the leader.
		all[i].AllowDirect = false
		if all[i].MaxAge == 0 {
			all[i].Duplicates = sharedDedupWindow
		}
		all[i].FirstSeq = above
	}
	return all
}

// makeStreams makes streams and buckets. On a single node those that are there are brought to the present settings; in a
// cluster they belong to all nodes, and only the bound is changed, by a node that is told to.
func (c *Carrier) makeStreams(ctx context.Context, o Options) error {
	maxStore := o.MaxStore
	if maxStore == 0 {
		var err error
		if maxStore, err = halfOfDisk(o.Dir); err != nil {
			return err
		}
	}
	for _, cfg := range c.streamConfigs(maxStore) {
		if cfg.Name == streamResults && o.MaxResults > 0 {
			cfg.MaxBytes = min(cfg.MaxBytes, o.MaxResults)
		}
		if err := c.patiently(ctx, "stream "+cfg.Name, func(ctx context.Context) error {
			s, err := c.makeStream(ctx, cfg, o.MaxStore != 0)
			if err != nil {
				return err
			}
			return c.use(s)
		}); err != nil {
			return fmt.Errorf("make stream %s: %w", cfg.Name, err)
		}
	}
	c.guard.maker, c.guard.maxStore = true, maxStore
	return nil
}

func (c *Carrier) makeStream(ctx context.Context, cfg jetstream.StreamConfig, bounded bool) (jetstream.Stream, error) {
	if !c.shared {
		if s, err := c.js.Stream(ctx, cfg.Name); err == nil {
			cfg.FirstSeq = s.CachedInfo().Config.FirstSeq // it cannot be changed
		}
		return c.js.CreateOrUpdateStream(ctx, cfg)
	}
	s, err := c.js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = c.js.CreateStream(ctx, cfg)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil, errAgain // another node was first
		}
	}
	if err != nil {
		return nil, err
	}
	had := s.CachedInfo().Config
	if had.Replicas != cfg.Replicas {
		return nil, fmt.Errorf("it has %d replicas, but %d are configured; replicas cannot be changed while jobs are carried", had.Replicas, cfg.Replicas)
	}
	if bounded && had.MaxBytes != cfg.MaxBytes {
		had.MaxBytes = cfg.MaxBytes
		return c.js.UpdateStream(ctx, had)
	}
	return s, nil
}

// findStreams takes the streams that another process makes.
func (c *Carrier) findStreams(ctx context.Context) error {
	for _, cfg := range c.streamConfigs(0) {
		if err := c.patiently(ctx, "stream "+cfg.Name, func(ctx context.Context) error {
			s, err := c.js.Stream(ctx, cfg.Name)
			if errors.Is(err, jetstream.ErrStreamNotFound) {
				return fmt.Errorf("%w: %w", errAgain, err)
			}
			if err != nil {
				return err
			}
			return c.use(s)
		}); err != nil {
			return fmt.Errorf("find stream %s: %w", cfg.Name, err)
		}
	}
	return nil
}

// use takes a stream, unless it writes later than it answers: the server then leaves out syncing without a word.
func (c *Carrier) use(s jetstream.Stream) error {
	cfg := s.CachedInfo().Config
	if cfg.PersistMode != jetstream.DefaultPersistMode {
		return fmt.Errorf("stream %s is persisted asynchronously, which undoes syncing; move the folder away and start anew", cfg.Name)
	}
	if c.shared && cfg.AllowDirect {
		return fmt.Errorf("stream %s allows direct reads, which may be answered with what is out of date; it was not made by drover", cfg.Name)
	}
	c.guard.created[cfg.Name] = s.CachedInfo().Created
	switch cfg.Name {
	case streamWork:
		c.work = s
	case streamResults:
		c.results = s
	default:
		for _, b := range buckets {
			if bucketStream(b) == cfg.Name {
				c.records[b] = s
			}
		}
	}
	return nil
}
