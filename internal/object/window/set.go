package window

import (
	"maps"
	"sync"
)

// maxWindows bounds the buckets that have windows of their own; those of all others share one.
const maxWindows = 4096

// Set is what the clients of one endpoint share: its windows, and the bounds that its owner has set. Safe for concurrent
// use.
type Set struct {
	// Bounds are the owner's, for all buckets together.
	Bounds *Gate

	byBucket bool
	room     func(n int)
	mu       sync.Mutex
	all      *Window
	of       map[string]*Window
}

// NewSet makes the windows of an endpoint: one, or one for each bucket where the store counts calls by bucket. room is told
// whenever calls that waited are let through, as Gate.OnRoom has it; nil = nobody is.
func NewSet(byBucket bool, b Bounds, room func(n int)) *Set {
	s := &Set{Bounds: NewGate(b), byBucket: byBucket, room: room, of: map[string]*Window{}}
	s.Bounds.OnRoom(room)
	s.all = s.window()
	return s
}

func (s *Set) window() *Window {
	w := New()
	w.OnRoom(s.room)
	return w
}

// Of gives the window for calls to a bucket.
func (s *Set) Of(bucket string) *Window {
	if !s.byBucket {
		return s.all
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.of[bucket]
	switch {
	case w != nil:
	case len(s.of) >= maxWindows:
		return s.all
	default:
		w = s.window()
		s.of[bucket] = w
	}
	return w
}

// Full reports whether calls to a bucket wait already, for the owner's bounds or for what the store takes. It never blocks.
func (s *Set) Full(bucket string) bool {
	return s.Bounds.Waiting() > enough || s.has(bucket).Waiting() > enough
}

// enough is how many may wait, so that a call's end is followed by the next one's beginning at once.
const enough = 1

// has is Of without making a window: a bucket that nobody has called has what those have that have none.
func (s *Set) has(bucket string) *Window {
	if !s.byBucket {
		return s.all
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.of[bucket]; w != nil {
		return w
	}
	return s.all
}

// States gives what was found so far, by bucket; "" is the window that is nobody's own.
func (s *Set) States() map[string]State {
	s.mu.Lock()
	of := maps.Clone(s.of)
	s.mu.Unlock() // whoever holds a window's lock may ask Full
	out := map[string]State{"": s.all.State()}
	for b, w := range of {
		out[b] = w.State()
	}
	return out
}
