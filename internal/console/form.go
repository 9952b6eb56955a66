package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// form is all that a person has typed into the wizard, by the names of its inputs. It travels in the page.
type form struct{ url.Values }

const lastStep = 4

// inputs are the inputs of each step, from 1. What stands in none of them is not taken over from a request.
var inputs = [lastStep + 1][]string{
	0: {"token"},
	1: {"region", "format", "column", "plus", "manifest-bucket", "manifest-key", "manifest-version", "manifest-etag", "preview-role"},
	2: {
		"operation", "target-bucket", "target-region", "prefix", "prefix-from", "prefix-to", "class", "sse", "sse-key",
		"acl", "acl-list", "grant-permission", "grant-id", "metadata", "metadata-name", "metadata-value", "tags", "tag-key", "tag-value",
		"since", "until", "verify", "tier", "days", "wait", "tagging", "set-key", "set-value",
	},
	3: slices.Concat([]string{"description", "priority", "report", "report-region", "report-bucket", "report-prefix", "report-scope", "role", "job-tag-key", "job-tag-value", "job-tags"}, limitInputs),
	4: {"start"},
}

const (
	maxValues = 110     // of one name
	plusSpace = "space" // of plus: + in a key is a blank
)

func formOf(v url.Values) form {
	f := form{url.Values{}}
	for _, names := range inputs {
		for _, name := range names {
			if values := v[name]; len(values) > 0 {
				f.Values[name] = values[:min(len(values), maxValues)]
			}
		}
	}
	f.setHours(f.hours())
	return f
}

// newForm is what a new job begins with.
func newForm(region job.Region, token string) form {
	f := form{url.Values{"column": {"Bucket", "Key"}}}
	for name, value := range map[string]string{
		"token": token, "region": string(region), "format": "inventory", "operation": "copy", "prefix": "none", "class": "STANDARD", "sse": "none",
		"acl": "copy", "metadata": "copy", "tags": "copy", "tier": operation.TierStandard, "days": "7", "tagging": "replace",
		"priority": "10", "report": "yes", "report-prefix": "reports", "report-scope": string(job.AllTasks),
	} {
		f.Set(name, value)
	}
	return f
}

// inputOf names the input, and its step, that a field of a spec comes from.
func inputOf(field string) (name string, step int) {
	for _, m := range []struct {
		field, name string
		step        int
	}{
		{"Region", "region", 1},
		{"Manifest.Spec.Format", "format", 1},
		{"Manifest.Spec.Fields", "column", 1},
		{"Manifest.Location.Bucket", "manifest-bucket", 1},
		{"Manifest.Location.ObjectVersionId", "manifest-version", 1},
		{"Manifest.Location.ETag", "manifest-etag", 1},
		{"Manifest", "manifest-key", 1},
		{"TargetResource", "target-bucket", 2},
		{"ResourcesPrefix", "prefix-from", 2},
		{"TargetKeyPrefix", "prefix-to", 2},
		{"StorageClass", "class", 2},
		{"NewObjectMetadata.SSEAlgorithm", "sse", 2},
		{"NewObjectMetadata.SSEKey", "sse-key", 2},
		{"NewObjectMetadata", "metadata", 2},
		{"MetadataDirective", "metadata", 2},
		{"NewObjectTagging", "tags", 2},
		{"TaggingDirective", "tags", 2},
		{"TagSet", "tagging", 2},
		{"CannedAccessControlList", "acl", 2},
		{"AccessControl", "acl", 2},
		{"ModifiedSinceConstraint", "since", 2},
		{"UnModifiedSinceConstraint", "until", 2},
		{"ExpirationInDays", "days", 2},
		{"JobTier", "tier", 2},
		{"Operation", "operation", 2},
		{"Description", "description", 3},
		{"Priority", "priority", 3},
		{"Report.Bucket", "report-bucket", 3},
		{"Report.Prefix", "report-prefix", 3},
		{"Report", "report", 3},
		{"RoleArn", "role", 3},
		{"Tags", "job-tags", 3},
		{"Limits.Calls", "limit-calls", 3},
		{"Limits.Bytes", "limit-bytes", 3},
		{"Limits.Hours", "limit-hours", 3},
		{"Limits.Zone", "limit-zone", 3},
		{"Limits", "limit-rate", 3},
	} {
		if strings.HasPrefix(field, m.field) {
			return m.name, m.step
		}
	}
	return "", 0
}

