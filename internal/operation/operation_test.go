package operation

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

var update = flag.Bool("update", false, "write the golden files")

// samples have every parameter set, and none.
func samples() []Operation {
	return []Operation{
		&Copy{
			TargetRegion: "ap-beijing", TargetBucket: "copies-1250000000",
			PrefixReplace: true, PrefixFrom: "in/<a>&", PrefixTo: "out/é/",
			StorageClass: "STANDARD_IA", SSE: "AES256",
			ACL:      DirectiveAdd,
			Grants:   []object.Grant{{Grantee: object.Grantee{ID: "qcs::cam::uin/1:uin/1", DisplayName: "one"}, Permission: permRead}, byGroup(groupsCOS+allUsers, permRead)},
			Metadata: DirectiveReplace,
			NewMetadata: object.Metadata{
				CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip", ContentLanguage: "en",
				ContentType: "text/plain", Expires: "Fri, 01 Mar 2024 08:00:00 GMT", User: user("a", "1", "b", "2"),
			},
			Tagging: DirectiveReplace, NewTags: []job.Tag{{Key: "k", Value: "v"}},
			IfModifiedSince: day, IfUnmodifiedSince: day.Add(time.Hour),
		},
		&Copy{TargetBucket: "copies-1250000000", SSE: object.SSEKMSCOS, SSEKey: "key-1", Verify: VerifyChecksum},
		&Copy{TargetBucket: "copies-1250000000", CannedACL: aclPublicRead, Tagging: DirectiveReplace, NewTags: []job.Tag{}},
		&Restore{Days: 7, Tier: TierBulk},
		&Restore{Tier: TierStandard, TrustInventory: true, IntelligentTiering: true},
		&Delete{},
		&Tagging{Directive: DirectiveAdd, Tags: []job.Tag{{Key: "k", Value: "v"}, {Key: "empty"}}},
		&Tagging{Directive: DirectiveReplace, Tags: []job.Tag{}},
		&PutACL{Canned: aclPublicRead},
		&PutACL{Owner: ownerS3, Grants: []object.Grant{byID("x", permRead), byGroup(groupsS3+allUsers, permRead)}},
	}
}

// golden compares with a file: what jobs on disk hold must be read by every later program.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestTheStoredFormStaysAsItIs(t *testing.T) {
	t.Parallel()
	var stored bytes.Buffer
	for _, op := range samples() {
		if err := op.Validate(); err != nil {
			t.Errorf("%s: %v", op.Name(), err)
		}
		name, params, err := Marshal(op)
		if err != nil {
			t.Fatal(err)
		}
		stored.WriteString(name + " ")
		if err := json.Indent(&stored, params, "", "  "); err != nil {
			t.Fatal(err)
		}
		stored.WriteString("\n")
		back, err := Unmarshal(name, params)
		if diff := cmp.Diff(op, back); err != nil || diff != "" {
			t.Errorf("%s comes back as another: %v\n%s", name, err, diff)
		}
	}
	golden(t, "testdata/stored.golden", stored.Bytes())
}

func TestEveryValidOperationComesBackAsItWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		op := drawOperation(rt)
		if c, ok := op.(*Copy); ok {
			c.PrefixFrom = rapid.StringN(0, 200, 1024).Draw(rt, "any prefix")
			c.IfUnmodifiedSince = time.Unix(rapid.Int64Range(0, 1<<37).Draw(rt, "any time"), 0).UTC()
			c.TargetRegion = job.Region(rapid.StringMatching(`[a-z-]{0,20}`).Draw(rt, "region"))
		}
		if op.Validate() != nil {
			rt.Skip()
		}
		name, params, err := Marshal(op)
		if err != nil {
			rt.Fatal(err)
		}
		back, err := Unmarshal(name, params)
		if diff := cmp.Diff(op, back); err != nil || diff != "" {
			rt.Fatalf("comes back as another: %v\n%s", err, diff)
		}
	})
}

type stranger struct{}

func (stranger) Name() string    { return "rename\x1b" }
func (stranger) Validate() error { return nil }

func TestTheRegistryRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	if _, _, err := Marshal(stranger{}); err == nil {
		t.Error("an unknown operation was stored")
	}
	for _, c := range []struct{ name, params, says string }{
		{"rename", `{}`, `unknown operation "rename"`},
		{"restore", `{"Days":1,"Tier":"Bulk","IfArchived":true}`, `unknown field "IfArchived"`},
		{"restore", `{"Days":"1"}`, "decode parameters of restore"},
		{"restore", `{} {}`, "more follows"},
		{"restore", ``, "decode parameters of restore"},
	} {
		if op, err := Unmarshal(c.name, []byte(c.params)); err == nil || op != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Unmarshal(%s, %s) = %v, %v, want an error saying %s", c.name, c.params, op, err, c.says)
		}
	}
	for name, mk := range registry {
		if got := mk().Name(); got != name {
			t.Errorf("%s is registered as %s", got, name)
		}
	}
	if got := slices.Sorted(maps.Keys(registry)); !slices.Equal(got, []string{"acl", "copy", "delete", "restore", "tagging"}) {
		t.Errorf("registered are %v", got)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, op := range samples() {
		name, params, err := Marshal(op)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, params)
	}
	f.Fuzz(func(t *testing.T, name string, params []byte) {
		op, err := Unmarshal(name, params)
		if err != nil || op.Validate() != nil {
			return
		}
		_, again, err := Marshal(op)
		if err != nil {
			t.Fatalf("a valid operation cannot be stored: %v", err)
		}
		back, err := Unmarshal(name, again)
		if diff := cmp.Diff(op, back); err != nil || diff != "" {
			t.Fatalf("comes back as another: %v\n%s", err, diff)
		}
		if s := Describe(op); !strings.HasSuffix(s, ".") {
			t.Fatalf("described as %q", s)
		}
	})
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	ops := []job.Operation{
		to(nil),
		to(func(c *Copy) { c.PrefixReplace, c.PrefixTo = true, "new/" }),
		to(func(c *Copy) { c.PrefixReplace, c.PrefixFrom = true, "old\x1b/" }),
		to(func(c *Copy) { c.Metadata, c.NewMetadata.User, c.CannedACL = DirectiveAdd, user("a", "1"), aclPrivate }),
		to(func(c *Copy) { c.Metadata, c.Tagging, c.ACL = DirectiveCopy, DirectiveCopy, DirectiveCopy }),
		to(func(c *Copy) { c.Metadata, c.NewMetadata.ContentType = DirectiveReplace, "a/b" }),
		to(func(c *Copy) { c.Metadata, c.NewTags, c.Tagging = DirectiveReplace, tagsOf(2), DirectiveAdd }),
		&Restore{Days: 1, Tier: TierStandard},
		&Tagging{Tags: tagsOf(1)},
		stranger{},
	}
	for _, op := range samples() {
		ops = append(ops, op)
	}
	var says strings.Builder
	for _, op := range ops {
		says.WriteString(Describe(op) + "\n")
	}
	golden(t, "testdata/describe.golden", []byte(says.String()))
}
