package e2e

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestStreamsDeletedByHand runs a job of two servers and two workers on a NATS server, and deletes streams under it with a
// plain client: first what is in flight, then all there is. The job ends right, and the call log shows no more repeats than
// what was in flight or not collected.
func TestStreamsDeletedByHand(t *testing.T) {
	t.Parallel()
	url := carrierOutside(t)
	c := &cluster{t: t, dir: t.TempDir(), store: newSecretServer(t)}
	t.Cleanup(c.close)
	for i := range 2 {
		name := fmt.Sprintf("s%d", i+1)
		c.nodes = append(c.nodes, c.process(name, "serve", fmt.Sprintf(
			"engine: {dir: %s, url: %s, replicas: 1, max_store: 1GiB}\nlisten: {addr: '127.0.0.1:0'}\nworker: off\n", name, url)))
		name = fmt.Sprintf("w%d", i+1)
		c.workers = append(c.workers, c.process(name, "worker", fmt.Sprintf(
			"engine: {dir: %s, url: %s}\nworker: {concurrency: 16, drain: 5s}\n", name, url), "limits: {rate: 400, burst: 1}"))
	}
	c.startAll()
	hand, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hand.Close)
	js, err := jetstream.New(hand)
	if err != nil {
		t.Fatal(err)
	}
	remove := func(streams ...string) {
		t.Helper()
		for _, name := range streams {
			if err := js.DeleteStream(t.Context(), name); err != nil {
				t.Errorf("delete stream %s: %v", name, err)
			}
		}
	}
	const rows = 8000
	j := c.copyJob(rows)
	j.part(20)
	remove("WORK", "RES")
	j.part(50)
	remove("WORK", "RES", "KV_LIVE", "KV_JOBS", "KV_DONE", "KV_ACCESS")
	j.endsWhole("streams deleted twice")
	// Twice two workers' rows at most, and what they had handed in within a second or two.
	if n := j.repeats(); n > 2*2*(2*16+2*400) {
		t.Errorf("%d calls were repeated", n)
	}
}