// spec makes the job's spec; the problems are those of text that is not even a number or a time.
func (f form) spec(l language, a job.Account) (job.Spec, job.Problems) {
	var p job.Problems
	s := job.Spec{
		Token: f.Get("token"), Account: a, Region: job.Region(f.Get("region")), ConfirmationRequired: f.Get("start") != "yes",
		Description: f.Get("description"), Manifest: f.manifest(), Operation: f.operation(l, &p), Role: roleOf(f.Get("role")),
		Request: job.Request{Protocol: "json"},
	}
	if tags := f.tags("job-tag"); len(tags) > 0 {
		s.Tags = tags
	}
	p.Add(job.ValidateTags(s.Tags))
	s.Limits = f.limits(l, &p)
	var err error
	if s.Priority, err = job.ParsePriority(f.Get("priority")); err != nil || s.Priority == 0 {
		p.Addf("Priority", "%s", l.t("give a positive whole number, at most 2147483647."))
	}
	if f.Get("report") == "yes" {
		s.Report = job.Report{
			Enabled: true, Region: job.Region(f.Get("report-region")), Bucket: job.Bucket(f.text("report-bucket")),
			Prefix: f.Get("report-prefix"), Scope: job.ReportScope(f.Get("report-scope")),
		}
	}
	return s, p
}

// text is a value without blanks around it: for names that never have any.
func (f form) text(name string) string { return strings.TrimSpace(f.Get(name)) }

func (f form) manifest() job.Manifest {
	m := job.Manifest{Format: job.FormatInventory, Location: job.Location{
		Bucket: job.Bucket(f.text("manifest-bucket")), Key: job.Key(f.Get("manifest-key")),
		Version: job.Version(f.text("manifest-version")), ETag: strings.Trim(f.text("manifest-etag"), `"`),
	}}
	if f.Get("format") != "csv" {
		return m
	}
	m.Format, m.PlusSpace = job.FormatCSV, f.Get("plus") == plusSpace
	for _, column := range f.Values["column"] {
		if column != "" {
			m.Fields = append(m.Fields, job.Field(column))
		}
	}
	return m
}

func (f form) operation(l language, p *job.Problems) job.Operation {
	switch f.Get("operation") {
	case "copy":
		return f.copying(l, p)
	case "restore":
		days, err := strconv.Atoi(f.text("days"))
		if err != nil {
			p.Addf("ExpirationInDays", "%s", l.t("give a whole number of days, 1–365."))
			days = 1
		}
		return &operation.Restore{Days: days, Tier: f.Get("tier"), Wait: f.Get("wait") == "yes"}
	case "delete":
		return &operation.Delete{}
	case "tagging":
		op := &operation.Tagging{Directive: operation.DirectiveReplace, Tags: f.tags("set")}
		if f.Get("tagging") == "add" {
			op.Directive = operation.DirectiveAdd
		}
		return op
	}
	return nil
}

func (f form) copying(l language, p *job.Problems) *operation.Copy {
	c := &operation.Copy{
		TargetRegion: job.Region(f.Get("target-region")), TargetBucket: job.Bucket(f.text("target-bucket")), StorageClass: f.Get("class"),
		ACL: directives[f.Get("acl")], Metadata: directives[f.Get("metadata")], Tagging: directives[f.Get("tags")],
		IfModifiedSince: f.time("since", "ModifiedSinceConstraint", l, p), IfUnmodifiedSince: f.time("until", "UnModifiedSinceConstraint", l, p),
	}
	if v := f.Get("verify"); v != "" && v != string(operation.VerifyOff) {
		c.Verify = operation.Verify(v)
	}
	if v := f.Get("sse"); v != "none" {
		c.SSE = v
	}
	if byKMS(c.SSE) {
		c.SSEKey = f.text("sse-key")
	}
	from, to := f.Get("prefix-from"), f.Get("prefix-to")
	switch f.Get("prefix") {
	case "add":
		c.PrefixReplace, c.PrefixTo = true, to
	case "replace":
		c.PrefixReplace, c.PrefixFrom, c.PrefixTo = true, from, to
	case "delete":
		c.PrefixReplace, c.PrefixFrom = true, from
	}
	if mode := f.Get("prefix"); to == "" && (mode == "add" || mode == "replace") {
		p.Addf("TargetKeyPrefix", "%s", l.t("give the prefix, or choose another prefix operation."))
	}
	if mode := f.Get("prefix"); from == "" && (mode == "delete" || mode == "replace") {
		p.Addf("ResourcesPrefix", "%s", l.t("give the prefix, or choose another prefix operation."))
	}
	if changes(c.ACL) {
		c.CannedACL, c.Grants = f.Get("acl-list"), f.grants()
	}
	if changes(c.Metadata) {
		c.NewMetadata = f.metadata()
	}
	if changes(c.Tagging) {
		c.NewTags = f.tags("tag")
	}
	return c
}

