package carrier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/drover-batch/drover/internal/engine"
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
	for _, block := range []int{64 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, block))
		}
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

// listener hears what a carrier logs.
type listener struct {
	slog.Handler
	mu    sync.Mutex
	heard map[string]chan struct{} // closed once a line begins so
}

func newListener(t *testing.T, lines ...string) *listener {
	l := &listener{Handler: slog.NewTextHandler(t.Output(), nil), heard: map[string]chan struct{}{}}
	for _, s := range lines {
		l.heard[s] = make(chan struct{})
	}
	return l
}

func (l *listener) Handle(ctx context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line, ch := range l.heard {
		if strings.HasPrefix(r.Message, line) {
			select {
			case <-ch:
			default:
				close(ch)
			}
		}
	}
	return l.Handler.Handle(ctx, r)
}

const (
	diskFull = "carrier: a write to the disk failed"
	diskRoom = "carrier: the disk has room"
)

func put(t *testing.T, c *Carrier, n int) {
	t.Helper()
	if _, err := c.Put(t.Context(), engine.Jobs, fmt.Sprint("tags.", n), make([]byte, 64<<10)); err != nil {
		t.Fatalf("put %d: %v", n, err)
	}
}

func wantRecords(t *testing.T, c *Carrier, n int) {
	t.Helper()
	for i := range n {
		if _, err := c.Get(t.Context(), engine.Jobs, fmt.Sprint("tags.", i)); err != nil {
			t.Errorf("record %d: %v", i, err)
		}
	}
}

// TestNodeWithAFullDiskComesBack has one node's disk get full: the others go on, and once there is room it is a whole
// node again, which can stand in for another.
func TestNodeWithAFullDiskComesBack(t *testing.T) {
	t.Parallel()
	all := plan(t)
	disk := smallDisk(t, "64m")
	log := newListener(t, diskFull, diskRoom)
	all[0].Dir, all[0].Logger = filepath.Join(disk, "n0"), slog.New(log)
	nodes := openAll(t, all)
	n := 0
	for ; n < 20; n++ {
		put(t, nodes[1], n)
	}
	free := fillDisk(t, disk)
	for full := false; !full; n++ {
		put(t, nodes[1], n) // two of three have room
		select {
		case <-log.heard[diskFull]:
			full = true
		default:
		}
	}
	put(t, nodes[0], n) // by way of the node without room, too
	n++
	free()
	<-log.heard[diskRoom]
	whole(t, nodes[1], 0)
	if err := nodes[2].Close(); err != nil {
		t.Fatal(err)
	}
	put(t, nodes[0], n) // for which it is needed
	wantRecords(t, nodes[0], n+1)
}

// TestClusterWithFullDisksComesBack has the disks of all nodes get full at once.
func TestClusterWithFullDisksComesBack(t *testing.T) {
	t.Parallel()
	all := plan(t)
	disk := smallDisk(t, "128m")
	log := newListener(t, diskFull, diskRoom)
	for i := range all {
		all[i].Dir, all[i].Logger = filepath.Join(disk, fmt.Sprint("n", i)), slog.New(log)
	}
	nodes := openAll(t, all)
	n := 0
	for ; n < 20; n++ {
		put(t, nodes[n%3], n)
	}
	free := fillDisk(t, disk)
	stored := make(chan error, 1)
	go func() {
		for {
			_, err := nodes[0].Put(t.Context(), engine.Jobs, fmt.Sprint("tags.", n), make([]byte, 64<<10))
			if n++; err != nil {
				n--
				stored <- err
				return
			}
			select {
			case <-log.heard[diskRoom]:
				stored <- nil
				return
			default:
			}
		}
	}()
	<-log.heard[diskFull]
	free()
	if err := <-stored; err != nil {
		t.Log("a writer may lose patience:", err)
		put(t, nodes[0], n)
		n++
	}
	whole(t, nodes[1], 0)
	put(t, nodes[2], n)
	wantRecords(t, nodes[1], n+1)
}
