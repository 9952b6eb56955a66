package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// openState makes the folder of a job in the foreground and locks it for as long as the returned file is open, so that
// two processes never do the same job. again empties it first.
func openState(dir string, again bool) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("another process is working in %s: %w", dir, err)
		return nil, errors.Join(withHint(err, "wait for it, or name another folder with --state"), lock.Close())
	}
	if !again {
		return lock, nil
	}
	for _, name := range []string{carrierDir, scratchDir} { // what a node makes, and nothing else that may lie there
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return nil, errors.Join(fmt.Errorf("empty the state folder: %w", err), lock.Close())
		}
	}
	return lock, nil
}
