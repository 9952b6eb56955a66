package coscontrol

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

var sameSpec = cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(job.Spec{}, "Request")}

func TestDecodeReadsEveryElement(t *testing.T) {
	t.Parallel()
	role := job.Role{ARN: "qcs::cam::uin/100000000001:roleName/COSBatch_QcsRole", Account: "100000000001", Name: "COSBatch_QcsRole"}
	csv := job.Manifest{
		Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey},
		Location: job.Location{Region: "ap-chengdu", Bucket: "lists-1250000000", Key: "a.csv", ETag: "abc"},
	}
	for file, want := range map[string]job.Spec{
		"copy.xml": {
			Token: "token-copy", ConfirmationRequired: true, Description: "copy & keep", Priority: 10, Role: role,
			Manifest: job.Manifest{
				Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey, job.FieldVersion},
				Location: job.Location{Region: "ap-chengdu", Bucket: "lists-1250000000", Key: "in/list.csv", Version: "V1", ETag: "0f343b0931126a20f133d67c2b018a3b"},
			},
			Operation: &operation.Copy{
				TargetRegion: "ap-beijing", TargetBucket: "target-1250000000",
				PrefixReplace: true, PrefixFrom: "pic", PrefixTo: "abc", StorageClass: "STANDARD_IA", SSE: "AES256",
				ACL: operation.DirectiveReplace,
				Grants: []object.Grant{
					{Grantee: object.Grantee{ID: "qcs::cam::uin/100000000001:uin/100000000001", DisplayName: "one"}, Permission: "READ"},
					{Grantee: object.Grantee{ID: "qcs::cam::uin/100000000002:uin/100000000002"}, Permission: "FULL_CONTROL"},
				},
				Metadata: operation.DirectiveReplace,
				NewMetadata: object.Metadata{
					CacheControl: "no-cache", ContentDisposition: "attachment", ContentEncoding: "gzip", ContentType: "text/plain",
					Expires: "Fri, 01 Jan 2027 00:00:00 GMT", User: map[string]string{"colour": " dark blue ", "size": "9"},
				},
				Tagging: operation.DirectiveReplace, NewTags: []job.Tag{{Key: "k", Value: "v 1"}},
				IfModifiedSince:   time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
				IfUnmodifiedSince: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			},
			Report: job.Report{Enabled: true, Region: "ap-chengdu", Bucket: "lists-1250000000", Prefix: "out", Scope: job.FailedTasksOnly},
		},
		"restore.xml": {
			Token: "token-restore", Role: role,
			Manifest: job.Manifest{
				Format:   job.FormatInventory,
				Location: job.Location{Region: "ap-chengdu", Bucket: "lists-1250000000", Key: "inv/manifest.json", ETag: "abc"},
			},
			Operation: &operation.Restore{Days: 7, Tier: "Bulk"},
		},
		"delete.xml": {Token: "token-delete", Role: role, Manifest: csv, Priority: 2147483647, Operation: &operation.Delete{}},
		"tagging.xml": {
			Token: "token-tagging", Role: role, Manifest: csv, Priority: 1,
			Operation: &operation.Tagging{Directive: operation.DirectiveAdd, Tags: []job.Tag{{Key: "a", Value: "1"}, {Key: "b"}}},
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			got, err := decode([]byte(read(t, file)), "1250000000")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, sameSpec); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Each case changes one thing of a good request.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const (
		badXML = job.MalformedXML
		badArg = job.InvalidArgument
	)
	for _, tc := range []struct {
		name, file, old, new string
		want                 job.Code
		says                 string
	}{
		{"text that is no XML", "copy.xml", "</CreateJobRequest>", "", badXML, "check the tags"},
		{"a document type", "copy.xml", "<CreateJobRequest>", "<!DOCTYPE x [<!ENTITY e \"v\">]><CreateJobRequest>", badXML, "document type"},
		{"an entity", "copy.xml", "&amp;", "&e;", badXML, "entities"},
		{"another encoding", "restore.xml", "UTF-8", "GBK", badXML, "UTF-8"},
		{"two documents", "copy.xml", "</CreateJobRequest>", "</CreateJobRequest><x/>", badXML, "two root"},
		{"text behind the document", "copy.xml", "</CreateJobRequest>", "</CreateJobRequest>x", badXML, "outside"},
		{"another root", "delete.xml", "CreateJobRequest", "CreateJob", badXML, "expected is CreateJobRequest"},
		{"text among elements", "copy.xml", "<Manifest>", "<Manifest>x", badXML, "both text and elements"},
		{"deep nesting", "delete.xml", "<COSDeleteObject/>", strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20), badXML, "too deeply"},
		{"no manifest", "delete.xml", "Manifest>", "Description>", badXML, "Manifest"},
		{"an unknown element", "copy.xml", "StorageClass>", "StorageKlass>", badXML, `"StorageKlass"`},
		{"an unknown element at the root", "copy.xml", "Priority>", "Prio>", badXML, `"Prio"`},
		{"an element twice", "copy.xml", "<Priority>", "<Priority>1</Priority><Priority>", badXML, "twice"},
		{"text where elements belong", "tagging.xml", "<COSTag><Key>a</Key><Value>1</Value></COSTag><COSTag><Key>b</Key><Value></Value></COSTag>", "a=1", badXML, "text where elements"},
		{"a wrong list", "delete.xml", "member>", "field>", badXML, `"field"`},
		{"no operation", "delete.xml", "<COSDeleteObject/>", "", badXML, "Operation"},
		{"two operations", "delete.xml", "<COSDeleteObject/>", "<COSDeleteObject/><COSPutObjectTagging/>", badXML, "2 operations"},
		{"an unknown operation", "delete.xml", "<COSDeleteObject/>", "<LambdaInvoke/>", badXML, "LambdaInvoke"},
		{"no report", "delete.xml", "<Report><Enabled>False</Enabled></Report>", "", badXML, "Report"},
		{"an empty report", "delete.xml", "<Enabled>False</Enabled>", "", badXML, "Report"},
		{"a manifest without spec", "delete.xml", "<Spec><Fields><member>Bucket</member><member>Key</member></Fields><Format>COSBatchOperations_CSV_V1</Format></Spec>", "", badXML, "Spec"},
		{"a priority that is no number", "copy.xml", " 10 ", "high", badArg, "Priority"},
		{"a negative priority", "copy.xml", " 10 ", "-1", badArg, "Priority"},
		{"a priority too large", "copy.xml", " 10 ", "2147483648", badArg, "Priority"},
		{"an empty priority", "copy.xml", " 10 ", "", badArg, "Priority"},
		{"a boolean that is none", "copy.xml", " true ", "yes", badArg, "ConfirmationRequired"},
		{"days that are no number", "restore.xml", " 7 ", "", badArg, "ExpirationInDays"},
		{"a time that is none", "copy.xml", "1577836800", "yesterday", badArg, "ModifiedSinceConstraint"},
		{"an empty role", "copy.xml", "qcs::cam::uin/100000000001:roleName/COSBatch_QcsRole", "", badArg, "RoleArn"},
		{"a role that is none", "copy.xml", ":roleName/COSBatch_QcsRole", "", badArg, "RoleArn"},
		{"an empty target", "copy.xml", "qcs::cos:ap-beijing::target-1250000000", "", badArg, "TargetResource"},
		{"a target with a key", "copy.xml", "target-1250000000", "target-1250000000/dir/", badArg, "TargetResource"},
		{"a manifest of another account", "copy.xml", "uid/1250000000", "uid/1250000001", badArg, "ObjectArn"},
		{"a manifest without region", "delete.xml", "cos:ap-chengdu:", "cos::", badArg, "region"},
		{"a manifest without bucket", "delete.xml", "lists-1250000000", "", badArg, "bucket"},
		{"a manifest without key", "delete.xml", "/a.csv", "", badArg, "no object"},
		{"a manifest of another service", "delete.xml", "qcs::cos:", "qcs::cvm:", badArg, "ObjectArn"},
		{"an account that is none", "delete.xml", "ap-chengdu::", "ap-chengdu:uin/1:", badArg, "uid/"},
		{"another report format", "copy.xml", "Report_CSV_V1", "Report_CSV_V2", badArg, "Report.Format"},
		{"a report without bucket", "copy.xml", "<Bucket>qcs::cos:ap-chengdu::lists-1250000000</Bucket>", "", badArg, "Report.Bucket"},
		{"a grantee without id", "copy.xml", "<Identifier>qcs::cam::uin/100000000002:uin/100000000002</Identifier>", "", badArg, "Grantee"},
		{"a grantee of another type", "copy.xml", "<TypeIdentifier>ID<", "<TypeIdentifier>GROUP<", badArg, "Grantee"},
		{"a metadata name twice", "copy.xml", "<Key>size</Key>", "<Key>COLOUR</Key>", badArg, "UserMetadata"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			body := read(t, tc.file)
			changed := strings.ReplaceAll(body, tc.old, tc.new)
			if changed == body {
				t.Fatalf("%q does not stand in %s", tc.old, tc.file)
			}
			_, err := decode([]byte(changed), "1250000000")
			if err == nil {
				t.Fatal("accepted")
			}
			if job.CodeOf(err) != tc.want || !strings.Contains(job.MessageOf(err), tc.says) {
				t.Errorf("%s: %v, want %s with %q", job.CodeOf(err), err, tc.want, tc.says)
			}
		})
	}
}

