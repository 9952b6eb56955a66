package job

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of a request, in bytes (Tencent Cloud 436/33781, AWS S3 API).
const (
	MaxToken        = 64
	MaxDescription  = 256
	MaxReportPrefix = 512 // COS takes 256
	MaxKey          = 1024
	MaxETag         = 1024
	MaxVersion      = 1024
	MaxARN          = 2048
)

// The limits of a job's own tags (AWS S3 API): how many, and characters of key and value.
const (
	MaxJobTags     = 50
	maxJobTagKey   = 128
	maxJobTagValue = 256
)

// ProtocolCLI marks a job that runs in the foreground of the command line: it alone may name local files, and needs
// no role.
const ProtocolCLI = "cli"

// Validate checks every field against its limits and returns one *Error that names all problems, or nil. Parts that
// are missing altogether give it the code MalformedXML, everything else InvalidArgument.
func (s Spec) Validate() error {
	var p Problems
	local := s.Request.Protocol == ProtocolCLI
	s.missing(&p)
	s.head(&p)
	if s.Manifest.present() {
		s.Manifest.check(&p, local)
	}
	if s.Generator != nil {
		s.Generator.check(&p, s.Report)
		if s.Manifest.present() {
			p.Addf("ManifestGenerator", "is given together with a Manifest; give one of them.")
		}
	}
	if s.Operation != nil {
		p.Add(s.Operation.Validate())
	}
	s.Report.check(&p, local)
	if !local {
		s.Role.check(&p)
	}
	p.Add(ValidateTags(s.Tags))
	p.Add(s.Limits.Validate())
	return p.Err()
}

// ValidateTags checks the tags of a job. Its error is InvalidArgument.
func ValidateTags(tags []Tag) error {
	const field = "Tags"
	if len(tags) > MaxJobTags {
		return FieldErrorf(field, "are %d; a job has at most %d.", len(tags), MaxJobTags)
	}
	seen := map[string]bool{}
	for _, t := range tags {
		key, value := utf8.RuneCountInString(t.Key), utf8.RuneCountInString(t.Value)
		switch {
		case t.Key == "":
			return FieldErrorf(field, "have one with an empty key; give it 1–%d characters.", maxJobTagKey)
		case key > maxJobTagKey:
			return FieldErrorf(field, "the key %s has %d characters; at most %d are allowed.", Quote(t.Key), key, maxJobTagKey)
		case value > maxJobTagValue:
			return FieldErrorf(field, "the value of %s has %d characters; at most %d are allowed.", Quote(t.Key), value, maxJobTagValue)
		case !plain(t.Key+t.Value, ""):
			return FieldErrorf(field, "the tag %s holds control characters or bytes that are no UTF-8; use plain text.", Quote(t.Key))
		case seen[t.Key]:
			return FieldErrorf(field, "have the key %s twice; keys must differ.", Quote(t.Key))
		}
		seen[t.Key] = true
	}
	return nil
}

func (s Spec) missing(p *Problems) {
	for _, part := range []struct {
		name    string
		present bool
	}{
		{"Manifest", s.Manifest.present() || s.Generator != nil},
		{"Operation", s.Operation != nil},
	} {
		if !part.present {
			p.Add(&Error{
				Code: MalformedXML, Field: part.name,
				Message: part.name + ": is missing; a job needs a manifest and exactly one operation.",
			})
		}
	}
}

func (s Spec) head(p *Problems) {
	switch {
	case s.Token == "":
		p.Addf("ClientRequestToken", "is empty; give 1–%d bytes that no earlier job had, for example a UUID.", MaxToken)
	case len(s.Token) > MaxToken:
		p.Addf("ClientRequestToken", "is %d bytes long; at most %d are allowed.", len(s.Token), MaxToken)
	case !plain(s.Token, ""):
		p.Addf("ClientRequestToken", "holds control characters or bytes that are no UTF-8; use letters and digits.")
	}
	switch {
	case len(s.Description) > MaxDescription:
		p.Addf("Description", "is %d bytes long; at most %d are allowed.", len(s.Description), MaxDescription)
	case !plain(s.Description, "\t\r\n"):
		p.Addf("Description", "holds control characters or bytes that are no UTF-8; use plain text.")
	}
	if s.Priority < 0 {
		p.Addf("Priority", "is %d; give a whole number from 0 to 2147483647.", s.Priority)
	}
	p.addIn("Region", s.Region.Validate())
}

func (m Manifest) present() bool {
	return m.Format != "" || len(m.Fields) > 0 || m.Location != (Location{})
}

func (m Manifest) check(p *Problems, local bool) {
	m.Location.check(p, local)
	switch m.Format {
	case FormatCSV:
		m.checkFields(p)
	case FormatInventory:
		if len(m.Fields) > 0 {
			p.Addf("Manifest.Spec.Fields", "are given, but the format is %s, which names its own columns; leave them out.", m.Format)
		}
	default:
		p.Addf("Manifest.Spec.Format", "%s is no manifest format; use %s or %s.", Quote(string(m.Format)), FormatCSV, FormatInventory)
	}
}

func (m Manifest) checkFields(p *Problems) {
	const field = "Manifest.Spec.Fields"
	if len(m.Fields) == 0 {
		p.Addf(field, "are missing; name the columns of the CSV in order, for example Bucket, Key.")
		return
	}
	seen := map[Field]int{}
	for _, f := range m.Fields {
		if !slices.Contains([]Field{FieldIgnore, FieldBucket, FieldKey, FieldVersion}, f) {
			p.Addf(field, "%s is no column; use Bucket, Key, VersionId and Ignore.", Quote(string(f)))
			return
		}
		seen[f]++
	}
	for _, f := range []Field{FieldBucket, FieldKey} {
		if seen[f] != 1 {
			p.Addf(field, "name %s %d times; it must stand there exactly once.", f, seen[f])
		}
	}
	if seen[FieldVersion] > 1 {
		p.Addf(field, "name VersionId %d times; it may stand there once.", seen[FieldVersion])
	}
}

