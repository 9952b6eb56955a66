package window

import "sync"

// maxWindows bounds the buckets that have windows of their own; those of all others share one.
const maxWindows = 4096

// Set is what the clients of one endpoint share: its windows, and the bounds that its owner has set. Safe for concurrent
// use.
type Set struct {
	// Bounds are the owner's, for all buckets together.
	Bounds *Gate

	byBucket bool
	room     func()
	mu       sync.Mutex
	all      *Window
	of       map[string]*Window
}

// NewSet makes the windows of an endpoint: one, or one for each bucket where the store counts calls by bucket. room is told
// whenever a call that waited is let through; nil = nobody is.
func NewSet(byBucket bool, b Bounds, room func()) *Set {
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

// States gives what was found so far, by bucket; "" is the window that is nobody's own.
func (s *Set) States() map[string]State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]State{"": s.all.State()}
	for b, w := range s.of {
		out[b] = w.State()
	}
	return out
}
