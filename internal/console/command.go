package console

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// errNoCommand is for what only the API can say.
var errNoCommand = errors.New("the command line has no flags for this job")

// given is the value of a flag that has none.
const given = "\n"

// command is the command line that makes the same job on a server whose default region is the given one.
func command(s job.Spec, region job.Region) (string, error) {
	elsewhere := func(r job.Region) bool { return r != "" && r != region }
	switch m := s.Manifest; {
	case len(s.Tags) > 0, m.PlusSpace, m.Location.Version != "",
		elsewhere(s.Region), elsewhere(m.Location.Region), elsewhere(s.Report.Region),
		s.Generator != nil && elsewhere(s.Generator.Output.Region):
		return "", errNoCommand
	}
	var args []string
	unseen := false
	flag := func(name, value string) {
		unseen = unseen || value != given && visible(value) != value
		switch {
		case value == given:
			args = append(args, "--"+name)
		case value != "":
			args = append(args, "--"+name+" "+quoteArg(value))
		}
	}
	if s.Generator != nil {
		generatorFlags(s.Generator, flag)
	} else {
		manifestFlags(s.Manifest, flag)
	}
	name, err := operationFlags(s.Operation, flag)
	if err != nil {
		return "", err
	}
	if s.Report.Enabled {
		flag("report", "s3://"+string(s.Report.Bucket)+"/"+s.Report.Prefix)
		if s.Report.Scope == job.FailedTasksOnly {
			flag("report-scope", "failed")
		}
	}
	flag("description", s.Description)
	flag("priority", decimalInt(int64(s.Priority)))
	flag("role", s.Role.ARN)
	limitFlags(s.Limits, "limit-", flag)
	if !s.ConfirmationRequired {
		args = append(args, "--start")
	}
	if unseen { // nobody should paste what cannot be read
		return "", errNoCommand
	}
	return "drover job create " + name + " \\\n  " + strings.Join(args, " \\\n  "), nil
}

func operationFlags(op job.Operation, flag func(name, value string)) (string, error) {
	switch op := op.(type) {
	case *operation.Copy:
		return "copy", copyFlags(op, flag)
	case *operation.Restore:
		if op.Days > 0 {
			flag("days", decimalInt(int64(op.Days)))
		}
		flag("tier", op.Tier)
		for _, o := range []struct {
			name string
			set  bool
		}{{"trust-inventory", op.TrustInventory}, {"intelligent-tiering", op.IntelligentTiering}, {"wait", op.Wait}} {
			if o.set {
				flag(o.name, given)
			}
		}
		return "restore", nil
	case *operation.Delete:
		return "delete", nil
	case *operation.Tagging:
		if len(op.Tags) == 0 {
			return "", errNoCommand
		}
		flag("mode", mode(op.Directive))
		for _, t := range op.Tags {
			flag("set", t.Key+"="+t.Value)
		}
		if equalSigns(op.Tags) {
			return "", errNoCommand
		}
		return "tag", nil
	}
	return "", errNoCommand
}

func manifestFlags(m job.Manifest, flag func(name, value string)) {
	flag("manifest", "s3://"+string(m.Location.Bucket)+"/"+string(m.Location.Key))
	if m.Format == job.FormatInventory {
		flag("manifest-format", "inventory")
	} else {
		flag("manifest-format", "csv")
		fields := make([]string, len(m.Fields))
		for i, f := range m.Fields {
			fields[i] = string(f)
		}
		flag("fields", strings.Join(fields, ","))
	}
	flag("manifest-etag", m.Location.ETag)
}

func generatorFlags(g *job.Generator, flag func(name, value string)) {
	flag("from-bucket", string(g.Source))
	f := g.Filter
	for _, texts := range []struct {
		name string
		of   []string
	}{{"from-prefix", f.Prefixes}, {"from-suffix", f.Suffixes}, {"from-substring", f.Substrings}, {"from-class", f.Classes}} {
		for _, t := range texts.of {
			flag(texts.name, t)
		}
	}
	for _, at := range []struct {
		name string
		at   time.Time
	}{{"from-created-after", f.CreatedAfter}, {"from-created-before", f.CreatedBefore}} {
		if !at.at.IsZero() {
			flag(at.name, at.at.UTC().Format(time.RFC3339))
		}
	}
	for _, size := range []struct {
		name string
		of   *int64
	}{{"from-larger-than", f.LargerThan}, {"from-smaller-than", f.SmallerThan}} {
		if size.of != nil {
			flag(size.name, decimalInt(*size.of))
		}
	}
	if g.Output.Bucket != "" {
		flag("from-list", "s3://"+string(g.Output.Bucket)+"/"+g.Output.Prefix)
	}
}

