package access

import (
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// Resource is what an action is done to. Object, Bucket, Job and RoleOf make it.
type Resource struct {
	account   job.Account // who acts
	region    job.Region
	kind      kind
	bucket    job.Bucket
	key       string // an object's key or a listing's prefix; a job's id; a role's name
	versioned bool
	begins    bool // key is a prefix: any object below it
}

type kind int

const (
	ofObject kind = iota
	ofBucket
	ofJob
	ofRole
	ofAccount
	ofRegion
)

// Object is one object, or one version of it, that an account acts on.
func Object(a job.Account, r job.Region, b job.Bucket, k job.Key, v job.Version) Resource {
	return Resource{account: a, region: r, kind: ofObject, bucket: b, key: string(k), versioned: v != ""}
}

// ObjectsBelow is any object of a bucket whose key begins with prefix. A policy is taken to allow it when it allows some
// of them.
func ObjectsBelow(a job.Account, r job.Region, b job.Bucket, prefix string) Resource {
	return Resource{account: a, region: r, kind: ofObject, bucket: b, key: prefix, begins: true}
}

// BucketOf is a bucket; prefix is what is listed of it, if it is listed.
func BucketOf(a job.Account, r job.Region, b job.Bucket, prefix string) Resource {
	return Resource{account: a, region: r, kind: ofBucket, bucket: b, key: prefix}
}

// JobOf is a job of the account, "" being all of them.
func JobOf(a job.Account, r job.Region, id job.ID) Resource {
	return Resource{account: a, region: r, kind: ofJob, key: string(id)}
}

// RoleOf is a role of an account.
func RoleOf(a job.Account, name string) Resource {
	return Resource{account: a, kind: ofRole, key: name}
}

// AccountOf is the account itself: the resource of listings and of principals.
func AccountOf(a job.Account) Resource { return Resource{account: a, kind: ofAccount} }

// RegionOf is a region itself, with what is everybody's in it, "" being all of them.
func RegionOf(r job.Region) Resource { return Resource{region: r, kind: ofRegion} }

// String names the resource as CAM does (Tencent doc page 598/10606).
func (r Resource) String() string {
	switch r.kind {
	case ofObject:
		s := "qcs::cos:" + string(r.region) + ":uid/" + r.account.AppID + ":" + string(r.bucket) + "/" + r.key
		if r.begins {
			s += "*"
		}
		return s
	case ofBucket:
		return "qcs::cos:" + string(r.region) + ":uid/" + r.account.AppID + ":" + string(r.bucket) + "/" + r.key
	case ofRegion:
		if r.region != "" {
			return "qcs::cos:" + string(r.region) + "::*"
		}
	case ofRole:
		return "qcs::cam::uin/" + r.account.UIN + ":roleName/" + r.key
	}
	return "*"
}

// resourcePattern is a resource of a policy, with wildcards.
type resourcePattern struct {
	all bool // "*"
	aws bool
	// The parts of qcs:<project>:<service>:<region>:<account>:<name> and of arn:<partition>:<service>:<region>:<account>:<name>.
	service, region, account, name string
}

// match reports whether the pattern speaks of the resource. With whole it has to take in all of what ObjectsBelow means,
// and else some of it.
func (p resourcePattern) match(r Resource, whole bool) bool {
	if p.all {
		return true
	}
	switch r.kind {
	case ofObject:
		return p.of("cos", "s3") && p.inRegion(r.region) && p.ofBucketOwner(r) && p.names(string(r.bucket)+"/"+r.key, r.begins, whole)
	case ofBucket:
		if !p.of("cos", "s3") || !p.inRegion(r.region) || !p.ofBucketOwner(r) {
			return false
		}
		if p.aws { // arn:aws:s3:::bucket
			return glob(p.name, string(r.bucket))
		}
		return glob(p.name, string(r.bucket)+"/"+r.key) || glob(p.name, string(r.bucket)) // …:bucket/*
	case ofJob: // CAM knows no single job: there its resource must be "*"
		return p.aws && p.of("cos", "s3") && p.inRegion(r.region) && glob(p.account, r.account.UIN) && glob(p.name, "job/"+r.key) ||
			!p.aws && p.of("cos", "s3") && p.name == "*" && p.region == "" && p.account == ""
	case ofRole:
		if !p.of("cam", "iam") || !p.ofUIN(r.account) {
			return false
		}
		if p.aws {
			return glob(p.name, "role/"+r.key)
		}
		return glob(p.name, "roleName/"+r.key) || glob(p.name, "role/"+r.key)
	case ofRegion: // it is no account's: all that one account has there does not take it in
		return !p.aws && p.of("cos", "") && p.region != "" && p.account == "" && p.name == "*" && glob(p.region, string(r.region))
	case ofAccount:
		return p.of("cam", "iam") && p.ofUIN(r.account) && p.name == "*"
	}
	return false
}

func (p resourcePattern) of(tencent, aws string) bool {
	if p.aws {
		return glob(p.service, aws)
	}
	return glob(p.service, tencent)
}

// inRegion: no region means any.
func (p resourcePattern) inRegion(r job.Region) bool {
	return p.region == "" || glob(p.region, string(r))
}

// ofBucketOwner: no account means any, as the store has its own say about buckets. Otherwise it is the acting account,
// or the one whose APPID ends the bucket's name.
func (p resourcePattern) ofBucketOwner(r Resource) bool {
	if p.account == "" || p.ofUIN(r.account) {
		return true
	}
	appID, ok := strings.CutPrefix(p.account, "uid/")
	return ok && (glob(appID, r.account.AppID) || strings.HasSuffix(string(r.bucket), "-"+appID))
}

func (p resourcePattern) ofUIN(a job.Account) bool {
	if p.account == "" {
		return true
	}
	if p.aws {
		return glob(p.account, a.UIN)
	}
	return glob(p.account, "uin/"+a.UIN)
}

func (p resourcePattern) names(s string, begins, whole bool) bool {
	switch {
	case !begins:
		return glob(p.name, s)
	case whole:
		return globCovers(p.name, s)
	}
	return globBegins(p.name, s)
}
