package engine

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/drover-batch/drover/internal/job"
)

// TestSpoolGoesOnOnceTheDiskHasRoom has a commit ask for what was spooled while nothing more fits: asked again later, it
// has every byte once.
func TestSpoolGoesOnOnceTheDiskHasRoom(t *testing.T) {
	t.Parallel()
	s, err := newSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var want strings.Builder
	add := func(n int) {
		for range n {
			line := "bucket,key,,succeeded,200,,\n"
			want.WriteString(line)
			if err := s.add(job.TaskSucceeded, []byte(line)); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(5000) // more than the buffer holds
	p := s.parts[job.TaskSucceeded]
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	fd := int(p.file.Fd())
	disk, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(disk) }()
	become := func(other int) {
		if err := syscall.Dup3(other, fd, 0); err != nil {
			t.Fatal(err)
		}
	}
	become(int(full.Fd()))
	if _, _, err := p.body(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("body on a full disk: %v", err)
	}
	become(disk)
	r, _, err := p.body()
	if err != nil {
		t.Fatalf("body once there is room: %v", err)
	}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != want.String() {
		t.Errorf("%d bytes, %v, want the %d that were added", len(got), err, want.Len())
	}
}
