package carrier

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

const (
	healEvery = time.Second
	// healRoom is how much of the disk must be free for a server to be started on it again, in bytes: less would be full
	// again at once.
	healRoom = 16 << 20
	// healedFor is how long a server must have run without a failed write for the next one to be cured at once.
	healedFor    = 10 * time.Minute
	healPauseMax = time.Minute
)

// writeFailed is what the server's log says, in lower case, when it will not write any more: it tells by nothing else.
// The cause may be missing from it: a stream whose disk was full says that a sequence is not the expected one.
var writeFailed = []string{"no space left on device", "critical write error", "resources, will be disabled"}

// healer starts the server anew when it will not write any more. The server refuses every write to a stream, or replica,
// once one has failed (nats-server 2.15 setWriteErr), and may drop all of a node's streams (handleOutOfSpace), for as long
// as it runs, also when the disk has room again. Until then a single node's writes go unanswered, and whoever made them
// waits; in a cluster the other nodes go on while two of three have room.
type healer struct {
	failed chan struct{} // a write has failed
	stop   context.CancelFunc
	done   chan struct{}
}

// said takes a line of the server's log.
func (h *healer) said(line string) {
	line = strings.ToLower(line)
	if slices.ContainsFunc(writeFailed, func(s string) bool { return strings.Contains(line, s) }) {
		select {
		case h.failed <- struct{}{}:
		default:
		}
	}
}

// healing starts the healer.
func (c *Carrier) healing(o Options) {
	ctx, stop := context.WithCancel(context.Background())
	c.heal.stop, c.heal.done = stop, make(chan struct{})
	go func() {
		defer close(c.heal.done)
		var healed time.Time
		var pause time.Duration
		for {
			select {
			case <-c.heal.failed:
			case <-ctx.Done():
				return
			}
			// What comes back at once is not cured by room: it is tried more and more seldom.
			if pause = min(healEvery+2*pause, healPauseMax); time.Since(healed) > healedFor {
				pause = 0
			}
			if c.sleep(ctx, pause) != nil {
				return
			}
			c.log.Error("carrier: a write to the disk failed: work here waits until there is room, then the server is started anew",
				"folder", o.Dir, "needed", healRoom)
			for c.healed(ctx, o) != nil {
				if c.sleep(ctx, healEvery) != nil {
					return
				}
			}
			healed = time.Now()
			c.log.Warn("carrier: the disk has room, and the server was started anew", "folder", o.Dir)
		}
	}()
}

var errNoRoom = errors.New("there is no room yet")

// healed starts the server anew if there is room.
func (c *Carrier) healed(ctx context.Context, o Options) error {
	free, _, err := DiskOf(o.Dir)
	if err != nil {
		return err
	}
	if free < healRoom {
		return errNoRoom
	}
	c.guard.looking.Lock() // a stream that is not open yet is not missing
	defer c.guard.looking.Unlock()
	c.server.stop()
	select {
	case <-c.heal.failed: // said until it stopped
	default:
	}
	err = c.server.start()
	if err == nil && !c.shared { // what was in memory is lost, the queues among it, and made again
		err = c.lookAtAll(ctx)
	}
	if err != nil && ctx.Err() == nil {
		c.log.Error("carrier: start the server anew", "err", err)
	}
	return err
}