// byKMS reports whether an encryption takes a key.
func byKMS(sse string) bool { return sse == object.SSEKMS || sse == object.SSEKMSCOS }

var directives = map[string]operation.Directive{
	"copy": operation.DirectiveCopy, "replace": operation.DirectiveReplace, "add": operation.DirectiveAdd,
}

func changes(d operation.Directive) bool {
	return d == operation.DirectiveReplace || d == operation.DirectiveAdd
}

func (f form) time(name, field string, l language, p *job.Problems) time.Time {
	text := f.text(name)
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		p.Addf(field, "%s", l.t("write the time like 2026-01-02T15:04:05Z."))
	}
	return at
}

// rows gives the filled ones of two columns of inputs.
func (f form) rows(first, second string) []pair {
	var out []pair
	for i, name := range f.Values[first] {
		value := ""
		if i < len(f.Values[second]) {
			value = f.Values[second][i]
		}
		if name != "" || value != "" {
			out = append(out, pair{Name: name, Value: value})
		}
	}
	return out
}

// tags gives a list that is not nil: replacing by nothing takes all tags away.
func (f form) tags(prefix string) []job.Tag {
	tags := []job.Tag{}
	for _, r := range f.rows(prefix+"-key", prefix+"-value") {
		tags = append(tags, job.Tag{Key: r.Name, Value: r.Value})
	}
	return tags
}

func (f form) grants() []object.Grant {
	var out []object.Grant
	for _, r := range f.rows("grant-id", "grant-permission") {
		if r.Name == "" {
			continue // a permission is always chosen
		}
		g := object.Grant{Permission: r.Value, Grantee: object.Grantee{ID: strings.TrimSpace(r.Name)}}
		if strings.Contains(g.Grantee.ID, "://") {
			g.Grantee = object.Grantee{URI: g.Grantee.ID}
		}
		out = append(out, g)
	}
	return out
}

func (f form) metadata() object.Metadata {
	var m object.Metadata
	headers := systemHeaders(&m)
	for _, r := range f.rows("metadata-name", "metadata-value") {
		name := strings.TrimSpace(r.Name)
		known := false
		for header, field := range headers {
			if strings.EqualFold(header, name) {
				*field, known = r.Value, true
			}
		}
		if known {
			continue
		}
		name = strings.ToLower(name)
		name = strings.TrimPrefix(strings.TrimPrefix(name, "x-amz-meta-"), "x-cos-meta-")
		if m.User == nil {
			m.User = map[string]string{}
		}
		m.User[name] = r.Value
	}
	return m
}

// fill puts a spec into the form: for a job like one that there is.
func (f form) fill(s job.Spec) {
	set := func(name, value string) { f.Set(name, value) }
	set("region", string(s.Region))
	if f.setManifest(s.Manifest); s.Manifest.Format == job.FormatCSV {
		set("format", "csv")
	}
	set("description", s.Description)
	set("priority", decimalInt(int64(s.Priority)))
	set("role", s.Role.ARN)
	set("report", "no")
	if s.Report.Enabled {
		set("report", "yes")
		if s.Report.Region != s.Region {
			f.put("report-region", string(s.Report.Region))
		}
		set("report-bucket", string(s.Report.Bucket))
		set("report-prefix", s.Report.Prefix)
		set("report-scope", string(s.Report.Scope))
	}
	f.setTags("job-tag", s.Tags)
	f.setLimits(s.Limits)
	set("operation", s.Operation.Name())
	switch op := s.Operation.(type) {
	case *operation.Copy:
		f.fillCopy(op)
	case *operation.Restore:
		set("days", strconv.Itoa(op.Days))
		set("tier", op.Tier)
		if op.Wait {
			set("wait", "yes")
		}
	case *operation.Tagging:
		set("tagging", mode(op.Directive))
		f.setTags("set", op.Tags)
	}
}

