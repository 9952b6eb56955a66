package coscontrol

import (
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// resource is what a qcs name of an object or a bucket says (Tencent Cloud 436/33781):
// qcs::cos:<region>:[uid/<appid>]:<bucket>[/<key>].
type resource struct {
	region job.Region
	appID  string // "" = not named
	bucket job.Bucket
	key    job.Key
}

// parseARN reads a resource; field is for the error, which is InvalidArgument. The account in it, when there is one,
// must be the caller's.
func parseARN(field, arn, appID string) (resource, error) {
	bad := func(what string) (resource, error) {
		return resource{}, job.FieldErrorf(field, "%.64q %s; write it like qcs::cos:ap-guangzhou:uid/1250000000:bucket-1250000000/key.", arn, what)
	}
	if arn == "" {
		return resource{}, job.FieldErrorf(field, "is empty; write it like qcs::cos:ap-guangzhou:uid/1250000000:bucket-1250000000/key.")
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "qcs" || parts[1] != "" || parts[2] != "cos" {
		return bad("is not the name of a COS resource")
	}
	r := resource{region: job.Region(parts[3])}
	if r.region == "" {
		return bad("names no region")
	}
	if account := parts[4]; account != "" {
		var ok bool
		if r.appID, ok = strings.CutPrefix(account, "uid/"); !ok || r.appID == "" {
			return bad("has an account that is not uid/<APPID>")
		}
		if r.appID != appID {
			return bad("is of another account than the request")
		}
	}
	bucket, key, _ := strings.Cut(parts[5], "/")
	if bucket == "" {
		return bad("names no bucket")
	}
	r.bucket, r.key = job.Bucket(bucket), job.Key(key)
	return r, nil
}

// parseBucketARN is parseARN for a bucket.
func parseBucketARN(field, arn, appID string) (resource, error) {
	r, err := parseARN(field, arn, appID)
	if err == nil && r.key != "" {
		return resource{}, job.FieldErrorf(field, "%.64q names an object; leave out what stands after the bucket.", arn)
	}
	return r, err
}

func (r resource) String() string {
	s := "qcs::cos:" + string(r.region) + ":"
	if r.appID != "" {
		s += "uid/" + r.appID
	}
	s += ":" + string(r.bucket)
	if r.key != "" {
		s += "/" + string(r.key)
	}
	return s
}
