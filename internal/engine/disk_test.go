package engine_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/disktest"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
)

func TestFullDiskIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.dir = disktest.Small(t, "64m")
	t.Cleanup(r.stop) // before the disk goes
	some := make(chan struct{})
	after(r.store, 3000, func() { close(some) })
	s := r.start()
	spec := r.spec(40_000)
	id := create(t, s, spec)
	<-some
	free := disktest.Fill(t, r.dir)
	var err error
	for i := 0; err == nil && i < 100; i++ { // until the engine's writes are refused
		_, err = r.carrier.Put(t.Context(), engine.Jobs, "probe", make([]byte, 64<<10))
	}
	if err == nil {
		t.Fatal("the disk did not get full")
	}
	free()
	wantWhole(t, spec, waitFor(t, s, id, final), 40_000)
	if total, most := r.store.calls(); most > 2 || total > 40_000+2*maxInFlight {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
}

func TestFullDiskOfTheReportIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec(20_000)
	spec.Report.Path = disktest.Small(t, "16m")
	t.Cleanup(r.stop)
	spec.ConfirmationRequired = true
	s := r.start()
	id := create(t, s, spec)
	waitFor(t, s, id, status(job.Suspended))
	free := disktest.Fill(t, spec.Report.Path)
	if _, err := s.Confirm(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, s, id, func(j job.Job) bool { return strings.Contains(j.StatusReason, "no space left on device") })
	free()
	wantWhole(t, spec, waitFor(t, s, id, final), 20_000)
	if total, most := r.store.calls(); total != 20_000 || most != 1 {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
}

// TestNodeWithAFullDiskHoldsUpNoJob has the disk of one node of three get full under a job: the job goes on meanwhile, also
// by way of that node's own worker, and ends with each row once, after the node has come back.
func TestNodeWithAFullDiskHoldsUpNoJob(t *testing.T) {
	t.Parallel()
	const rows, until, beyond = 12_000, 3000, 7000
	disk := disktest.Small(t, "64m")
	log := disktest.NewLog(t)
	n := newThreeNodes(t, 15*time.Second, func(i int, o *carrier.Options) {
		if i == 0 {
			o.Dir, o.Logger = filepath.Join(disk, "n0"), slog.New(log)
		}
	})
	var copies atomic.Int64
	n.r.store.onCopy = func(ctx context.Context, _ job.Key) error {
		wait := log.Full
		switch nth := copies.Add(1); {
		case nth <= until:
			return nil
		case nth > beyond:
			wait = log.Room
		}
		select {
		case <-wait:
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	spec := n.r.spec(rows)
	id := create(t, n.svc[0], spec)
	n.r.store.waitCalls(t, until)
	free := disktest.Fill(t, disk)
	for full := false; !full; { // until the server refuses to write
		if _, err := n.carriers[1].Put(t.Context(), engine.Jobs, "probe", make([]byte, 64<<10)); err != nil {
			t.Fatal(err) // two of three have room
		}
		select {
		case <-log.Full:
			full = true
		default:
		}
	}
	n.r.store.waitCalls(t, beyond)
	free()
	<-log.Room
	wantWhole(t, spec, waitFor(t, n.svc[0], id, final), rows)
	if total, most := n.r.store.calls(); most > 2 || total > rows+2*maxInFlight {
		t.Errorf("%d calls, at most %d a key", total, most)
	}
}
