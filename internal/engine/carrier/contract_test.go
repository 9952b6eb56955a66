//go:build cluster

package carrier

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier/carriertest"
)

func TestClusterContract(t *testing.T) {
	t.Parallel()
	all := plan(t)
	begun := time.Now()
	nodes := openAll(t, all)
	t.Logf("the cluster was formed after %v", time.Since(begun))
	t.Run("node", func(t *testing.T) {
		carriertest.RunShared(t, func(t *testing.T, ackWait time.Duration) engine.Carrier {
			return empty(t, beside(t, nodes[1], ackWait))
		})
	})
	t.Run("client", func(t *testing.T) {
		carriertest.RunShared(t, func(t *testing.T, ackWait time.Duration) engine.Carrier {
			return empty(t, dial(t, DialOptions{URLs: urls(all), AckWait: ackWait}))
		})
	})
}

// beside gives a further carrier on a node's server, with an AckWait of its own.
func beside(t *testing.T, node *Carrier, ackWait time.Duration) *Carrier {
	t.Helper()
	c := newCarrier(nil, ackWait, clusterReplicas)
	c.shared, c.server = true, node.server
	err := c.connectInProcess(nil)
	c.server = nil // is not its own
	if err == nil {
		err = c.findStreams(t.Context())
	}
	return closing(t, c, err)
}

// empty removes all that a carrier holds, but not its streams.
func empty(t *testing.T, c *Carrier) *Carrier {
	t.Helper()
	ctx := t.Context()
	names := c.work.ConsumerNames(ctx)
	for name := range names.Name() {
		if err := c.work.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			t.Fatal(err)
		}
	}
	all := []jetstream.Stream{c.work, c.results}
	for _, s := range c.records {
		all = append(all, s)
	}
	for _, s := range all {
		if err := s.Purge(ctx); err != nil {
			t.Fatal(err)
		}
	}
	whole(t, c, 0) // no replica shall give what is gone
	return c
}
