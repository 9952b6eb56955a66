package rest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

var sameSpec = cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(job.Spec{}, "Request")}

func drawTags(t *rapid.T, label string) (tags []job.Tag) {
	for range rapid.IntRange(0, 3).Draw(t, label) {
		tags = append(tags, job.Tag{Key: rapid.String().Draw(t, "key"), Value: rapid.String().Draw(t, "value")})
	}
	return tags
}

func drawTime(t *rapid.T, label string) time.Time {
	if ns := rapid.Int64Range(0, 1<<60).Draw(t, label); ns > 0 {
		return time.Unix(0, ns).UTC()
	}
	return time.Time{}
}

func drawOperation(t *rapid.T) job.Operation {
	text := rapid.String()
	directive := rapid.SampledFrom([]operation.Directive{"", "Copy", "Replaced", "Add"})
	switch rapid.IntRange(0, 4).Draw(t, "operation") {
	case 4:
		return &operation.PutACL{
			Canned: text.Draw(t, "canned"), Owner: object.Grantee{ID: text.Draw(t, "owner"), DisplayName: text.Draw(t, "owner's name")},
			Grants: []object.Grant{{Grantee: object.Grantee{ID: text.Draw(t, "id")}, Permission: "READ"}},
		}
	case 0:
		return &operation.Delete{}
	case 1:
		return &operation.Restore{Days: rapid.Int().Draw(t, "days"), Tier: text.Draw(t, "tier"), Wait: rapid.Bool().Draw(t, "wait")}
	case 2:
		return &operation.Tagging{Directive: directive.Draw(t, "directive"), Tags: drawTags(t, "tags")}
	}
	c := &operation.Copy{
		TargetRegion: job.Region(text.Draw(t, "region")), TargetBucket: job.Bucket(text.Draw(t, "bucket")),
		PrefixReplace: rapid.Bool().Draw(t, "prefix"), PrefixFrom: text.Draw(t, "from"), PrefixTo: text.Draw(t, "to"),
		StorageClass: text.Draw(t, "class"), SSE: text.Draw(t, "sse"), ACL: directive.Draw(t, "acl"), CannedACL: text.Draw(t, "canned"),
		Metadata: directive.Draw(t, "metadata"), Tagging: directive.Draw(t, "tagging"), NewTags: drawTags(t, "new tags"),
		NewMetadata: object.Metadata{
			CacheControl: text.Draw(t, "cc"), ContentDisposition: text.Draw(t, "cd"), ContentEncoding: text.Draw(t, "ce"),
			ContentLanguage: text.Draw(t, "cl"), ContentType: text.Draw(t, "ct"), Expires: text.Draw(t, "expires"),
			User: rapid.MapOfN(text, text, 0, 3).Draw(t, "user"),
		},
		IfModifiedSince: drawTime(t, "since"), IfUnmodifiedSince: drawTime(t, "until"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "grants") {
		c.Grants = append(c.Grants, object.Grant{
			Grantee:    object.Grantee{ID: text.Draw(t, "id"), URI: text.Draw(t, "uri"), DisplayName: text.Draw(t, "display")},
			Permission: text.Draw(t, "permission"),
		})
	}
	return c
}

func drawGenerator(t *rapid.T) *job.Generator {
	texts := rapid.SliceOfN(rapid.String(), 0, 2)
	size := rapid.Int64Range(0, 10).Draw(t, "size")
	return &job.Generator{
		Source: job.Bucket(rapid.String().Draw(t, "source")),
		Filter: job.ObjectFilter{
			Prefixes: texts.Draw(t, "prefixes"), Suffixes: texts.Draw(t, "suffixes"), Substrings: texts.Draw(t, "substrings"), Classes: texts.Draw(t, "classes"),
			CreatedAfter: drawTime(t, "after"), CreatedBefore: drawTime(t, "before"), LargerThan: &size,
		},
		Output: job.Place{Region: job.Region(rapid.String().Draw(t, "region")), Bucket: job.Bucket(rapid.String().Draw(t, "bucket")), Prefix: rapid.String().Draw(t, "prefix")},
	}
}

// An empty list of tags is not the same as none: with Replaced it takes the source's away.
func TestAnEmptyListOfTagsSurvivesJSON(t *testing.T) {
	t.Parallel()
	for _, tags := range [][]job.Tag{nil, {}} {
		b, err := json.Marshal(FromSpec(job.Spec{Operation: &operation.Copy{Tagging: "Replaced", NewTags: tags}}))
		if err != nil {
			t.Fatal(err)
		}
		var in client.Spec
		if err := json.Unmarshal(b, &in); err != nil {
			t.Fatal(err)
		}
		if got := toCopy(*in.Operation.Copy).NewTags; (got == nil) != (tags == nil) || len(got) > 0 {
			t.Errorf("%#v became %#v by way of %s", tags, got, b)
		}
	}
}

// A spec goes through JSON and back without loss.
func TestSpecsSurviveJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		want := job.Spec{
			Token: text.Draw(t, "token"), Account: job.Account{UIN: "1", AppID: "2"}, Region: job.Region(text.Draw(t, "region")),
			ConfirmationRequired: rapid.Bool().Draw(t, "confirm"), Description: text.Draw(t, "description"),
			Manifest: job.Manifest{
				Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey},
				Location: job.Location{
					Region: job.Region(text.Draw(t, "manifest region")), Bucket: job.Bucket(text.Draw(t, "bucket")), Key: job.Key(text.Draw(t, "key")),
					Version: job.Version(text.Draw(t, "version")), ETag: rapid.StringMatching(`[a-f0-9-]{0,9}`).Draw(t, "etag"),
				},
			},
			Operation: drawOperation(t),
			Limits:    drawLimits(t),
			Priority:  job.Priority(rapid.Int32().Draw(t, "priority")),
			Report:    job.Report{Enabled: rapid.Bool().Draw(t, "enabled"), Region: job.Region(text.Draw(t, "report region")), Bucket: job.Bucket(text.Draw(t, "report bucket")), Prefix: text.Draw(t, "prefix"), Scope: job.AllTasks},
			Role:      rapid.SampledFrom([]job.Role{{ARN: "qcs::cam::uin/1:roleName/r", Account: "1", Name: "r"}, {ARN: "arn:aws:iam::1:role/p/r", Account: "1", Name: "r"}}).Draw(t, "role"),
		}
		want.Manifest.PlusSpace, want.Tags = rapid.Bool().Draw(t, "plus"), drawTags(t, "job's tags")
		if rapid.Bool().Draw(t, "generator") {
			want.Manifest, want.Generator = job.Manifest{}, drawGenerator(t)
		}
		b, err := json.Marshal(FromSpec(want))
		if err != nil {
			t.Fatal(err)
		}
		var in client.Spec
		if err := decodeJSON(b, &in, false); err != nil {
			t.Fatalf("%v of %s", err, b)
		}
		got, err := toSpec(in, want.Account)
		if err != nil {
			t.Fatalf("%v of %s", err, b)
		}
		if diff := cmp.Diff(want, got, sameSpec); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestABareRoleIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	got, err := toRole("batch", alice.Account)
	want := job.Role{ARN: "qcs::cam::uin/100000000001:roleName/batch", Account: "100000000001", Name: "batch"}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// No body makes the decoder panic; what it accepts survives JSON.
func FuzzSpec(f *testing.F) {
	f.Add([]byte(restoreJSON))
	f.Add([]byte(`{"operation":{"copy":{"targetBucket":"b","ifModifiedSince":"2026-01-02T15:04:05+02:00","newMetadata":{"user":{"a":"b"}}}},"role":"r"}`))
	f.Add([]byte(`{"operation":{"tagging":{"tags":[null]}},"role":"arn:aws:iam::1:role/x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var in client.Spec
		if err := decodeJSON(body, &in, false); err != nil {
			if job.MessageOf(err) == "" {
				t.Fatalf("no sentence: %v", err)
			}
			return
		}
		s, err := toSpec(in, alice.Account)
		if err != nil {
			return
		}
		again, err := toSpec(FromSpec(s), alice.Account)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, again, sameSpec); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}
