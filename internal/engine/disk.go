package engine

import (
	"context"
	"time"
)

// Disk is how much room the disk of a process's state has, in bytes. The zero value is that nobody knows.
type Disk struct{ Free, Size int64 }

// Low reports whether less than a tenth is left: somebody should make room before jobs have to wait for it.
func (d Disk) Low() bool { return d.Free < d.Size/10 }

// watchDisk looks at the disk every nodeBeatEvery, and says when it gets nearly full and when it no longer is.
func (e *Engine) watchDisk(ctx context.Context) error {
	low := false
	for {
		d, err := e.o.Disk()
		if err != nil {
			e.log.Warn("look at the disk", "err", err)
		} else {
			e.disk.Store(&d)
			// It is over a little later than it began, so that it does not come and go.
			was := low
			low = d.Low() || low && d.Free < d.Size/8
			if low && !was {
				e.log.Error("the disk is nearly full: make room on it, or move the folder to a larger one while the process is stopped; when nothing is left jobs wait",
					"free", d.Free, "size", d.Size)
			} else if was && !low {
				e.log.Info("the disk has room again", "free", d.Free, "size", d.Size)
			}
		}
		select {
		case <-time.After(nodeBeatEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// diskNow is the disk as last looked at.
func (e *Engine) diskNow() Disk {
	if d := e.disk.Load(); d != nil {
		return *d
	}
	return Disk{}
}
