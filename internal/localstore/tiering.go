package localstore

import (
	"net/http"
	"slices"
	"time"
)

const (
	classTiering = "INTELLIGENT_TIERING"
	tierDeep     = "DEEP_ARCHIVE_ACCESS"
	// leastTiered is the size of the smallest objects that are moved between tiers.
	leastTiered = 128 << 10
	maxTierDays = 730
)

// leastTierDays are the tiers that objects of INTELLIGENT_TIERING must be restored from, with the days without access
// after which they may be moved there at the soonest (AWS S3 API, PutBucketIntelligentTieringConfiguration).
var leastTierDays = map[string]int{"ARCHIVE_ACCESS": 90, tierDeep: 180}

// tieringRecord is one configuration of a bucket, for all objects in it.
type tieringRecord struct {
	ID      string     `json:"id" xml:"Id"`
	Status  string     `json:"status" xml:"Status"`
	Filter  *struct{}  `json:"-" xml:"Filter"`
	Tiering []tierRule `json:"tiering" xml:"Tiering"`
}

type tierRule struct {
	Tier string `json:"tier" xml:"AccessTier"`
	Days int    `json:"days" xml:"Days"`
}

func (c *call) putTiering() error {
	var in tieringRecord
	if err := c.parse(&in); err != nil {
		return err
	}
	switch {
	case in.Filter != nil:
		return errNotImplemented.because("This store moves all objects of a bucket between tiers, or none: leave Filter out.")
	case in.ID == "" || in.ID != c.query["id"] || in.Status != "Enabled" && in.Status != "Disabled" || len(in.Tiering) == 0:
		return errMalformedXML
	}
	for _, r := range in.Tiering {
		if least := leastTierDays[r.Tier]; least == 0 || r.Days < least || r.Days > maxTierDays {
			return errInvalidArgument.because("Days must be %d–%d for ARCHIVE_ACCESS and %d–%[2]d for %[4]s.", leastTierDays["ARCHIVE_ACCESS"], maxTierDays, leastTierDays[tierDeep], tierDeep)
		}
	}
	err := c.s.updateBucket(c.bucket, func(b *bucketRecord) {
		b.Tiering = append(slices.DeleteFunc(slices.Clone(b.Tiering), func(t tieringRecord) bool { return t.ID == in.ID }), in)
	})
	if err != nil {
		return err
	}
	return c.done(http.StatusOK)
}

// archiveTier is the archive tier that a version lies in; "" = none. An object is accessed by being written and by being
// restored; reading it would have to be written down each time.
func (b *bucketRecord) archiveTier(v *version, now time.Time) string {
	if v.Class != classTiering || v.Size < leastTiered {
		return ""
	}
	last := v.modified()
	if v.Restore != nil && !v.Restore.ongoing(now) {
		last = v.Restore.Ready
	}
	in, longest := "", 0
	for _, t := range b.Tiering {
		for _, r := range t.Tiering {
			if t.Status == "Enabled" && r.Days > longest && now.Sub(last) >= time.Duration(r.Days)*24*time.Hour {
				in, longest = r.Tier, r.Days
			}
		}
	}
	return in
}

// readable reports whether a version's body may be read now.
func (s *Store) readable(bucket string, v *version) bool {
	now := s.now()
	if archived(v.Class) {
		return v.Restore.done(now)
	}
	b, err := s.bucket(bucket)
	return err != nil || b.archiveTier(v, now) == ""
}

// restoreTier brings a version back from its archive tier, for good. The status is always 202.
func restoreTier(v *version, in, tier string, delay time.Duration, now time.Time) error {
	switch {
	case tier == tierExpedited && in == tierDeep:
		return errInvalidTier
	case v.Restore.ongoing(now):
		return errRestoreInProgress
	}
	v.Restore = &restoration{Tier: tier, Requested: now, Ready: now.Add(delay)}
	return nil
}
