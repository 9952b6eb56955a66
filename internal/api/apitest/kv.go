package apitest

import (
	"context"
	"sync"

	"github.com/drover-batch/drover/internal/access"
)

// KV keeps principals and roles in memory, for one watcher. The zero value is empty.
type KV struct {
	mu      sync.Mutex
	rev     uint64
	entries map[string]access.Entry
	changed chan struct{} // closed and replaced with each write
	log     []access.Entry
}

var _ access.KV = (*KV)(nil)

func (k *KV) put(e access.Entry) uint64 {
	if k.entries == nil {
		k.entries = map[string]access.Entry{}
	}
	k.rev++
	e.Rev = k.rev
	k.entries[e.Key] = e
	k.log = append(k.log, e)
	if k.changed != nil {
		close(k.changed)
	}
	k.changed = make(chan struct{})
	return k.rev
}

// Create implements access.KV.
func (k *KV) Create(_ context.Context, key string, v []byte) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.entries[key]; ok && !e.Deleted {
		return 0, access.ErrExists
	}
	return k.put(access.Entry{Key: key, Value: v}), nil
}

// Update implements access.KV.
func (k *KV) Update(_ context.Context, key string, v []byte, rev uint64) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.entries[key].Rev != rev {
		return 0, access.ErrConflict
	}
	return k.put(access.Entry{Key: key, Value: v}), nil
}

// Delete implements access.KV.
func (k *KV) Delete(_ context.Context, key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(access.Entry{Key: key, Deleted: true})
	return nil
}

// Watch implements access.KV.
func (k *KV) Watch(ctx context.Context, f func(access.Entry) error) error {
	told := false
	for n := 0; ; {
		k.mu.Lock()
		if k.changed == nil {
			k.changed = make(chan struct{})
		}
		fresh, changed := k.log[n:], k.changed
		k.mu.Unlock()
		for _, e := range fresh {
			if err := f(e); err != nil {
				return err
			}
		}
		n += len(fresh)
		if !told {
			told = true
			if err := f(access.Entry{}); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
