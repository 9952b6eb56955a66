package access

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
)

var owner = job.Account{UIN: "100000000001", AppID: "1250000000"}

func mustPolicy(t *testing.T, text string) Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func allow(action, resource string) string {
	return fmt.Sprintf(`{"version":"2.0","statement":[{"effect":"allow","action":%q,"resource":%q}]}`, action, resource)
}

// The first policies are the documented examples (Tencent doc pages 436/30580 and 436/12469, AWS S3 "Granting
// permissions for Batch Operations").
func TestDecide(t *testing.T) {
	t.Parallel()
	const cosRead = `{"version":"2.0","statement":[{"effect":"allow","action":["name/cos:GetObject","name/cos:HeadObject"],
		"resource":["qcs::cos:ap-beijing:uid/1250000000:examplebucket-1250000000/dir/*"]}]}`
	const cosDeny = `{"version":"2.0","statement":[
		{"effect":"allow","action":["cos:*"],"resource":"*"},
		{"effect":"deny","action":["name/cos:DeleteObject"],"resource":["qcs::cos::uid/1250000000:kept-1250000000/*"]}]}`
	const awsBatch = `{"Version":"2012-10-17","Statement":[
		{"Sid":"Source","Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":["arn:aws:s3:::source/*"]},
		{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::target/copies/*"},
		{"Effect":"Allow","Action":["s3:RestoreObject","s3:ListBucket"],"Resource":["arn:aws:s3:::source","arn:aws:s3:::source/*"]}]}`
	const beijing, local = job.Region("ap-beijing"), job.Region("local")
	object := func(r job.Region, b job.Bucket, k job.Key) Resource { return Object(owner, r, b, k, "") }
	for _, c := range []struct {
		name, policy string
		action       Action
		resource     Resource
		want         Decision
	}{
		{"a documented prefix", cosRead, GetObject, object(beijing, "examplebucket-1250000000", "dir/a"), Allowed},
		{"HEAD of it", cosRead, HeadObject, object(beijing, "examplebucket-1250000000", "dir/a"), Allowed},
		{"beside the prefix", cosRead, GetObject, object(beijing, "examplebucket-1250000000", "other/a"), Silent},
		{"another region", cosRead, GetObject, object("ap-shanghai", "examplebucket-1250000000", "dir/a"), Silent},
		{"another action", cosRead, PutObject, object(beijing, "examplebucket-1250000000", "dir/a"), Silent},
		{"another bucket that begins so", cosRead, GetObject, object(beijing, "examplebucket-1250000000x", "dir/a"), Silent},
		{"a deny wins", cosDeny, DeleteObject, object(beijing, "kept-1250000000", "a"), Denied},
		{"a deny of one bucket leaves others", cosDeny, DeleteObject, object(beijing, "free-1250000000", "a"), Allowed},
		{"a deny of one action leaves others", cosDeny, GetObject, object(beijing, "kept-1250000000", "a"), Allowed},
		{"cos:* is not cam:*", cosDeny, PassRole, RoleOf(owner, "r"), Silent},
		{"s3 names a source", awsBatch, GetObject, object(local, "source", "k"), Allowed},
		{"s3 asks another right for a version", awsBatch, GetObject, Object(owner, local, "source", "k", "v1"), Allowed},
		{"s3:GetObject is not for versions", allow("s3:GetObject", "arn:aws:s3:::source/*"), GetObject, Object(owner, local, "source", "k", "v1"), Silent},
		{"cos:GetObject is", allow("cos:GetObject", "*"), GetObject, Object(owner, local, "source", "k", "v1"), Allowed},
		{"s3:PutObject lets copy", awsBatch, CopyObject, object(local, "target", "copies/k"), Allowed},
		{"but not elsewhere", awsBatch, CopyObject, object(local, "target", "k"), Silent},
		{"cos:PutObjectCopy lets copy", allow("cos:PutObjectCopy", "*"), CopyObject, object(local, "t", "k"), Allowed},
		{"cos:PutObjectCopy does not let put", allow("cos:PutObjectCopy", "*"), PutObject, object(local, "t", "k"), Silent},
		{"s3:RestoreObject is cos:PostObjectRestore", awsBatch, RestoreObject, object(local, "source", "k"), Allowed},
		{"a list needs the bucket itself", awsBatch, ListBucket, BucketOf(owner, local, "source", ""), Allowed},
		{"objects are not the bucket", allow("s3:ListBucket", "arn:aws:s3:::source/*"), ListBucket, BucketOf(owner, local, "source", ""), Silent},
		{"COS names a bucket by what is in it", allow("cos:GetBucket", "qcs::cos:local:uid/1250000000:source/*"), ListBucket, BucketOf(owner, local, "source", "p/"), Allowed},
		{"names of actions fold", allow("cos:getobjectacl", "*"), GetObjectACL, object(local, "b", "k"), Allowed},
		{"wildcards in names", allow("s3:Get*", "*"), GetObjectTagging, object(local, "b", "k"), Allowed},
		{"a foreign account's bucket by its APPID", allow("cos:GetObject", "qcs::cos:local:uid/1259999999:theirs-1259999999/*"), GetObject, object(local, "theirs-1259999999", "k"), Allowed},
		{"a foreign account's name on an own bucket", allow("cos:GetObject", "qcs::cos:local:uid/1259999999:*"), GetObject, object(local, "mine-1250000000", "k"), Silent},
		{"jobs by star", allow("cos:CreateJob", "*"), CreateJob, JobOf(owner, local, ""), Allowed},
		{"naming a resource for an operation-level action", allow("cos:CreateJob", "qcs::cos:local:uid/1250000000:b/*"), CreateJob, JobOf(owner, local, ""), Silent},
		{"a job by ARN", allow("s3:DescribeJob", "arn:aws:s3:local:100000000001:job/*"), DescribeJob, JobOf(owner, local, "abcde"), Allowed},
		{"a region's limits by star", allow("cos:UpdateRegionLimits", "*"), UpdateRegionLimits, RegionOf(beijing), Allowed},
		{"a region's limits by its name", allow("cos:UpdateRegionLimits", "qcs::cos:ap-beijing::*"), UpdateRegionLimits, RegionOf(beijing), Allowed},
		{"not another's", allow("cos:UpdateRegionLimits", "qcs::cos:ap-beijing::*"), UpdateRegionLimits, RegionOf(local), Silent},
		{"one region is not all of them", allow("cos:ListRegions", "qcs::cos:ap-beijing::*"), ListRegions, RegionOf(""), Silent},
		{"all objects of an account are no region", allow("cos:*", "qcs::cos::uid/1250000000:*"), UpdateRegionLimits, RegionOf(beijing), Silent},
		{"nor are all objects", allow("s3:*", "arn:aws:s3:::*"), UpdateRegionLimits, RegionOf(beijing), Silent},
		{"a role by its qcs name", allow("cam:PassRole", "qcs::cam::uin/100000000001:roleName/batch*"), PassRole, RoleOf(owner, "batch-role"), Allowed},
		{"a role by its ARN", allow("iam:PassRole", "arn:aws:iam::100000000001:role/batch-role"), PassRole, RoleOf(owner, "batch-role"), Allowed},
		{"another account's role", allow("iam:PassRole", "arn:aws:iam::100000000002:role/*"), PassRole, RoleOf(owner, "batch-role"), Silent},
		{"some below a prefix are allowed", awsBatch, CopyObject, ObjectsBelow(owner, local, "target", ""), Allowed},
		{"none below a prefix is", awsBatch, CopyObject, ObjectsBelow(owner, local, "target", "elsewhere/"), Silent},
		{"all below are denied", cosDeny, DeleteObject, ObjectsBelow(owner, local, "kept-1250000000", "a/"), Denied},
		{"some below are denied", `{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*"},
			{"effect":"deny","action":"*","resource":"arn:aws:s3:::b/secret/*"}]}`, GetObject, ObjectsBelow(owner, local, "b", ""), Allowed},
		{"nothing", `{"version":"2.0","statement":[]}`, GetObject, object(local, "b", "k"), Silent},
		{"a single statement", `{"Version":"2012-10-17","Statement":{"Effect":"ALLOW","Action":"*","Resource":"*"}}`, GetObject, object(local, "b", "k"), Allowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := mustPolicy(t, c.policy).Decide(c.action, c.resource); got != c.want {
				t.Errorf("%s on %s: got %d, want %d", c.action, c.resource, got, c.want)
			}
		})
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	t.Parallel()
	statement := func(s string) string { return `{"version":"2.0","statement":[` + s + `]}` }
	for name, c := range map[string]struct{ text, field string }{
		"no JSON":               {`{"version"`, "policy"},
		"more behind":           {allow("*", "*") + "{}", "policy"},
		"no object":             {`[]`, "policy"},
		"no version":            {`{"statement":[]}`, "policy.version"},
		"another version":       {`{"version":"3.0","statement":[]}`, "policy.version"},
		"no statement":          {`{"version":"2.0"}`, "policy.statement"},
		"an unknown element":    {`{"version":"2.0","statement":[],"principal":"*"}`, "policy"},
		"a condition":           {statement(`{"effect":"allow","action":"*","resource":"*","condition":{}}`), "policy.statement[0]"},
		"NotAction":             {statement(`{"effect":"allow","notAction":"*","resource":"*"}`), "policy.statement[0]"},
		"an effect twice":       {statement(`{"effect":"deny","Effect":"allow","action":"*","resource":"*"}`), "policy"},
		"an unknown effect":     {statement(`{"effect":"permit","action":"*","resource":"*"}`), "policy.statement[0].effect"},
		"no action":             {statement(`{"effect":"allow","resource":"*"}`), "policy.statement[0].action"},
		"an empty list":         {statement(`{"effect":"deny","action":[],"resource":"*"}`), "policy.statement[0].action"},
		"an action of a number": {statement(`{"effect":"allow","action":[1],"resource":"*"}`), "policy.statement[0].action"},
		"an unknown service":    {allow("cvm:*", "*"), "policy.statement[0].action"},
		"an action without one": {allow("GetObject", "*"), "policy.statement[0].action"},
		"an action with blanks": {allow("cos:Get Object", "*"), "policy.statement[0].action"},
		"no resource":           {statement(`{"effect":"allow","action":"*"}`), "policy.statement[0].resource"},
		"a bare bucket":         {allow("*", "bucket/*"), "policy.statement[0].resource"},
		"a variable":            {allow("*", "arn:aws:s3:::b/${aws:username}/*"), "policy.statement[0].resource"},
		"an odd account":        {allow("*", "qcs::cos::1250000000:b/*"), "policy.statement[0].resource"},
		"too deep":              {strings.Repeat("[", 20) + strings.Repeat("]", 20), "policy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParsePolicy([]byte(c.text))
			e, ok := err.(*job.Error)
			if !ok || e.Code != job.InvalidArgument || e.Field != c.field {
				t.Errorf("got %v, want InvalidArgument about %s", err, c.field)
			}
		})
	}
}

