package coscontrol

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/drover-batch/drover/internal/api/xmltree"

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
func keep(manifest, op, report, role *xmltree.Node) (job.Request, error) {
	// A client in use (Terraform's provider) cannot read an empty list of grants.
	for _, k := range op.Kids {
		k.Kids = slices.DeleteFunc(k.Kids, func(n *xmltree.Node) bool { return n.Name == "AccessControlGrants" && n.Absent() })
	}
	body, err := json.Marshal(echo{manifest.Inner(), op.Inner(), report.Inner(), role.Inner()})
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
		Manifest:  manifestNode(s).Inner(),
		Operation: operationNode(s).Inner(),
		Report:    reportNode(s).Inner(),
		RoleArn:   xmltree.Leaf("RoleArn", roleARN(s.Role)).Inner(),
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

func manifestNode(s job.Spec) *xmltree.Node {
	m := s.Manifest
	fields := xmltree.Branch("Fields")
	for _, f := range m.Fields {
		fields.Kids = append(fields.Kids, xmltree.Leaf("member", string(f)))
	}
	if len(m.Fields) == 0 {
		fields = nil
	}
	return xmltree.Branch("Manifest",
		xmltree.Branch("Location",
			xmltree.Leaf("ETag", m.Location.ETag),
			xmltree.Leaf("ObjectArn", name(s, m.Location.Region, m.Location.Bucket, m.Location.Key)),
			xmltree.Optional("ObjectVersionId", string(m.Location.Version))),
		xmltree.Branch("Spec", fields, xmltree.Leaf("Format", string(m.Format))))
}

func reportNode(s job.Spec) *xmltree.Node {
	r := s.Report
	enabled := xmltree.Leaf("Enabled", strconv.FormatBool(r.Enabled))
	if r.Bucket == "" {
		return xmltree.Branch("Report", enabled)
	}
	return xmltree.Branch("Report",
		xmltree.Leaf("Bucket", name(s, r.Region, r.Bucket, "")),
		enabled,
		xmltree.Leaf("Format", job.ReportFormat),
		xmltree.Optional("Prefix", r.Prefix),
		xmltree.Leaf("ReportScope", string(r.Scope)))
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
func operationNode(s job.Spec) *xmltree.Node {
	var n *xmltree.Node
	switch op := s.Operation.(type) {
	case *operation.Copy:
		n = copyNode(s, op)
	case *operation.Restore:
		n = xmltree.Branch(operationName(op), xmltree.Leaf("ExpirationInDays", strconv.Itoa(op.Days)), xmltree.Leaf("JobTier", op.Tier))
	case *operation.Delete:
		n = xmltree.Branch(operationName(op))
	case *operation.Tagging:
		n = xmltree.Branch(operationName(op), xmltree.Leaf("TaggingDirective", string(op.Directive)), tagsNode("TagSet", op.Tags))
	}
	return xmltree.Branch("Operation", n)
}

func copyNode(s job.Spec, c *operation.Copy) *xmltree.Node {
	var prefixReplace, from, to *xmltree.Node
	if c.PrefixReplace {
		prefixReplace, from, to = xmltree.Leaf("PrefixReplace", "true"), xmltree.Optional("ResourcesPrefix", c.PrefixFrom), xmltree.Optional("TargetKeyPrefix", c.PrefixTo)
	}
	return xmltree.Branch(operationName(c),
		xmltree.Optional("AccessControlDirective", string(c.ACL)),
		grantsNode(c.Grants),
		xmltree.Optional("CannedAccessControlList", c.CannedACL),
		prefixReplace, from, to,
		xmltree.Optional("MetadataDirective", string(c.Metadata)),
		timeNode("ModifiedSinceConstraint", c.IfModifiedSince),
		timeNode("UnModifiedSinceConstraint", c.IfUnmodifiedSince),
		metadataNode(c.NewMetadata, c.SSE),
		xmltree.Optional("TaggingDirective", string(c.Tagging)),
		tagsNode("NewObjectTagging", c.NewTags),
		xmltree.Optional("StorageClass", c.StorageClass),
		xmltree.Leaf("TargetResource", name(s, c.TargetRegion, c.TargetBucket, "")))
}

// timeNode writes Unix seconds: cos-go-sdk-v5 reads these two elements as whole numbers.
func timeNode(name string, t time.Time) *xmltree.Node {
	if t.IsZero() {
		return nil
	}
	return xmltree.Leaf(name, strconv.FormatInt(t.Unix(), 10))
}

func tagsNode(name string, tags []job.Tag) *xmltree.Node {
	if len(tags) == 0 {
		return nil
	}
	n := xmltree.Branch(name)
	for _, t := range tags {
		n.Kids = append(n.Kids, xmltree.Branch("COSTag", xmltree.Leaf("Key", t.Key), xmltree.Leaf("Value", t.Value)))
	}
	return n
}

// grantsNode leaves out grants to groups, which a COSGrant cannot name.
func grantsNode(grants []object.Grant) *xmltree.Node {
	n := xmltree.Branch("AccessControlGrants")
	for _, g := range grants {
		if g.Grantee.ID == "" {
			continue
		}
		n.Kids = append(n.Kids, xmltree.Branch("COSGrant",
			xmltree.Branch("Grantee", xmltree.Optional("DisplayName", g.Grantee.DisplayName), xmltree.Leaf("Identifier", g.Grantee.ID), xmltree.Leaf("TypeIdentifier", "ID")),
			xmltree.Leaf("Permission", g.Permission)))
	}
	if len(n.Kids) == 0 {
		return nil
	}
	return n
}

func metadataNode(m object.Metadata, sse string) *xmltree.Node {
	var user *xmltree.Node
	if len(m.User) > 0 {
		user = xmltree.Branch("UserMetadata")
		for _, k := range slices.Sorted(maps.Keys(m.User)) {
			user.Kids = append(user.Kids, xmltree.Branch("member", xmltree.Leaf("Key", k), xmltree.Leaf("Value", m.User[k])))
		}
	}
	n := xmltree.Branch("NewObjectMetadata",
		xmltree.Optional("CacheControl", m.CacheControl),
		xmltree.Optional("ContentDisposition", m.ContentDisposition),
		xmltree.Optional("ContentEncoding", m.ContentEncoding),
		xmltree.Optional("ContentType", m.ContentType),
		xmltree.Optional("HttpExpiresDate", m.Expires),
		xmltree.Optional("SSEAlgorithm", sse),
		user)
	if len(n.Kids) == 0 {
		return nil
	}
	return n
}
