package cli

import (
	"log/slog"

	"github.com/drover-batch/drover/internal/object/sockets"
)

// ringVariable set to off has this process do without io_uring, where an administrator does not trust it and cannot forbid it.
const ringVariable = "DROVER_IO_URING"

func settleRings(getenv func(string) string) {
	if getenv(ringVariable) == "off" {
		sockets.WithoutRings()
	}
}

// tellRings says in a server's log when calls to stores cost more than they might.
func tellRings(log *slog.Logger) {
	if err := sockets.RingError(); err != nil {
		log.Info("io_uring is not to be had: sends and receives go to the kernel one by one, and calls to stores cost more CPU", "why", err)
	}
}
