package carrier

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDeletedStreamIsMadeAgainOnceItsFilesAreGone(t *testing.T) {
	t.Parallel()
	c, _ := openLosing(t)
	folder := filepath.Join(c.server.JetStreamConfig().StoreDir, "$G", "streams", streamWork)
	if _, err := os.Stat(folder); err != nil {
		t.Fatal(err)
	}
	if err := c.Lose(t.Context(), streamWork); err != nil {
		t.Fatal(err)
	}
	// As if the server were still removing them.
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	once, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.Publish(once, roundsJob, 1, 1, nil); err == nil {
		t.Error("a stream was made on what is left of another")
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(t.Context(), roundsJob, 1, 1, nil); err != nil {
		t.Error(err)
	}
	if chunks, err := c.Queued(t.Context(), roundsJob, 1); err != nil || len(chunks) != 1 {
		t.Errorf("chunks %v are queued: %v", chunks, err)
	}
}
