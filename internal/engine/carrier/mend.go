package carrier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	mendLimit = 10 * time.Second
	// mendEvery bounds how often a process of a cluster looks for missing streams: one without a leader looks the same to
	// who asks it.
	mendEvery = time.Second
	// outsideGrace is how long an outside server is given to remove a deleted stream's files, which cannot be seen.
	outsideGrace = time.Second
	removedStep  = 5 * time.Millisecond
)

// isLost reports whether an error can mean that a stream is not there.
func isLost(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)
}

// mend makes streams again that were deleted while the process runs, and reports whether all are there now. What they held
// is gone: readers begin anew, and the engine finds what is missing. Several processes may do so at once.
func (c *Carrier) mend(ctx context.Context) bool {
	if !c.maker {
		return false // the nodes do it
	}
	ctx, cancel := context.WithTimeout(ctx, mendLimit)
	defer cancel()
	c.mending.Lock()
	defer c.mending.Unlock()
	if c.shared && time.Since(c.mended) < mendEvery {
		return false
	}
	made, err := c.remakeStreams(ctx)
	c.mended = time.Now()
	for _, name := range made {
		c.log.Error("carrier: a stream was gone and is made anew; what it held is lost", "stream", name)
	}
	if err != nil {
		c.log.Warn("carrier: look for missing streams", "err", err)
	}
	return err == nil
}

// remakeStreams makes the streams that are missing and names them; those that are there keep their settings. c.mending is
// held.
func (c *Carrier) remakeStreams(ctx context.Context) (made []string, err error) {
	for _, cfg := range c.streamConfigs(c.maxStore) {
		_, err := c.js.Stream(ctx, cfg.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			if err := c.removed(ctx, cfg.Name); err != nil {
				return made, fmt.Errorf("stream %s: %w", cfg.Name, err)
			}
			cfg.FirstSeq = uint64(time.Now().UnixMicro()) // above all that was ever told
			_, err = c.js.CreateStream(ctx, cfg)
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
				continue // another process was first
			}
			made = append(made, cfg.Name)
			c.made.Add(1)
		}
		if err != nil {
			return made, fmt.Errorf("stream %s: %w", cfg.Name, err)
		}
	}
	return made, nil
}

// removed waits until a stream that was deleted is off the disk. A single server forgets a stream first and removes its
// files then (nats-server 2.15 stream.stop); a stream made in between would take up what is left of them, of which the
// server may even crash. A cluster's nodes do one after the other.
func (c *Carrier) removed(ctx context.Context, stream string) error {
	switch {
	case c.server == nil:
		return c.sleep(ctx, outsideGrace)
	case c.shared:
		return nil
	}
	cfg := c.server.JetStreamConfig()
	if cfg == nil {
		return jetstream.ErrJetStreamNotEnabled
	}
	folder := filepath.Join(cfg.StoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", stream)
	for {
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := c.sleep(ctx, removedStep); err != nil {
			return fmt.Errorf("wait until its folder %s is removed: %w", folder, err)
		}
	}
}
