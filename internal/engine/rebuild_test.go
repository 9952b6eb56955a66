package engine_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/report"
)

// half runs a job until half of it is done and a part committed, and crashes the engine there.
func half(t *testing.T, r *rig, spec job.Spec) job.ID {
	t.Helper()
	cut := &cutting{cut: make(chan struct{})}
	commits := 0
	cut.at = func(op, k string, v []byte) bool {
		if op == "after update" && strings.HasPrefix(k, "ckpt.") && strings.Contains(string(v), `"Pending":null`) {
			commits++
		}
		return commits == 2
	}
	r.wrap = func(c engine.Carrier) engine.Carrier { cut.Carrier = c; return cut }
	s := r.start()
	var begun atomic.Int64
	r.store.onCopy = func(context.Context, job.Key) error {
		if begun.Add(1) > halfRows/2+50 { // in the middle of a chunk, and not at the list's end, however fast the machine is
			<-cut.cut
		}
		select {
		case <-cut.cut:
			return context.Canceled
		default:
			return nil
		}
	}
	id := create(t, s, spec)
	<-cut.cut
	r.crash()
	r.wrap, r.store.onCopy = nil, nil
	return id
}

// offline opens the carrier that a crashed engine left.
func (r *rig) offline(f func(c *carrier.Carrier)) {
	r.t.Helper()
	c, err := carrier.Open(r.t.Context(), carrier.Options{Dir: filepath.Join(r.dir, "js")})
	if err != nil {
		r.t.Fatal(err)
	}
	f(c)
	if err := c.Close(); err != nil {
		r.t.Fatal(err)
	}
}

const halfRows = 30_000

func TestLostRecordsAreMadeAgain(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string][]string{
		"checkpoint":            {"ckpt."},
		"cursor":                {"cursor."},
		"plan":                  {"plan."},
		"state":                 {"state."},
		"checkpoint and cursor": {"ckpt.", "cursor."},
		"all but the job":       {"ckpt.", "cursor.", "plan.", "state."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			spec := r.spec(halfRows)
			id := half(t, r, spec)
			before, _ := r.store.calls()
			r.offline(func(c *carrier.Carrier) {
				for _, k := range lost {
					if err := c.Delete(t.Context(), engine.Jobs, k+string(id)); err != nil {
						t.Fatal(err)
					}
				}
			})
			s := r.start()
			wantWhole(t, spec, waitFor(t, s, id, final), halfRows)
			total, most := r.store.calls()
			t.Logf("%d calls before, %d in all", before, total)
			if most > 2 || total > halfRows+maxInFlight { // what was handed in lies in RES, and does not run again
				t.Errorf("%d calls, at most %d a key", total, most)
			}
		})
	}
}

// leftFirst lets workers end all that an earlier engine left in the queue before the first chunk is queued anew.
type leftFirst struct {
	engine.Carrier
	once  sync.Once
	open  chan struct{}
	acked chan struct{}
}

func (c *leftFirst) Publish(ctx context.Context, id job.ID, phase int, chunk int64, data []byte) (err error) {
	c.once.Do(func() {
		var left []int64
		left, err = c.Queued(ctx, id, phase)
		close(c.open)
		for range left {
			select {
			case <-c.acked:
			case <-ctx.Done():
			}
		}
	})
	if err != nil {
		return err
	}
	return c.Carrier.Publish(ctx, id, phase, chunk, data)
}

func (c *leftFirst) Claim(ctx context.Context, id job.ID, wait time.Duration) (engine.Lease, error) {
	select {
	case <-c.open:
	default:
		return nil, nil
	}
	l, err := c.Carrier.Claim(ctx, id, wait)
	if l == nil || err != nil {
		return nil, err
	}
	return ackTold{l, c.acked}, nil
}

// ackTold tells of its acknowledgement.
type ackTold struct {
	engine.Lease
	acked chan struct{}
}

