package carriertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/engine"
)

var recordTests = []test{
	{name: "an absent record is not found", run: func(t *testing.T, e env) {
		_, err := e.Get(e.ctx, engine.Jobs, "job.a")
		e.is(err, engine.ErrNotFound)
	}},
	{name: "create gives what get returns, and happens once", run: func(t *testing.T, e env) {
		rev, err := e.Create(e.ctx, engine.Jobs, "job.a", []byte("one"))
		e.ok(err)
		e.want(engine.Jobs, engine.Record{Key: "job.a", Value: []byte("one"), Rev: rev})
		_, err = e.Create(e.ctx, engine.Jobs, "job.a", []byte("one"))
		e.is(err, engine.ErrExists)
	}},
	{name: "update needs the present revision, and revisions grow", run: func(t *testing.T, e env) {
		first, err := e.Create(e.ctx, engine.Jobs, "job.a", []byte("one"))
		e.ok(err)
		second, err := e.Update(e.ctx, engine.Jobs, "job.a", []byte("two"), first)
		e.ok(err)
		if second <= first {
			t.Errorf("revision %d follows %d", second, first)
		}
		_, err = e.Update(e.ctx, engine.Jobs, "job.a", []byte("three"), first)
		e.is(err, engine.ErrConflict)
		_, err = e.Update(e.ctx, engine.Jobs, "job.a", []byte("two"), first)
		e.is(err, engine.ErrConflict) // an equal value is still another's write
		_, err = e.Update(e.ctx, engine.Jobs, "job.none", []byte("x"), second)
		e.is(err, engine.ErrConflict)
		_, err = e.Update(e.ctx, engine.Jobs, "job.none", []byte("x"), 0)
		e.is(err, engine.ErrConflict)
		e.want(engine.Jobs, engine.Record{Key: "job.a", Value: []byte("two"), Rev: second})
	}},
	{name: "of updates at once one wins", run: oneUpdateWins},
	{name: "put overwrites", run: func(t *testing.T, e env) {
		first, err := e.Put(e.ctx, engine.Done, "done.a", []byte("one"))
		e.ok(err)
		second, err := e.Put(e.ctx, engine.Done, "done.a", []byte("two"))
		e.ok(err)
		if second <= first {
			t.Errorf("revision %d follows %d", second, first)
		}
		e.want(engine.Done, engine.Record{Key: "done.a", Value: []byte("two"), Rev: second})
	}},
	{name: "a deleted record can be created again", run: func(t *testing.T, e env) {
		e.ok(e.Delete(e.ctx, engine.Jobs, "job.a"))
		old, err := e.Create(e.ctx, engine.Jobs, "job.a", []byte("one"))
		e.ok(err)
		e.ok(e.Delete(e.ctx, engine.Jobs, "job.a"))
		e.ok(e.Delete(e.ctx, engine.Jobs, "job.a"))
		_, err = e.Get(e.ctx, engine.Jobs, "job.a")
		e.is(err, engine.ErrNotFound)
		_, err = e.Update(e.ctx, engine.Jobs, "job.a", []byte("two"), old)
		e.is(err, engine.ErrConflict)
		rev, err := e.Create(e.ctx, engine.Jobs, "job.a", []byte("three"))
		e.ok(err)
		if rev <= old {
			t.Errorf("revision %d follows %d", rev, old)
		}
		e.want(engine.Jobs, engine.Record{Key: "job.a", Value: []byte("three"), Rev: rev})
	}},
	{name: "buckets and keys are apart", run: func(t *testing.T, e env) {
		key := "token.100000000001.e3b0c44298fc1c149afbf4c8996fb924"
		for _, b := range []engine.Bucket{engine.Jobs, engine.Done, engine.Live} {
			_, err := e.Create(e.ctx, b, key, []byte(b))
			e.ok(err)
		}
		_, err := e.Get(e.ctx, engine.Jobs, "token.100000000001")
		e.is(err, engine.ErrNotFound)
		r, err := e.Get(e.ctx, engine.Done, key)
		e.ok(err)
		if string(r.Value) != string(engine.Done) {
			t.Errorf("value = %q", r.Value)
		}
	}},
	{name: "keys that reach others are refused", run: func(t *testing.T, e env) {
		for _, key := range []string{"", "job.*", "job.>", ".job", "job.", "job..a", "job a", strings.Repeat("a", 1000)} {
			if _, err := e.Put(e.ctx, engine.Jobs, key, nil); err == nil {
				t.Errorf("key %q was taken", key)
			}
		}
	}},
	{name: "a watch gives what is there, then the changes in order", run: watchOrder},
	{name: "a watch of an empty bucket begins with the zero record", run: func(t *testing.T, e env) {
		e.wantWatch(engine.Done, func(engine.Record) {}, []engine.Record{{}})
	}},
	{name: "a watch ends with its function's error and with its context", run: watchEnds},
	{name: "a watch that falls behind sees every key's last change", run: watchBehind},
	{name: "a live record expires, and its watch says so", run: liveExpires},
}

// want compares a stored record.
func (e env) want(b engine.Bucket, want engine.Record) {
	e.t.Helper()
	got, err := e.Get(e.ctx, b, want.Key)
	e.ok(err)
	if diff := cmp.Diff(want, got); diff != "" {
		e.t.Error(diff)
	}
}

