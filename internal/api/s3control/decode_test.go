package s3control

import (
	"os"
	"path/filepath"
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

var sameSpec = cmpopts.IgnoreFields(job.Spec{}, "Request")

// The files cli-*.xml are what the AWS CLI 1.45.11 sent.
func TestDecodeReadsEveryElement(t *testing.T) {
	t.Parallel()
	role := job.Role{ARN: "arn:aws:iam::100000000001:role/r", Account: "100000000001", Name: "r"}
	csv := job.Manifest{
		Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey, job.FieldVersion}, PlusSpace: true,
		Location: job.Location{Bucket: "lists", Key: "in/list.csv", Version: "V1", ETag: "0f343b0931126a20f133d67c2b018a3b"},
	}
	report := job.Report{Enabled: true, Bucket: "lists", Prefix: "out", Scope: job.AllTasks, Format: job.ReportFormatS3}
	for file, want := range map[string]job.Spec{
		"cli-copy.xml": {
			Token: "token-copy", ConfirmationRequired: true, Description: "copy & keep", Priority: 10, Manifest: csv, Report: report,
			Role: job.Role{ARN: "arn:aws:iam::100000000001:role/service/COSBatch_QcsRole", Account: "100000000001", Name: "COSBatch_QcsRole"},
			Tags: []job.Tag{{Key: "team", Value: "a"}, {Key: "empty"}},
			Operation: &operation.Copy{
				TargetBucket: "target", PrefixReplace: true, PrefixTo: "Folder1/", StorageClass: "GLACIER_IR", SSE: "AES256",
				Grants: []object.Grant{
					{Grantee: object.Grantee{ID: "canonical-id", DisplayName: "one"}, Permission: "READ"},
					{Grantee: object.Grantee{URI: "http://acs.amazonaws.com/groups/global/AllUsers"}, Permission: "READ_ACP"},
				},
				Metadata: operation.DirectiveReplace,
				NewMetadata: object.Metadata{
					CacheControl: "no-cache", ContentDisposition: "attachment", ContentEncoding: "gzip", ContentLanguage: "de", ContentType: "text/plain",
					Expires: "Fri, 01 Jan 2027 00:00:00 GMT", User: map[string]string{"colour": " dark blue ", "size": "9"},
				},
				Tagging: operation.DirectiveReplace, NewTags: []job.Tag{{Key: "k", Value: "v 1"}},
				IfModifiedSince:   time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
				IfUnmodifiedSince: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
			},
		},
		"cli-restore.xml": {
			Token: "token-restore",
			Role:  job.Role{ARN: "arn:aws-cn:iam::100000000001:role/COSBatch_QcsRole", Account: "100000000001", Name: "COSBatch_QcsRole"},
			Manifest: job.Manifest{
				Format:   job.FormatInventory,
				Location: job.Location{Bucket: "lists", Key: "inv/manifest.json", ETag: "abc"},
			},
			Operation: &operation.Restore{Days: 7, Tier: "Bulk"},
		},
		"cli-tagging.xml": {
			Token: "token-tagging", Role: role, Manifest: csv, Report: report, Priority: 1,
			Operation: &operation.Tagging{Directive: operation.DirectiveReplace, Tags: []job.Tag{{Key: "a", Value: "1"}, {Key: "b"}}},
		},
		"cli-delete-tagging.xml": {
			Token: "token-delete-tagging", Role: role, Manifest: csv, Report: report, Priority: 1,
			Operation: &operation.Tagging{Directive: operation.DirectiveReplace, Tags: []job.Tag{}},
		},
		"cli-generator.xml": {
			Token: "token-generator", Role: role, Report: report, Priority: 1,
			Generator: &job.Generator{
				Source: "photos",
				Filter: job.ObjectFilter{
					Prefixes: []string{"2025/", "2026/"}, Suffixes: []string{".jpg"}, Substrings: []string{"a b"},
					CreatedAfter: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), CreatedBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
					LargerThan: new(int64(1024)), SmallerThan: new(int64(5368709120)), Classes: []string{"STANDARD", "GLACIER"},
				},
				Output: job.Place{Bucket: "lists", Prefix: "made"},
			},
			Operation: &operation.Restore{Tier: "Standard", IntelligentTiering: true},
		},
		"cli-acl.xml": {
			Token: "token-acl", Role: role, Manifest: csv, Report: report, Priority: 1,
			Operation: &operation.PutACL{
				Owner:  object.Grantee{ID: "owner-id"},
				Grants: []object.Grant{{Grantee: object.Grantee{ID: "canonical-id"}, Permission: "FULL_CONTROL"}},
			},
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			got, err := decode([]byte(read(t, file)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, sameSpec); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			got.Account = alice.Account
			if err := got.Validate(); err != nil {
				t.Errorf("the service would refuse it: %v", err)
			}
		})
	}
}