func TestDecodeTakesEmptyContainersAsAbsent(t *testing.T) {
	t.Parallel()
	body := strings.ReplaceAll(read(t, "delete.xml"), "<COSDeleteObject/>",
		"<COSPutObjectCopy><AccessControlGrants></AccessControlGrants><NewObjectMetadata><UserMetadata></UserMetadata></NewObjectMetadata>"+
			"<NewObjectTagging></NewObjectTagging><ModifiedSinceConstraint>0</ModifiedSinceConstraint><PrefixReplace>false</PrefixReplace>"+
			"<TargetKeyPrefix>ignored</TargetKeyPrefix><MetadataDirective>Copy</MetadataDirective><MetadataDirective>Copy</MetadataDirective>"+
			"<TargetResource>qcs::cos:ap-beijing::target-1250000000</TargetResource></COSPutObjectCopy>")
	got, err := decode([]byte(body), "1250000000")
	if err != nil {
		t.Fatal(err)
	}
	want := &operation.Copy{TargetRegion: "ap-beijing", TargetBucket: "target-1250000000", Metadata: operation.DirectiveCopy}
	if diff := cmp.Diff(job.Operation(want), got.Operation); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(string(got.Request.Body), "AccessControlGrants") {
		t.Error("empty AccessControlGrants would be echoed")
	}
}