func oneUpdateWins(t *testing.T, e env) {
	rev, err := e.Create(e.ctx, engine.Jobs, "lead.a", []byte("0"))
	e.ok(err)
	var won sync.Map
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := e.Update(e.ctx, engine.Jobs, "lead.a", []byte("same"), rev)
			if err == nil {
				won.Store(i, true)
			} else if !errors.Is(err, engine.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	won.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d of 8 updates of one revision won", n)
	}
}

var errStop = errors.New("seen enough")

// wantWatch compares what a watch gives; change is called with each record as it comes. Revisions are not compared, but
// must grow.
func (e env) wantWatch(b engine.Bucket, change func(engine.Record), want []engine.Record) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	var got []engine.Record
	var rev uint64
	err := e.Watch(ctx, b, func(r engine.Record) error {
		if r.Key != "" {
			if r.Rev <= rev {
				e.t.Errorf("%s: revision %d follows %d", r.Key, r.Rev, rev)
			}
			rev = r.Rev
		}
		r.Rev = 0
		if len(r.Value) == 0 {
			r.Value = nil
		}
		change(r)
		if got = append(got, r); len(got) == len(want) {
			return errStop
		}
		return nil
	})
	if diff := cmp.Diff(want, got); diff != "" {
		e.t.Error(diff)
	}
	e.is(err, errStop)
}

func watchOrder(t *testing.T, e env) {
	put := func(key, v string) {
		_, err := e.Put(e.ctx, engine.Jobs, key, []byte(v))
		e.ok(err)
	}
	put("job.a", "a1")
	put("job.b", "b1")
	put("job.gone", "x")
	put("job.a", "a2")
	e.ok(e.Delete(e.ctx, engine.Jobs, "job.gone"))
	// A change that is overtaken by a later one of its key may be left out, so job.b comes back only after its deletion
	// was seen.
	e.wantWatch(engine.Jobs, func(r engine.Record) {
		switch {
		case r.Key == "":
			put("job.c", "c1")
			e.ok(e.Delete(e.ctx, engine.Jobs, "job.b"))
			put("job.a", "a3")
		case string(r.Value) == "a3":
			put("job.b", "b2")
		}
	}, []engine.Record{
		{Key: "job.b", Value: []byte("b1")},
		{Key: "job.a", Value: []byte("a2")},
		{},
		{Key: "job.c", Value: []byte("c1")},
		{Key: "job.b", Deleted: true},
		{Key: "job.a", Value: []byte("a3")},
		{Key: "job.b", Value: []byte("b2")},
	})
}

func watchEnds(t *testing.T, e env) {
	for range 400 { // more than a watcher holds back
		_, err := e.Put(e.ctx, engine.Live, "worker.a", nil)
		e.ok(err)
	}
	e.is(e.Watch(e.ctx, engine.Live, func(engine.Record) error { return errStop }), errStop)
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	e.is(e.Watch(ctx, engine.Live, func(engine.Record) error { cancel(); return nil }), context.Canceled)
}

func watchBehind(t *testing.T, e env) {
	n := e.many(1000, 400) // more than a watcher holds back
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	var last []byte
	var rev uint64
	err := e.Watch(ctx, engine.Jobs, func(r engine.Record) error {
		switch r.Key {
		case "": // the watch stands still meanwhile
			for i := range n {
				_, err := e.Put(e.ctx, engine.Jobs, "job.a", fmt.Append(nil, i))
				e.ok(err)
			}
			_, err := e.Put(e.ctx, engine.Jobs, "job.b", nil)
			e.ok(err)
			return nil
		case "job.b":
			return errStop
		}
		if r.Rev <= rev {
			t.Errorf("revision %d follows %d", r.Rev, rev)
		}
		last, rev = r.Value, r.Rev
		return nil
	})
	e.is(err, errStop)
	if string(last) != fmt.Sprint(n-1) {
		t.Errorf("the last value seen is %q", last)
	}
}

func liveExpires(t *testing.T, e env) {
	_, err := e.Put(e.ctx, engine.Live, "worker.a", []byte("1"))
	e.ok(err)
	_, err = e.Put(e.ctx, engine.Live, "worker.b", []byte("1"))
	e.ok(err)
	var start time.Time
	e.wantWatch(engine.Live, func(r engine.Record) {
		if r.Key != "" {
			return
		}
		_, err := e.Put(e.ctx, engine.Live, "worker.a", []byte("2"))
		e.ok(err)
		start = time.Now()
		e.ok(e.Delete(e.ctx, engine.Live, "worker.b"))
		_, err = e.Put(e.ctx, engine.Live, "worker.c", []byte("3"))
		e.ok(err)
	}, []engine.Record{
		{Key: "worker.a", Value: []byte("1")},
		{Key: "worker.b", Value: []byte("1")},
		{},
		{Key: "worker.a", Value: []byte("2")},
		{Key: "worker.b", Deleted: true},
		{Key: "worker.c", Value: []byte("3")},
		{Key: "worker.a", Deleted: true},
		{Key: "worker.c", Deleted: true},
	})
	if held := time.Since(start); held < engine.LiveTTL {
		t.Errorf("live records were gone after %v, before %v", held, engine.LiveTTL)
	}
	_, err = e.Get(e.ctx, engine.Live, "worker.a")
	e.is(err, engine.ErrNotFound)
	_, err = e.Create(e.ctx, engine.Live, "worker.a", []byte("4"))
	e.ok(err)
}
