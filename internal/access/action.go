package access

import "strings"

// Action is something that a policy allows or denies, in the words of COS and CAM.
type Action string

// The actions on objects and buckets (Tencent doc page 436/65935; AWS Service Authorization Reference, Amazon S3).
const (
	GetObject           Action = "cos:GetObject"
	HeadObject          Action = "cos:HeadObject"
	PutObject           Action = "cos:PutObject"
	CopyObject          Action = "cos:PutObjectCopy" // at the destination; PutObject implies it
	RestoreObject       Action = "cos:PostObjectRestore"
	DeleteObject        Action = "cos:DeleteObject"
	GetObjectTagging    Action = "cos:GetObjectTagging"
	PutObjectTagging    Action = "cos:PutObjectTagging"
	DeleteObjectTagging Action = "cos:DeleteObjectTagging"
	GetObjectACL        Action = "cos:GetObjectACL"
	PutObjectACL        Action = "cos:PutObjectACL"
	ListBucket          Action = "cos:GetBucket"
	ListVersions        Action = "cos:GetBucketObjectVersions"
	HeadBucket          Action = "cos:HeadBucket"
)

// The actions on jobs.
const (
	CreateJob         Action = "cos:CreateJob"
	DescribeJob       Action = "cos:DescribeJob"
	ListJobs          Action = "cos:ListJobs"
	UpdateJobPriority Action = "cos:UpdateJobPriority"
	UpdateJobStatus   Action = "cos:UpdateJobStatus"
	DeleteJob         Action = "cos:DeleteJob"
	GetJobTagging     Action = "cos:GetJobTagging"
	PutJobTagging     Action = "cos:PutJobTagging"
)

// The actions on regions and on the engine, which are ours.
const (
	DescribeEngine     Action = "cos:DescribeEngine"
	ListRegions        Action = "cos:ListRegions"
	UpdateRegionLimits Action = "cos:UpdateRegionLimits"
)

// The actions on roles, and on principals, which IAM calls access keys.
const (
	PassRole        Action = "cam:PassRole"
	CreateRole      Action = "cam:CreateRole"
	GetRole         Action = "cam:GetRole"
	ListRoles       Action = "cam:ListRoles"
	DeleteRole      Action = "cam:DeleteRole"
	CreateAccessKey Action = "cam:CreateAccessKey"
	ListAccessKeys  Action = "cam:ListAccessKeys"
	UpdateAccessKey Action = "cam:UpdateAccessKey"
)

// spelling is what an action is called in policies, without its service: in CAM's and in IAM's. One of the names is
// enough, to allow it as well as to deny it. versioned are IAM's names where a version is named; nil = the same.
type spelling struct {
	tencent, aws, versioned []string
}

// spellings lists the actions whose names are not the same in both, each name once in lower case.
var spellings = map[Action]spelling{
	GetObject:     {[]string{"getobject"}, []string{"getobject"}, []string{"getobjectversion"}},
	HeadObject:    {[]string{"headobject", "getobject"}, []string{"getobject"}, []string{"getobjectversion"}},
	CopyObject:    {[]string{"putobjectcopy", "putobject"}, []string{"putobject"}, nil},
	RestoreObject: {[]string{"postobjectrestore"}, []string{"restoreobject"}, nil},
	DeleteObject:  {[]string{"deleteobject"}, []string{"deleteobject"}, []string{"deleteobjectversion"}},
	GetObjectTagging: {
		[]string{"getobjecttagging"}, []string{"getobjecttagging"}, []string{"getobjectversiontagging"},
	},
	PutObjectTagging: {
		[]string{"putobjecttagging"}, []string{"putobjecttagging"}, []string{"putobjectversiontagging"},
	},
	DeleteObjectTagging: {
		[]string{"deleteobjecttagging"}, []string{"deleteobjecttagging"}, []string{"deleteobjectversiontagging"},
	},
	GetObjectACL: {[]string{"getobjectacl"}, []string{"getobjectacl"}, []string{"getobjectversionacl"}},
	PutObjectACL: {[]string{"putobjectacl"}, []string{"putobjectacl"}, []string{"putobjectversionacl"}},
	ListBucket:   {[]string{"getbucket"}, []string{"listbucket"}, nil},
	ListVersions: {[]string{"getbucketobjectversions"}, []string{"listbucketversions"}, nil},
	HeadBucket:   {[]string{"headbucket"}, []string{"listbucket"}, nil},
	ListRoles:    {[]string{"describerolelist", "listroles"}, []string{"listroles"}, nil},
}

func (a Action) service() string {
	service, _, _ := strings.Cut(string(a), ":")
	return service
}

func (a Action) spelling() spelling {
	if s, ok := spellings[a]; ok {
		return s
	}
	_, name, _ := strings.Cut(string(a), ":")
	names := []string{strings.ToLower(name)}
	return spelling{names, names, nil}
}

// services are the services that a policy may speak of: whose words they use, and which service of ours they are.
var services = map[string]struct {
	ours string
	aws  bool
}{
	"cos": {"cos", false},
	"s3":  {"cos", true},
	"cam": {"cam", false},
	"iam": {"cam", true},
	"sts": {"sts", true},
}

// actionPattern is an action of a policy, with wildcards.
type actionPattern struct {
	all     bool // "*"
	service string
	aws     bool
	name    string // lower case
}

// match reports whether the pattern speaks of an action; versioned is whether a version of an object is named.
func (p actionPattern) match(a Action, versioned bool) bool {
	if p.all {
		return true
	}
	if p.service != a.service() {
		return false
	}
	s := a.spelling()
	names := s.tencent
	if p.aws {
		names = s.aws
		if versioned && s.versioned != nil {
			names = s.versioned
		}
	}
	for _, name := range names {
		if glob(p.name, name) {
			return true
		}
	}
	return false
}
