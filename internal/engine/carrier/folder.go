package carrier

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/drover-batch/drover/internal/job"
)

// lockName is the file in the folder that a running process holds locked.
const lockName = "carrier.lock"

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
			Code:    job.Unavailable,
			Message: fmt.Sprintf("The data folder %q is in use by another drover process. Stop that process or choose another folder.", dir),
		}
	}
	return nil, fmt.Errorf("lock the data folder %q: %w", dir, err)
}

// halfOfDisk is half of what the folder could grow to: the disk's free bytes and those the folder holds already. Were
// the latter left out, a restart with a full folder would find a smaller bound than what is stored.
func halfOfDisk(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("ask for the free disk of %q: %w", dir, err)
	}
	size := int64(st.Bavail) * int64(st.Bsize)
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
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
