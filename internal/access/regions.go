package access

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Region is a store of the configuration, with what bounds the calls to it.
type Region struct {
	Name       job.Region
	Limits     job.Limits // of all workers together; those of the configuration are each process's
	Configured job.Limits // those of this process's configuration, also where others are in force
	FromConfig bool       // Limits are the configuration's
	Changed    time.Time  // when they were set or cleared at run time; zero = never
	By         string     // the access key of who did
	Revision   string     // of the limits: it changes whenever they are set or cleared
}

// regionRecord is the limits of a region as stored. They take the place of the configuration's, but for those that were
// cleared: their record stays, so that who changes them on a condition is refused if another was first.
type regionRecord struct {
	Name    job.Region
	Limits  job.Limits
	Changed time.Time
	By      string
	Cleared bool `json:",omitempty"`
}

type regionEntry struct {
	regionRecord
	rev uint64
}

func (b *Book) applyRegion(e Entry) error {
	if e.Deleted {
		for name := range b.regions {
			if regionKey(name) == e.Key {
				delete(b.regions, name)
			}
		}
		return nil
	}
	r := regionEntry{rev: e.Rev}
	if err := json.Unmarshal(e.Value, &r.regionRecord); err != nil {
		return fmt.Errorf("read the stored limits %s: %w", e.Key, err)
	}
	b.regions[r.Name] = r
	return nil
}

// RegionLimits gives the limits of a region that were set at run time; false where the configuration's hold.
func (b *Book) RegionLimits(name job.Region) (job.Limits, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	r, ok := b.regions[name]
	return r.Limits, ok && !r.Cleared
}

// Changed is closed once something else is known than now.
func (b *Book) Changed() <-chan struct{} {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.changed
}

// Regions lists the configuration's regions by name.
func (b *Book) Regions() []Region {
	var out []Region
	for name := range b.o.Regions {
		r, _, _ := b.region(name)
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y Region) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// region gives a region, and the revision of its stored limits, 0 where there are none.
func (b *Book) region(name job.Region) (Region, uint64, error) {
	ofConfig, ok := b.o.Regions[name]
	if !ok {
		return Region{}, 0, job.FieldErrorf("region", "%s is no region of this server; GET /api/v1/regions lists them.", job.Quote(string(name)))
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	r, ok := b.regions[name]
	out := Region{Name: name, Limits: r.Limits, Configured: ofConfig, Changed: r.Changed, By: r.By, Revision: strconv.FormatUint(r.rev, 10)}
	if !ok || r.Cleared {
		out.Limits, out.FromConfig = ofConfig, true
	}
	return out, r.rev, nil
}

// isStill refuses a change that was asked for of another revision of a region; "" is any.
func (r Region) isStill(revision string) error {
	if revision == "" || revision == r.Revision {
		return nil
	}
	return r.overtaken(revision)
}

func (r Region) overtaken(revision string) error {
	return job.Errorf(job.Precondition, "The limits of region %s have changed since revision %s. Look at them again and decide anew.", r.Name, revision)
}

// SetRegionLimits puts limits on all calls to a region, those of every process together, in the place of the
// configuration's and of those that were set before; limits that bound nothing too. c is who wants them; where it
// names a revision and the region's is another, the error is Precondition.
func (b *Book) SetRegionLimits(ctx context.Context, c job.Caller, name job.Region, l job.Limits) (Region, error) {
	if err := l.Validate(); err != nil {
		return Region{}, err
	}
	return b.putRegion(ctx, c, regionRecord{Name: name, Limits: l})
}

// ClearRegionLimits puts the configuration's limits of a region in force again, each process's own. The
// condition is that of SetRegionLimits.
func (b *Book) ClearRegionLimits(ctx context.Context, c job.Caller, name job.Region) (Region, error) {
	return b.putRegion(ctx, c, regionRecord{Name: name, Cleared: true})
}

// putRegion stores a region's record, unless another has done so meanwhile.
func (b *Book) putRegion(ctx context.Context, c job.Caller, rec regionRecord) (Region, error) {
	name := rec.Name
	kv, err := b.kv()
	if err != nil {
		return Region{}, err
	}
	r, rev, err := b.region(name)
	if err != nil {
		return Region{}, err
	}
	if err := r.isStill(c.IfRevision); err != nil {
		return Region{}, err
	}
	if rec.Cleared && r.FromConfig {
		return r, nil
	}
	rec.Changed, rec.By = b.o.Now().Truncate(time.Second), c.Principal
	v, err := json.Marshal(rec)
	if err != nil {
		return Region{}, err
	}
	if rev == 0 {
		rev, err = kv.Create(ctx, regionKey(name), v)
	} else {
		rev, err = kv.Update(ctx, regionKey(name), v, rev)
	}
	err = written(err, changedMeanwhile())
	if c.IfRevision != "" && job.CodeOf(err) == job.Conflict {
		err = r.overtaken(c.IfRevision)
	}
	if err != nil {
		return Region{}, err
	}
	if err := b.await(ctx, rev); err != nil {
		return Region{}, err
	}
	r, _, err = b.region(name)
	return r, err
}

func regionKey(name job.Region) string { return "region." + hex.EncodeToString([]byte(name)) }
