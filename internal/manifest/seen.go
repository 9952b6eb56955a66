package manifest

import "hash/maphash"

// Seen tells what came before, in bounded memory: the first values are compared with all later ones, by their hashes and
// at most 32 bytes each, and the rest with their neighbours only. Owned by one goroutine.
type Seen struct {
	seed  maphash.Seed
	most  int
	kept  int
	slots []uint64 // hashes, each at its own place or the next free one; 0 = free. At most half full
	last  uint64
}

// NewSeen keeps most values at most.
func NewSeen(most int) *Seen {
	return &Seen{seed: maphash.MakeSeed(), most: most, slots: make([]uint64, 1<<10)}
}

// Add reports whether a value came before. The value is the parts in their order.
func (s *Seen) Add(parts ...[]byte) bool {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, v := range parts {
		_, _ = h.Write(v)
		_ = h.WriteByte(0xff) // no part of UTF-8, so that parts cannot run into one another
	}
	return s.add(h.Sum64())
}

// AddText is Add for strings.
func (s *Seen) AddText(parts ...string) bool {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, v := range parts {
		_, _ = h.WriteString(v)
		_ = h.WriteByte(0xff)
	}
	return s.add(h.Sum64())
}

func (s *Seen) add(sum uint64) bool {
	sum = max(sum, 1)
	i := s.find(sum)
	was := s.slots[i] == sum || sum == s.last
	s.last = sum
	if was || s.kept == s.most {
		return was
	}
	if s.kept >= len(s.slots)/2 {
		s.grow()
		i = s.find(sum)
	}
	s.slots[i] = sum
	s.kept++
	return false
}

// find gives the place of a hash, or where it would go.
func (s *Seen) find(sum uint64) int {
	mask := uint64(len(s.slots) - 1)
	i := sum & mask
	for s.slots[i] != 0 && s.slots[i] != sum {
		i = (i + 1) & mask
	}
	return int(i)
}

func (s *Seen) grow() {
	old := s.slots
	s.slots = make([]uint64, 2*len(old))
	for _, sum := range old {
		if sum != 0 {
			s.slots[s.find(sum)] = sum
		}
	}
}

// Kept is how many values are compared with all later ones.
func (s *Seen) Kept() int64 { return int64(s.kept) }

// Full reports whether no further values are kept: there may be some that were compared with their neighbours only.
func (s *Seen) Full() bool { return s.kept == s.most }
