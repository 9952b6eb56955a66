package carrier

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	healEvery = time.Second
	// healRoom is how much of the disk must be free for a store that was full to be opened again, in bytes: less would be
	// full again at once.
	healRoom = 16 << 20
	// noSpace is what the server's log says of a full disk; it tells by nothing else.
	noSpace = "no space left on device"
)

// healer opens a single node's store again after its disk was full. The server refuses every write to a stream once one
// has failed (nats-server 2.15 setWriteErr), for as long as it has the stream open, also when there is room again.
// Until then writes go unanswered, and whoever made them waits.
type healer struct {
	full chan struct{} // a write failed for want of room
	stop context.CancelFunc
	done chan struct{}
}

// said takes a line of the server's log.
func (h *healer) said(line string) {
	if h != nil && strings.Contains(line, noSpace) {
		select {
		case h.full <- struct{}{}:
		default:
		}
	}
}

// healing starts the healer of a single node.
func (c *Carrier) healing(o Options) {
	ctx, stop := context.WithCancel(context.Background())
	c.heal.stop, c.heal.done = stop, make(chan struct{})
	go func() {
		defer close(c.heal.done)
		for {
			select {
			case <-c.heal.full:
			case <-ctx.Done():
				return
			}
			c.log.Error("carrier: the disk is full: jobs wait until there is room", "folder", o.Dir, "needed", healRoom)
			for c.healed(ctx, o) != nil {
				if c.sleep(ctx, healEvery) != nil {
					return
				}
			}
			c.log.Warn("carrier: the disk has room again, and the store is open", "folder", o.Dir)
		}
	}()
}

var errNoRoom = errors.New("there is no room yet")

// healed opens the store again if there is room.
func (c *Carrier) healed(ctx context.Context, o Options) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(o.Dir, &st); err != nil {
		return err
	}
	if int64(st.Bavail)*int64(st.Bsize) < healRoom {
		return errNoRoom
	}
	select {
	case <-c.heal.full: // said while it was full
	default:
	}
	err := c.reopen(ctx, o)
	if err != nil && ctx.Err() == nil {
		c.log.Error("carrier: open the store again", "err", err)
	}
	return err
}

// reopen closes the store and opens it. What was in memory is lost by that, the queues among it, and made again.
func (c *Carrier) reopen(ctx context.Context, o Options) error {
	c.guard.looking.Lock() // a stream that is not open yet is not missing
	defer c.guard.looking.Unlock()
	cfg := c.server.JetStreamConfig()
	if cfg == nil {
		return errNoRoom
	}
	cfg.StoreDir = filepath.Join(o.Dir, natsName)
	if err := c.server.ShutdownJetStream(); err != nil {
		return err
	}
	if err := c.server.EnableJetStream(cfg); err != nil {
		return err
	}
	return c.lookAtAll(ctx)
}
