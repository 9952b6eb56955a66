package carrier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

const (
	maxPayload  = 8 << 20   // of one message
	maxPending  = 256 << 20 // of what a connection has not taken yet: it is dropped beyond that, and readers take 16 hand-ins at once
	startLimit  = 30 * time.Second
	flushLimit  = 2 * time.Second
	serverStore = 1 << 50 // no bound by the server: see bounds
)

// Options are the settings of a Carrier. Only Dir is required.
type Options struct {
	// Dir is the folder that holds everything. It is made if missing. Keep it on a local disk, never on NFS.
	Dir string
	// Sync makes every stored message be on disk before its call returns. Without it the end of the machine (not of
	// the process) loses up to two minutes; jobs end right all the same, by running those rows again.
	Sync bool
	// MaxStore bounds the bytes of WORK and RES together; 0 is half of the free disk. Records are not bounded, so that
	// a full queue cannot keep a checkpoint from being written.
	MaxStore int64
	// MaxResults bounds the bytes of RES further; 0 does not. Below 32 MiB the server writes blocks of 4 MiB in place of 8, each of
	// which stands in memory while it is written: SmallResults is as much as that allows.
	MaxResults int64
	// Logger takes the server's warnings and errors; nil drops them.
	Logger *slog.Logger
	// AckWait is how long a claimed chunk stays with its holder without being extended; 0 is 15 s. It must be the same in
	// all processes of a cluster.
	AckWait time.Duration
	// Cluster makes this node one of a cluster; nil is a single node. A folder is one or the other for good.
	Cluster *Cluster

	markerTTL time.Duration // tests shorten it; 0 is a minute
}

// Carrier is an engine.Carrier. It is safe for concurrent use.
type Carrier struct {
	log       *slog.Logger
	ackWait   time.Duration
	markerTTL time.Duration
	shared    bool // other processes use the same streams
	replicas  int
	lock      *os.File  // nil when dialled
	server    *embedded // nil when dialled
	conn      *nats.Conn
	js        jetstream.JetStream
	records   map[engine.Bucket]jetstream.Stream
	work      jetstream.Stream
	results   jetstream.Stream

	opening sync.Mutex // one Open or Shut at a time
	mu      sync.RWMutex
	queues  map[job.ID]*queue // the open ones, of a single node

	denied atomic.Pointer[denial]

	heal  *healer // nil when dialled
	guard *guard

	closing sync.Once
	closed  chan struct{}
}

var _ engine.Carrier = (*Carrier)(nil)

// errClosed ends waiting calls.
var errClosed = errors.New("carrier is closed")

// newCarrier makes a Carrier without a connection.
func newCarrier(log *slog.Logger, ackWait time.Duration, replicas int) *Carrier {
	if ackWait == 0 {
		ackWait = 15 * time.Second
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Carrier{
		log: log, ackWait: ackWait, markerTTL: markerTTL, replicas: replicas, records: make(map[engine.Bucket]jetstream.Stream),
		queues: make(map[job.ID]*queue), closed: make(chan struct{}), guard: newGuard(),
	}
}

// Open locks the folder, starts the server on it and makes what is missing. It fails with job.Unavailable and a sentence
// for the user when another process holds the folder, and with job.InvalidRequest when the folder belongs to another kind
// of carrier or the cluster's settings are not safe. A node of a cluster waits, until ctx ends, for so many of the others
// that they can agree. Close it.
func Open(ctx context.Context, o Options) (*Carrier, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	replicas := 1
	if o.Cluster != nil {
		replicas = clusterReplicas
	}
	c := newCarrier(o.Logger, o.AckWait, replicas)
	c.shared = o.Cluster != nil
	c.heal = &healer{failed: make(chan struct{}, 1)}
	if o.markerTTL != 0 {
		c.markerTTL = o.markerTTL
	}
	var err error
	if c.lock, err = lockFolder(o.Dir); err != nil {
		return nil, err
	}
	if err = c.start(ctx, o); err != nil {
		if job.MessageOf(err) == "" {
			err = fmt.Errorf("open carrier in %q: %w", o.Dir, err)
		}
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Check refuses what Open would refuse without looking at folder or network.
func (o Options) Check() error {
	if o.Dir == "" {
		return errors.New("open carrier: no folder given")
	}
	if o.Cluster != nil {
		return o.Cluster.check()
	}
	return nil
}

func (c *Carrier) start(ctx context.Context, o Options) error {
	if err := markFolder(o.Dir, o.Cluster); err != nil {
		return err
	}
	so := serverOptions(o)
	var self *server.User
	if o.Cluster != nil {
		var err error
		if self, err = o.Cluster.apply(so); err != nil {
			return err
		}
	}
	c.server = &embedded{options: so, log: &serverLog{to: c.log, heal: c.heal}}
	if err := c.server.start(); err != nil {
		return err
	}
	if err := c.connectInProcess(self); err != nil {
		return err
	}
	if err := c.makeStreams(ctx, o); err != nil {
		return err
	}
	c.healing(o)
	c.guarding()
	return nil
}

// connectInProcess connects to the own server through memory, as the given user if the server knows any.
func (c *Carrier) connectInProcess(self *server.User) error {
	opts := []nats.Option{
		nats.InProcessServer(c.server), nats.Name("drover"), nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond),
	}
	if self != nil {
		opts = append(opts, nats.UserInfo(self.Username, self.Password))
	}
	return c.connect("", opts)
}

func (c *Carrier) connect(urls string, opts []nats.Option) error {
	if c.shared {
		// What cannot be sent now is not sent later, when the call that wanted it has ended or sent it again.
		opts = append(opts, nats.ReconnectBufSize(-1), nats.ErrorHandler(c.asyncError),
			nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
				if err != nil {
					c.log.Warn("carrier: connection lost", "err", err)
				}
			}),
			nats.ReconnectHandler(func(conn *nats.Conn) {
				c.log.Info("carrier: connected again", "node", conn.ConnectedServerName())
			}))
	}
	var err error
	if c.conn, err = nats.Connect(urls, opts...); err != nil {
		return fmt.Errorf("connect to the server: %w", err)
	}
	if c.js, err = jetstream.New(c.conn, jetstream.WithDefaultTimeout(requestLimit)); err != nil {
		return fmt.Errorf("connect to JetStream: %w", err)
	}
	return nil
}

// Close ends all waiting calls, shuts the server down, waits for it and frees the folder. Further calls do nothing. A node
// of a cluster hands what it leads to the others first.
func (c *Carrier) Close() error {
	var err error
	c.closing.Do(func() {
		close(c.closed)
		c.guard.ended.Wait()
		if c.heal != nil && c.heal.stop != nil {
			c.heal.stop()
			<-c.heal.done
		}
		if c.conn != nil {
			// Naks and the like that were sent without waiting still get through.
			_ = c.conn.FlushTimeout(flushLimit)
			c.conn.Close()
		}
		if c.server != nil {
			c.server.stop()
		}
		if c.lock != nil {
			err = c.lock.Close()
		}
	})
	return err
}
