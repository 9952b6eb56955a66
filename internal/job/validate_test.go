package job

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type operation struct{ err error }

func (o operation) Name() string    { return "copy" }
func (o operation) Validate() error { return o.err }

// good gives a spec without a fault.
func good() Spec {
	return Spec{
		Token:       "6d0f6f4e-0a55-4f1b-9a39-5a8f7a0f6b11",
		Region:      "ap-chengdu",
		Description: "nightly",
		Manifest: Manifest{
			Format:   FormatCSV,
			Fields:   []Field{FieldBucket, FieldKey, FieldIgnore, FieldVersion, FieldIgnore},
			Location: Location{Region: "ap-chengdu", Bucket: "lists-1250000000", Key: "in/list.csv", ETag: "0f343b0931126a20f133d67c2b018a3b"},
		},
		Operation: operation{},
		Priority:  10,
		Report:    Report{Enabled: true, Bucket: "lists-1250000000", Prefix: "out", Scope: FailedTasksOnly},
		Role:      Role{ARN: "qcs::cam::uin/100000000001:roleName/r", Account: "100000000001", Name: "r"},
		Request:   Request{Protocol: "cos"},
	}
}

func TestSpecValidate(t *testing.T) {
	t.Parallel()
	ascii := func(n int) string { return strings.Repeat("x", n) }
	local := func(s *Spec) {
		s.Request.Protocol = ProtocolCLI
		s.Role = Role{}
		s.Manifest.Location = Location{Path: "list.csv"}
		s.Report = Report{Enabled: true, Path: "out", Scope: AllTasks}
	}
	for _, c := range []struct {
		name   string
		change func(*Spec)
		field  string // "" = valid
		says   string
	}{
		{"a good one", func(*Spec) {}, "", ""},
		{"no token", func(s *Spec) { s.Token = "" }, "ClientRequestToken", "empty"},
		{"token of 64", func(s *Spec) { s.Token = ascii(64) }, "", ""},
		{"token of 65", func(s *Spec) { s.Token = ascii(65) }, "ClientRequestToken", "65 bytes"},
		{"token with a control byte", func(s *Spec) { s.Token = "a\x00" }, "ClientRequestToken", "control"},
		{"no description", func(s *Spec) { s.Description = "" }, "", ""},
		{"description of 256", func(s *Spec) { s.Description = ascii(256) }, "", ""},
		{"description of two lines", func(s *Spec) { s.Description = "a\r\n\tb" }, "", ""},
		{"description of 257 bytes in fewer characters", func(s *Spec) { s.Description = strings.Repeat("é", 128) + "x" }, "Description", "257"},
		{"description with ESC", func(s *Spec) { s.Description = "\x1b[31m" }, "Description", "control"},
		{"description of no UTF-8", func(s *Spec) { s.Description = "\xff" }, "Description", "UTF-8"},
		{"priority 0", func(s *Spec) { s.Priority = 0 }, "", ""},
		{"highest priority", func(s *Spec) { s.Priority = 2147483647 }, "", ""},
		{"priority below 0", func(s *Spec) { s.Priority = -1 }, "Priority", "-1"},
		{"region of odd letters", func(s *Spec) { s.Region = "a/b" }, "Region", "a/b"},
		{"default region", func(s *Spec) { s.Region = "" }, "", ""},

		{"no manifest", func(s *Spec) { s.Manifest = Manifest{} }, "Manifest", "missing"},
		{"no manifest bucket", func(s *Spec) { s.Manifest.Location.Bucket = "" }, "Manifest.Location.Bucket", "empty"},
		{"odd manifest bucket", func(s *Spec) { s.Manifest.Location.Bucket = "a/b" }, "Manifest.Location.Bucket", "a/b"},
		{"no manifest key", func(s *Spec) { s.Manifest.Location.Key = "" }, "Manifest.Location.Key", "empty"},
		{"manifest key of 1,025", func(s *Spec) { s.Manifest.Location.Key = Key(ascii(1025)) }, "Manifest.Location.Key", "1025"},
		{"manifest key of any bytes", func(s *Spec) { s.Manifest.Location.Key = "\xff\x01\n" }, "", ""},
		{"no ETag", func(s *Spec) { s.Manifest.Location.ETag = "" }, "Manifest.Location.ETag", "empty"},
		{"ETag of quotes only", func(s *Spec) { s.Manifest.Location.ETag = `""` }, "Manifest.Location.ETag", "empty"},
		{"ETag of 1,025", func(s *Spec) { s.Manifest.Location.ETag = ascii(1025) }, "Manifest.Location.ETag", "1025"},
		{"ETag with a line break", func(s *Spec) { s.Manifest.Location.ETag = "a\nb" }, "Manifest.Location.ETag", "control"},
		{"version of 1,025", func(s *Spec) { s.Manifest.Location.Version = Version(ascii(1025)) }, "Manifest.Location.ObjectVersionId", "1025"},
		{"manifest region of odd letters", func(s *Spec) { s.Manifest.Location.Region = "a b" }, "Manifest.Location.Region", "a b"},
		{"manifest in another region is for later", func(s *Spec) { s.Manifest.Location.Region = "ap-beijing" }, "", ""},
		{"manifest path from the network", func(s *Spec) { s.Manifest.Location = Location{Path: "/etc/passwd"} }, "Manifest.Location.Path", "local file"},
		{"report path from the network", func(s *Spec) { s.Report = Report{Enabled: true, Path: "/etc", Scope: AllTasks} }, "Report.Path", "local file"},

		{"unknown format", func(s *Spec) { s.Manifest.Format = "CSV" }, "Manifest.Spec.Format", "CSV"},
		{"no format", func(s *Spec) { s.Manifest.Format = "" }, "Manifest.Spec.Format", "no manifest format"},
		{"inventory", func(s *Spec) { s.Manifest.Format, s.Manifest.Fields = FormatInventory, nil }, "", ""},
		{"inventory with empty fields", func(s *Spec) { s.Manifest.Format, s.Manifest.Fields = FormatInventory, []Field{} }, "", ""},
		{"inventory with fields", func(s *Spec) { s.Manifest.Format = FormatInventory }, "Manifest.Spec.Fields", "leave them out"},
		{"CSV without fields", func(s *Spec) { s.Manifest.Fields = nil }, "Manifest.Spec.Fields", "missing"},
		{"bucket and key alone", func(s *Spec) { s.Manifest.Fields = []Field{FieldKey, FieldBucket} }, "", ""},
		{"no bucket column", func(s *Spec) { s.Manifest.Fields = []Field{FieldKey} }, "Manifest.Spec.Fields", "Bucket 0 times"},
		{"no key column", func(s *Spec) { s.Manifest.Fields = []Field{FieldBucket} }, "Manifest.Spec.Fields", "Key 0 times"},
		{"two key columns", func(s *Spec) { s.Manifest.Fields = []Field{FieldKey, FieldBucket, FieldKey} }, "Manifest.Spec.Fields", "Key 2 times"},
		{"two version columns", func(s *Spec) { s.Manifest.Fields = []Field{FieldKey, FieldBucket, FieldVersion, FieldVersion} }, "Manifest.Spec.Fields", "VersionId 2 times"},
		{"unknown column", func(s *Spec) { s.Manifest.Fields = []Field{FieldKey, FieldBucket, "Size"} }, "Manifest.Spec.Fields", `"Size"`},

		{"no operation", func(s *Spec) { s.Operation = nil }, "Operation", "missing"},
		{"bad operation", func(s *Spec) { s.Operation = operation{FieldErrorf("ExpirationInDays", "is 0.")} }, "ExpirationInDays", "is 0"},

		{"no report", func(s *Spec) { s.Report = Report{} }, "", ""},
		{"report without a bucket", func(s *Spec) { s.Report.Bucket = "" }, "Report.Bucket", "empty"},
		{"report in an odd bucket", func(s *Spec) { s.Report.Bucket = "../x" }, "Report.Bucket", "../x"},
		{"report in an odd region", func(s *Spec) { s.Report.Region = "a b" }, "Report.Region", "a b"},
		{"report without a scope", func(s *Spec) { s.Report.Scope = "" }, "Report.ReportScope", `""`},
		{"report of an unknown scope", func(s *Spec) { s.Report.Scope = "All" }, "Report.ReportScope", `"All"`},
		{"report in S3's format", func(s *Spec) { s.Report.Format = ReportFormatS3 }, "", ""},
		{"unknown format of a report", func(s *Spec) { s.Report.Format = "Report_CSV_V2" }, "Report.Format", `"Report_CSV_V2"`},
		{"unknown scope of no report", func(s *Spec) { s.Report = Report{Scope: "All"} }, "Report.ReportScope", `"All"`},
		{"report prefix of 512", func(s *Spec) { s.Report.Prefix = ascii(512) }, "", ""},
		{"report prefix of 513", func(s *Spec) { s.Report.Prefix = ascii(513) }, "Report.Prefix", "513"},
		{"report prefix with a control byte", func(s *Spec) { s.Report.Prefix = "a\x7f" }, "Report.Prefix", "control"},

		{"no role", func(s *Spec) { s.Role = Role{} }, "RoleArn", "names no role"},
		{"role without an account", func(s *Spec) { s.Role.Account = "" }, "RoleArn", "names no role"},
		{"role without a name", func(s *Spec) { s.Role.Name = "" }, "RoleArn", "names no role"},
		{"role of 2,049", func(s *Spec) { s.Role.ARN = ascii(2049) }, "RoleArn", "2049"},
		{"role with a line break", func(s *Spec) { s.Role.Name = "a\nb" }, "RoleArn", "control"},

		{"50 tags", func(s *Spec) { s.Tags = jobTags(50) }, "", ""},
		{"51 tags", func(s *Spec) { s.Tags = jobTags(51) }, "Tags", "51"},
		{"tag of the longest key and value", func(s *Spec) { s.Tags = []Tag{{strings.Repeat("é", 128), strings.Repeat("é", 256)}} }, "", ""},
		{"tag without a key", func(s *Spec) { s.Tags = []Tag{{"", "v"}} }, "Tags", "empty key"},
		{"tag key of 129", func(s *Spec) { s.Tags = []Tag{{ascii(129), ""}} }, "Tags", "129"},
		{"tag value of 257", func(s *Spec) { s.Tags = []Tag{{"k", ascii(257)}} }, "Tags", "257"},
		{"tag with a line break", func(s *Spec) { s.Tags = []Tag{{"k", "a\nb"}} }, "Tags", "control"},
		{"tag key twice", func(s *Spec) { s.Tags = []Tag{{"k", "1"}, {"k", "2"}} }, "Tags", "twice"},
		{"tag keys that differ in case", func(s *Spec) { s.Tags = []Tag{{"k", "1"}, {"K", "2"}} }, "", ""},

		{"foreground job", local, "", ""},
		{"foreground job on a stored manifest", func(s *Spec) { local(s); s.Manifest.Location = good().Manifest.Location }, "", ""},
		{"foreground job with path and bucket", func(s *Spec) { local(s); s.Manifest.Location.Bucket = "bbb" }, "Manifest.Location.Path", "one of them"},
		{"foreground job with report path and bucket", func(s *Spec) { local(s); s.Report.Bucket = "bbb" }, "Report.Path", "one of them"},
		{"foreground job with a zero byte in its path", func(s *Spec) { local(s); s.Manifest.Location.Path = "a\x00" }, "Manifest.Location.Path", "zero byte"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := good()
			c.change(&s)
			err := s.Validate()
			if c.field == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an error about %s", err, c.field)
			}
			want := InvalidArgument
			if c.field == "Manifest" || c.field == "Operation" {
				want = MalformedXML
			}
			if e.Code != want || e.Field != c.field || !strings.Contains(e.Message, c.says) || len(e.All) != 0 {
				t.Errorf("got %s about %s: %q (%d parts), want %s about %s alone, saying %q", e.Code, e.Field, e.Message, len(e.All), want, c.field, c.says)
			}
			if !strings.HasPrefix(e.Message, e.Field+": ") || !strings.HasSuffix(e.Message, ".") {
				t.Errorf("%q is no sentence about %s", e.Message, e.Field)
			}
		})
	}
}

