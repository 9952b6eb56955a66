package carrier

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/drover-batch/drover/internal/disktest"
	"github.com/drover-batch/drover/internal/engine"
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
	disk := disktest.Small(t, "64m")
	log := disktest.NewLog(t)
	all[0].Dir, all[0].Logger = filepath.Join(disk, "n0"), slog.New(log)
	nodes := openAll(t, all)
	n := 0
	for ; n < 20; n++ {
		put(t, nodes[1], n)
	}
	free := disktest.Fill(t, disk)
	for full := false; !full; n++ {
		put(t, nodes[1], n) // two of three have room
		select {
		case <-log.Full:
			full = true
		default:
		}
	}
	put(t, nodes[0], n) // by way of the node without room, too
	n++
	free()
	<-log.Room
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
	disk := disktest.Small(t, "128m")
	log := disktest.NewLog(t)
	for i := range all {
		all[i].Dir, all[i].Logger = filepath.Join(disk, fmt.Sprint("n", i)), slog.New(log)
	}
	nodes := openAll(t, all)
	n := 0
	for ; n < 20; n++ {
		put(t, nodes[n%3], n)
	}
	free := disktest.Fill(t, disk)
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
			case <-log.Room:
				stored <- nil
				return
			default:
			}
		}
	}()
	<-log.Full
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
