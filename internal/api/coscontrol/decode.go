package coscontrol

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/api/xmltree"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// decoder reads a CreateJobRequest (Tencent Cloud 436/33781). It keeps the first error and goes on, so that its callers
// need not look after every field.
type decoder struct {
	appID string
	err   error
}

func (d *decoder) fail(err error) {
	if d.err == nil && err != nil {
		d.err = err
	}
}

func malformed(field, format string, args ...any) error {
	return &job.Error{Code: job.MalformedXML, Field: field, Message: field + ": " + fmt.Sprintf(format, args...)}
}

// children finds an element's children by name. Those not named are refused: a misspelt one would change what a job does
// to every object. One that stands there twice with the same content counts once, for the documentation's own skeleton
// has one so.
func (d *decoder) children(n *xmltree.Node, path string, names ...string) map[string]*xmltree.Node {
	found := make(map[string]*xmltree.Node)
	if n == nil {
		return found
	}
	if len(n.Kids) == 0 && n.Value() != "" {
		d.fail(malformed(path, "has text where elements are expected."))
	}
	for _, k := range n.Kids {
		if !slices.Contains(names, k.Name) {
			d.fail(malformed(path, "the element %.64q is not known there; expected are %s.", k.Name, strings.Join(names, ", ")))
			continue
		}
		if first, ok := found[k.Name]; ok && first.Inner() != k.Inner() {
			d.fail(malformed(path+"."+k.Name, "stands there twice; give it once."))
			continue
		}
		found[k.Name] = k
	}
	return found
}

// members gives a list's items, which all have the one name.
func (d *decoder) members(n *xmltree.Node, path, name string) []*xmltree.Node {
	if n == nil {
		return nil
	}
	if len(n.Kids) == 0 && n.Value() != "" {
		d.fail(malformed(path, "has text where elements are expected."))
	}
	for _, k := range n.Kids {
		if k.Name != name {
			d.fail(malformed(path, "the element %.64q is not known there; expected is %s.", k.Name, name))
		}
	}
	return n.Kids
}

func (d *decoder) bool(n *xmltree.Node, path string) bool {
	switch n.Value() {
	case "", "false", "False", "FALSE", "0":
		return false
	case "true", "True", "TRUE", "1":
		return true
	}
	d.fail(job.FieldErrorf(path, "%.64q is neither true nor false.", n.Value()))
	return false
}

func (d *decoder) int(n *xmltree.Node, path string) int {
	i, err := strconv.ParseInt(n.Value(), 10, 32)
	if err != nil {
		d.fail(job.FieldErrorf(path, "%.64q is not a whole number.", n.Value()))
	}
	return int(i)
}

// time reads Unix seconds or ISO 8601; nothing and 0 mean no time.
func (d *decoder) time(n *xmltree.Node, path string) time.Time {
	s := n.Value()
	if s == "" || s == "0" {
		return time.Time{}
	}
	t, ok := timestamp(s)
	if !ok {
		d.fail(job.FieldErrorf(path, "%.64q is not a time; give Unix seconds or a time like 2019-12-19T18:00:30Z.", s))
	}
	return t
}