const manifestXML = "<Manifest><Spec><Format>S3BatchOperations_CSV_20180820</Format><Fields><member>Bucket</member><member>Key</member></Fields></Spec>" +
	"<Location><ObjectArn>arn:aws:s3:::lists/a.csv</ObjectArn><ETag>\"abc\"</ETag></Location></Manifest>"

// The two requests below were captured from real clients without a manifest that can be used: neither client looks.
func TestDecodeRefusesTheSamplesForTheirManifests(t *testing.T) {
	t.Parallel()
	for file, says := range map[string]string{
		"sample-botocore.xml": "Manifest: is missing",
		"sample-go.xml":       "ManifestGenerator.Filter.MatchAnyObjectEncryption: is not supported here",
	} {
		_, err := decode([]byte(read(t, file)))
		if err == nil || !strings.Contains(job.MessageOf(err), says) {
			t.Errorf("%s: %v, want %q", file, err, says)
		}
	}
	whole := strings.Replace(read(t, "sample-botocore.xml"), "<Report>", manifestXML+"<Report>", 1)
	s, err := decode([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := &operation.Copy{
		TargetBucket: "t", Tagging: operation.DirectiveReplace, NewTags: []job.Tag{},
		NewMetadata: object.Metadata{Expires: "Fri, 01 Jan 2027 00:00:00 GMT", User: map[string]string{"k1": "v1"}},
	}
	if diff := cmp.Diff(job.Operation(want), s.Operation); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	from := strings.Index(read(t, "sample-go.xml"), "<ManifestGenerator>")
	to := strings.Index(read(t, "sample-go.xml"), "<Operation>")
	sample := read(t, "sample-go.xml")
	_, err = decode([]byte(sample[:from] + manifestXML + sample[to:]))
	if err == nil || !strings.Contains(job.MessageOf(err), "Operation.LambdaInvoke: is not supported here; use S3PutObjectCopy") {
		t.Errorf("%v", err)
	}
}

// Each case changes one thing of a good request.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const (
		badXML     = job.MalformedXML
		badArg     = job.InvalidArgument
		cp         = "cli-copy.xml"
		untag      = "cli-delete-tagging.xml"
		list       = "<S3DeleteObjectTagging />"
		copyOpen   = "<S3PutObjectCopy>"
		restoreXML = "cli-restore.xml"
		gen        = "cli-generator.xml"
	)
	cases := []struct {
		name, file, old, new string
		want                 job.Code
		says                 string
	}{
		{"text that is no XML", cp, "</CreateJobRequest>", "", badXML, "check the tags"},
		{"a document type", cp, "<CreateJobRequest ", "<!DOCTYPE x [<!ENTITY e \"v\">]><CreateJobRequest ", badXML, "document type"},
		{"an entity", cp, "&amp;", "&e;", badXML, "entities"},
		{"two documents", cp, "</CreateJobRequest>", "</CreateJobRequest><x/>", badXML, "two root"},
		{"another root", cp, "CreateJobRequest", "CreateJob", badXML, "expected is CreateJobRequest"},
		{"text among elements", cp, "<Manifest>", "<Manifest>x", badXML, "both text and elements"},
		{"deep nesting", untag, list, strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20), badXML, "too deeply"},
		{"an unknown element", cp, "StorageClass>", "StorageKlass>", badXML, `"StorageKlass"`},
		{"an unknown element at the root", cp, "Priority>", "Prio>", badXML, `"Prio"`},
		{"an element twice", cp, "<Priority>", "<Priority>10</Priority><Priority>", badXML, "twice"},
		{"text where elements belong", untag, list, "<S3DeleteObjectTagging>all</S3DeleteObjectTagging>", badXML, "text where elements"},
		{"text for a list", untag, list, "<S3PutObjectTagging><TagSet>a=1</TagSet></S3PutObjectTagging>", badXML, "text where elements"},

		{"no token", cp, "token-copy", "", badArg, "ClientRequestToken"},
		{"a priority that is no number", cp, "<Priority>10", "<Priority>high", badArg, "Priority"},
		{"a priority too large", cp, "<Priority>10", "<Priority>2147483648", badArg, "Priority"},
		{"a negative priority", cp, "<Priority>10", "<Priority>-1", badArg, "Priority"},
		{"no priority", cp, "<Priority>10</Priority>", "", badArg, "Priority"},
		{"a boolean that is none", cp, "<Enabled>true", "<Enabled>yes", badArg, "Report.Enabled"},
		{"an empty boolean", untag, "<ConfirmationRequired>false", "<ConfirmationRequired>", badArg, "ConfirmationRequired"},
		{"no role", cp, "arn:aws:iam::100000000001:role/service/COSBatch_QcsRole", "", badArg, "RoleArn"},
		{"a role of another partition", cp, "arn:aws:iam", "arn:aws-us-gov:iam", badArg, "RoleArn"},

		{"no manifest", cp, "Manifest>", "Description>", badXML, ""},
		{"a generator of another kind", cp, "Manifest>", "ManifestGenerator>", badXML, "S3JobManifestGenerator"},
		{"an empty generator", gen, "S3JobManifestGenerator>", "X>", badXML, "S3JobManifestGenerator"},
		{"a manifest and a generator", cp, "<Manifest>", "<ManifestGenerator><S3JobManifestGenerator/></ManifestGenerator><Manifest>", badXML, "give one of them"},
		{"a generator without a bucket", gen, "arn:aws:s3:::photos<", "<", badArg, "ManifestGenerator.SourceBucket"},
		{"no word on whether the list is kept", gen, "<EnableManifestOutput>true</EnableManifestOutput>", "", badXML, "EnableManifestOutput"},
		{"a place for a list that is not kept", gen, "Output>true", "Output>false", badArg, "ManifestOutputLocation"},
		{"another format of the list", gen, "_20211130", "_20161130", badArg, "S3InventoryReport_CSV_20211130"},
		{"an encrypted list", gen, "<ManifestFormat>", "<ManifestEncryption><SSE-S3/></ManifestEncryption><ManifestFormat>", badArg, "ManifestEncryption: is not supported"},
		{"a filter on replication", gen, "<Filter>", "<Filter><EligibleForReplication>true</EligibleForReplication>", badArg, "EligibleForReplication: is not supported"},
		{"a filter on replication's status", gen, "<Filter>", "<Filter><ObjectReplicationStatuses><member>FAILED</member></ObjectReplicationStatuses>", badArg, "ObjectReplicationStatuses: is not supported"},
		{"a filter on nothing that is known", gen, "<Filter>", "<Filter><Tags/>", badXML, `"Tags"`},
		{"a size that is no number", gen, ">1024<", ">big<", badArg, "ObjectSizeGreaterThanBytes"},
		{"a time that is none in a filter", gen, "2020-01-01T00:00:00Z", "yesterday", badArg, "CreatedAfter"},
		{"the owner of a source", gen, "<Filter>", "<ExpectedBucketOwner>1</ExpectedBucketOwner><Filter>", badArg, "ExpectedBucketOwner: is not supported"},
		{"an empty location", cp, "<Location>", "<Location/><Old>", badXML, ""},
		{"another format", cp, "S3BatchOperations_CSV_20180820", "S3InventoryReport_CSV_20211130", badArg, "S3InventoryReport_CSV_20161130"},
		{"a format of COS", cp, "S3BatchOperations_CSV_20180820", "COSBatchOperations_CSV_V1", badArg, "S3BatchOperations_CSV_20180820"},
		{"fields of an inventory", cp, "S3BatchOperations_CSV_20180820", "S3InventoryReport_CSV_20161130", badArg, "its own columns"},
		{"a manifest without key", cp, "arn:aws:s3:::lists/in/list.csv", "arn:aws:s3:::lists", badArg, "no object"},
		{"a manifest without bucket", cp, "arn:aws:s3:::lists/", "arn:aws:s3:::/", badArg, "no bucket"},
		{"a manifest named as in COS", cp, "arn:aws:s3:::lists/in/list.csv", "qcs::cos:ap-chengdu::lists/in/list.csv", badArg, "ObjectArn"},
		{"a manifest of another service", cp, "arn:aws:s3:::lists/in", "arn:aws:sqs:::lists/in", badArg, "ObjectArn"},
		{"a manifest in an access point", cp, "arn:aws:s3:::lists/in", "arn:aws:s3:us-east-1:1:accesspoint/in", badArg, "region or an account"},

		{"no report", untag, "Report>", "Description>", badXML, "Report"},
		{"no word on whether a report", cp, "<Enabled>true</Enabled>", "", badXML, "Report.Enabled"},
		{"another report format", cp, "Report_CSV_20180820", "Report_CSV_V1", badArg, "Report.Format"},
		{"a report without bucket", cp, "<Bucket>arn:aws:s3:::lists</Bucket>", "", badArg, "Report.Bucket"},
		{"a report in an object", cp, "<Bucket>arn:aws:s3:::lists<", "<Bucket>arn:aws:s3:::lists/x<", badArg, "names an object"},
		{"an expected owner", cp, "<Enabled>true", "<ExpectedBucketOwner>1</ExpectedBucketOwner><Enabled>true", badArg, "Report.ExpectedBucketOwner: is not supported"},

		{"no operation", untag, list, "", badXML, "Operation"},
		{"two operations", untag, list, list + "<S3ReplicateObject/>", badXML, "2 operations"},
		{"an operation of COS", untag, list, "<COSDeleteObject/>", badXML, "COSDeleteObject"},
		{"an empty target", cp, "arn:aws:s3:::target", "", badArg, "TargetResource"},
		{"a target with a key", cp, "arn:aws:s3:::target", "arn:aws:s3:::target/dir", badArg, "TargetResource"},
		{"another directive", cp, "REPLACE", "Replaced", badArg, "MetadataDirective"},
		{"another encryption", cp, "AES256", "SSE-C", badArg, "SSEAlgorithm"},
		{"a time that is none", cp, "2020-01-01T00:00:00Z", "1577836800", badArg, "ModifiedSinceConstraint"},
		{"an expiry that is none", cp, "2027-01-01T00:00:00Z", "soon", badArg, "HttpExpiresDate"},
		{"the requester pays", cp, "<RequesterPays>false", "<RequesterPays>true", badArg, "RequesterPays: is not supported"},
		{"a bucket key", cp, "<BucketKeyEnabled>false", "<BucketKeyEnabled>true", badArg, "BucketKeyEnabled: is not supported"},
		{"the requester charged", cp, "<CacheControl>", "<RequesterCharged>true</RequesterCharged><CacheControl>", badArg, "RequesterCharged"},
		{"a content length", cp, "<CacheControl>", "<ContentLength>1</ContentLength><CacheControl>", badArg, "ContentLength"},
		{"a content MD5", cp, "<CacheControl>", "<ContentMD5>x</ContentMD5><CacheControl>", badArg, "ContentMD5"},
		{"a metadata name twice", cp, "<key>size</key>", "<key>X-Amz-Meta-colour</key>", badArg, "UserMetadata"},
		{"a grantee without id", cp, "<Identifier>canonical-id</Identifier>", "", badArg, "Identifier"},
		{"a grantee by mail", cp, "<TypeIdentifier>id<", "<TypeIdentifier>emailAddress<", badArg, `"emailAddress"`},
		{"the right to write", cp, "READ_ACP", "WRITE", badArg, "WRITE"},
		{"the right to write in place", "cli-acl.xml", "FULL_CONTROL", "WRITE", badArg, "AccessControlPolicy.AccessControlList.Grants.member.Permission"},
		{"no tag set", untag, list, "<S3PutObjectTagging/>", badXML, "S3DeleteObjectTagging"},
		{"days that are no number", restoreXML, ">7<", ">week<", badArg, "ExpirationInDays"},
		{"a fast restore", restoreXML, "BULK", "EXPEDITED", badArg, "BULK or STANDARD"},
	}
	for _, name := range []string{"ChecksumAlgorithm", "ObjectLockLegalHoldStatus", "ObjectLockMode", "ObjectLockRetainUntilDate", "RedirectLocation"} {
		cases = append(cases, struct {
			name, file, old, new string
			want                 job.Code
			says                 string
		}{name, cp, copyOpen, copyOpen + "<" + name + ">x</" + name + ">", badArg, "Operation.S3PutObjectCopy." + name + ": is not supported"})
	}
	for _, name := range otherOperations {
		cases = append(cases, struct {
			name, file, old, new string
			want                 job.Code
			says                 string
		}{name, untag, list, "<" + name + "/>", badArg, "Operation." + name + ": is not supported"})
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			body := read(t, tc.file)
			changed := strings.ReplaceAll(body, tc.old, tc.new)
			if changed == body {
				t.Fatalf("%q does not stand in %s", tc.old, tc.file)
			}
			_, err := decode([]byte(changed))
			if err == nil {
				t.Fatal("accepted")
			}
			if job.CodeOf(err) != tc.want || !strings.Contains(job.MessageOf(err), tc.says) {
				t.Errorf("%s: %v, want %s with %q", job.CodeOf(err), err, tc.want, tc.says)
			}
		})
	}
}