func jobTags(n int) []Tag {
	tags := make([]Tag, n)
	for i := range tags {
		tags[i].Key = fmt.Sprint("k", i)
	}
	return tags
}

func TestAllProblemsAreTold(t *testing.T) {
	t.Parallel()
	err := Spec{Priority: -1, Report: Report{Enabled: true}}.Validate()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	var fields []string
	for _, p := range e.All {
		fields = append(fields, p.Field)
		if !strings.Contains(e.Message, p.Message) {
			t.Errorf("the message does not say: %s", p.Message)
		}
	}
	want := "Manifest Operation ClientRequestToken Priority Report.ReportScope Report.Bucket RoleArn"
	if got := strings.Join(fields, " "); got != want {
		t.Errorf("told of %s, want %s", got, want)
	}
	if e.Code != MalformedXML || e.Field != "Manifest" {
		t.Errorf("code %s about %s, want the first problem's", e.Code, e.Field)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	var p Problems
	p.Add(nil)
	if err := p.Err(); err != nil {
		t.Fatalf("nothing added gives %v", err)
	}
	cause := errors.New("disk on fire")
	p.Add(cause)
	if err := p.Err(); CodeOf(err) != Internal || !errors.Is(err, cause) || strings.Contains(MessageOf(err), "fire") {
		t.Fatalf("an error of another kind gives %v", err)
	}
	p.Addf("A", "is bad.")
	var q Problems
	q.Addf("B", "is worse.")
	q.Add(p.Err())
	if e, _ := errors.AsType[*Error](q.Err()); len(e.All) != 3 || e.Field != "B" {
		t.Fatalf("got %+v", e)
	}
}

func TestMessagesStayShortAndCleanWhateverWasSent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := func(name string) string { return string(rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(rt, name)) }
		s := good()
		s.Token, s.Description = text("token"), text("description")
		s.Manifest.Format = ManifestFormat(text("format"))
		s.Manifest.Location.Bucket, s.Manifest.Location.ETag = Bucket(text("bucket")), text("etag")
		s.Report.Scope, s.Report.Region = ReportScope(text("scope")), Region(text("region"))
		s.Role.ARN = text("role")
		msg := MessageOf(s.Validate())
		if len(msg) > 4000 || !plain(msg, "") {
			rt.Fatalf("message of %d bytes: %q", len(msg), msg)
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	for b, ok := range map[Bucket]bool{
		"abc": true, "photos-1250000000": true, "Old_Style.Name": true, Bucket(strings.Repeat("a", 63)): true, "1b1": true,
		"": false, "ab": false, Bucket(strings.Repeat("a", 64)): false, "...": false, "-ab": false, "ab-": false, "a b": false, "a/b": false, "bücher": false, "a\x00b": false,
	} {
		if err := b.Validate(); (err == nil) != ok {
			t.Errorf("bucket %q: %v", b, err)
		}
	}
	for k, ok := range map[Key]bool{"k": true, Key(strings.Repeat("é", 512)): true, "\x00": true, "": false, Key(strings.Repeat("é", 513)): false} {
		if err := k.Validate(); (err == nil) != ok {
			t.Errorf("key of %d bytes: %v", len(k), err)
		}
	}
	for r, ok := range map[Region]bool{"": true, "local": true, "ap-guangzhou": true, "a:b": false, Region(strings.Repeat("a", 65)): false} {
		if err := r.Validate(); (err == nil) != ok {
			t.Errorf("region %q: %v", r, err)
		}
	}
}
