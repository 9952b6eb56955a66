package cli

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// parse reads flags into a struct as the command tree does.
func parse[T any](t *testing.T, args ...string) *T {
	t.Helper()
	flags := new(T)
	p, err := kong.New(flags, kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Parse(args); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return flags
}

func TestCopyFlagsBecomeACopy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want operation.Copy
	}{
		"plain":             {nil, operation.Copy{}},
		"prefix added":      {[]string{"--prefix-add", "a/"}, operation.Copy{PrefixReplace: true, PrefixTo: "a/"}},
		"prefix deleted":    {[]string{"--prefix-delete", "a/"}, operation.Copy{PrefixReplace: true, PrefixFrom: "a/"}},
		"prefix replaced":   {[]string{"--prefix-replace", "a/=b=c/"}, operation.Copy{PrefixReplace: true, PrefixFrom: "a/", PrefixTo: "b=c/"}},
		"class and SSE":     {[]string{"--storage-class", "STANDARD_IA", "--sse", "AES256"}, operation.Copy{StorageClass: "STANDARD_IA", SSE: "AES256"}},
		"ACL of the source": {[]string{"--acl", "copy"}, operation.Copy{ACL: operation.DirectiveCopy}},
		"canned ACL":        {[]string{"--acl", "private"}, operation.Copy{ACL: operation.DirectiveReplace, CannedACL: "private"}},
		"grants": {
			[]string{"--grant", "READ=100000000002", "--grant", "READ_ACP=http://acs.amazonaws.com/groups/global/AllUsers"},
			operation.Copy{ACL: operation.DirectiveAdd, Grants: []object.Grant{
				{Grantee: object.Grantee{ID: "100000000002"}, Permission: "READ"},
				{Grantee: object.Grantee{URI: "http://acs.amazonaws.com/groups/global/AllUsers"}, Permission: "READ_ACP"},
			}},
		},
		"metadata": {
			[]string{"--metadata", "Content-Type=text/plain; charset=utf-8", "--metadata", "Owner=a,b", "--metadata-mode", "replace"},
			operation.Copy{Metadata: operation.DirectiveReplace, NewMetadata: object.Metadata{
				ContentType: "text/plain; charset=utf-8", User: map[string]string{"owner": "a,b"},
			}},
		},
		"tags": {
			[]string{"--tag", "team=blue", "--tag", "note=a = b"},
			operation.Copy{Tagging: operation.DirectiveAdd, NewTags: []job.Tag{{Key: "team", Value: "blue"}, {Key: "note", Value: "a = b"}}},
		},
		"times": {
			[]string{"--if-modified-since", "2026-01-02T03:04:05Z"},
			operation.Copy{IfModifiedSince: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parse[copyFlags](t, append(tc.args, "--to", "target")...).operation()
			if err != nil {
				t.Fatal(err)
			}
			tc.want.TargetBucket = "target"
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOtherFlagsBecomeTheirOperation(t *testing.T) {
	t.Parallel()
	restore, err := parse[restoreFlags](t, "--days", "7", "--tier", "Bulk").operation()
	if diff := cmp.Diff(&operation.Restore{Days: 7, Tier: "Bulk"}, restore); err != nil || diff != "" {
		t.Error(err, diff)
	}
	restore, err = parse[restoreFlags](t, "--intelligent-tiering", "--trust-inventory").operation()
	if diff := cmp.Diff(&operation.Restore{Tier: "Standard", TrustInventory: true, IntelligentTiering: true}, restore); err != nil || diff != "" {
		t.Error(err, diff)
	}
	tag, err := parse[tagFlags](t, "--set", "a=b", "--mode", "add").operation()
	want := &operation.Tagging{Directive: operation.DirectiveAdd, Tags: []job.Tag{{Key: "a", Value: "b"}}}
	if diff := cmp.Diff(want, tag); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestManifestFlags(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs("list.csv")
	if err != nil {
		t.Fatal(err)
	}
	csv := []job.Field{job.FieldBucket, job.FieldKey}
	for name, tc := range map[string]struct {
		args []string
		want job.Manifest
	}{
		"a local file is named from the root": {
			[]string{"--manifest", "list.csv"},
			job.Manifest{Format: job.FormatCSV, Fields: csv, Location: job.Location{Path: here}},
		},
		"a stored one": {
			[]string{"--manifest", "s3://b/dir/a b.csv", "--fields", "Bucket,Key,VersionId"},
			job.Manifest{
				Format: job.FormatCSV, Fields: append(csv[:2:2], job.FieldVersion),
				Location: job.Location{Bucket: "b", Key: "dir/a b.csv"},
			},
		},
		"an inventory by its name": {
			[]string{"--manifest", "cos://b/x/manifest.json"},
			job.Manifest{Format: job.FormatInventory, Location: job.Location{Bucket: "b", Key: "x/manifest.json"}},
		},
		"an inventory by the flag": {
			[]string{"--manifest", "s3://b/x.json", "--manifest-format", "inventory"},
			job.Manifest{Format: job.FormatInventory, Location: job.Location{Bucket: "b", Key: "x.json"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parse[manifestFlags](t, tc.args...).manifest()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
