package coscontrol

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// limitsXML is a request with every part that has a limit.
const limitsXML = `<CreateJobRequest><ClientRequestToken>token</ClientRequestToken><ConfirmationRequired>true</ConfirmationRequired>` +
	`<Description>about</Description><Manifest><Location><ETag>etag</ETag><ObjectArn>qcs::cos:local::lists-1250000000/key</ObjectArn>` +
	`<ObjectVersionId>version</ObjectVersionId></Location><Spec><Fields><member>Bucket</member><member>Key</member></Fields>` +
	`<Format>COSBatchOperations_CSV_V1</Format></Spec></Manifest><Operation>OPERATION</Operation>` +
	`<Priority>1</Priority><Report><Bucket>qcs::cos:local::lists-1250000000</Bucket><Enabled>true</Enabled><Format>Report_CSV_V1</Format>` +
	`<Prefix>prefix</Prefix><ReportScope>AllTasks</ReportScope></Report><RoleArn>qcs::cam::uin/100000000001:roleName/r</RoleArn></CreateJobRequest>`

const (
	restoreXML = `<COSInitiateRestoreObject><ExpirationInDays>1</ExpirationInDays><JobTier>Bulk</JobTier></COSInitiateRestoreObject>`
	copyXML    = `<COSPutObjectCopy><PrefixReplace>true</PrefixReplace><ResourcesPrefix>from</ResourcesPrefix><TargetKeyPrefix>to</TargetKeyPrefix>` +
		`<CannedAccessControlList>private</CannedAccessControlList><MetadataDirective>Copy</MetadataDirective><TaggingDirective>Copy</TaggingDirective>` +
		`<StorageClass>STANDARD</StorageClass><TargetResource>qcs::cos:local::target-1250000000</TargetResource></COSPutObjectCopy>`
	taggingXML = `<COSPutObjectTagging><TaggingDirective>Replaced</TaggingDirective><TagSet><COSTag><Key>k</Key><Value>v</Value></COSTag></TagSet></COSPutObjectTagging>`
)