func (l ackTold) Ack(ctx context.Context) error {
	defer func() { l.acked <- struct{}{} }()
	return l.Lease.Ack(ctx)
}

func TestChunksLeftByALostStateRunOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec(halfRows)
	id := half(t, r, spec)
	r.offline(func(c *carrier.Carrier) {
		if left, err := c.Queued(t.Context(), id, 0); err != nil || len(left) == 0 {
			t.Fatalf("%d chunks left, %v", len(left), err)
		}
		for _, k := range []string{"ckpt.", "cursor.", "plan.", "state."} {
			if err := c.Delete(t.Context(), engine.Jobs, k+string(id)); err != nil {
				t.Fatal(err)
			}
		}
	})
	r.wrap = func(c engine.Carrier) engine.Carrier {
		return &leftFirst{Carrier: c, open: make(chan struct{}), acked: make(chan struct{}, halfRows)}
	}
	s := r.start()
	wantWhole(t, spec, waitFor(t, s, id, final), halfRows)
	if total, most := r.store.calls(); most > 2 || total > halfRows+maxInFlight {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
}

// freshSeen counts the chunks that are queued as never having travelled.
type freshSeen struct {
	engine.Carrier
	n *atomic.Int64
}

func (c freshSeen) Publish(ctx context.Context, id job.ID, phase int, chunk int64, data []byte) error {
	if _, n := binary.Uvarint(data); data[n] == engine.ChunkFresh {
		c.n.Add(1)
	}
	return c.Carrier.Publish(ctx, id, phase, chunk, data)
}

func TestNoChunkIsFreshOnceACursorWasLost(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string][]string{
		"cursor":          {"cursor."},
		"cursor, state":   {"cursor.", "state."},
		"all but the job": {"ckpt.", "cursor.", "plan.", "state."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			spec := r.spec(halfRows)
			id := half(t, r, spec)
			r.offline(func(c *carrier.Carrier) {
				for _, k := range lost {
					if err := c.Delete(t.Context(), engine.Jobs, k+string(id)); err != nil {
						t.Fatal(err)
					}
				}
			})
			var fresh atomic.Int64
			r.wrap = func(c engine.Carrier) engine.Carrier { return freshSeen{c, &fresh} }
			before, _ := r.store.calls()
			r.start()
			r.store.waitCalls(t, before+500)
			r.stop() // the next leader finds a cursor, and that it is not the first one
			s := r.start()
			wantWhole(t, spec, waitFor(t, s, id, final), halfRows)
			if n := fresh.Load(); n > 0 {
				t.Errorf("%d chunks were queued as fresh", n)
			}
		})
	}
}

