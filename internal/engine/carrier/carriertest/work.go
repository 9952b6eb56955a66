package carriertest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/engine"
)

var workTests = []test{
	{name: "chunks are claimed oldest first, with what was published", run: func(t *testing.T, e env) {
		e.open(jobA)
		e.ok(e.Publish(e.ctx, jobA, 2, 7, []byte("first")))
		e.publish(jobA, 30, 1, 20)
		l := e.claim(jobA)
		if l.Phase() != 2 || l.Chunk() != 7 || string(l.Data()) != "first" || l.Attempt() != 1 {
			t.Errorf("phase %d, chunk %d, data %q, attempt %d", l.Phase(), l.Chunk(), l.Data(), l.Attempt())
		}
		var got []int64
		for range 3 {
			got = append(got, e.claim(jobA).Chunk())
		}
		if diff := cmp.Diff([]int64{30, 1, 20}, got); diff != "" {
			t.Error(diff)
		}
		e.noClaim(jobA)
	}},
	{name: "jobs have queues of their own", run: func(t *testing.T, e env) {
		e.open(jobA)
		e.open(jobB)
		e.publish(jobA, 1)
		e.noClaim(jobB)
		e.publish(jobB, 1)
		e.ok(e.Purge(e.ctx, jobA))
		e.noClaim(jobA)
		e.claim(jobB)
	}},
	{name: "a queue is open from Open on, whenever its chunks came", run: func(t *testing.T, e env) {
		e.noClaim(jobA)
		e.publish(jobA, 1)
		e.noClaim(jobA)
		e.state(jobA, 1, 0)
		e.open(jobA)
		e.claim(jobA)
	}},
	{name: "a waiting claim gets what comes", run: func(t *testing.T, e env) {
		e.open(jobA)
		var wg sync.WaitGroup
		wg.Go(func() { e.await(jobA) })
		e.publish(jobA, 1)
		wg.Wait()
	}},
	{name: "a waiting claim ends with its wait and with its context", run: func(t *testing.T, e env) {
		e.open(jobA)
		l, err := e.Claim(e.ctx, jobA, 10*time.Millisecond)
		if l != nil || err != nil {
			t.Errorf("claim = %v, %v, want none", l, err)
		}
		ctx, cancel := context.WithTimeout(e.ctx, 10*time.Millisecond)
		defer cancel()
		_, err = e.Claim(ctx, jobA, patience)
		e.is(err, context.DeadlineExceeded)
		e.publish(jobA, 1)
		e.claim(jobA) // neither of the two has it
	}},
	{name: "a chunk is queued once while it waits or runs", run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1)
		e.is(e.Publish(e.ctx, jobA, 1, 1, nil), engine.ErrQueued)
		e.ok(e.Publish(e.ctx, jobA, 2, 1, nil)) // another phase's
		l := e.claim(jobA)
		e.is(e.Publish(e.ctx, jobA, 1, 1, nil), engine.ErrQueued)
		e.ok(l.Ack(e.ctx))
		e.publish(jobA, 1)
	}},
	{name: "state counts what waits and what runs", run: func(t *testing.T, e env) {
		e.state(jobA, 0, 0)
		e.open(jobA)
		e.publish(jobA, 1, 2, 3)
		e.state(jobA, 3, 0)
		l := e.claim(jobA)
		e.claim(jobA)
		e.state(jobA, 1, 2)
		e.ok(l.Ack(e.ctx))
		e.state(jobA, 1, 1)
		e.ok(e.Shut(e.ctx, jobA))
		e.state(jobA, 2, 0)
	}},
	{name: "state tells whether the queue is open", run: func(t *testing.T, e env) {
		e.shut(jobA, true)
		e.publish(jobA, 1)
		e.shut(jobA, true)
		for range 2 {
			e.open(jobA)
			e.shut(jobA, false)
			e.ok(e.Shut(e.ctx, jobA))
			e.shut(jobA, true)
		}
	}},
	{name: "queued lists a phase's chunks that wait or run", run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 5, 1, 3)
		e.ok(e.Publish(e.ctx, jobA, 2, 9, nil))
		e.ok(e.claim(jobA).Ack(e.ctx))
		e.claim(jobA)
		got, err := e.Queued(e.ctx, jobA, 1)
		e.ok(err)
		slices.Sort(got)
		if diff := cmp.Diff([]int64{1, 3}, got); diff != "" {
			t.Error(diff)
		}
		if got, err = e.Queued(e.ctx, jobB, 1); err != nil || len(got) > 0 {
			t.Errorf("queued of an unknown job = %v, %v", got, err)
		}
	}},
	{name: "an unacknowledged chunk comes again after its term", short: true, run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1)
		claimed := time.Now()
		first := e.claim(jobA)
		if u := first.Until(); !u.After(claimed) || u.After(time.Now().Add(ShortAckWait)) {
			t.Errorf("lease until %v after the claim", u.Sub(claimed))
		}
		second := e.await(jobA)
		if second.Attempt() != 2 || second.Chunk() != 1 {
			t.Errorf("chunk %d, attempt %d, want chunk 1, attempt 2", second.Chunk(), second.Attempt())
		}
		if !time.Now().After(first.Until()) {
			t.Error("the chunk was handed out before the first lease had ended")
		}
		if u := second.Until(); !u.After(time.Now()) {
			t.Errorf("the second lease ended %v ago", time.Since(u))
		}
	}},
	{name: "an extended lease keeps its chunk", short: true, run: extendKeeps},
	{name: "a late ack is accepted", short: true, run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1)
		first := e.claim(jobA)
		e.await(jobA)
		e.ok(first.Ack(e.ctx))
		e.state(jobA, 0, 0)
		e.publish(jobA, 1)
	}},
	{name: "an ack twice, or after a purge, is no error", run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1, 2)
		l, m := e.claim(jobA), e.claim(jobA)
		e.ok(l.Ack(e.ctx))
		e.ok(l.Ack(e.ctx))
		e.ok(e.Purge(e.ctx, jobA))
		e.ok(m.Ack(e.ctx))
		e.publish(jobA, 2)
		e.state(jobA, 1, 0)
	}},
	{name: "nak gives the chunk back, at once or later", run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1, 2)
		e.ok(e.claim(jobA).Nak(e.ctx, 0))
		l := e.await(jobA)
		if l.Chunk() != 1 || l.Attempt() != 2 {
			t.Errorf("chunk %d, attempt %d, want the older one again", l.Chunk(), l.Attempt())
		}
		given := time.Now()
		e.ok(l.Nak(e.ctx, 300*time.Millisecond))
		if got := e.claim(jobA).Chunk(); got != 2 {
			t.Errorf("claimed chunk %d, want 2: the other is given back for later", got)
		}
		if l = e.await(jobA); l.Chunk() != 1 || time.Since(given) < 300*time.Millisecond {
			t.Errorf("chunk %d after %v", l.Chunk(), time.Since(given))
		}
	}},
	{name: "Open leaves claimed chunks with their holders", of: sharedCarrier, run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1, 2)
		l := e.claim(jobA)
		e.open(jobA)
		e.state(jobA, 1, 1)
		e.ok(l.Extend(e.ctx))
		if got := e.claim(jobA).Chunk(); got != 2 {
			t.Errorf("claimed chunk %d, want 2", got)
		}
		e.noClaim(jobA)
		e.ok(l.Ack(e.ctx))
		e.state(jobA, 0, 1)
	}},
	{name: "Open hands out at once what was claimed, and counts attempts anew", of: loneCarrier, run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1, 2, 3)
		old, acked := e.claim(jobA), e.claim(jobA)
		e.ok(acked.Ack(e.ctx))
		e.open(jobA)
		e.state(jobA, 2, 0)
		if err := old.Extend(e.ctx); err == nil {
			t.Error("a lease from before Open was extended")
		}
		for _, want := range []int64{1, 3} {
			if l := e.claim(jobA); l.Chunk() != want || l.Attempt() != 1 {
				t.Errorf("chunk %d, attempt %d, want chunk %d, attempt 1", l.Chunk(), l.Attempt(), want)
			}
		}
		e.ok(old.Ack(e.ctx))
		e.state(jobA, 0, 1)
	}},
	{name: "an old ack counts before its chunk is handed out again", run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1)
		old := e.claim(jobA)
		e.open(jobA)
		e.ok(old.Ack(e.ctx))
		e.noClaim(jobA)
		e.state(jobA, 0, 0)
	}},
	{name: "Shut ends claiming, keeps chunks and takes acks", run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1, 2, 3)
		l, m := e.claim(jobA), e.claim(jobA)
		e.ok(e.Shut(e.ctx, jobA))
		e.noClaim(jobA)
		until := l.Until()
		if err := l.Extend(e.ctx); err == nil || !l.Until().Equal(until) {
			t.Errorf("extend after Shut: %v, until moved %v", err, l.Until().Sub(until))
		}
		e.ok(l.Ack(e.ctx))
		e.ok(m.Nak(e.ctx, time.Hour))
		e.ok(e.Shut(e.ctx, jobA))
		e.state(jobA, 2, 0)
		e.open(jobA)
		for _, want := range []int64{2, 3} {
			if got := e.claim(jobA).Chunk(); got != want {
				t.Errorf("chunk %d, want %d", got, want)
			}
		}
	}},
	{name: "Shut ends a waiting claim", run: func(t *testing.T, e env) {
		e.open(jobA)
		var wg sync.WaitGroup
		wg.Go(func() {
			if l, err := e.Claim(e.ctx, jobA, patience); l != nil || err != nil {
				t.Errorf("claim = %v, %v, want none", l, err)
			}
		})
		e.ok(e.Shut(e.ctx, jobA))
		wg.Wait()
	}},
	{name: "purge removes what waits and what runs", run: func(t *testing.T, e env) {
		e.open(jobA)
		e.publish(jobA, 1, 2, 3)
		e.claim(jobA)
		e.ok(e.Purge(e.ctx, jobA))
		e.state(jobA, 0, 0)
		e.noClaim(jobA)
		e.publish(jobA, 1)
		e.claim(jobA)
	}},
	{name: "claims at once get each chunk once", run: claimOnce},
	{name: "ids that reach others are refused", run: func(t *testing.T, e env) {
		if err := e.Open(e.ctx, "*"); err == nil {
			t.Error("opened")
		}
		if err := e.Purge(e.ctx, ">"); err == nil {
			t.Error("purged")
		}
		if err := e.Publish(e.ctx, "a.b", 1, 1, nil); err == nil {
			t.Error("published")
		}
	}},
}

