package carrier

import (
	"context"
	"fmt"

	"github.com/drover-batch/drover/internal/job"
)

// Lose deletes streams (WORK, RES, KV_JOBS …) through JetStream's own API, as somebody's hand might; tests drill with it.
func (c *Carrier) Lose(ctx context.Context, streams ...string) error {
	for _, s := range streams {
		if err := c.js.DeleteStream(ctx, s); err != nil {
			return fmt.Errorf("delete stream %s: %w", s, err)
		}
	}
	return nil
}

// LoseQueue deletes the consumer of a job's queue in the same way.
func (c *Carrier) LoseQueue(ctx context.Context, id job.ID) error {
	if err := c.js.DeleteConsumer(ctx, streamWork, consumerName(id)); err != nil {
		return fmt.Errorf("delete the queue of job %s: %w", id, err)
	}
	return nil
}
