package disktest

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// Log passes on what an embedded carrier logs, and hears what it says of its disk.
type Log struct {
	slog.Handler
	Full <-chan struct{} // closed once a write has failed
	Room <-chan struct{} // closed once there was room again, and the server was started anew

	mu    sync.Mutex
	heard map[string]chan struct{} // by how the line begins
}

// NewLog makes a Log that passes on to the test's output.
func NewLog(t *testing.T) *Log {
	full, room := make(chan struct{}), make(chan struct{})
	return &Log{
		Handler: slog.NewTextHandler(t.Output(), nil), Full: full, Room: room,
		heard: map[string]chan struct{}{"carrier: a write to the disk failed": full, "carrier: the disk has room": room},
	}
}

// Handle implements slog.Handler.
func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line, ch := range l.heard {
		if strings.HasPrefix(r.Message, line) {
			close(ch)
			delete(l.heard, line) // heard once
		}
	}
	return l.Handler.Handle(ctx, r)
}