// drawSpec makes a spec that COS can name in full.
func drawSpec(t *rapid.T) job.Spec {
	text := rapid.StringMatching(`[ a-zA-Z0-9<>&"'/é\t]{0,9}`)
	word := rapid.StringMatching(`[a-z0-9-]{1,8}`)
	directive := rapid.SampledFrom([]operation.Directive{"", "Copy", "Replaced", "Add"})
	tags := func(label string) (tags []job.Tag) {
		for range rapid.IntRange(0, 3).Draw(t, label) {
			tags = append(tags, job.Tag{Key: text.Draw(t, "key"), Value: text.Draw(t, "value")})
		}
		return tags
	}
	when := func(label string) time.Time {
		if sec := rapid.Int64Range(0, 1<<34).Draw(t, label); sec > 0 {
			return time.Unix(sec, 0).UTC()
		}
		return time.Time{}
	}
	s := job.Spec{
		Account: job.Account{UIN: "100000000001", AppID: "1250000000"}, Region: "ap-chengdu",
		Manifest: job.Manifest{
			Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey},
			Location: job.Location{Region: "ap-chengdu", Bucket: job.Bucket(word.Draw(t, "bucket")), Key: job.Key("k" + word.Draw(t, "key")), Version: job.Version(word.Draw(t, "version")), ETag: word.Draw(t, "etag")},
		},
		Report: job.Report{Enabled: rapid.Bool().Draw(t, "enabled"), Region: "ap-beijing", Bucket: job.Bucket(word.Draw(t, "report")), Prefix: text.Draw(t, "prefix"), Scope: job.AllTasks},
		Role:   job.Role{ARN: "qcs::cam::uin/1:roleName/r", Account: "1", Name: "r"},
	}
	switch rapid.IntRange(0, 3).Draw(t, "operation") {
	case 0:
		s.Operation = &operation.Delete{}
	case 1:
		s.Operation = &operation.Restore{Days: rapid.IntRange(1, 365).Draw(t, "days"), Tier: "Bulk"}
	case 2:
		s.Operation = &operation.Tagging{Directive: directive.Draw(t, "directive"), Tags: tags("tags")}
	default:
		c := &operation.Copy{
			TargetRegion: "ap-beijing", TargetBucket: job.Bucket(word.Draw(t, "target")),
			PrefixReplace: rapid.Bool().Draw(t, "prefixReplace"), StorageClass: "ARCHIVE", SSE: "AES256",
			ACL: directive.Draw(t, "acl"), CannedACL: "private", Metadata: directive.Draw(t, "metadata"),
			NewMetadata: object.Metadata{CacheControl: word.Draw(t, "cache"), Expires: "Fri, 01 Jan 2027 00:00:00 GMT", User: map[string]string{word.Draw(t, "name"): text.Draw(t, "value")}},
			Tagging:     directive.Draw(t, "tagging"), NewTags: tags("new tags"),
			IfModifiedSince: when("since"), IfUnmodifiedSince: when("until"),
			Grants: []object.Grant{{Grantee: object.Grantee{ID: word.Draw(t, "id"), DisplayName: word.Draw(t, "display")}, Permission: "READ"}},
		}
		if c.PrefixReplace {
			c.PrefixFrom, c.PrefixTo = text.Draw(t, "from"), text.Draw(t, "to")
		}
		s.Operation = c
	}
	return s
}