func TestDecodeReadsWhatClientsAndDocumentationWriteDifferently(t *testing.T) {
	t.Parallel()
	decodeOp := func(op string) job.Operation {
		t.Helper()
		s, err := decode([]byte(strings.Replace(read(t, "cli-delete-tagging.xml"), "<S3DeleteObjectTagging />", op, 1)))
		if err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		return s.Operation
	}
	target := "<TargetResource>arn:aws-cn:s3:::t</TargetResource>"
	for op, want := range map[string]job.Operation{
		"<S3DeleteObjectTagging></S3DeleteObjectTagging>":                                                                                                                  &operation.Tagging{Directive: "Replaced", Tags: []job.Tag{}},
		"<S3PutObjectTagging><TagSet/></S3PutObjectTagging>":                                                                                                               &operation.Tagging{Directive: "Replaced", Tags: []job.Tag{}},
		"<S3PutObjectTagging><TagSet><S3Tag><Key>a</Key></S3Tag></TagSet></S3PutObjectTagging>":                                                                            &operation.Tagging{Directive: "Replaced", Tags: []job.Tag{{Key: "a"}}},
		"<S3InitiateRestoreObject><ExpirationInDays>1</ExpirationInDays></S3InitiateRestoreObject>":                                                                        &operation.Restore{Days: 1, Tier: "Standard"},
		"<S3InitiateRestoreObject><GlacierJobTier>STANDARD</GlacierJobTier><ExpirationInDays>1</ExpirationInDays></S3InitiateRestoreObject>":                               &operation.Restore{Days: 1, Tier: "Standard"},
		"<S3PutObjectAcl><AccessControlPolicy><CannedAccessControlList>bucket-owner-read</CannedAccessControlList></AccessControlPolicy></S3PutObjectAcl>":                 &operation.PutACL{Canned: "bucket-owner-read"},
		"<S3PutObjectCopy>" + target + "</S3PutObjectCopy>":                                                                                                                &operation.Copy{TargetBucket: "t"},
		"<S3PutObjectCopy>" + target + "<NewObjectTagging/></S3PutObjectCopy>":                                                                                             &operation.Copy{TargetBucket: "t", Tagging: "Replaced", NewTags: []job.Tag{}},
		"<S3PutObjectCopy>" + target + "<TargetKeyPrefix>p/</TargetKeyPrefix></S3PutObjectCopy>":                                                                           &operation.Copy{TargetBucket: "t", PrefixReplace: true, PrefixTo: "p/"},
		"<S3PutObjectCopy>" + target + "<TargetKeyPrefix/><NewObjectMetadata/><AccessControlGrants/></S3PutObjectCopy>":                                                    &operation.Copy{TargetBucket: "t"},
		"<S3PutObjectCopy>" + target + "<NewObjectMetadata><SSEAlgorithm>AES256</SSEAlgorithm></NewObjectMetadata></S3PutObjectCopy>":                                      &operation.Copy{TargetBucket: "t", SSE: "AES256"},
		"<S3PutObjectCopy>" + target + "<MetadataDirective>COPY</MetadataDirective><CannedAccessControlList>private</CannedAccessControlList></S3PutObjectCopy>":           &operation.Copy{TargetBucket: "t", Metadata: "Copy", CannedACL: "private"},
		"<S3PutObjectCopy>" + target + "<NewObjectMetadata><RequesterCharged>false</RequesterCharged><ContentType>a/b</ContentType></NewObjectMetadata></S3PutObjectCopy>": &operation.Copy{TargetBucket: "t", NewMetadata: object.Metadata{ContentType: "a/b"}},
	} {
		if diff := cmp.Diff(want, decodeOp(op)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", op, diff)
		}
	}
	s, err := decode([]byte(strings.Replace(read(t, "cli-delete-tagging.xml"), "<ConfirmationRequired>false</ConfirmationRequired>", "", 1)))
	if err != nil || !s.ConfirmationRequired {
		t.Errorf("ConfirmationRequired left out: %v, %v; AWS asks then", s.ConfirmationRequired, err)
	}
}

