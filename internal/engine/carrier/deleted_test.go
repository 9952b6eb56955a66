//go:build cluster

package carrier

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
)

// TestClusterTellsOfADeletedQueue deletes a queue's consumer, and nothing else: who claims is told at once that there is
// nothing, who leads that the queue is shut, and what was held can be handed back to the queue that is opened then.
func TestClusterTellsOfADeletedQueue(t *testing.T) {
	t.Parallel()
	all := plan(t)
	nodes := openAll(t, all)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	worker := dial(t, DialOptions{URLs: urls(all)})
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	claim := func(wait time.Duration) engine.Lease {
		t.Helper()
		l, err := worker.Claim(ctx, roundsJob, wait)
		ok(err)
		return l
	}
	ok(nodes[0].Open(ctx, roundsJob))
	for chunk := range int64(3) {
		ok(nodes[0].Publish(ctx, roundsJob, 1, chunk, nil))
	}
	first, second := claim(5*time.Second), claim(5*time.Second)
	if first == nil || second == nil {
		t.Fatal("nothing is to be claimed")
	}
	ok(nodes[1].LoseQueue(ctx, roundsJob))
	begun := time.Now()
	want := engine.QueueState{Waiting: 3, Shut: true}
	if st, err := nodes[2].State(ctx, roundsJob); err != nil || st != want {
		t.Errorf("the queue is %+v, %v", st, err)
	}
	for _, wait := range []time.Duration{0, time.Minute} {
		if l := claim(wait); l != nil {
			t.Errorf("chunk %d was claimed", l.Chunk())
		}
	}
	if took := time.Since(begun); took > requestLimit {
		t.Errorf("it took %v to be told", took)
	}
	ok(first.Ack(ctx))
	ok(nodes[0].Open(ctx, roundsJob))
	got := map[int64]bool{}
	for range 2 {
		l := claim(5 * time.Second)
		if l == nil {
			t.Fatal("nothing is to be claimed")
		}
		got[l.Chunk()] = true
		ok(l.Ack(ctx))
	}
	ok(second.Ack(ctx))
	if !got[1] || !got[2] {
		t.Errorf("chunks %v came, want 1 and 2", got)
	}
	if st, err := nodes[2].State(ctx, roundsJob); err != nil || st != (engine.QueueState{}) {
		t.Errorf("the queue is %+v, %v", st, err)
	}
	for _, c := range append(nodes, worker) {
		if l := c.Losses(ctx); l != (engine.Losses{}) {
			t.Errorf("lost is %+v", l)
		}
	}
}

func TestClusterMakesDeletedStreamsAgain(t *testing.T) {
	t.Parallel()
	all := plan(t)
	nodes := openAll(t, all)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	worker := dial(t, DialOptions{URLs: urls(all)})
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(nodes[0].Open(ctx, roundsJob))
	ok(nodes[0].Publish(ctx, roundsJob, 1, 1, nil))
	held, err := worker.Claim(ctx, roundsJob, 5*time.Second)
	ok(err)
	rev, err := nodes[0].Put(ctx, engine.Jobs, "job.a", []byte("v"))
	ok(err)
	seen := make(chan struct{})
	watching := make(chan error, 1)
	go func() {
		watching <- worker.Watch(ctx, engine.Jobs, func(r engine.Record) error {
			if r.Key == "" {
				close(seen)
			}
			return nil
		})
	}()
	<-seen

	begun := time.Now()
	ok(nodes[1].Lose(ctx, streamWork, streamResults, bucketStream(engine.Jobs)))
	want := engine.Losses{Work: 1, Results: 1, Jobs: 1}
	for _, c := range append(nodes, worker) { // each of them comes to count the same
		for l := c.Losses(ctx); l != want; l = c.Losses(ctx) {
			if l.Work > 1 || l.Results > 1 || l.Jobs > 1 || l.Live+l.Done+l.Access > 0 {
				t.Fatalf("lost is %+v", l)
			}
			ok(c.sleep(ctx, 100*time.Millisecond))
		}
	}
	t.Logf("all is there again after %v", time.Since(begun))
	if err := <-watching; !errors.Is(err, engine.ErrLost) {
		t.Errorf("the watch ended with %v", err)
	}
	ok(nodes[0].Open(ctx, roundsJob))
	ok(nodes[0].Publish(ctx, roundsJob, 1, 1, nil)) // what worker holds is queued no longer
	ok(worker.PublishResult(ctx, engine.ResultName{Job: roundsJob, Phase: 1, Chunk: 1, Attempt: "w"}, nil))
	ok(held.Ack(ctx)) // and does not hit what took its place
	again, err := worker.Claim(ctx, roundsJob, 5*time.Second)
	ok(err)
	if again == nil {
		t.Fatal("nothing is to be claimed")
	}
	ok(again.Ack(ctx))
	if st, err := nodes[0].State(ctx, roundsJob); err != nil || st != (engine.QueueState{}) {
		t.Errorf("the queue is %+v, %v", st, err)
	}
	if now, err := nodes[2].Put(ctx, engine.Jobs, "job.a", nil); err != nil || now <= rev {
		t.Errorf("revision %d follows %d: %v", now, rev, err)
	}
	for _, s := range worker.Status(ctx).Streams {
		if s.Err != nil || s.Replicas != clusterReplicas {
			t.Errorf("stream %s has %d replicas: %v", s.Name, s.Replicas, s.Err)
		}
	}
}