// equalSigns reports whether KEY=VALUE would say something else of a tag.
func equalSigns(tags []job.Tag) bool {
	return slices.ContainsFunc(tags, func(t job.Tag) bool { return strings.Contains(t.Key, "=") })
}

func mode(d operation.Directive) string {
	if d == operation.DirectiveAdd {
		return "add"
	}
	return "replace"
}

func copyFlags(c *operation.Copy, flag func(name, value string)) error {
	flag("to", string(c.TargetBucket))
	flag("to-region", string(c.TargetRegion))
	switch {
	case !c.PrefixReplace:
	case c.PrefixFrom == "":
		flag("prefix-add", c.PrefixTo)
	case c.PrefixTo == "":
		flag("prefix-delete", c.PrefixFrom)
	default:
		flag("prefix-replace", c.PrefixFrom+"="+c.PrefixTo)
	}
	flag("storage-class", c.StorageClass)
	flag("sse", c.SSE)
	flag("sse-key", c.SSEKey)
	if c.Verify != operation.VerifyOff {
		flag("verify", string(c.Verify))
	}
	for _, o := range []struct {
		name string
		at   time.Time
	}{{"if-modified-since", c.IfModifiedSince}, {"if-unmodified-since", c.IfUnmodifiedSince}} {
		if !o.at.IsZero() {
			flag(o.name, o.at.UTC().Format(time.RFC3339))
		}
	}
	if c.Metadata == operation.DirectiveReplace && len(metadataRows(c.NewMetadata)) == 0 ||
		c.Tagging == operation.DirectiveReplace && len(c.NewTags) == 0 ||
		c.ACL == operation.DirectiveAdd && c.CannedACL != "" ||
		c.PrefixReplace && c.PrefixTo != "" && strings.Contains(c.PrefixFrom, "=") || equalSigns(c.NewTags) {
		return errNoCommand
	}
	if c.ACL == operation.DirectiveCopy {
		flag("acl", "copy")
	}
	flag("acl", c.CannedACL)
	if len(c.Grants) > 0 {
		flag("grant-mode", mode(c.ACL))
	}
	for _, g := range c.Grants {
		flag("grant", g.Permission+"="+g.Grantee.ID+g.Grantee.URI)
	}
	if rows := metadataRows(c.NewMetadata); len(rows) > 0 {
		flag("metadata-mode", mode(c.Metadata))
		for _, r := range rows {
			flag("metadata", r.Name+"="+r.Value)
		}
	}
	if len(c.NewTags) > 0 {
		flag("tag-mode", mode(c.Tagging))
		for _, t := range c.NewTags {
			flag("tag", t.Key+"="+t.Value)
		}
	}
	return nil
}

// systemHeaders are the metadata that every store knows, by their names as headers.
func systemHeaders(m *object.Metadata) map[string]*string {
	return map[string]*string{
		"Cache-Control": &m.CacheControl, "Content-Disposition": &m.ContentDisposition, "Content-Encoding": &m.ContentEncoding,
		"Content-Language": &m.ContentLanguage, "Content-Type": &m.ContentType, "Expires": &m.Expires,
	}
}

// metadataRows lists metadata by name, the headers first.
func metadataRows(m object.Metadata) []pair {
	var out []pair
	headers := systemHeaders(&m)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if value := *headers[name]; value != "" {
			out = append(out, pair{Name: name, Value: value})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.User)) {
		out = append(out, pair{Name: name, Value: m.User[name]})
	}
	return out
}

// quoteArg writes an argument for a POSIX shell.
func quoteArg(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:,=@%+"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
