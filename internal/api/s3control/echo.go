package s3control

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/api/xmltree"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// protocol marks the jobs whose Request is this package's.
const protocol = "s3"

// maxEcho is how much of a request a job keeps.
const maxEcho = 64 << 10

// echo is what DescribeJob gives back as it was sent: the text between the tags of four elements.
type echo struct {
	Name      string // the operation's, for listings
	Manifest  string
	Generator string `json:",omitempty"`
	Operation string
	Report    string
	RoleArn   string
}

// keep makes a job's Request of the elements that its creator sent.
func keep(manifest, generator, op, report, role *xmltree.Node) (job.Request, error) {
	body, err := json.Marshal(echo{op.Kids[0].Name, manifest.Inner(), generator.Inner(), op.Inner(), report.Inner(), role.Inner()})
	if err != nil {
		return job.Request{}, err
	}
	if len(body) > maxEcho {
		return job.Request{}, job.Errorf(job.InvalidRequest, "The request is too long to be kept with its job: at most %d bytes are; use fewer grants or less metadata.", maxEcho)
	}
	return job.Request{Protocol: protocol, Body: body}, nil
}

// echoOf gives a job's elements: as they were sent, or made from the spec when the job came in by another protocol.
func echoOf(s job.Spec) echo {
	if s.Request.Protocol == protocol {
		var e echo
		if err := json.Unmarshal(s.Request.Body, &e); err == nil {
			return e
		}
	}
	op, name := operationNode(s.Operation), s.Operation.Name()
	if op != nil {
		name = op.Name
	}
	var manifest, generator *xmltree.Node
	if s.Generator != nil {
		generator = generatorNode(s.Generator)
	} else {
		manifest = manifestNode(s.Manifest)
	}
	return echo{
		Name:      name,
		Manifest:  manifest.Inner(),
		Generator: generator.Inner(),
		Operation: xmltree.Branch("Operation", op).Inner(),
		Report:    reportNode(s.Report).Inner(),
		RoleArn:   xmltree.Leaf("RoleArn", "arn:aws:iam::"+s.Role.Account+":role/"+s.Role.Name).Inner(),
	}
}

// manifestNode shows COS's CSV, in which + is no space, by the name of S3's: it has none of its own.
func manifestNode(m job.Manifest) *xmltree.Node {
	format := formatCSV
	if m.Format == job.FormatInventory {
		format = formatInventory
	}
	var fields *xmltree.Node
	if len(m.Fields) > 0 {
		fields = xmltree.Branch("Fields")
		for _, f := range m.Fields {
			fields.Kids = append(fields.Kids, xmltree.Leaf("member", string(f)))
		}
	}
	return xmltree.Branch("Manifest",
		xmltree.Branch("Spec", xmltree.Leaf("Format", format), fields),
		xmltree.Branch("Location",
			xmltree.Leaf("ObjectArn", resource{m.Location.Bucket, m.Location.Key}.String()),
			xmltree.Optional("ObjectVersionId", string(m.Location.Version)),
			xmltree.Leaf("ETag", m.Location.ETag)))
}

func reportNode(r job.Report) *xmltree.Node {
	enabled := xmltree.Leaf("Enabled", strconv.FormatBool(r.Enabled))
	if r.Bucket == "" {
		return xmltree.Branch("Report", enabled)
	}
	return xmltree.Branch("Report",
		xmltree.Leaf("Bucket", resource{bucket: r.Bucket}.String()),
		xmltree.Leaf("Format", formatReport),
		enabled,
		xmltree.Optional("Prefix", r.Prefix),
		xmltree.Leaf("ReportScope", string(r.Scope)))
}

// operationNode is nil for what has no name in S3: deletes, and whatever adds to what objects have.
func operationNode(op job.Operation) *xmltree.Node {
	switch op := op.(type) {
	case *operation.Copy:
		return copyNode(op)
	case *operation.Restore:
		return xmltree.Branch(opRestore, daysNode(op), xmltree.Leaf("GlacierJobTier", strings.ToUpper(op.Tier)))
	case *operation.Tagging:
		switch {
		case op.Directive == operation.DirectiveAdd:
			return nil
		case len(op.Tags) == 0:
			return xmltree.Branch(opDeleteTags)
		}
		return xmltree.Branch(opTagging, tagsNode("TagSet", op.Tags))
	case *operation.PutACL:
		return aclNode(op)
	}
	return nil
}

// daysNode is nil for the archive tiers of Intelligent-Tiering: what comes back from them stays.
func daysNode(r *operation.Restore) *xmltree.Node {
	if r.IntelligentTiering {
		return nil
	}
	return xmltree.Leaf("ExpirationInDays", strconv.Itoa(r.Days))
}