// What is rendered of a spec of another protocol, sent back to CreateJob, gives that spec.
func TestRenderingAndDecodingAreInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawSpec(t)
		e := echoOf(want)
		body := "<CreateJobRequest><Priority>0</Priority><Manifest>" + e.Manifest + "</Manifest><Operation>" + e.Operation +
			"</Operation><Report>" + e.Report + "</Report><RoleArn>" + e.RoleArn + "</RoleArn></CreateJobRequest>"
		got, err := decode([]byte(body), want.Account.AppID)
		if err != nil {
			t.Fatalf("%v of %s", err, body)
		}
		got.Account, got.Region = want.Account, want.Region
		if diff := cmp.Diff(want, got, sameSpec); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%s", diff, body)
		}
		if again := echoOf(got); again != e {
			t.Fatalf("echoed %+v, want %+v", again, e)
		}
	})
}

// No body makes the decoder panic; what it accepts it can echo, and decodes to the same from there.
func FuzzDecode(f *testing.F) {
	for _, file := range []string{"copy.xml", "restore.xml", "delete.xml", "tagging.xml"} {
		b, err := os.ReadFile("testdata/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decode(body, "1250000000")
		if err != nil {
			if job.MessageOf(err) == "" {
				t.Fatalf("no sentence: %v", err)
			}
			return
		}
		e := echoOf(s)
		again, err := decode([]byte("<CreateJobRequest><Priority>0</Priority><Manifest>"+e.Manifest+"</Manifest><Operation>"+e.Operation+
			"</Operation><Report>"+e.Report+"</Report><RoleArn>"+e.RoleArn+"</RoleArn></CreateJobRequest>"), "1250000000")
		if err != nil {
			t.Fatalf("the echo does not decode: %v", err)
		}
		s.Token, s.Priority, s.ConfirmationRequired, s.Description = "", 0, false, ""
		if diff := cmp.Diff(s, again, sameSpec); diff != "" {
			t.Fatalf("(-sent +echoed):\n%s", diff)
		}
	})
}