// drawSpec makes a spec that S3 can name in full.
func drawSpec(t *rapid.T) job.Spec {
	text := rapid.StringMatching(`[ a-zA-Z0-9<>&"'/é\t]{0,9}`)
	word := rapid.StringMatching(`[a-z0-9-]{1,8}`)
	tags := func(label string) []job.Tag {
		tags := []job.Tag{}
		for range rapid.IntRange(0, 3).Draw(t, label) {
			tags = append(tags, job.Tag{Key: text.Draw(t, "key"), Value: text.Draw(t, "value")})
		}
		return tags
	}
	grants := func() []object.Grant {
		return []object.Grant{
			{Grantee: object.Grantee{ID: word.Draw(t, "id"), DisplayName: word.Draw(t, "display")}, Permission: "READ"},
			{Grantee: object.Grantee{URI: "http://" + word.Draw(t, "group")}, Permission: "READ_ACP"},
		}
	}
	when := func(label string) time.Time {
		if ms := rapid.Int64Range(0, 1<<42).Draw(t, label); ms > 0 {
			return time.UnixMilli(ms).UTC()
		}
		return time.Time{}
	}
	s := job.Spec{
		Token: "t", Account: alice.Account, Region: "ap-chengdu",
		Manifest: job.Manifest{
			Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey}, PlusSpace: true,
			Location: job.Location{Bucket: job.Bucket(word.Draw(t, "bucket")), Key: job.Key("k" + word.Draw(t, "key")), Version: job.Version(word.Draw(t, "version")), ETag: word.Draw(t, "etag")},
		},
		Report: job.Report{Enabled: rapid.Bool().Draw(t, "enabled"), Bucket: job.Bucket(word.Draw(t, "report")), Prefix: text.Draw(t, "prefix"), Scope: job.AllTasks},
		Role:   job.Role{ARN: "arn:aws:iam::1:role/r", Account: "1", Name: "r"},
	}
	if s.Report.Enabled {
		s.Report.Format = job.ReportFormatS3
	}
	switch rapid.IntRange(0, 4).Draw(t, "operation") {
	case 0:
		s.Operation = &operation.PutACL{Canned: "private"}
	case 1:
		s.Operation = &operation.Restore{Days: rapid.IntRange(1, 365).Draw(t, "days"), Tier: "Bulk"}
	case 2:
		s.Operation = &operation.Tagging{Directive: operation.DirectiveReplace, Tags: tags("tags")}
	case 3:
		s.Operation = &operation.PutACL{Owner: object.Grantee{ID: word.Draw(t, "owner")}, Grants: grants()}
	default:
		c := &operation.Copy{
			TargetBucket: job.Bucket(word.Draw(t, "target")), StorageClass: "GLACIER", SSE: "AES256", CannedACL: "private",
			Metadata:    rapid.SampledFrom([]operation.Directive{"", "Copy", "Replaced"}).Draw(t, "metadata"),
			NewMetadata: object.Metadata{CacheControl: word.Draw(t, "cache"), Expires: "Fri, 01 Jan 2027 00:00:00 GMT", User: map[string]string{word.Draw(t, "name"): text.Draw(t, "value")}},
			Grants:      grants(), IfModifiedSince: when("since"), IfUnmodifiedSince: when("until"),
		}
		if rapid.Bool().Draw(t, "tagging") {
			c.Tagging, c.NewTags = operation.DirectiveReplace, tags("new tags")
		}
		if rapid.Bool().Draw(t, "prefix") {
			c.PrefixReplace, c.PrefixTo = true, word.Draw(t, "folder")+"/"
		}
		s.Operation = c
	}
	return s
}

