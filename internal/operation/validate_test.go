package operation

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

type valid struct {
	name  string
	op    Operation
	field string // "" = valid
	says  string
}

func checkValid(t *testing.T, cases []valid) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.op.Validate()
			if c.field == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			e, ok := errors.AsType[*job.Error](err)
			if !ok {
				t.Fatalf("got %v, want an error about %s", err, c.field)
			}
			if e.Code != job.InvalidArgument || e.Field != c.field || !strings.Contains(e.Message, c.says) || len(e.All) > 0 {
				t.Errorf("got %s about %s: %q, want one about %s alone, saying %q", e.Code, e.Field, e.Message, c.field, c.says)
			}
			if !strings.HasPrefix(e.Message, e.Field+": ") || !strings.HasSuffix(e.Message, ".") || !headerValue(e.Message) {
				t.Errorf("%q is no clean sentence", e.Message)
			}
		})
	}
}

func tagsOf(n int) []job.Tag {
	tags := make([]job.Tag, n)
	for i := range tags {
		tags[i] = job.Tag{Key: fmt.Sprint("k", i), Value: "v"}
	}
	return tags
}

func TestCopyValidate(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return strings.Repeat("x", n) }
	meta := func(kv ...string) object.Metadata { return object.Metadata{User: user(kv...)} }
	grants := func(n int) []object.Grant {
		gs := make([]object.Grant, n)
		for i := range gs {
			gs[i] = byID(fmt.Sprint(i), permRead)
		}
		return gs
	}
	cases := []valid{
		{"plain", to(nil), "", ""},
		{"no target", to(func(c *Copy) { c.TargetBucket = "" }), "TargetResource", "empty"},
		{"odd target", to(func(c *Copy) { c.TargetBucket = "a/b" }), "TargetResource", "a/b"},
		{"odd target region", to(func(c *Copy) { c.TargetRegion = "a/b" }), "TargetResource", "a/b"},
		{"prefixes of 1,024", to(func(c *Copy) { c.PrefixReplace, c.PrefixFrom, c.PrefixTo = true, text(1024), text(1024) }), "", ""},
		{"prefix to cut of 1,025", to(func(c *Copy) { c.PrefixFrom = text(1025) }), "ResourcesPrefix", "1025"},
		{"prefix to put of 1,025", to(func(c *Copy) { c.PrefixTo = text(1025) }), "TargetKeyPrefix", "1025"},
		{"prefix of no UTF-8", to(func(c *Copy) { c.PrefixTo = "\xff" }), "TargetKeyPrefix", "UTF-8"},
		{"class in lower case", to(func(c *Copy) { c.StorageClass = "deep_archive" }), "", ""},
		{"unknown class", to(func(c *Copy) { c.StorageClass = "DEEP ARCHIVE" }), "StorageClass", "DEEP_ARCHIVE"},
		{"encryption", to(func(c *Copy) { c.SSE = "AES256" }), "", ""},
		{"encryption by S3's keys", to(func(c *Copy) { c.SSE, c.SSEKey = "aws:kms", "arn:aws:kms:r:1:key/k" }), "", ""},
		{"encryption by COS's keys", to(func(c *Copy) { c.SSE = "cos/kms" }), "", ""},
		{"unknown encryption", to(func(c *Copy) { c.SSE = "AES128" }), "NewObjectMetadata.SSEAlgorithm", "AES128"},
		{"key without its encryption", to(func(c *Copy) { c.SSE, c.SSEKey = "AES256", "k" }), "NewObjectMetadata.SSEKey", "aws:kms"},
		{"key with a line break", to(func(c *Copy) { c.SSE, c.SSEKey = "aws:kms", "k\r\nx: y" }), "NewObjectMetadata.SSEKey", "no id"},

		{"verified by nothing", to(func(c *Copy) { c.Verify = VerifyOff }), "", ""},
		{"verified by head", to(func(c *Copy) { c.Verify = VerifyHead }), "", ""},
		{"verified by checksum", to(func(c *Copy) { c.Verify = VerifyChecksum }), "", ""},
		{"verified otherwise", to(func(c *Copy) { c.Verify = "md5" }), "Verify", "off, head or checksum"},

		{"private", to(func(c *Copy) { c.CannedACL = "private" }), "", ""},
		{"public-read", to(func(c *Copy) { c.ACL, c.CannedACL = DirectiveAdd, "public-read" }), "", ""},
		{"unknown canned list", to(func(c *Copy) { c.CannedACL = "public-read-write" }), "CannedAccessControlList", "public-read-write"},
		{"canned list and grants", to(func(c *Copy) { c.CannedACL, c.Grants = "private", grants(1) }), "AccessControlGrants", "one of them"},
		{"100 grants", to(func(c *Copy) { c.Grants = grants(100) }), "", ""},
		{"101 grants", to(func(c *Copy) { c.Grants = grants(101) }), "AccessControlGrants", "101"},
		{"grant to nobody", to(func(c *Copy) { c.Grants = []object.Grant{byID("", permRead)} }), "AccessControlGrants.Identifier", "empty"},
		{"grant to a header of its own", to(func(c *Copy) { c.Grants = []object.Grant{byID(`x", id="y`, permRead)} }), "AccessControlGrants.Identifier", "names no account"},
		{"grant to a line break", to(func(c *Copy) { c.Grants = []object.Grant{byID("x\r\ny", permRead)} }), "AccessControlGrants.Identifier", "names no account"},
		{"grant of WRITE", to(func(c *Copy) { c.Grants = []object.Grant{byID("x", "WRITE")} }), "AccessControlGrants.Permission", "only on a bucket"},
		{"grant of everything", to(func(c *Copy) { c.Grants = []object.Grant{byID("x", "ALL")} }), "AccessControlGrants.Permission", "ALL"},
		{"access directive alone", to(func(c *Copy) { c.ACL = DirectiveCopy }), "", ""},
		{"access to replace by nothing", to(func(c *Copy) { c.ACL = DirectiveReplace }), "AccessControlDirective", "nothing is given"},
		{"access to add nothing", to(func(c *Copy) { c.ACL = DirectiveAdd }), "AccessControlDirective", "nothing is given"},
		{"access to copy, and given", to(func(c *Copy) { c.ACL, c.CannedACL = DirectiveCopy, "private" }), "AccessControlDirective", "as well"},
		{"unknown access directive", to(func(c *Copy) { c.ACL = "Replace" }), "AccessControlDirective", `"Replace"`},

		{"metadata of 2,048", to(func(c *Copy) { c.NewMetadata = meta("a", text(1023), "b", text(1023)) }), "", ""},
		{"metadata of 2,049", to(func(c *Copy) { c.NewMetadata = meta("a", text(1023), "b", text(1024)) }), "NewObjectMetadata.UserMetadata", "2049"},
		{"metadata name in upper case", to(func(c *Copy) { c.NewMetadata = meta("Name", "x") }), "NewObjectMetadata.UserMetadata", `"Name"`},
		{"metadata without a name", to(func(c *Copy) { c.NewMetadata = meta("", "x") }), "NewObjectMetadata.UserMetadata", `""`},
		{"metadata name with a colon", to(func(c *Copy) { c.NewMetadata = meta("a:b", "x") }), "NewObjectMetadata.UserMetadata", "a:b"},
		{"metadata value with a line break", to(func(c *Copy) { c.NewMetadata = meta("a", "x\r\ny: z") }), "NewObjectMetadata.UserMetadata", "control"},
		{"metadata value of other letters", to(func(c *Copy) { c.NewMetadata = meta("a", "中文") }), "", ""},
		{"header with a line break", to(func(c *Copy) { c.NewMetadata.ContentType = "a\nb" }), "NewObjectMetadata.ContentType", "control"},
		{"header without end", to(func(c *Copy) { c.NewMetadata.Expires = text(2049) }), "NewObjectMetadata.HttpExpiresDate", "2049"},
		{"metadata to replace by nothing", to(func(c *Copy) { c.Metadata = DirectiveReplace }), "", ""},
		{"metadata to add nothing", to(func(c *Copy) { c.Metadata = DirectiveAdd }), "MetadataDirective", "nothing is given"},
		{"metadata to add encryption only", to(func(c *Copy) { c.Metadata, c.SSE = DirectiveAdd, "AES256" }), "", ""},
		{"metadata to copy, and encryption", to(func(c *Copy) { c.Metadata, c.SSE = DirectiveCopy, "AES256" }), "", ""},
		{"metadata to copy, and given", to(func(c *Copy) { c.Metadata, c.NewMetadata.ContentType = DirectiveCopy, "a/b" }), "MetadataDirective", "as well"},
		{"unknown metadata directive", to(func(c *Copy) { c.Metadata = "COPY" }), "MetadataDirective", `"COPY"`},

		{"10 tags", to(func(c *Copy) { c.NewTags = tagsOf(10) }), "", ""},
		{"11 tags", to(func(c *Copy) { c.NewTags = tagsOf(11) }), "NewObjectTagging", "11"},
		{"tag without a key", to(func(c *Copy) { c.NewTags = []job.Tag{{Value: "x"}} }), "NewObjectTagging", "empty key"},
		{"tag of the longest", to(func(c *Copy) {
			c.NewTags = []job.Tag{{Key: strings.Repeat("é", 128), Value: strings.Repeat("é", 256)}}
		}), "", ""},
		{"tag key too long", to(func(c *Copy) { c.NewTags = []job.Tag{{Key: text(129)}} }), "NewObjectTagging", "129"},
		{"tag value too long", to(func(c *Copy) { c.NewTags = []job.Tag{{Key: "a", Value: text(257)}} }), "NewObjectTagging", "257"},
		{"tag with a control byte", to(func(c *Copy) { c.NewTags = []job.Tag{{Key: "a", Value: "\x00"}} }), "NewObjectTagging", "control"},
		{"the same key twice", to(func(c *Copy) { c.NewTags = []job.Tag{{Key: "a"}, {Key: "A"}, {Key: "a", Value: "x"}} }), "NewObjectTagging", "twice"},
		{"tags to replace by nothing", to(func(c *Copy) { c.Tagging = DirectiveReplace }), "TaggingDirective", "nothing is given"},
		{"tags to replace by none", to(func(c *Copy) { c.Tagging, c.NewTags = DirectiveReplace, []job.Tag{} }), "", ""},
		{"tags to add nothing", to(func(c *Copy) { c.Tagging, c.NewTags = DirectiveAdd, []job.Tag{} }), "TaggingDirective", "nothing is given"},
		{"tags to copy, and given", to(func(c *Copy) { c.Tagging, c.NewTags = DirectiveCopy, tagsOf(1) }), "TaggingDirective", "as well"},

		{"both times", to(func(c *Copy) { c.IfModifiedSince, c.IfUnmodifiedSince = day, day.Add(time.Second) }), "", ""},
		{"times that nothing meets", to(func(c *Copy) { c.IfModifiedSince, c.IfUnmodifiedSince = day, day }), "ModifiedSinceConstraint", "no object can meet both"},
		{"a time that cannot be stored", to(func(c *Copy) { c.IfModifiedSince = time.Unix(1<<40, 0) }), "ModifiedSinceConstraint", "year"},
		{"a time before there were any", to(func(c *Copy) { c.IfUnmodifiedSince = time.Unix(-1<<40, 0) }), "UnModifiedSinceConstraint", "year"},
	}
	for _, class := range classes {
		cases = append(cases, valid{"class " + class, to(func(c *Copy) { c.StorageClass = class }), "", ""})
	}
	checkValid(t, cases)
}

