package carrier

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/drover-batch/drover/internal/job"
)

const (
	dialTimeout = 2 * time.Second
	tlsTimeout  = 5 * time.Second
	// clientPing, missed twice, finds a node that is stopped or cut off.
	clientPing    = 2 * time.Second
	reconnectWait = 250 * time.Millisecond
)

// DialOptions are the settings of a Carrier without a server of its own. Only URLs is required.
type DialOptions struct {
	// URLs are the servers' client addresses, nats://host:port or host:port. Name all nodes of a cluster.
	URLs []string
	// TLS secures the connection; nil is none, and is allowed to loopback addresses only.
	TLS *tls.Config
	// NKey is a file with an nkey's seed, Credentials one with a JWT and its seed as NATS makes them; User and Password
	// are the third way. One of the three is needed unless all URLs are loopback addresses.
	NKey           string
	Credentials    string
	User, Password string
	// Inbox is the prefix of the subjects that answers come to; "" is "_INBOX_" and the user's name or public nkey, which
	// the servers of Options.Cluster allow, and "_INBOX" with Credentials.
	Inbox string
	// Replicas is given by the process that makes the streams on an outside server: 1, 3 or 5. With 0, for workers and
	// all who join a cluster of Options.Cluster, they must be there, and Dial waits for them until ctx ends.
	Replicas int
	// MaxStore bounds the bytes of WORK and RES together where Replicas is given. It is required then.
	MaxStore int64
	Logger   *slog.Logger  // nil drops everything
	AckWait  time.Duration // as in Options; the same in all processes
}

// Dial connects to a cluster, or to a NATS server that was set up for drover (JetStream, a max_payload of 8 MiB, sync
// always). It fails with job.InvalidRequest when the connection would not be safe. It waits, until ctx ends, for a server
// that can be reached and for the streams. Close it.
func Dial(ctx context.Context, o DialOptions) (*Carrier, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	c := newCarrier(o.Logger, o.AckWait, o.Replicas)
	c.shared = true
	if err := c.dial(ctx, o); err != nil {
		if job.MessageOf(err) == "" {
			err = fmt.Errorf("dial carrier at %s: %w", strings.Join(o.URLs, ", "), err)
		}
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Check refuses what Dial would refuse without looking at files or network.
func (o DialOptions) Check() error {
	if len(o.URLs) == 0 {
		return job.Errorf(job.InvalidRequest, "engine.url: no address is given. Name the client addresses of all nodes, as tls://a.example.net:4222,tls://b.example.net:4222.")
	}
	for _, a := range o.URLs {
		host := a
		if strings.Contains(a, "://") {
			u, err := url.Parse(a)
			if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.User != nil {
				return job.Errorf(job.InvalidRequest, "engine.url: an address must be nats://host:port or tls://host:port without user or password.")
			}
			host = u.Host
		}
		local, err := isLoopback(host)
		if err != nil {
			return err
		}
		if !local && (o.TLS == nil || o.NKey == "" && o.Credentials == "" && o.User == "") {
			return job.Errorf(job.InvalidRequest,
				"engine.url: %q is not a loopback address: TLS, and an nkey, a credential file or a user with a password are needed.", a)
		}
	}
	if o.Replicas != 0 && o.MaxStore <= 0 {
		return job.Errorf(job.InvalidRequest, "engine.url: a bound in bytes for the streams is needed where they are made.")
	}
	return nil
}

func (c *Carrier) dial(ctx context.Context, o DialOptions) error {
	opts, err := o.natsOptions()
	if err != nil {
		return err
	}
	err = c.patiently(ctx, "a server that can be reached", func(context.Context) error {
		err := c.connect(strings.Join(o.URLs, ","), opts)
		if errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) {
			return fmt.Errorf("%w: %w", errAgain, err)
		}
		return err
	})
	if err != nil {
		return err
	}
	if got := c.conn.MaxPayload(); got < maxPayload {
		return &job.Error{Code: job.InvalidRequest, Message: fmt.Sprintf(
			"The NATS server takes messages of %d bytes at most; set its max_payload to %d.", got, maxPayload)}
	}
	if o.Replicas == 0 {
		err = c.findStreams(ctx)
	} else {
		err = c.makeStreams(ctx, Options{MaxStore: o.MaxStore})
	}
	if err == nil {
		c.guarding()
	}
	return err
}

func (o *DialOptions) natsOptions() ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name("drover"), nats.Timeout(dialTimeout), nats.PingInterval(clientPing), nats.MaxPingsOutstanding(2),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.IgnoreAuthErrorAbort(),
	}
	if o.TLS != nil {
		opts = append(opts, nats.Secure(o.TLS.Clone()))
	}
	inbox := o.Inbox
	switch {
	case o.NKey != "":
		opt, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, &job.Error{
				Code: job.InvalidRequest, Message: fmt.Sprintf("engine.url: the file %q holds no user's nkey seed.", o.NKey), Err: err,
			}
		}
		var with nats.Options
		if err := opt(&with); err != nil {
			return nil, err
		}
		opts = append(opts, opt)
		if inbox == "" {
			inbox = inboxOf(with.Nkey)
		}
	case o.Credentials != "":
		opts = append(opts, nats.UserCredentials(o.Credentials))
	case o.User != "":
		opts = append(opts, nats.UserInfo(o.User, o.Password))
		if inbox == "" {
			inbox = inboxOf(o.User)
		}
	}
	if inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(inbox))
	}
	return opts, nil
}
