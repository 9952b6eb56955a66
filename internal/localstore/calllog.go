package localstore

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// callLog writes a line for each object call: time, operation, bucket, key, HTTP status, request id.
type callLog struct {
	mu sync.Mutex
	w  io.Writer
}

func newCallLog(w io.Writer) *callLog {
	if w == nil {
		return nil
	}
	return &callLog{w: w}
}

// record writes a line, before the caller of the call has its answer. The time is the call's arrival; a key is encoded
// as in manifests, so that a line stays a line. A log that cannot be written does not stop the store.
func (l *callLog) record(at time.Time, operation, bucket, key string, status int, id string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s %s %s %s %d %s\n", at.UTC().Format(time.RFC3339Nano), operation, bucket, encodePath(key), status, id)
}
