package carrier_test

import (
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/engine/carrier/carriertest"
)

func open(t *testing.T, o carrier.Options) *carrier.Carrier {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	c, err := carrier.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestContract(t *testing.T) {
	carriertest.Run(t, func(t *testing.T, ackWait time.Duration) engine.Carrier {
		return open(t, carrier.Options{AckWait: ackWait})
	})
}