func extendKeeps(t *testing.T, e env) {
	e.open(jobA)
	deadline := time.Now().Add(patience)
	for chunk := int64(0); !extendedHeld(t, e, chunk); chunk++ {
		if time.Now().After(deadline) {
			t.Fatal("the machine was never fast enough to extend a lease in time")
		}
	}
}

// extendedHeld holds a chunk for two of its terms. It is false when the test itself was too slow to extend in time. The
// waiting claim is its clock: a chunk that comes free in one of these waits is handed out to it.
func extendedHeld(t *testing.T, e env, chunk int64) bool {
	e.publish(jobA, chunk)
	l := e.claim(jobA)
	for end := time.Now().Add(2 * ShortAckWait); time.Now().Before(end); {
		before := l.Until()
		e.ok(l.Extend(e.ctx))
		if !l.Until().After(before) {
			t.Error("extending did not move the end")
		}
		inTime := time.Now().Before(before)
		got, err := e.Claim(e.ctx, jobA, ShortAckWait/5)
		e.ok(err)
		if got != nil && inTime && time.Now().Before(l.Until()) {
			t.Fatal("the chunk was handed out while its lease held")
		}
		if got != nil || !inTime {
			e.ok(l.Ack(e.ctx))
			return false
		}
	}
	e.ok(l.Ack(e.ctx))
	return true
}

func claimOnce(t *testing.T, e env) {
	n := int64(e.many(200, 60))
	e.open(jobA)
	for i := range n {
		e.publish(jobA, i)
	}
	var mu sync.Mutex
	seen := make(map[int64]int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				l, err := e.Claim(e.ctx, jobA, 0)
				if err != nil {
					t.Error(err)
				}
				if l == nil {
					return
				}
				mu.Lock()
				seen[l.Chunk()]++
				mu.Unlock()
				if err := l.Ack(e.ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range n {
		if seen[i] != 1 {
			t.Errorf("chunk %d was claimed %d times", i, seen[i])
		}
	}
	e.state(jobA, 0, 0)
}