// says reports whether the form asks for all that an operation does.
func (f form) says(op job.Operation) bool {
	again := f.operation(english, new(job.Problems))
	return again != nil && operation.Describe(again) == operation.Describe(op)
}

// put sets an input, or takes it out where there is nothing to put.
func (f form) put(name, value string) {
	f.Del(name)
	if value != "" {
		f.Set(name, value)
	}
}

func (f form) setManifest(m job.Manifest) {
	f.Set("manifest-bucket", string(m.Location.Bucket))
	f.Set("manifest-key", string(m.Location.Key))
	f.Set("manifest-etag", m.Location.ETag)
	f.put("manifest-version", string(m.Location.Version))
	f.Del("plus")
	if m.PlusSpace {
		f.Set("plus", plusSpace)
	}
	f.Set("format", "inventory")
	if len(m.Fields) > 0 {
		f.Del("column")
	}
	for _, column := range m.Fields {
		f.Add("column", string(column))
	}
}

func (f form) setTags(prefix string, tags []job.Tag) {
	for _, t := range tags {
		f.Add(prefix+"-key", t.Key)
		f.Add(prefix+"-value", t.Value)
	}
}

func (f form) fillCopy(c *operation.Copy) {
	f.Set("target-bucket", string(c.TargetBucket))
	f.Set("target-region", string(c.TargetRegion))
	f.Set("prefix-from", c.PrefixFrom)
	f.Set("prefix-to", c.PrefixTo)
	switch {
	case !c.PrefixReplace || c.PrefixFrom == "" && c.PrefixTo == "":
	case c.PrefixFrom == "":
		f.Set("prefix", "add")
	case c.PrefixTo == "":
		f.Set("prefix", "delete")
	default:
		f.Set("prefix", "replace")
	}
	f.Set("verify", string(c.Verify))
	f.Set("class", strings.ToUpper(c.StorageClass))
	if c.SSE != "" {
		f.Set("sse", c.SSE)
	}
	f.put("sse-key", c.SSEKey)
	choice := func(name string, d operation.Directive, given bool, otherwise string) {
		value := otherwise
		for word, directive := range directives {
			if directive == d {
				value = word
			}
		}
		if d == "" && given {
			value = "replace"
		}
		f.Set(name, value)
	}
	rows := metadataRows(c.NewMetadata)
	choice("acl", c.ACL, c.CannedACL != "" || len(c.Grants) > 0, "default")
	choice("metadata", c.Metadata, len(rows) > 0, "copy")
	choice("tags", c.Tagging, len(c.NewTags) > 0, "copy")
	f.Set("acl-list", c.CannedACL)
	for _, g := range c.Grants {
		f.Add("grant-id", g.Grantee.ID+g.Grantee.URI)
		f.Add("grant-permission", g.Permission)
	}
	for _, r := range rows {
		f.Add("metadata-name", r.Name)
		f.Add("metadata-value", r.Value)
	}
	f.setTags("tag", c.NewTags)
	for name, at := range map[string]time.Time{"since": c.IfModifiedSince, "until": c.IfUnmodifiedSince} {
		if !at.IsZero() {
			f.Set(name, at.UTC().Format(time.RFC3339))
		}
	}
}

// hidden are the values that a step's page carries along for the others.
func (f form) hidden(step int) []pair {
	var out []pair
	for i, names := range inputs {
		if i == step {
			continue
		}
		for _, name := range slices.Sorted(slices.Values(names)) {
			for _, value := range f.Values[name] {
				out = append(out, pair{Name: name, Value: value})
			}
		}
	}
	return out
}
