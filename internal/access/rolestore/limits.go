package rolestore

import (
	"context"
	"maps"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/window"
)

// Limits knows the limits of regions that were set while running. They take the place of a Region's own, and hold for all
// processes together. Safe for concurrent use.
type Limits interface {
	// RegionLimits is false where a Region's own hold.
	RegionLimits(job.Region) (job.Limits, bool)
	// Changed is closed once the limits may be others.
	Changed() <-chan struct{}
}

// lookEvery is how often limits are put in force that nobody has changed: the clock goes on, and workers come and go.
const lookEvery = time.Second

// KeepLimits keeps the regions' bounds as they are wanted until ctx ends. sharers counts the workers that live; each has
// its share, as has a process that is none.
func (s *Stores) KeepLimits(ctx context.Context, sharers func() int) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		changed := s.o.Limits.Changed()
		s.limit(sharers())
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Full reports whether calls to a bucket of a region wait, for the region's limits or for what the store takes.
func (s *Stores) Full(region job.Region, bucket job.Bucket) bool {
	if region == "" {
		region = s.o.Default
	}
	r, ok := s.o.Regions[region]
	return ok && r.Wire.Load.Full(string(bucket))
}

// OnRoom makes f be told whenever calls that waited so are let through, and how many others may come. f must not call the
// Stores.
func (s *Stores) OnRoom(f func(n int)) { s.room.Store(&f) }

func (s *Stores) tellRoom(n int) {
	if f := s.room.Load(); f != nil {
		(*f)(n)
	}
}

// limit puts the limits of all regions in force, as they are now, for one of so many workers.
func (s *Stores) limit(sharers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, r := range s.o.Regions {
		want := r.bounds()
		if l, ok := s.o.Limits.RegionLimits(name); ok {
			b := l.At(time.Now()).Share(sharers)
			want = window.Bounds{Rate: b.Rate, Bytes: float64(b.Bytes), InFlight: b.Calls}
		}
		if s.bounds[name] != want {
			s.bounds[name] = want
			r.Wire.Load.Bounds.Set(want)
		}
	}
}

// Load is what bounds the calls to a region.
type Load struct {
	Bounds  job.Bounds              // in force: this process's share of the region's limits
	Windows map[string]window.State // by bucket; "" of those that have none of their own
}

// Loads tells of all regions.
func (s *Stores) Loads() map[job.Region]Load {
	s.mu.Lock()
	bounds := maps.Clone(s.bounds)
	s.mu.Unlock()
	out := map[job.Region]Load{}
	for name, r := range s.o.Regions {
		b := bounds[name]
		out[name] = Load{job.Bounds{Rate: b.Rate, Bytes: int64(b.Bytes), Calls: b.InFlight}, r.Wire.Load.States()}
	}
	return out
}
