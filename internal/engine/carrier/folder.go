package carrier

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/drover-batch/drover/internal/job"
)

const (
	// lockName is the file in the folder that a running process holds locked.
	lockName = "carrier.lock"
	// kindName is the file in the folder that says what it belongs to: a single node, or one node of one cluster.
	kindName = "carrier.kind"
	natsName = "nats" // the server's own folder
)

// lockFolder makes the folder if it is missing and takes its lock. The lock ends with the process, however it ends.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data folder's lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, &job.Error{
			Code: job.Unavailable, Err: errInUse,
			Message: fmt.Sprintf("The data folder %q is in use by another drover process. Stop that process or choose another folder.", dir),
		}
	}
	return nil, fmt.Errorf("lock the data folder %q: %w", dir, err)
}

var errInUse = errors.New("the folder is locked")

// IsInUse reports whether Open failed because another process holds the folder.
func IsInUse(err error) bool { return errors.Is(err, errInUse) }

// halfOfDisk is half of what the folder could grow to: the disk's free bytes and those the folder holds already. Were
// the latter left out, a restart with a full folder would find a smaller bound than what is stored.
func halfOfDisk(dir string) (int64, error) {
	size, _, err := DiskOf(dir)
	if err != nil {
		return 0, err
	}
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure the data folder %q: %w", dir, err)
	}
	return size / 2, nil
}

// DiskOf tells how many bytes are free on a folder's disk, and how many it has, of those that this process may use.
func DiskOf(dir string) (free, size int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("ask for the free disk of %q: %w", dir, err)
	}
	reserved := st.Bfree - st.Bavail
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks-reserved) * int64(st.Bsize), nil
}

// markFolder writes into a new folder what it belongs to, and refuses one that belongs to another kind of carrier: a
// single node's streams cannot become a cluster's, nor a node's another node's; they would not be found, and the server
// might clean them away.
func markFolder(dir string, cl *Cluster) error {
	want := "single node"
	if cl != nil {
		want = fmt.Sprintf("node %q of cluster %q", cl.Node, cl.Name)
	}
	name := filepath.Join(dir, kindName)
	b, err := os.ReadFile(name)
	got := strings.TrimSpace(string(b))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Join(dir, natsName)); cl == nil || errors.Is(err, fs.ErrNotExist) {
			return writeSynced(name, want+"\n")
		}
		got = "single node" // made before folders were marked
	case err != nil:
		return fmt.Errorf("read what the data folder belongs to: %w", err)
	}
	if got == want {
		return nil
	}
	return &job.Error{
		Code: job.InvalidRequest,
		Message: fmt.Sprintf("The data folder %q belongs to a %s and cannot be used as that of a %s. "+
			"Choose an empty folder; \"drover engine migrate\" carries jobs over.", dir, got, want),
	}
}

// writeSynced writes a small file so that it is there whole or not at all.
func writeSynced(name, text string) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("mark the data folder: %w", err)
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("mark the data folder: %w", err), os.Remove(f.Name()))
	}
	return nil
}
