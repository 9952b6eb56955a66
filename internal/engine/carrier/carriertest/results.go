package carriertest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

var resultTests = []test{
	{name: "results come in order, with what was published", run: func(t *testing.T, e env) {
		names := []engine.ResultName{
			name(jobA, 9, "w1", 0), name(jobA, 2, "w2", 0), name(jobA, 9, "w1", 1), name(jobA, 9, "w3", 0),
			{Job: jobA, Phase: 2, Chunk: 2, Attempt: "w2", Part: 0},
		}
		for i, n := range names {
			e.result(n, fmt.Sprint(i))
			e.result(name(jobB, int64(i), "w", 0), "other job's")
		}
		got := e.collect(jobA, 0)
		if len(got) != len(names) {
			t.Fatalf("%d results, want %d", len(got), len(names))
		}
		var last uint64
		for i, r := range got {
			if diff := cmp.Diff(engine.Result{Name: names[i], Seq: r.Seq, Data: fmt.Append(nil, i)}, r); diff != "" {
				t.Error(diff)
			}
			if r.Seq <= last {
				t.Errorf("sequence %d follows %d", r.Seq, last)
			}
			last = r.Seq
		}
	}},
	{name: "the same name twice is stored once", run: func(t *testing.T, e env) {
		e.result(name(jobA, 1, "w1", 0), "first")
		e.result(name(jobA, 1, "w1", 0), "second")
		if got := e.collect(jobA, 0); len(got) != 1 || string(got[0].Data) != "first" {
			t.Errorf("results = %v", got)
		}
	}},
	{name: "reading goes on after a sequence", run: func(t *testing.T, e env) {
		for i := range int64(50) {
			e.result(name(jobA, i, "w", 0), "")
		}
		all := e.collect(jobA, 0)
		for _, at := range []int{0, 7, 48, 49} {
			got := e.collect(jobA, all[at].Seq)
			if diff := cmp.Diff(all[at+1:], got); len(got) != 49-at || diff != "" && len(got) > 0 {
				t.Errorf("after %d: %s", at, diff)
			}
		}
	}},
	{name: "reading waits for further results and tells when it has caught up", run: resultsFollow},
	{name: "reading calls at least every idle while it waits", run: func(t *testing.T, e env) {
		calls := 0
		err := e.Results(e.ctx, jobA, 0, 10*time.Millisecond, func(r engine.Result) error {
			if r.Seq != 0 {
				t.Errorf("unexpected result %v", r.Name)
			}
			if calls++; calls == 5 {
				return errStop
			}
			return nil
		})
		e.is(err, errStop)
	}},
	{name: "reading ends with its context", run: func(t *testing.T, e env) {
		ctx, cancel := context.WithCancel(e.ctx)
		defer cancel()
		err := e.Results(ctx, jobA, 0, time.Hour, func(engine.Result) error { cancel(); return nil })
		e.is(err, context.Canceled)
	}},
	{name: "large results come whole", run: func(t *testing.T, e env) {
		big := bytes.Repeat([]byte("0123456789abcdef"), 7<<20/16)
		n := e.many(20, 2)
		for i := range n {
			e.ok(e.PublishResult(e.ctx, name(jobA, int64(i), "w", 0), big))
		}
		got := e.collect(jobA, 0)
		if len(got) != n {
			t.Fatalf("%d results, want %d", len(got), n)
		}
		for _, r := range got {
			if !bytes.Equal(r.Data, big) {
				t.Fatalf("result of chunk %d differs", r.Name.Chunk)
			}
		}
	}},
	{name: "the results of one chunk", run: func(t *testing.T, e env) {
		names := []engine.ResultName{name(jobA, 1, "w1", 0), name(jobA, 1, "w1", 1), name(jobA, 1, "w2", 0)}
		for _, n := range names {
			e.result(n, n.Attempt)
			e.result(name(jobA, 11, n.Attempt, n.Part), "another chunk's")
			e.result(engine.ResultName{Job: jobA, Phase: 2, Chunk: 1, Attempt: n.Attempt, Part: n.Part}, "another phase's")
		}
		got, err := e.ResultsOf(e.ctx, jobA, 1, 1)
		e.ok(err)
		var found []engine.ResultName
		for _, r := range got {
			found = append(found, r.Name)
			if string(r.Data) != r.Name.Attempt || r.Seq == 0 {
				t.Errorf("result %+v", r)
			}
		}
		if diff := cmp.Diff(names, found); diff != "" {
			t.Error(diff)
		}
		if got, err = e.ResultsOf(e.ctx, jobA, 1, 2); err != nil || len(got) > 0 {
			t.Errorf("results of a chunk without = %v, %v", got, err)
		}
	}},
	{name: "purge removes up to its bound, of its job", run: func(t *testing.T, e env) {
		for i := range int64(10) {
			e.result(name(jobA, i, "w", 0), "")
			e.result(name(jobB, i, "w", 0), "")
		}
		all := e.collect(jobA, 0)
		e.ok(e.PurgeResults(e.ctx, jobA, all[3].Seq))
		e.purged(all[:4], all[4:])
		e.ok(e.PurgeResults(e.ctx, jobA, 0))
		e.ok(e.PurgeResults(e.ctx, jobA, 0))
		e.purged(all, nil)
		if got := e.collect(jobB, 0); len(got) != 10 {
			t.Errorf("%d results of the other job left, want 10", len(got))
		}
		// Sequences go on after a purge, so that a stored sequence stays a bound.
		e.result(name(jobA, 1, "w", 0), "")
		if got := e.collect(jobA, all[9].Seq); len(got) != 1 {
			t.Errorf("%d results after the purge, want 1", len(got))
		}
	}},
	{name: "names that reach others are refused", run: func(t *testing.T, e env) {
		for _, n := range []engine.ResultName{name("*", 1, "w", 0), name(jobA, 1, "a.b", 0), name(jobA, 1, "", 0), name(jobA, -1, "w", 0)} {
			if err := e.PublishResult(e.ctx, n, nil); err == nil {
				t.Errorf("%+v was taken", n)
			}
		}
	}},
}

