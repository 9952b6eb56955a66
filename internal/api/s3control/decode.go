package s3control

import (
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/api/xmltree"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// The formats of S3 that have a counterpart here.
const (
	formatCSV       = "S3BatchOperations_CSV_20180820"
	formatInventory = "S3InventoryReport_CSV_20161130"
	formatReport    = job.ReportFormatS3
)

// root parses a body whose root element must have the given name.
func root(body []byte, name string) (*xmltree.Node, error) {
	if len(body) == 0 {
		return nil, job.Errorf(job.InvalidRequest, "The body is empty: send a %s.", name)
	}
	n, err := xmltree.Parse(body)
	if err != nil {
		return nil, err
	}
	if n.Name != name {
		return nil, job.Errorf(job.MalformedXML, "The body's root element is %s; expected is %s.", job.Quote(n.Name), name)
	}
	return n, nil
}

// decode reads a CreateJobRequest; account and region are the caller's to set.
func decode(body []byte) (job.Spec, error) {
	n, err := root(body, "CreateJobRequest")
	if err != nil {
		return job.Spec{}, err
	}
	d := new(decoder)
	f := d.children(n, "CreateJobRequest", "ClientRequestToken", "ConfirmationRequired", "Description", "Manifest",
		"ManifestGenerator", "Operation", "Priority", "Report", "RoleArn", "Tags")
	list := "Manifest"
	if f["ManifestGenerator"] != nil {
		list = "ManifestGenerator"
	}
	if f["Manifest"] != nil && list != "Manifest" {
		d.fail(malformed("ManifestGenerator", "stands there together with a Manifest; give one of them."))
	}
	for _, name := range []string{list, "Operation", "Report"} {
		if k := f[name]; k == nil || len(k.Kids) == 0 {
			d.fail(malformed(name, "is missing or empty."))
		}
	}
	s := job.Spec{
		Token:                f["ClientRequestToken"].Value(),
		ConfirmationRequired: f["ConfirmationRequired"] == nil || d.bool(f["ConfirmationRequired"], "ConfirmationRequired"),
		Description:          f["Description"].Raw(),
		Manifest:             d.manifest(f["Manifest"]),
		Generator:            d.generator(f["ManifestGenerator"]),
		Operation:            d.operation(f["Operation"]),
		Report:               d.report(f["Report"]),
		Tags:                 d.tags(f["Tags"], "Tags"),
	}
	if s.Token == "" {
		d.fail(job.FieldErrorf("ClientRequestToken", "is missing or empty; give 1–%d bytes that no earlier request had, for example a UUID.", job.MaxToken))
	}
	s.Priority, err = api.ParsePriority("Priority", f["Priority"].Value())
	d.fail(err)
	s.Role, err = parseRole(f["RoleArn"].Value())
	d.fail(err)
	if d.err != nil {
		return job.Spec{}, d.err
	}
	s.Request, err = keep(f["Manifest"], f["ManifestGenerator"], f["Operation"], f["Report"], f["RoleArn"])
	return s, err
}

// decodeTagging reads a PutJobTaggingRequest.
func decodeTagging(body []byte) ([]job.Tag, error) {
	n, err := root(body, "PutJobTaggingRequest")
	if err != nil {
		return nil, err
	}
	d := new(decoder)
	f := d.children(n, "PutJobTaggingRequest", "Tags")
	if f["Tags"] == nil {
		d.fail(malformed("Tags", "is missing; to take all tags away delete them."))
	}
	return d.tags(f["Tags"], "Tags"), d.err
}

// parseRole takes a role in COS's spelling too: it is the same role.
func parseRole(arn string) (job.Role, error) {
	role, err := api.ParseRole("RoleArn", arn)
	if err != nil {
		return role, job.FieldErrorf("RoleArn", "%s is not a role; write it like arn:aws:iam::100000000001:role/COSBatch_QcsRole.", job.Quote(arn))
	}
	return role, nil
}

func (d *decoder) manifest(n *xmltree.Node) job.Manifest {
	f := d.children(n, "Manifest", "Location", "Spec")
	if n == nil {
		return job.Manifest{}
	}
	if f["Location"].Absent() || f["Spec"].Absent() {
		d.fail(malformed("Manifest", "must have a Location and a Spec."))
		return job.Manifest{}
	}
	l := d.children(f["Location"], "Manifest.Location", "ETag", "ObjectArn", "ObjectVersionId")
	s := d.children(f["Spec"], "Manifest.Spec", "Fields", "Format")
	m := job.Manifest{}
	for _, k := range d.members(s["Fields"], "Manifest.Spec.Fields", "member") {
		m.Fields = append(m.Fields, job.Field(k.Value()))
	}
	switch format := s["Format"].Value(); format {
	case formatCSV:
		m.Format, m.PlusSpace = job.FormatCSV, true
	case formatInventory:
		m.Format = job.FormatInventory
		if len(m.Fields) > 0 {
			d.fail(job.FieldErrorf("Manifest.Spec.Fields", "are given, but an inventory report names its own columns; leave them out."))
		}
	default:
		d.fail(job.FieldErrorf("Manifest.Spec.Format", "%s is no manifest format; use %s or %s.", job.Quote(format), formatCSV, formatInventory))
	}
	arn, err := parseARN("Manifest.Location.ObjectArn", l["ObjectArn"].Value())
	d.fail(err)
	if err == nil && arn.key == "" {
		d.fail(job.FieldErrorf("Manifest.Location.ObjectArn", "names a bucket, and no object in it."))
	}
	m.Location = job.Location{
		Bucket: arn.bucket, Key: arn.key,
		Version: job.Version(l["ObjectVersionId"].Value()),
		ETag:    api.Unquote(l["ETag"].Value()),
	}
	return m
}

func (d *decoder) report(n *xmltree.Node) job.Report {
	f := d.children(n, "Report", "Bucket", "Enabled", "ExpectedBucketOwner", "Format", "Prefix", "ReportScope")
	d.refuse(f, "Report", "ExpectedBucketOwner")
	if n != nil && f["Enabled"] == nil {
		d.fail(malformed("Report.Enabled", "is missing; give true or false."))
	}
	r := job.Report{
		Enabled: d.bool(f["Enabled"], "Report.Enabled"),
		Prefix:  f["Prefix"].Raw(),
		Scope:   job.ReportScope(f["ReportScope"].Value()),
	}
	if format := f["Format"].Value(); format != formatReport && (r.Enabled || format != "") {
		d.fail(job.FieldErrorf("Report.Format", "%s is not a report format; give %s.", job.Quote(format), formatReport))
	}
	if r.Enabled {
		r.Format = formatReport
	}
	// A job without a report may leave its bucket out.
	if r.Enabled || !f["Bucket"].Absent() {
		var err error
		r.Bucket, err = parseBucketARN("Report.Bucket", f["Bucket"].Value())
		d.fail(err)
	}
	return r
}

// The operations of S3 that have a counterpart here, and those that have none.
const (
	opCopy       = "S3PutObjectCopy"
	opACL        = "S3PutObjectAcl"
	opTagging    = "S3PutObjectTagging"
	opDeleteTags = "S3DeleteObjectTagging"
	opRestore    = "S3InitiateRestoreObject"
)

var otherOperations = []string{
	"LambdaInvoke", "S3PutObjectLegalHold", "S3PutObjectRetention", "S3ReplicateObject", "S3ComputeObjectChecksum", "S3UpdateObjectEncryption",
}

func (d *decoder) operation(n *xmltree.Node) job.Operation {
	d.children(n, "Operation", append([]string{opCopy, opACL, opTagging, opDeleteTags, opRestore}, otherOperations...)...)
	if n == nil || d.err != nil {
		return nil
	}
	if len(n.Kids) != 1 {
		d.fail(malformed("Operation", "has %d operations; give exactly one.", len(n.Kids)))
		return nil
	}
	k := n.Kids[0]
	path := "Operation." + k.Name
	switch k.Name {
	case opCopy:
		return d.copy(k, path)
	case opACL:
		return d.acl(k, path)
	case opTagging:
		t := d.children(k, path, "TagSet")
		if t["TagSet"] == nil {
			d.fail(malformed(path+".TagSet", "is missing; to take all tags away use %s.", opDeleteTags))
		}
		return &operation.Tagging{Directive: operation.DirectiveReplace, Tags: d.tagSet(t["TagSet"], path+".TagSet")}
	case opDeleteTags:
		d.children(k, path)
		return &operation.Tagging{Directive: operation.DirectiveReplace, Tags: []job.Tag{}}
	case opRestore:
		return d.restore(k, path)
	}
	d.fail(job.FieldErrorf(path, "is not supported here; use %s, %s, %s, %s or %s.", opCopy, opRestore, opTagging, opDeleteTags, opACL))
	return nil
}

// tiers are the tiers of a batch restore in both words; Standard where none is named.
var tiers = map[string]string{"": operation.TierStandard, "STANDARD": operation.TierStandard, "BULK": operation.TierBulk}

func (d *decoder) restore(n *xmltree.Node, path string) *operation.Restore {
	f := d.children(n, path, "ExpirationInDays", "GlacierJobTier")
	if f["ExpirationInDays"] == nil {
		// Objects in the archive tiers of Intelligent-Tiering are moved back for good; for all others the days must be given.
		return &operation.Restore{IntelligentTiering: true, Tier: d.word(f["GlacierJobTier"], path+".GlacierJobTier", tiers)}
	}
	return &operation.Restore{
		Days: d.int(f["ExpirationInDays"], path+".ExpirationInDays"),
		Tier: d.word(f["GlacierJobTier"], path+".GlacierJobTier", tiers),
	}
}

func (d *decoder) acl(n *xmltree.Node, path string) *operation.PutACL {
	f := d.children(n, path, "AccessControlPolicy")
	path += ".AccessControlPolicy"
	p := d.children(f["AccessControlPolicy"], path, "AccessControlList", "CannedAccessControlList")
	path += ".AccessControlList"
	l := d.children(p["AccessControlList"], path, "Grants", "Owner")
	o := d.children(l["Owner"], path+".Owner", "DisplayName", "ID")
	return &operation.PutACL{
		Canned: p["CannedAccessControlList"].Value(),
		Grants: d.grants(l["Grants"], path+".Grants"),
		Owner:  object.Grantee{ID: o["ID"].Value(), DisplayName: o["DisplayName"].Value()},
	}
}

// tags reads a list of tags; nil when it is empty or not there.
func (d *decoder) tags(n *xmltree.Node, path string) []job.Tag {
	var tags []job.Tag
	for _, k := range d.members(n, path, "member") {
		f := d.children(k, path+".member", "Key", "Value")
		tags = append(tags, job.Tag{Key: f["Key"].Raw(), Value: f["Value"].Raw()})
	}
	return tags
}

// tagSet is tags for an object's: not nil, for an empty list says that it shall have none.
func (d *decoder) tagSet(n *xmltree.Node, path string) []job.Tag {
	if tags := d.tags(n, path); tags != nil {
		return tags
	}
	return []job.Tag{}
}
