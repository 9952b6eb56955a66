package coscontrol

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// protocol marks the jobs whose Request is this package's.
const protocol = "cos"

// maxEcho is how much of a request a job keeps.
const maxEcho = 64 << 10

// echo is what DescribeJob gives back to the letter: the text between the tags of four elements. The SDKs and Terraform
// compare it with what they sent.
type echo struct {
	Manifest  string
	Operation string
	Report    string
	RoleArn   string
}

// keep makes a job's Request of the elements that its creator sent.
func keep(manifest, op, report, role *node) (job.Request, error) {
	// A client in use (Terraform's provider) cannot read an empty list of grants.
	for _, k := range op.kids {
		k.kids = slices.DeleteFunc(k.kids, func(n *node) bool { return n.name == "AccessControlGrants" && n.absent() })
	}
	body, err := json.Marshal(echo{manifest.String(), op.String(), report.String(), role.String()})
	if err != nil {
		return job.Request{}, err
	}
	if len(body) > maxEcho {
		return job.Request{}, job.Errorf(job.InvalidRequest, "The request is too long to be kept with its job: at most %d bytes are; use fewer grants or less metadata.", maxEcho)
	}
	return job.Request{Protocol: protocol, Body: body}, nil
}

// echoOf gives a job's four elements: as they were sent, or made from the spec when the job came in by another protocol.
func echoOf(s job.Spec) echo {
	if s.Request.Protocol == protocol {
		var e echo
		if err := json.Unmarshal(s.Request.Body, &e); err == nil {
			return e
		}
	}
	return echo{
		Manifest:  manifestNode(s).String(),
		Operation: operationNode(s).String(),
		Report:    reportNode(s).String(),
		RoleArn:   leaf("RoleArn", roleARN(s.Role)).String(),
	}
}

// name translates a bucket or an object to a qcs name. A region that was not named is the job's.
func name(s job.Spec, region job.Region, bucket job.Bucket, key job.Key) string {
	if region == "" {
		region = s.Region
	}
	return resource{region: region, appID: s.Account.AppID, bucket: bucket, key: key}.String()
}

func roleARN(r job.Role) string { return "qcs::cam::uin/" + r.Account + ":roleName/" + r.Name }

func manifestNode(s job.Spec) *node {
	m := s.Manifest
	fields := branch("Fields")
	for _, f := range m.Fields {
		fields.kids = append(fields.kids, leaf("member", string(f)))
	}
	if len(m.Fields) == 0 {
		fields = nil
	}
	return branch("Manifest",
		branch("Location",
			leaf("ETag", m.Location.ETag),
			leaf("ObjectArn", name(s, m.Location.Region, m.Location.Bucket, m.Location.Key)),
			optional("ObjectVersionId", string(m.Location.Version))),
		branch("Spec", fields, leaf("Format", string(m.Format))))
}

func reportNode(s job.Spec) *node {
	r := s.Report
	enabled := leaf("Enabled", strconv.FormatBool(r.Enabled))
	if r.Bucket == "" {
		return branch("Report", enabled)
	}
	return branch("Report",
		leaf("Bucket", name(s, r.Region, r.Bucket, "")),
		enabled,
		leaf("Format", job.ReportFormat),
		optional("Prefix", r.Prefix),
		leaf("ReportScope", string(r.Scope)))
}

// operationName is the name that listings show.
func operationName(op job.Operation) string {
	switch op.(type) {
	case *operation.Copy:
		return "COSPutObjectCopy"
	case *operation.Restore:
		return "COSInitiateRestoreObject"
	case *operation.Delete:
		return "COSDeleteObject"
	case *operation.Tagging:
		return "COSPutObjectTagging"
	}
	return op.Name()
}

// operationNode leaves out what has no name in COS; the element itself stays.
func operationNode(s job.Spec) *node {
	var n *node
	switch op := s.Operation.(type) {
	case *operation.Copy:
		n = copyNode(s, op)
	case *operation.Restore:
		n = branch(operationName(op), leaf("ExpirationInDays", strconv.Itoa(op.Days)), leaf("JobTier", op.Tier))
	case *operation.Delete:
		n = branch(operationName(op))
	case *operation.Tagging:
		n = branch(operationName(op), leaf("TaggingDirective", string(op.Directive)), tagsNode("TagSet", op.Tags))
	}
	return branch("Operation", n)
}

func copyNode(s job.Spec, c *operation.Copy) *node {
	var prefixReplace, from, to *node
	if c.PrefixReplace {
		prefixReplace, from, to = leaf("PrefixReplace", "true"), optional("ResourcesPrefix", c.PrefixFrom), optional("TargetKeyPrefix", c.PrefixTo)
	}
	return branch(operationName(c),
		optional("AccessControlDirective", string(c.ACL)),
		grantsNode(c.Grants),
		optional("CannedAccessControlList", c.CannedACL),
		prefixReplace, from, to,
		optional("MetadataDirective", string(c.Metadata)),
		timeNode("ModifiedSinceConstraint", c.IfModifiedSince),
		timeNode("UnModifiedSinceConstraint", c.IfUnmodifiedSince),
		metadataNode(c.NewMetadata, c.SSE),
		optional("TaggingDirective", string(c.Tagging)),
		tagsNode("NewObjectTagging", c.NewTags),
		optional("StorageClass", c.StorageClass),
		leaf("TargetResource", name(s, c.TargetRegion, c.TargetBucket, "")))
}

// timeNode writes Unix seconds: cos-go-sdk-v5 reads these two elements as whole numbers.
func timeNode(name string, t time.Time) *node {
	if t.IsZero() {
		return nil
	}
	return leaf(name, strconv.FormatInt(t.Unix(), 10))
}

func tagsNode(name string, tags []job.Tag) *node {
	if len(tags) == 0 {
		return nil
	}
	n := branch(name)
	for _, t := range tags {
		n.kids = append(n.kids, branch("COSTag", leaf("Key", t.Key), leaf("Value", t.Value)))
	}
	return n
}

// grantsNode leaves out grants to groups, which a COSGrant cannot name.
func grantsNode(grants []object.Grant) *node {
	n := branch("AccessControlGrants")
	for _, g := range grants {
		if g.Grantee.ID == "" {
			continue
		}
		n.kids = append(n.kids, branch("COSGrant",
			branch("Grantee", optional("DisplayName", g.Grantee.DisplayName), leaf("Identifier", g.Grantee.ID), leaf("TypeIdentifier", "ID")),
			leaf("Permission", g.Permission)))
	}
	if len(n.kids) == 0 {
		return nil
	}
	return n
}

func metadataNode(m object.Metadata, sse string) *node {
	var user *node
	if len(m.User) > 0 {
		user = branch("UserMetadata")
		for _, k := range slices.Sorted(maps.Keys(m.User)) {
			user.kids = append(user.kids, branch("member", leaf("Key", k), leaf("Value", m.User[k])))
		}
	}
	n := branch("NewObjectMetadata",
		optional("CacheControl", m.CacheControl),
		optional("ContentDisposition", m.ContentDisposition),
		optional("ContentEncoding", m.ContentEncoding),
		optional("ContentType", m.ContentType),
		optional("HttpExpiresDate", m.Expires),
		optional("SSEAlgorithm", sse),
		user)
	if len(n.kids) == 0 {
		return nil
	}
	return n
}