func (l Location) check(p *Problems, local bool) {
	const field = "Manifest.Location"
	if l.Path != "" {
		checkPath(p, field+".Path", l.Path, l.Bucket != "" || l.Key != "", local)
		return
	}
	p.addIn(field+".Region", l.Region.Validate())
	p.addIn(field+".Bucket", l.Bucket.Validate())
	p.addIn(field+".Key", l.Key.Validate())
	if len(l.Version) > MaxVersion {
		p.Addf(field+".ObjectVersionId", "is %d bytes long; at most %d are allowed.", len(l.Version), MaxVersion)
	}
	switch {
	case strings.Trim(l.ETag, `"`) == "":
		p.Addf(field+".ETag", "is empty; give the ETag of the manifest object, so that the job works on the very list that you mean.")
	case len(l.ETag) > MaxETag:
		p.Addf(field+".ETag", "is %d bytes long; at most %d are allowed.", len(l.ETag), MaxETag)
	case !plain(l.ETag, ""):
		p.Addf(field+".ETag", "holds control characters or bytes that are no UTF-8; give the ETag as the store answers it.")
	}
}

// checkPath checks a local path. Only the command line's own process may be told to open files of its machine.
func checkPath(p *Problems, field, path string, stored, local bool) {
	switch {
	case !local:
		p.Addf(field, "names a local file; only jobs in the foreground of the command line may. Give a bucket instead.")
	case stored:
		p.Addf(field, "is given together with a bucket; give one of them.")
	case strings.ContainsRune(path, 0):
		p.Addf(field, "holds a zero byte; give the path of a file.")
	}
}

func (r Report) check(p *Problems, local bool) {
	const field = "Report"
	if len(r.Prefix) > MaxReportPrefix {
		p.Addf(field+".Prefix", "is %d bytes long; at most %d are allowed.", len(r.Prefix), MaxReportPrefix)
	} else if !plain(r.Prefix, "") {
		p.Addf(field+".Prefix", "holds control characters or bytes that are no UTF-8; use plain text.")
	}
	known := r.Scope == AllTasks || r.Scope == FailedTasksOnly
	if !known && (r.Enabled || r.Scope != "") {
		p.Addf(field+".ReportScope", "%s is no scope; use %s or %s.", Quote(string(r.Scope)), AllTasks, FailedTasksOnly)
	}
	if r.Format != "" && r.Format != ReportFormat && r.Format != ReportFormatS3 {
		p.Addf(field+".Format", "%s is no report format; use %s or %s.", Quote(r.Format), ReportFormat, ReportFormatS3)
	}
	switch {
	case r.Path != "":
		checkPath(p, field+".Path", r.Path, r.Bucket != "", local)
		return
	case r.Enabled && r.Bucket == "":
		p.Addf(field+".Bucket", "is empty; name the bucket that the report goes to, or switch the report off.")
	case r.Bucket != "":
		p.addIn(field+".Bucket", r.Bucket.Validate())
	}
	p.addIn(field+".Region", r.Region.Validate())
}

func (r Role) check(p *Problems) {
	const field = "RoleArn"
	switch {
	case r.Name == "" || r.Account == "":
		p.Addf(field, "names no role of an account; write it like qcs::cam::uin/100000000001:roleName/COSBatch_QcsRole.")
	case len(r.ARN) > MaxARN:
		p.Addf(field, "is %d bytes long; at most %d are allowed.", len(r.ARN), MaxARN)
	case !plain(r.ARN+r.Name+r.Account, ""):
		p.Addf(field, "holds control characters or bytes that are no UTF-8; write it as your account shows it.")
	}
}

// Validate checks the shape of a bucket's name: 3–63 of letters, digits, -, . and _, with a letter or a digit at
// either end. Stores have stricter rules of their own.
func (b Bucket) Validate() error {
	const alnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	s := string(b)
	switch {
	case s == "":
		return Errorf(InvalidArgument, "The bucket's name is empty; give its full name.")
	case len(s) < 3 || len(s) > 63 || strings.Trim(s, alnum+"-._") != "",
		!strings.Contains(alnum, s[:1]) || !strings.Contains(alnum, s[len(s)-1:]):
		return Errorf(InvalidArgument, "%s is not a bucket's name; one has 3–63 letters, digits, -, . and _, and a letter or a digit at both ends.", Quote(s))
	}
	return nil
}

// Validate checks a key's length: 1–1,024 bytes, which may have any value.
func (k Key) Validate() error {
	switch {
	case k == "":
		return Errorf(InvalidArgument, "The key is empty; give the object's key.")
	case len(k) > MaxKey:
		return Errorf(InvalidArgument, "The key is %d bytes long; at most %d are allowed.", len(k), MaxKey)
	}
	return nil
}

// Validate checks the shape of a region's name: at most 64 of letters, digits, -, . and _. The empty name is no error:
// it means the default.
func (r Region) Validate() error {
	if len(r) > 64 || strings.Trim(string(r), idBytes+".") != "" {
		return Errorf(InvalidArgument, "%s is not a region's name; one has at most 64 letters, digits, -, . and _.", Quote(string(r)))
	}
	return nil
}
