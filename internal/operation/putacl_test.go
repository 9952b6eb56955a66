package operation

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

func TestPutACLValidate(t *testing.T) {
	t.Parallel()
	const grants = "AccessControlPolicy.AccessControlList.Grants"
	read := []object.Grant{byID("x", permRead)}
	checkValid(t, []valid{
		{"a canned list", &PutACL{Canned: "bucket-owner-full-control"}, "", ""},
		{"grants", &PutACL{Grants: []object.Grant{byID("x", permWriteACP), byGroup(groupsS3+allUsers, permRead)}}, "", ""},
		{"grants and an owner", &PutACL{Grants: read, Owner: ownerS3}, "", ""},
		{"nothing", &PutACL{Owner: ownerS3}, "AccessControlPolicy", "private"},
		{"both", &PutACL{Canned: aclPrivate, Grants: read}, "AccessControlPolicy", "one of them"},
		{"an unknown list", &PutACL{Canned: "public"}, "AccessControlPolicy.CannedAccessControlList", `"public"`},
		{"a list that lets others write", &PutACL{Canned: "public-read-write"}, "AccessControlPolicy.CannedAccessControlList", "public-read"},
		{"the right to write", &PutACL{Grants: []object.Grant{byID("x", permWrite)}}, grants + ".Permission", "WRITE"},
		{"an unknown permission", &PutACL{Grants: []object.Grant{byID("x", "OWN")}}, grants + ".Permission", `"OWN"`},
		{"a grant to nobody", &PutACL{Grants: []object.Grant{byID("", permRead)}}, grants + ".Identifier", "empty"},
		{"101 grants", &PutACL{Grants: make([]object.Grant, 101)}, grants, "101"},
		{"an owner with a line break", &PutACL{Grants: read, Owner: object.Grantee{ID: "a\nb"}}, "AccessControlPolicy.AccessControlList.Owner", "control"},
	})
}

func TestPutACL(t *testing.T) {
	t.Parallel()
	read := []object.Grant{byID("x", permRead)}
	denied := answer("AccessDenied", 403, "Access Denied")
	for _, c := range []struct {
		name  string
		op    *PutACL
		entry job.Entry
		fail  map[string][]error
		want  job.Outcome
		calls string
		left  []object.Grant // nil = as it was
	}{
		{"a canned list", &PutACL{Canned: aclPrivate}, entry, nil, job.Succeeded(200, ""), "PUTACL src/dir/a", []object.Grant{ownerFull}},
		{"a list that others may read", &PutACL{Canned: aclPublicRead}, entry, nil, job.Succeeded(200, ""), "PUTACL src/dir/a", []object.Grant{ownerFull, everybody}},
		{"grants without an owner", &PutACL{Grants: read}, entry, nil, job.Succeeded(200, ""), "GETACL src/dir/a, PUTACL src/dir/a", read},
		{"grants with the owner", &PutACL{Grants: read, Owner: ownerS3}, entry, nil, job.Succeeded(200, ""), "PUTACL src/dir/a", read},
		{
			"a version", &PutACL{Grants: read},
			job.Entry{Bucket: "src", Key: "dir/a", Version: "v1"},
			nil,
			job.Succeeded(200, ""), "GETACL src/dir/a?v1, PUTACL src/dir/a?v1", read,
		},
		{
			"another owner", &PutACL{Grants: read, Owner: object.Grantee{ID: "stranger"}}, entry, nil,
			job.FailedTask("AccessDenied", 403, "The owner of an object cannot be changed."), "PUTACL src/dir/a", nil,
		},
		{
			"a list that cannot be read", &PutACL{Grants: read}, entry,
			map[string][]error{"GETACL": {denied}},
			job.FailedTask("AccessDenied", 403, "While reading the object's access list for its owner: Access Denied"), "GETACL src/dir/a", nil,
		},
		{
			"a list that cannot be set", &PutACL{Canned: aclPrivate}, entry,
			map[string][]error{"PUTACL": {denied}},
			job.FailedTask("AccessDenied", 403, "Access Denied"), "PUTACL src/dir/a", nil,
		},
		{"nothing there", &PutACL{Canned: aclPrivate}, job.Entry{Bucket: "src", Key: "none"}, nil, job.FailedTask("NoSuchKey", 404, "The specified key does not exist."), "PUTACL src/none", nil},
		{
			"a delete marker", &PutACL{Canned: aclPrivate},
			job.Entry{Bucket: "src", Key: "dir/a", DeleteMarker: true},
			nil,
			job.FailedTask("MethodNotAllowed", 405, "The row lists a delete marker, which has no access list."), "", nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			at := object.Ref{Bucket: "src", Key: "dir/a", Version: c.entry.Version}
			before := []object.Grant{ownerFull, byID("old", permFullControl)}
			f.add(at, withGrants(before...))
			if c.fail != nil {
				f.fail = c.fail
			}
			if got := c.op.Apply(t.Context(), f, Task{Entry: c.entry}); got != c.want {
				t.Errorf("outcome %+v, want %+v", got, c.want)
			}
			if f.made() != c.calls {
				t.Errorf("calls %q, want %q", f.made(), c.calls)
			}
			if c.left == nil {
				c.left = before
			}
			if diff := cmp.Diff(c.left, f.objects[at].ACL.Grants); diff != "" {
				t.Errorf("grants (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPutACLSaysNothingWhenItsTimeEnds(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"GETACL", "PUTACL"} {
		ctx, cancel := context.WithCancel(t.Context())
		f := &endingStore{newFake(), cancel}
		f.add(source)
		f.fail[kind] = []error{answer(object.CodeConnection, 0, "")}
		if got := (&PutACL{Grants: []object.Grant{byID("x", permRead)}}).Apply(ctx, f, Task{Entry: entry}); got != (job.Outcome{}) {
			t.Errorf("%s: %+v after %s", kind, got, strings.Join(f.calls, ", "))
		}
	}
}