// sendBack makes a request of what was echoed.
func sendBack(e echo) []byte {
	list := "<Manifest>" + e.Manifest + "</Manifest>"
	if e.Generator != "" {
		list = "<ManifestGenerator>" + e.Generator + "</ManifestGenerator>"
	}
	return []byte("<CreateJobRequest><ClientRequestToken>t</ClientRequestToken><ConfirmationRequired>false</ConfirmationRequired><Priority>0</Priority>" + list +
		"<Operation>" + e.Operation + "</Operation><Report>" + e.Report + "</Report><RoleArn>" + e.RoleArn + "</RoleArn></CreateJobRequest>")
}

// What is rendered of a spec of another protocol, sent back to CreateJob, gives that spec.
func TestRenderingAndDecodingAreInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawSpec(t)
		e := echoOf(want)
		got, err := decode(sendBack(e))
		if err != nil {
			t.Fatalf("%v of %+v", err, e)
		}
		got.Account, got.Region = want.Account, want.Region
		if diff := cmp.Diff(want, got, sameSpec); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%+v", diff, e)
		}
		if again := echoOf(got); again != e {
			t.Fatalf("echoed %+v, want %+v", again, e)
		}
	})
}

// What S3 has no word for is left out of Operation, and listed by our own name.
func TestOperationsThatS3HasNoNameFor(t *testing.T) {
	t.Parallel()
	for name, ops := range map[string][]job.Operation{
		"delete":  {&operation.Delete{}},
		"tagging": {&operation.Tagging{Directive: operation.DirectiveAdd, Tags: []job.Tag{{Key: "k"}}}},
		"copy": {
			&operation.Copy{TargetBucket: "target", PrefixReplace: true, PrefixFrom: "a/", PrefixTo: "b/"},
			&operation.Copy{TargetBucket: "target", PrefixReplace: true, PrefixTo: "b"},
			&operation.Copy{TargetBucket: "target", PrefixReplace: true, PrefixFrom: "a"},
			&operation.Copy{TargetBucket: "target", PrefixReplace: true, PrefixTo: "/"},
			&operation.Copy{TargetBucket: "target", ACL: operation.DirectiveCopy},
			&operation.Copy{TargetBucket: "target", ACL: operation.DirectiveAdd, CannedACL: "public-read"},
			&operation.Copy{TargetBucket: "target", Metadata: operation.DirectiveAdd, SSE: "AES256"},
			&operation.Copy{TargetBucket: "target", Tagging: operation.DirectiveAdd, NewTags: []job.Tag{{Key: "k"}}},
		},
	} {
		for _, op := range ops {
			if err := op.Validate(); err != nil {
				t.Errorf("%+v: %v", op, err)
			}
			if e := echoOf(job.Spec{Operation: op}); e.Name != name || e.Operation != "" {
				t.Errorf("%+v is shown as %q, %q", op, e.Name, e.Operation)
			}
		}
	}
}

// No body makes the decoder panic; what it accepts it can echo, and decodes to the same from there.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := decodeTagging(body); err != nil && job.MessageOf(err) == "" {
			t.Fatalf("no sentence: %v", err)
		}
		s, err := decode(body)
		if err != nil {
			if job.MessageOf(err) == "" {
				t.Fatalf("no sentence: %v", err)
			}
			return
		}
		again, err := decode(sendBack(echoOf(s)))
		if err != nil {
			t.Fatalf("the echo does not decode: %v", err)
		}
		s.Token, s.Priority, s.ConfirmationRequired, s.Description, s.Tags = "t", 0, false, "", nil
		if diff := cmp.Diff(s, again, sameSpec); diff != "" {
			t.Fatalf("(-sent +echoed):\n%s", diff)
		}
	})
}