func TestADeniedCallNamesActionAndResource(t *testing.T) {
	t.Parallel()
	err := mustPolicy(t, allow("cos:GetObject", "*")).Check("role r", PutObject, Object(owner, "local", "b", "k", ""))
	if job.CodeOf(err) != job.AccessDenied || !strings.Contains(err.Error(), "cos:PutObject") || !strings.Contains(err.Error(), "b/k") {
		t.Errorf("got %v", err)
	}
}

// TestGlobIsARegularExpression holds glob and its two kin against regexp.
func TestGlobIsARegularExpression(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab]{0,8}`).Draw(t, "s")
		more := rapid.StringMatching(`[ab]{0,5}`).Draw(t, "more")
		re := regexp.MustCompile(`\A` + strings.NewReplacer("*", ".*", "?", ".").Replace(pattern) + `\z`)
		if got, want := glob(pattern, s), re.MatchString(s); got != want {
			t.Fatalf("glob(%q, %q) = %v", pattern, s, got)
		}
		if re.MatchString(s+more) && !globBegins(pattern, s) {
			t.Fatalf("globBegins(%q, %q) = false, yet it matches %q", pattern, s, s+more)
		}
		if globCovers(pattern, s) && !re.MatchString(s+more) {
			t.Fatalf("globCovers(%q, %q) = true, yet it does not match %q", pattern, s, s+more)
		}
	})
}

// TestDenyWinsAndMoreStatementsOnlyAdd: the order of statements is of no account, a deny can not be outvoted, and a
// policy without an allow allows nothing.
func TestDenyWinsAndMoreStatementsOnlyAdd(t *testing.T) {
	t.Parallel()
	action := rapid.SampledFrom([]string{"*", "cos:*", "s3:*", "cos:GetObject", "s3:GetObject", "name/cos:PutObject", "cos:Delete*"})
	resource := rapid.SampledFrom([]string{"*", "qcs::cos:*:uid/1250000000:b/*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/x*", "qcs::cos:local::c/*"})
	rapid.Check(t, func(t *rapid.T) {
		var all, reversed, allows []string
		denied := false
		r := Object(owner, "local", job.Bucket(rapid.SampledFrom([]string{"b", "c"}).Draw(t, "bucket")), job.Key(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "key")), "")
		a := rapid.SampledFrom([]Action{GetObject, PutObject, DeleteObject}).Draw(t, "action")
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			effect := rapid.SampledFrom([]string{"allow", "Deny"}).Draw(t, "effect")
			body := fmt.Sprintf(`"action":%q,"resource":[%q]}`, action.Draw(t, "a"), resource.Draw(t, "r"))
			all = append(all, `{"effect":"`+effect+`",`+body)
			reversed = append([]string{all[len(all)-1]}, reversed...)
			if effect == "allow" {
				allows = append(allows, all[len(all)-1])
			} else if one := parse(t, []string{`{"effect":"allow",` + body}); one.Decide(a, r) == Allowed {
				denied = true
			}
		}
		got := parse(t, all).Decide(a, r)
		if got != parse(t, reversed).Decide(a, r) {
			t.Fatal("the order of statements counts")
		}
		if denied != (got == Denied) {
			t.Fatalf("denied = %v, got %d", denied, got)
		}
		if got == Allowed && parse(t, allows).Decide(a, r) != Allowed {
			t.Fatal("allowed by none of the statements that allow")
		}
	})
}

func parse(t *rapid.T, statements []string) Policy {
	p, err := ParsePolicy([]byte(`{"version":"2.0","statement":[` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(allow("cos:Get*", "qcs::cos:ap-beijing:uid/1250000000:b-1250000000/*")))
	f.Add([]byte(allow("iam:PassRole", "arn:aws:iam::1:role/a")))
	f.Add([]byte(`{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"s","Effect":"Deny","Action":["s3:*"],"Resource":["arn:aws:s3:::b/?*"]}]}`))
	f.Add([]byte(`{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*","condition":{"a":1}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text)
		if err != nil {
			if job.CodeOf(err) != job.InvalidArgument {
				t.Fatalf("the error is not the caller's: %v", err)
			}
			return
		}
		again, err := ParsePolicy([]byte(p.String()))
		if err != nil {
			t.Fatalf("its own text is refused: %v", err)
		}
		r := Object(owner, "local", "b", "k", "")
		if p.Decide(GetObject, r) != again.Decide(GetObject, r) {
			t.Fatal("its own text means something else")
		}
	})
}