func TestCheckpointIsNotRebuiltFromADamagedSegment(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec(halfRows)
	id := half(t, r, spec)
	files, err := filepath.Glob(filepath.Join(spec.Report.Path, "job-*", "results", "*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	last := slices.Max(files)
	if err := os.Truncate(last, 10); err != nil {
		t.Fatal(err)
	}
	r.offline(func(c *carrier.Carrier) {
		if err := c.Delete(t.Context(), engine.Jobs, "ckpt."+string(id)); err != nil {
			t.Fatal(err)
		}
	})
	s := r.start()
	wantWhole(t, spec, waitFor(t, s, id, final), halfRows)
}

func TestLostCheckpointWithoutAReportStartsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec(halfRows)
	spec.Report = job.Report{}
	id := half(t, r, spec)
	r.offline(func(c *carrier.Carrier) {
		if err := c.Delete(t.Context(), engine.Jobs, "ckpt."+string(id)); err != nil {
			t.Fatal(err)
		}
	})
	s := r.start()
	j := waitFor(t, s, id, final)
	if j.Status != job.Complete || j.Progress.Succeeded != halfRows {
		t.Errorf("job is %s with %+v", j.Status, j.Progress)
	}
}

// streamFolder finds the folder of a stream.
func (r *rig) streamFolder(stream string) string {
	r.t.Helper()
	found := ""
	err := filepath.WalkDir(filepath.Join(r.dir, "js"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == stream && filepath.Base(filepath.Dir(path)) == "streams" {
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		r.t.Fatalf("no folder of %s: %v", stream, err)
	}
	return found
}

func TestLostStreamsAreMadeAgain(t *testing.T) {
	t.Parallel()
	for name, streams := range map[string][]string{
		"chunks": {"WORK"}, "results": {"RES"}, "chunks and results": {"WORK", "RES"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			spec := r.spec(halfRows)
			id := half(t, r, spec)
			for _, s := range streams {
				if err := os.RemoveAll(r.streamFolder(s)); err != nil {
					t.Fatal(err)
				}
			}
			s := r.start()
			wantWhole(t, spec, waitFor(t, s, id, final), halfRows)
			if total, most := r.store.calls(); most > 2 || total > halfRows+maxInFlight+300*100 { // no sweep was in vain
				t.Errorf("%d calls, at most %d a key", total, most)
			}
		})
	}
}

func TestTruncatedStreamsLoseNoRow(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"WORK", "RES", "KV_JOBS"} {
		for _, by := range []int64{1, 2000} {
			t.Run(fmt.Sprint(stream, by), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, nil)
				spec := r.spec(halfRows)
				id := half(t, r, spec)
				blocks, err := filepath.Glob(filepath.Join(r.streamFolder(stream), "msgs", "*.blk"))
				if err != nil || len(blocks) == 0 {
					t.Fatal(blocks, err)
				}
				last := slices.MaxFunc(blocks, func(a, b string) int { return len(a)*1000 + strings.Compare(a, b) - len(b)*1000 })
				st, err := os.Stat(last)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(last, max(0, st.Size()-by)); err != nil {
					t.Fatal(err)
				}
				s := r.start()
				wantWhole(t, spec, waitFor(t, s, id, final), halfRows)
			})
		}
	}
}

func TestRecoverFromTheReportAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec(halfRows)
	spec.Report.Prefix = "reports/2026"
	id := half(t, r, spec)
	before, _ := r.store.calls()
	if err := os.RemoveAll(r.dir); err != nil {
		t.Fatal(err)
	}
	sink, err := report.NewDir(spec.Report.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	recovered := func() (found []string) {
		r.offline(func(c *carrier.Carrier) {
			if err := engine.Recover(t.Context(), c, sink, "reports", func(f engine.Recovered) bool {
				found = append(found, fmt.Sprint(f.ID, " ", f.State, " ", f.Operation, " ", f.Account.UIN))
				return true
			}); err != nil {
				t.Fatal(err)
			}
		})
		return found
	}
	want := func(got []string, state string) {
		t.Helper()
		if w := string(id) + " " + state + " copy 100000000001"; len(got) != 1 || got[0] != w {
			t.Errorf("found %q, want %q", got, w)
		}
	}
	want(recovered(), "recovered")
	want(recovered(), "known") // it can be repeated
	var fresh atomic.Int64
	r.wrap = func(c engine.Carrier) engine.Carrier { return freshSeen{c, &fresh} }
	s := r.start()
	j := waitFor(t, s, id, final)
	wantWhole(t, spec, j, halfRows)
	total, most := r.store.calls()
	if most > 2 || total > halfRows+before {
		t.Errorf("%d calls before, %d in all, at most %d a key", before, total, most)
	}
	if n := fresh.Load(); n > 0 {
		t.Errorf("%d chunks were queued as fresh: a delete would be repeated", n)
	}
	if _, err := s.Create(t.Context(), caller, spec); job.CodeOf(err) != job.Duplicate {
		t.Errorf("the request's token was forgotten: %v", err)
	}
	r.stop()
	if err := os.RemoveAll(r.dir); err != nil {
		t.Fatal(err)
	}
	want(recovered(), "ended")
}