// copyNode is nil for a copy that does what S3's cannot: it would be another one if it were shown without that.
func copyNode(c *operation.Copy) *xmltree.Node {
	folder, ok := folderOf(c)
	if !ok || c.Metadata == operation.DirectiveAdd || c.Tagging == operation.DirectiveAdd ||
		c.ACL == operation.DirectiveAdd || c.ACL == operation.DirectiveCopy {
		return nil
	}
	var tags *xmltree.Node
	if c.Tagging == operation.DirectiveReplace || len(c.NewTags) > 0 {
		tags = tagsNode("NewObjectTagging", c.NewTags)
	}
	var directive string
	for s3, ours := range directives {
		if ours == string(c.Metadata) {
			directive = s3
		}
	}
	sse := c.SSE
	if sse == object.SSEKMS || sse == object.SSEKMSCOS {
		sse = "KMS"
	}
	return xmltree.Branch(opCopy,
		xmltree.Leaf("TargetResource", resource{bucket: c.TargetBucket}.String()),
		xmltree.Optional("CannedAccessControlList", c.CannedACL),
		grantsNode("AccessControlGrants", c.Grants),
		xmltree.Optional("MetadataDirective", directive),
		timeNode("ModifiedSinceConstraint", c.IfModifiedSince),
		metadataNode(c.NewMetadata, sse),
		tags,
		xmltree.Optional("SSEAwsKmsKeyId", c.SSEKey),
		xmltree.Optional("StorageClass", strings.ToUpper(c.StorageClass)),
		timeNode("UnModifiedSinceConstraint", c.IfUnmodifiedSince),
		xmltree.Optional("TargetKeyPrefix", folder))
}

// folderOf gives the folder that a copy goes to; false when its keys change in another way.
func folderOf(c *operation.Copy) (string, bool) {
	if !c.PrefixReplace || c.PrefixFrom == c.PrefixTo {
		return "", true
	}
	folder, ok := strings.CutSuffix(c.PrefixTo, "/")
	return folder, ok && folder != "" && c.PrefixFrom == ""
}

func aclNode(a *operation.PutACL) *xmltree.Node {
	var list *xmltree.Node
	if a.Canned == "" {
		list = xmltree.Branch("AccessControlList",
			xmltree.Branch("Owner", xmltree.Optional("ID", a.Owner.ID), xmltree.Optional("DisplayName", a.Owner.DisplayName)),
			grantsNode("Grants", a.Grants))
	}
	return xmltree.Branch(opACL, xmltree.Branch("AccessControlPolicy", list, xmltree.Optional("CannedAccessControlList", a.Canned)))
}

func timeNode(name string, t time.Time) *xmltree.Node {
	if t.IsZero() {
		return nil
	}
	return xmltree.Leaf(name, t.UTC().Format(time.RFC3339Nano))
}

func tagsNode(name string, tags []job.Tag) *xmltree.Node {
	n := xmltree.Branch(name)
	for _, t := range tags {
		n.Kids = append(n.Kids, xmltree.Branch("member", xmltree.Leaf("Key", t.Key), xmltree.Leaf("Value", t.Value)))
	}
	return n
}

func grantsNode(name string, grants []object.Grant) *xmltree.Node {
	if len(grants) == 0 {
		return nil
	}
	n := xmltree.Branch(name)
	for _, g := range grants {
		kind, id := "id", g.Grantee.ID
		if g.Grantee.URI != "" {
			kind, id = "uri", g.Grantee.URI
		}
		n.Kids = append(n.Kids, xmltree.Branch("member",
			xmltree.Branch("Grantee", xmltree.Leaf("TypeIdentifier", kind), xmltree.Leaf("Identifier", id), xmltree.Optional("DisplayName", g.Grantee.DisplayName)),
			xmltree.Leaf("Permission", g.Permission)))
	}
	return n
}

// metadataNode leaves out an expiry that is no HTTP date: S3's clients read a time there.
func metadataNode(m object.Metadata, sse string) *xmltree.Node {
	var user *xmltree.Node
	if len(m.User) > 0 {
		user = xmltree.Branch("UserMetadata")
		for _, k := range slices.Sorted(maps.Keys(m.User)) {
			user.Kids = append(user.Kids, xmltree.Branch("entry", xmltree.Leaf("key", k), xmltree.Leaf("value", m.User[k])))
		}
	}
	expires, _ := http.ParseTime(m.Expires) // the zero time is left out
	n := xmltree.Branch("NewObjectMetadata",
		xmltree.Optional("CacheControl", m.CacheControl),
		xmltree.Optional("ContentDisposition", m.ContentDisposition),
		xmltree.Optional("ContentEncoding", m.ContentEncoding),
		xmltree.Optional("ContentLanguage", m.ContentLanguage),
		user,
		xmltree.Optional("ContentType", m.ContentType),
		timeNode("HttpExpiresDate", expires),
		xmltree.Optional("SSEAlgorithm", sse))
	if len(n.Kids) == 0 {
		return nil
	}
	return n
}
