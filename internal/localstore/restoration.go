package localstore

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The storage classes.
const (
	classStandard    = "STANDARD"
	classArchive     = "ARCHIVE" // COS's name of S3's GLACIER
	classGlacier     = "GLACIER"
	classDeepArchive = "DEEP_ARCHIVE"
)

var classes = map[string]bool{
	classStandard: true, "STANDARD_IA": true, "INTELLIGENT_TIERING": true, "ONEZONE_IA": true, "GLACIER_IR": true,
	classArchive: true, classGlacier: true, classDeepArchive: true,
}

// parseClass gives the class to store: "" for STANDARD. Case does not count, as on COS.
func parseClass(name string) (string, error) {
	class := strings.ToUpper(name)
	switch {
	case class == "" || class == classStandard:
		return "", nil
	case !classes[class]:
		return "", errInvalidStorageClass
	}
	return class, nil
}

// archived reports whether the class needs a restore before it is read.
func archived(class string) bool {
	return class == classArchive || class == classGlacier || class == classDeepArchive
}

// The tiers of a restore and how long each takes unless Options say otherwise. Real stores take hours.
const (
	tierExpedited = "Expedited"
	tierStandard  = "Standard"
	tierBulk      = "Bulk"
)

var tierDelays = map[string]time.Duration{tierExpedited: time.Second, tierStandard: 5 * time.Second, tierBulk: 10 * time.Second}

const maxRestoreDays = 365

// restoration is the last restore asked for. What it means is worked out from the clock when asked: there is no timer.
type restoration struct {
	Tier      string    `json:"tier"`
	Requested time.Time `json:"requested"`
	Ready     time.Time `json:"ready"`
	Expiry    time.Time `json:"expiry"` // of the readable copy
}

func (r *restoration) ongoing(now time.Time) bool { return r != nil && now.Before(r.Ready) }

func (r *restoration) done(now time.Time) bool {
	return r != nil && !now.Before(r.Ready) && now.Before(r.Expiry)
}

// header is the value of x-amz-restore / x-cos-restore; "" when no restore runs or holds.
func (r *restoration) header(now time.Time) string {
	switch {
	case r.ongoing(now):
		return `ongoing-request="true"`
	case r.done(now):
		return fmt.Sprintf(`ongoing-request="false", expiry-date="%s"`, r.Expiry.UTC().Format(http.TimeFormat))
	}
	return ""
}

// restore asks for a readable copy of an archived version for days, or, without days, to bring a version back from an
// archive tier of intelligent tiering. The status is 202 for a new restore and 200 when a
// copy's validity was set anew (AWS S3 API, RestoreObject).
func (s *Store) restore(bucket, key, id string, days int, tier string, refusal error) (status int, err error) {
	status = http.StatusAccepted
	_, err = s.update(bucket, key, id, func(v *version) error {
		now := s.now()
		delay := s.o.RestoreDelay
		if delay == 0 {
			delay = tierDelays[tier]
		}
		in := ""
		if b, err := s.bucket(bucket); err == nil {
			in = b.archiveTier(v, now)
		}
		switch {
		case !archived(v.Class) && in == "":
			return refusal
		case (in == "") != (days > 0):
			return errInvalidArgument.because("Days must be given for the archive classes, and must not for the archive tiers of %s.", classTiering)
		case in != "":
			return restoreTier(v, in, tier, delay, now)
		case tier == tierExpedited && v.Class == classDeepArchive:
			return errInvalidTier
		case v.Restore.ongoing(now):
			return errRestoreInProgress
		case v.Restore.done(now):
			status = http.StatusOK
			r := *v.Restore
			r.Expiry = expiry(now, days)
			v.Restore = &r
			return nil
		}
		v.Restore = &restoration{Tier: tier, Requested: now, Ready: now.Add(delay), Expiry: expiry(now.Add(delay), days)}
		return nil
	})
	return status, err
}

// expiry is the end of a copy's life: days later, and on to the next midnight UTC (AWS S3 API, RestoreObject).
func expiry(from time.Time, days int) time.Time {
	end := from.UTC().AddDate(0, 0, days)
	midnight := end.Truncate(24 * time.Hour)
	if midnight.Before(end) {
		midnight = midnight.AddDate(0, 0, 1)
	}
	return midnight
}
