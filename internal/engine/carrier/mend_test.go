//go:build cluster

package carrier

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
)

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
	_, err = nodes[0].Put(ctx, engine.Jobs, "job.a", []byte("v"))
	ok(err)
	var lost atomic.Int64
	seen, gone := make(chan struct{}), make(chan struct{})
	watching := make(chan error, 1)
	go func() {
		watching <- worker.Watch(ctx, engine.Jobs, func(r engine.Record) error {
			switch {
			case r.Key == "" && r.Deleted:
				lost.Add(1)
			case r.Key == "":
				close(seen)
			case r.Key == "job.a" && r.Deleted:
				close(gone)
				return errAllSeen
			}
			return nil
		})
	}()
	<-seen

	begun := time.Now()
	ok(nodes[1].Lose(ctx, streamWork, streamResults, bucketStream(engine.Jobs)))
	st, err := nodes[0].State(ctx, roundsJob)
	ok(err)
	if !st.Lost || st.Waiting+st.Running != 0 {
		t.Errorf("the queue is %+v, want it lost", st)
	}
	ok(nodes[0].Purge(ctx, roundsJob))
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
	<-gone
	if err := <-watching; !errors.Is(err, errAllSeen) || lost.Load() != 1 {
		t.Errorf("watch ended: %v; told %d times that the bucket was lost", err, lost.Load())
	}
	t.Logf("all is there again after %v", time.Since(begun))
	for _, s := range worker.Status(ctx).Streams {
		if s.Err != nil || s.Replicas != clusterReplicas {
			t.Errorf("stream %s has %d replicas: %v", s.Name, s.Replicas, s.Err)
		}
	}
}
