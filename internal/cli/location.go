package cli

import (
	"path/filepath"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// place is where something lies: an object or a prefix of a bucket, or a local path.
type place struct {
	bucket job.Bucket
	key    string // a key or a prefix
	path   string // local; bucket is then empty
}

func (p place) local() bool { return p.bucket == "" }

func (p place) String() string {
	if p.local() {
		return p.path
	}
	return "s3://" + string(p.bucket) + "/" + p.key
}

// parsePlace reads s3://BUCKET/KEY (cos:// says the same) or a local path. A local path is made absolute, so that a job
// that goes on in another folder still finds it.
func parsePlace(flag, text string) (place, error) {
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		if text == "" {
			return place{}, usagef("", "%s: nothing is given", flag)
		}
		abs, err := filepath.Abs(text)
		return place{path: abs}, err
	}
	if scheme != "s3" && scheme != "cos" {
		return place{}, usagef("", "%s: %s is neither s3://BUCKET/KEY nor a local path", flag, text)
	}
	bucket, key, _ := strings.Cut(rest, "/")
	if bucket == "" {
		return place{}, usagef("", "%s: %s names no bucket: s3://BUCKET/KEY", flag, text)
	}
	return place{bucket: job.Bucket(bucket), key: key}, nil
}
