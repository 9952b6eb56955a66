package s3control

import (
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// resource is what the ARN of an object or a bucket says: arn:aws:s3:::<bucket>[/<key>].
type resource struct {
	bucket job.Bucket
	key    job.Key
}

// parseARN reads a resource; field is for the error, which is InvalidArgument. Names of access points are refused, as is
// any other that has a region or an account in it.
func parseARN(field, arn string) (resource, error) {
	bad := func(what string) (resource, error) {
		return resource{}, job.FieldErrorf(field, "%s %s; write it like arn:aws:s3:::bucket/key.", job.Quote(arn), what)
	}
	if arn == "" {
		return resource{}, job.FieldErrorf(field, "is missing or empty; write it like arn:aws:s3:::bucket/key.")
	}
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case len(parts) != 6 || parts[0] != "arn" || parts[1] != "aws" && parts[1] != "aws-cn" || parts[2] != "s3":
		return bad("is not the ARN of a bucket or an object")
	case parts[3] != "" || parts[4] != "":
		return bad("has a region or an account in it, which a bucket's ARN has not")
	}
	bucket, key, _ := strings.Cut(parts[5], "/")
	if bucket == "" {
		return bad("names no bucket")
	}
	return resource{job.Bucket(bucket), job.Key(key)}, nil
}

// parseBucketARN is parseARN for a bucket.
func parseBucketARN(field, arn string) (job.Bucket, error) {
	r, err := parseARN(field, arn)
	if err == nil && r.key != "" {
		return "", job.FieldErrorf(field, "%s names an object; leave out what stands after the bucket.", job.Quote(arn))
	}
	return r.bucket, err
}

func (r resource) String() string {
	s := "arn:aws:s3:::" + string(r.bucket)
	if r.key != "" {
		s += "/" + string(r.key)
	}
	return s
}

// jobARN names a job. The regions of China have a partition of their own.
func jobARN(j job.Job) string {
	partition := "aws"
	if strings.HasPrefix(string(j.Spec.Region), "cn-") {
		partition = "aws-cn"
	}
	return "arn:" + partition + ":s3:" + string(j.Spec.Region) + ":" + j.Spec.Account.UIN + ":job/" + string(j.ID)
}
