package api

import (
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

const idBytes = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

// ParseID reads a job's id out of a path. An id that no job can have (5–36 letters, digits, - and _: Tencent Cloud
// 436/33785, AWS S3 API) is NoSuchJob, as is one that no job has; it never reaches the service.
func ParseID(s string) (job.ID, error) {
	if len(s) < 5 || len(s) > 36 || strings.Trim(s, idBytes) != "" {
		return "", job.Errorf(job.NoSuchJob, "There is no job of this id: give the id that creating the job answered.")
	}
	return job.ID(s), nil
}

// ParseRole reads a role's name in either spelling, qcs::cam::uin/<uin>:roleName/<name> (Tencent Cloud 436/33781) or
// arn:aws:iam::<account>:role/[<path>/]<name> (AWS S3 API; arn:aws-cn in China). The ARN is kept as written. Its error is
// InvalidArgument with the given field.
func ParseRole(field, arn string) (job.Role, error) {
	if rest, ok := strings.CutPrefix(arn, "qcs::cam::uin/"); ok {
		account, name, ok := strings.Cut(rest, ":roleName/")
		if ok && account != "" && name != "" && !strings.ContainsAny(account+name, ":/") {
			return job.Role{ARN: arn, Account: account, Name: name}, nil
		}
	}
	for _, partition := range []string{"arn:aws:iam::", "arn:aws-cn:iam::"} {
		rest, ok := strings.CutPrefix(arn, partition)
		if !ok {
			continue
		}
		account, path, ok := strings.Cut(rest, ":role/")
		name := path[strings.LastIndexByte(path, '/')+1:]
		if ok && account != "" && name != "" && !strings.ContainsAny(account+path, ":") {
			return job.Role{ARN: arn, Account: account, Name: name}, nil
		}
	}
	return job.Role{}, job.FieldErrorf(field, "%.64q is not a role; write it like qcs::cam::uin/100000000001:roleName/COSBatch_QcsRole.", arn)
}

// ParsePriority reads a job's priority. Its error is InvalidArgument with the given field.
func ParsePriority(field, s string) (job.Priority, error) {
	p, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, job.FieldErrorf(field, "%s is not a priority; give a whole number from 0 to 2147483647.", job.Quote(s))
	}
	return job.Priority(p), nil
}

// Unquote takes the quotes off an ETag, which clients send with and without.
func Unquote(etag string) string {
	if len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"' {
		return etag[1 : len(etag)-1]
	}
	return etag
}