func timestamp(s string) (time.Time, bool) {
	if sec, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(sec, 0).UTC(), sec > 0 && sec < 1<<38
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// decode reads the whole request; account and region are the caller's to set.
func decode(body []byte, appID string) (job.Spec, error) {
	root, err := xmltree.Parse(body)
	if err != nil {
		return job.Spec{}, err
	}
	if root.Name != "CreateJobRequest" {
		return job.Spec{}, job.Errorf(job.MalformedXML, "The body's root element is %.64q; expected is CreateJobRequest.", root.Name)
	}
	d := &decoder{appID: appID}
	f := d.children(root, "CreateJobRequest", "ClientRequestToken", "ConfirmationRequired", "Description", "Manifest",
		"Operation", "Priority", "Report", "RoleArn")
	for _, name := range []string{"Manifest", "Operation", "Report"} {
		if n := f[name]; n == nil || len(n.Kids) == 0 {
			d.fail(malformed(name, "is missing or empty."))
		}
	}
	s := job.Spec{
		Token:                f["ClientRequestToken"].Value(),
		ConfirmationRequired: d.bool(f["ConfirmationRequired"], "ConfirmationRequired"),
		Description:          f["Description"].Raw(),
		Manifest:             d.manifest(f["Manifest"]),
		Operation:            d.operation(f["Operation"]),
		Report:               d.report(f["Report"]),
	}
	priority, err := api.ParsePriority("Priority", f["Priority"].Value())
	d.fail(err)
	s.Priority = priority
	s.Role, err = api.ParseRole("RoleArn", f["RoleArn"].Value())
	d.fail(err)
	if d.err != nil {
		return job.Spec{}, d.err
	}
	s.Request, err = keep(f["Manifest"], f["Operation"], f["Report"], f["RoleArn"])
	return s, err
}

func (d *decoder) manifest(n *xmltree.Node) job.Manifest {
	f := d.children(n, "Manifest", "Location", "Spec")
	if n != nil && (f["Location"].Absent() || f["Spec"].Absent()) {
		d.fail(malformed("Manifest", "must have a Location and a Spec."))
		return job.Manifest{}
	}
	l := d.children(f["Location"], "Manifest.Location", "ETag", "ObjectArn", "ObjectVersionId")
	s := d.children(f["Spec"], "Manifest.Spec", "Fields", "Format")
	m := job.Manifest{Format: job.ManifestFormat(s["Format"].Value())}
	// Column names mean nothing for an inventory report, which brings its own.
	if m.Format != job.FormatInventory {
		for _, k := range d.members(s["Fields"], "Manifest.Spec.Fields", "member") {
			m.Fields = append(m.Fields, job.Field(k.Value()))
		}
	}
	if n == nil {
		return m
	}
	arn, err := parseARN("Manifest.Location.ObjectArn", l["ObjectArn"].Value(), d.appID)
	d.fail(err)
	if err == nil && arn.key == "" {
		d.fail(job.FieldErrorf("Manifest.Location.ObjectArn", "names a bucket, and no object in it."))
	}
	m.Location = job.Location{
		Region:  arn.region,
		Bucket:  arn.bucket,
		Key:     arn.key,
		Version: job.Version(l["ObjectVersionId"].Value()),
		ETag:    api.Unquote(l["ETag"].Value()),
	}
	return m
}

// maxReportPrefix is COS's (Tencent Cloud 436/33781), in bytes; S3's is twice as long.
const maxReportPrefix = 256

func (d *decoder) report(n *xmltree.Node) job.Report {
	f := d.children(n, "Report", "Bucket", "Enabled", "Format", "Prefix", "ReportScope")
	r := job.Report{
		Enabled: d.bool(f["Enabled"], "Report.Enabled"),
		Prefix:  f["Prefix"].Raw(),
		Scope:   job.ReportScope(f["ReportScope"].Value()),
	}
	if n != nil && f["Enabled"].Value() == "" {
		d.fail(job.FieldErrorf("Report.Enabled", "is missing; say true or false."))
	}
	if len(r.Prefix) > maxReportPrefix {
		d.fail(job.FieldErrorf("Report.Prefix", "is %d bytes long; at most %d are allowed.", len(r.Prefix), maxReportPrefix))
	}
	if format := f["Format"].Value(); format != job.ReportFormat && (r.Enabled || format != "") {
		d.fail(job.FieldErrorf("Report.Format", "%.64q is not a report format; give %s.", format, job.ReportFormat))
	}
	// A job without a report may leave its bucket out.
	if r.Enabled || !f["Bucket"].Absent() {
		arn, err := parseBucketARN("Report.Bucket", f["Bucket"].Value(), d.appID)
		d.fail(err)
		r.Region, r.Bucket = arn.region, arn.bucket
	}
	return r
}

func (d *decoder) operation(n *xmltree.Node) job.Operation {
	f := d.children(n, "Operation", "COSPutObjectCopy", "COSInitiateRestoreObject", "COSDeleteObject", "COSPutObjectTagging")
	if n == nil || d.err != nil {
		return nil
	}
	if len(n.Kids) != 1 {
		d.fail(malformed("Operation", "has %d operations; give exactly one.", len(n.Kids)))
		return nil
	}
	for name, k := range f {
		path := "Operation." + name
		switch name {
		case "COSPutObjectCopy":
			return d.copy(k, path)
		case "COSInitiateRestoreObject":
			r := d.children(k, path, "ExpirationInDays", "JobTier")
			return &operation.Restore{Days: d.int(r["ExpirationInDays"], path+".ExpirationInDays"), Tier: r["JobTier"].Value()}
		case "COSPutObjectTagging":
			t := d.children(k, path, "TaggingDirective", "TagSet")
			return &operation.Tagging{Directive: directive(t["TaggingDirective"]), Tags: d.tags(t["TagSet"], path+".TagSet")}
		case "COSDeleteObject":
			d.children(k, path)
		}
	}
	return &operation.Delete{}
}

// directive reads Copy, Replaced or Add; one sentence of the documentation (436/33786) writes Replace for Replaced.
func directive(n *xmltree.Node) operation.Directive {
	if n.Value() == "Replace" {
		return operation.DirectiveReplace
	}
	return operation.Directive(n.Value())
}

// httpDate turns a time in any of the request's forms into an HTTP date; other text stays.
func httpDate(s string) string {
	if t, ok := timestamp(s); ok {
		return t.Format(http.TimeFormat)
	}
	return s
}