// The limits of a request, at their edges (Tencent Cloud 436/33781, 436/33786). An element that is replaced by "" is left
// out.
func TestLimitsOfARequest(t *testing.T) {
	t.Parallel()
	of := func(n int) string { return strings.Repeat("x", n) }
	const good, argument, request, malformed = "", "InvalidArgument", "InvalidRequest", "MalformedXML"
	for _, tc := range []struct{ operation, element, content, code string }{
		{restoreXML, "ClientRequestToken", of(1), good},
		{restoreXML, "ClientRequestToken", of(64), good},
		{restoreXML, "ClientRequestToken", of(65), argument},
		{restoreXML, "ClientRequestToken", "", argument},
		{restoreXML, "ConfirmationRequired", "", good},
		{restoreXML, "ConfirmationRequired", " false ", good},
		{restoreXML, "ConfirmationRequired", "maybe", argument},
		{restoreXML, "Description", "", good},
		{restoreXML, "Description", of(256), good},
		{restoreXML, "Description", of(257), argument},
		{restoreXML, "Description", strings.Repeat("é", 128), good},
		{restoreXML, "Description", strings.Repeat("é", 129), argument},
		{restoreXML, "Manifest", "", malformed},
		{restoreXML, "Location", "", malformed},
		{restoreXML, "ETag", `"` + of(1022) + `"`, good},
		{restoreXML, "ETag", of(1025), argument},
		{restoreXML, "ETag", "", argument},
		{restoreXML, "ETag", `""`, argument},
		{restoreXML, "ObjectArn", "qcs::cos:local:uid/1250000000:lists-1250000000/" + of(1024), good},
		{restoreXML, "ObjectArn", "qcs::cos:local::lists-1250000000/" + of(1025), argument},
		{restoreXML, "ObjectArn", "qcs::cos:local::lists-1250000000", argument},
		{restoreXML, "ObjectArn", "qcs::cos:local::lists-1250000000/", argument},
		{restoreXML, "ObjectArn", "qcs::cos:::lists-1250000000/key", argument},
		{restoreXML, "ObjectArn", "arn:aws:s3:::lists/key", argument},
		{restoreXML, "ObjectArn", "", argument},
		{restoreXML, "ObjectVersionId", "", good},
		{restoreXML, "ObjectVersionId", of(1024), good},
		{restoreXML, "ObjectVersionId", of(1025), argument},
		{restoreXML, "Spec", "", malformed},
		{restoreXML, "Fields", "", argument},
		{restoreXML, "Fields", "<member>Key</member><member>Ignore</member><member>Bucket</member><member>VersionId</member><member>Ignore</member>", good},
		{restoreXML, "Fields", "<member>Key</member>", argument},
		{restoreXML, "Fields", "<member>Bucket</member><member>Key</member><member>Size</member>", argument},
		{restoreXML, "Fields", "<member>Bucket</member><member>Key</member><member>Key</member>", argument},
		{restoreXML, "Format", "COSInventoryReport_CSV_V1", good},
		{restoreXML, "Format", "CSV", argument},
		{restoreXML, "Format", "", argument},
		{"", "Operation", "", malformed},
		{"<COSDeleteObject/>", "", "", good},
		{"<COSDeleteObject></COSDeleteObject><COSDeleteObject>x</COSDeleteObject>", "", "", malformed},
		{restoreXML + "<COSDeleteObject/>", "", "", malformed},
		{"<COSPutObjectAcl/>", "", "", malformed},
		{restoreXML, "Priority", "0", good},
		{restoreXML, "Priority", "2147483647", good},
		{restoreXML, "Priority", "2147483648", argument},
		{restoreXML, "Priority", "-1", argument},
		{restoreXML, "Priority", "1.5", argument},
		{restoreXML, "Priority", "", argument},
		{restoreXML, "Report", "", malformed},
		{restoreXML, "Enabled", "", argument}, // a job without the report that it describes would be no good guess
		{restoreXML, "Enabled", " false ", good},
		{restoreXML, "Enabled", "yes", argument},
		{restoreXML, "Bucket", "", argument},
		{restoreXML, "Bucket", "qcs::cos:local::lists-1250000000/key", argument},
		{restoreXML, "Prefix", "", good},
		{restoreXML, "Prefix", of(256), good},
		{restoreXML, "Prefix", of(257), argument},
		{restoreXML, "ReportScope", "FailedTasksOnly", good},
		{restoreXML, "ReportScope", "Failed", argument},
		{restoreXML, "ReportScope", "", argument},
		{restoreXML, "RoleArn", "", argument},
		{restoreXML, "RoleArn", "qcs::cam::uin/100000000001:roleName/", argument},
		{restoreXML, "RoleArn", "qcs::cam::uin/100000000001:uin/1", argument},
		{restoreXML, "ExpirationInDays", "365", good},
		{restoreXML, "ExpirationInDays", "366", argument},
		{restoreXML, "ExpirationInDays", "0", argument},
		{restoreXML, "ExpirationInDays", "", argument},
		{restoreXML, "JobTier", "Standard", good},
		{restoreXML, "JobTier", "Expedited", argument},
		{restoreXML, "JobTier", "", argument},
		{copyXML, "TargetResource", "", argument},
		{copyXML, "TargetResource", "qcs::cos:elsewhere::target-1250000000", good},
		{copyXML, "PrefixReplace", "", good},
		{copyXML, "PrefixReplace", "Ja", argument},
		{copyXML, "ResourcesPrefix", of(1024), good},
		{copyXML, "ResourcesPrefix", of(1025), argument},
		{copyXML, "TargetKeyPrefix", "", good},
		{copyXML, "TargetKeyPrefix", of(1025), argument},
		{copyXML, "CannedAccessControlList", "public-read", good},
		{copyXML, "CannedAccessControlList", "public-read-write", argument},
		{copyXML, "MetadataDirective", "Delete", argument},
		{copyXML, "StorageClass", "STANDARD_IA", good},
		{copyXML, "StorageClass", "COLD", argument},
		{copyXML, "TaggingDirective", "Replaced", argument}, // and no tags
		{taggingXML, "TagSet", "", argument},
		{taggingXML, "TaggingDirective", "Copy", argument},
		{taggingXML, "Key", of(129), argument},
		{taggingXML, "Value", of(257), argument},
		{taggingXML, "TagSet", strings.Repeat("<COSTag><Key>k</Key><Value>v</Value></COSTag>", 2), argument},
	} {
		body := strings.Replace(limitsXML, "OPERATION", tc.operation, 1)
		if tc.element != "" {
			found := regexp.MustCompile(fmt.Sprintf("<%s>.*?</%s>", tc.element, tc.element)).FindString(body)
			if found == "" {
				t.Fatalf("no %s in %s", tc.element, body)
			}
			with := ""
			if tc.content != "" {
				with = fmt.Sprintf("<%s>%s</%s>", tc.element, tc.content, tc.element)
			}
			body = strings.Replace(body, found, with, 1)
			if tc.content == "COSInventoryReport_CSV_V1" {
				body = regexp.MustCompile("<Fields>.*</Fields>").ReplaceAllString(body, "<Fields></Fields>")
			}
		}
		w := setup(t)
		resp, answer := w.send(alice, "POST", "/jobs", body)
		switch {
		case tc.code == good && resp.StatusCode != http.StatusOK:
			t.Errorf("%s %.80q: %d %s", tc.element, tc.content, resp.StatusCode, answer)
		case tc.code != good && (resp.StatusCode != http.StatusBadRequest || !strings.Contains(answer, "<Code>"+tc.code+"</Code>") || w.jobs.Len() != 0):
			t.Errorf("%s %.80q: %d %s, want %s; %d jobs", tc.element, tc.content, resp.StatusCode, answer, tc.code, w.jobs.Len())
		}
	}
	w := setup(t)
	w.create("delete.xml")
	for n, status := range map[int]int{256: 200, 257: 400} {
		target := "/jobs/job-00001/status?requestedJobStatus=Cancelled&statusUpdateReason=" + url.QueryEscape(of(n))
		if resp, body := w.send(alice, "POST", target, ""); resp.StatusCode != status {
			t.Errorf("a reason of %d bytes: %d %s", n, resp.StatusCode, body)
		}
		w = setup(t)
		w.create("delete.xml")
	}
}
