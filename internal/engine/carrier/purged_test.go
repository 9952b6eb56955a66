package carrier

import (
	"errors"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
)

// TestReaderHearsThatWhatWasToComeIsPurged has another purge results while a reader is busy with the first of them: it is
// told that it has caught up all the same.
func TestReaderHearsThatWhatWasToComeIsPurged(t *testing.T) {
	t.Parallel()
	c, err := Open(t.Context(), Options{Dir: t.TempDir()})
	c = closing(t, c, err)
	ctx := t.Context()
	const stored = 3 * resultBatch // more than are on their way at once
	for i := range int64(stored) {
		if err := c.PublishResult(ctx, engine.ResultName{Job: roundsJob, Phase: 1, Chunk: i, Attempt: "w"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	caughtUp := errors.New("caught up")
	given := 0
	err = c.Results(ctx, roundsJob, 0, 10*time.Millisecond, func(r engine.Result) error {
		if r.Name.Job == "" {
			return caughtUp
		}
		if given++; given == 1 {
			return c.PurgeResults(ctx, roundsJob, 0)
		}
		return nil
	})
	if !errors.Is(err, caughtUp) || given == stored {
		t.Errorf("%d of %d given: %v", given, stored, err)
	}
}