func (e env) result(n engine.ResultName, data string) {
	e.t.Helper()
	e.ok(e.PublishResult(e.ctx, n, []byte(data)))
}

// collect gives the stored results after a sequence.
func (e env) collect(id job.ID, after uint64) []engine.Result {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	var got []engine.Result
	err := e.Results(ctx, id, after, patience, func(r engine.Result) error {
		if r.Seq == 0 {
			return errStop
		}
		got = append(got, r)
		return nil
	})
	e.is(err, errStop)
	return got
}

// purged sees to it that of one job's results some are gone and the others left. A reader of a cluster may be given what
// is gone for a while; who asks for a chunk's results never is.
func (e env) purged(gone, left []engine.Result) {
	e.t.Helper()
	for i, r := range append(slices.Clone(gone), left...) {
		want := 1
		if i < len(gone) {
			want = 0
		}
		got, err := e.ResultsOf(e.ctx, r.Name.Job, r.Name.Phase, r.Name.Chunk)
		e.ok(err)
		if len(got) != want {
			e.t.Errorf("%d results of chunk %d, want %d", len(got), r.Name.Chunk, want)
		}
	}
	for begun := time.Now(); ; {
		diff := cmp.Diff(left, e.collect(jobA, 0), cmpopts.EquateEmpty())
		if diff == "" {
			return
		}
		if !e.shared || time.Since(begun) > patience {
			e.t.Error(diff)
			return
		}
	}
}

func resultsFollow(t *testing.T, e env) {
	e.result(name(jobA, 0, "w", 0), "")
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	next := int64(0)
	err := e.Results(ctx, jobA, 0, patience, func(r engine.Result) error {
		if r.Seq != 0 {
			if r.Name.Chunk != next {
				t.Errorf("result of chunk %d, want %d", r.Name.Chunk, next)
			}
			next++
			return nil
		}
		if next == 100 {
			return errStop
		}
		// Caught up: only a further result makes it go on before patience is over.
		e.result(name(jobA, next, "w", 0), "")
		return nil
	})
	e.is(err, errStop)
}
