package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// smallDisk makes a file system of its own of so many MiB.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skip("making a small disk needs the right to mount")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk writes until nothing more fits.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	for err = nil; err == nil; {
		_, err = f.Write(block[:1])
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDiskIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.dir = smallDisk(t, "64m")
	t.Cleanup(r.stop) // before the disk goes
	some := make(chan struct{})
	after(r.store, 3000, func() { close(some) })
	s := r.start()
	spec := r.spec(40_000)
	id := create(t, s, spec)
	<-some
	free := fillDisk(t, r.dir)
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
	spec.Report.Path = smallDisk(t, "16m")
	t.Cleanup(r.stop)
	spec.ConfirmationRequired = true
	s := r.start()
	id := create(t, s, spec)
	waitFor(t, s, id, status(job.Suspended))
	free := fillDisk(t, spec.Report.Path)
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