func TestTheOtherOperationsValidate(t *testing.T) {
	t.Parallel()
	checkValid(t, []valid{
		{"delete", &Delete{}, "", ""},
		{"restore for a day", &Restore{Days: 1, Tier: "Standard"}, "", ""},
		{"restore for a year", &Restore{Days: 365, Tier: "Bulk"}, "", ""},
		{"restore for nothing", &Restore{Days: 0, Tier: "Bulk"}, "ExpirationInDays", "is 0"},
		{"restore for ever", &Restore{Days: 366, Tier: "Bulk"}, "ExpirationInDays", "is 366"},
		{"restore from intelligent tiering", &Restore{Tier: "Bulk", IntelligentTiering: true, TrustInventory: true}, "", ""},
		{"restore from intelligent tiering for a day", &Restore{Days: 1, Tier: "Bulk", IntelligentTiering: true}, "ExpirationInDays", "leave the days out"},
		{"restore without a tier", &Restore{Days: 1, Tier: ""}, "JobTier", `""`},
		{"restore in the dearest tier", &Restore{Days: 1, Tier: "Expedited"}, "JobTier", "Expedited"},
		{"replace tags", &Tagging{DirectiveReplace, tagsOf(10)}, "", ""},
		{"replace tags without a directive", &Tagging{"", tagsOf(1)}, "", ""},
		{"add tags", &Tagging{DirectiveAdd, tagsOf(1)}, "", ""},
		{"take all tags away", &Tagging{DirectiveReplace, []job.Tag{}}, "", ""},
		{"no tags", &Tagging{DirectiveReplace, nil}, "TagSet", "missing"},
		{"add no tags", &Tagging{DirectiveAdd, []job.Tag{}}, "TagSet", "missing"},
		{"copy tags", &Tagging{DirectiveCopy, tagsOf(1)}, "TaggingDirective", `"Copy"`},
		{"11 tags", &Tagging{DirectiveAdd, tagsOf(11)}, "TagSet", "11"},
	})
}

func TestAllProblemsOfACopyAreTold(t *testing.T) {
	t.Parallel()
	e, _ := errors.AsType[*job.Error]((&Copy{StorageClass: "x", ACL: "y", Tagging: DirectiveAdd}).Validate())
	if e == nil || len(e.All) != 4 {
		t.Fatalf("got %v", e)
	}
}
