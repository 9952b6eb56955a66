package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

var (
	entry  = job.Entry{Bucket: "src", Key: "dir/a"}
	source = object.Ref{Bucket: "src", Key: "dir/a"}
)

func to(change func(*Copy)) *Copy {
	c := &Copy{TargetBucket: "dst"}
	if change != nil {
		change(c)
	}
	return c
}

func self(change func(*Copy)) *Copy {
	return to(func(c *Copy) {
		c.TargetBucket = "src"
		change(c)
	})
}

func user(kv ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return m
}

func byID(id, permission string) object.Grant {
	return object.Grant{Grantee: object.Grantee{ID: id}, Permission: permission}
}

func byGroup(uri, permission string) object.Grant {
	return object.Grant{Grantee: object.Grantee{URI: uri}, Permission: permission}
}

func withGrants(grants ...object.Grant) func(*fakeObject) {
	return func(o *fakeObject) { o.ACL.Grants = grants }
}

func withClass(class string) func(*fakeObject) {
	return func(o *fakeObject) { o.Info.Class = class }
}

var (
	ownerFull = object.Grant{Grantee: ownerS3, Permission: permFullControl}
	everybody = byGroup(groupsS3+allUsers, permRead)
	signedIn  = byGroup(groupsS3+authenticatedUsers, permRead)
)

// Each option and directive, and the very request that it leads to.
func TestCopyRequests(t *testing.T) {
	t.Parallel()
	sourceMeta := object.Metadata{ContentType: "text/plain", CacheControl: "no-cache", User: user("old", "1", "both", "old")}
	tag := func(k, v string) job.Tag { return job.Tag{Key: k, Value: v} }
	for _, c := range []struct {
		name   string
		op     *Copy
		entry  job.Entry         // zero = entry
		source func(*fakeObject) // nil = as it is
		want   object.CopyRequest
		calls  string // before and after the copy
	}{
		{name: "plain", op: to(nil), want: object.CopyRequest{}, calls: "COPY src/dir/a"},
		{
			name: "a version", op: to(nil), entry: job.Entry{Bucket: "src", Key: "dir/a", Version: "v1"},
			want: object.CopyRequest{Source: object.Ref{Bucket: "src", Key: "dir/a", Version: "v1"}}, calls: "COPY src/dir/a?v1",
		},
		{
			name: "an old version over the latest is a change", op: self(func(*Copy) {}), entry: job.Entry{Bucket: "src", Key: "dir/a", Version: "v1"},
			want: object.CopyRequest{Source: object.Ref{Bucket: "src", Key: "dir/a", Version: "v1"}, Bucket: "src"}, calls: "COPY src/dir/a?v1",
		},
		{name: "class", op: to(func(c *Copy) { c.StorageClass = "Standard_IA" }), want: object.CopyRequest{Class: "STANDARD_IA"}},
		{name: "encryption", op: to(func(c *Copy) { c.SSE = "AES256" }), want: object.CopyRequest{SSE: "AES256"}},
		{
			name: "conditions", op: to(func(c *Copy) { c.IfModifiedSince, c.IfUnmodifiedSince = day.Add(-time.Hour), day }),
			want: object.CopyRequest{IfModifiedSince: day.Add(-time.Hour), IfUnmodifiedSince: day},
		},

		{name: "prefixes without PrefixReplace", op: to(func(c *Copy) { c.PrefixFrom, c.PrefixTo = "dir", "x" }), want: object.CopyRequest{}},
		{name: "add a prefix", op: to(func(c *Copy) { c.PrefixReplace, c.PrefixTo = true, "abc" }), want: object.CopyRequest{Key: "abcdir/a"}},
		{name: "replace a prefix", op: to(func(c *Copy) { c.PrefixReplace, c.PrefixFrom, c.PrefixTo = true, "di", "abc" }), want: object.CopyRequest{Key: "abcr/a"}},
		{name: "delete a prefix", op: to(func(c *Copy) { c.PrefixReplace, c.PrefixFrom = true, "dir/" }), want: object.CopyRequest{Key: "a"}},
		{name: "a key without the prefix stays", op: to(func(c *Copy) { c.PrefixReplace, c.PrefixFrom, c.PrefixTo = true, "ir", "abc" }), want: object.CopyRequest{}},
		{name: "both prefixes empty", op: to(func(c *Copy) { c.PrefixReplace = true }), want: object.CopyRequest{}},

		{name: "copy metadata", op: to(func(c *Copy) { c.Metadata = DirectiveCopy }), want: object.CopyRequest{MetadataDirective: "COPY"}},
		{
			name: "replace metadata", op: to(func(c *Copy) {
				c.Metadata, c.NewMetadata = DirectiveReplace, object.Metadata{ContentType: "text/html", User: user("new", "2")}
			}),
			want: object.CopyRequest{MetadataDirective: "REPLACE", Meta: object.Metadata{ContentType: "text/html", User: user("new", "2")}},
		},
		{name: "replace metadata by none", op: to(func(c *Copy) { c.Metadata = DirectiveReplace }), want: object.CopyRequest{MetadataDirective: "REPLACE"}},
		{
			name: "metadata without a directive replace", op: to(func(c *Copy) { c.NewMetadata.CacheControl = "max-age=1" }),
			want: object.CopyRequest{MetadataDirective: "REPLACE", Meta: object.Metadata{CacheControl: "max-age=1"}},
		},
		{
			name: "add metadata", op: to(func(c *Copy) {
				c.Metadata = DirectiveAdd
				c.NewMetadata = object.Metadata{CacheControl: "max-age=1", ContentLanguage: "en", User: user("new", "2", "both", "new")}
			}),
			want: object.CopyRequest{MetadataDirective: "REPLACE", IfMatch: "e1", Meta: object.Metadata{
				ContentType: "text/plain", CacheControl: "max-age=1", ContentLanguage: "en", User: user("old", "1", "both", "new", "new", "2"),
			}},
			calls: "HEAD src/dir/a, COPY src/dir/a",
		},

		{name: "copy tags", op: to(func(c *Copy) { c.Tagging = DirectiveCopy }), want: object.CopyRequest{TaggingDirective: "COPY"}},
		{
			name: "replace tags", op: to(func(c *Copy) { c.Tagging, c.NewTags = DirectiveReplace, []job.Tag{tag("a", "1")} }),
			want: object.CopyRequest{TaggingDirective: "REPLACE", Tags: []job.Tag{tag("a", "1")}},
		},
		{
			name: "tags without a directive replace", op: to(func(c *Copy) { c.NewTags = []job.Tag{tag("a", "1")} }),
			want: object.CopyRequest{TaggingDirective: "REPLACE", Tags: []job.Tag{tag("a", "1")}},
		},
		{
			name: "replace tags by none", op: to(func(c *Copy) { c.Tagging, c.NewTags = DirectiveReplace, []job.Tag{} }),
			want: object.CopyRequest{TaggingDirective: "REPLACE", Tags: []job.Tag{}},
		},
		{name: "an empty list without a directive copies", op: to(func(c *Copy) { c.NewTags = []job.Tag{} }), want: object.CopyRequest{}},
		{
			name: "add tags", op: to(func(c *Copy) { c.Tagging, c.NewTags = DirectiveAdd, []job.Tag{tag("both", "new"), tag("a", "1")} }),
			want:  object.CopyRequest{TaggingDirective: "REPLACE", Tags: []job.Tag{tag("old", "1"), tag("both", "new"), tag("a", "1")}},
			calls: "GETTAGS src/dir/a, COPY src/dir/a",
		},

		{name: "canned list", op: to(func(c *Copy) { c.ACL, c.CannedACL = DirectiveReplace, aclPublicRead }), want: object.CopyRequest{CannedACL: "public-read"}},
		{name: "canned list without a directive", op: to(func(c *Copy) { c.CannedACL = aclPrivate }), want: object.CopyRequest{CannedACL: "private"}},
		{
			name: "grants without a directive", op: to(func(c *Copy) { c.Grants = []object.Grant{byID("x", permRead)} }),
			want: object.CopyRequest{Grants: []object.Grant{byID("x", permRead)}},
		},
		{
			name: "grants to a group are put later", op: to(func(c *Copy) { c.Grants = []object.Grant{byID("x", permRead), signedIn} }),
			want:  object.CopyRequest{CannedACL: "private"},
			calls: "COPY src/dir/a, GETACL dst/dir/a, PUTACL dst/dir/a",
		},
		{
			name: "copy a private list", op: to(func(c *Copy) { c.ACL = DirectiveCopy }),
			want: object.CopyRequest{CannedACL: "private"}, calls: "GETACL src/dir/a, COPY src/dir/a",
		},
		{name: "copy a public list", op: to(func(c *Copy) { c.ACL = DirectiveCopy }), source: withGrants(ownerFull, everybody), want: object.CopyRequest{CannedACL: "public-read"}},
		{
			name: "copy a list in COS's words", op: to(func(c *Copy) { c.ACL = DirectiveCopy }),
			source: withGrants(byID(anyoneCOS, permRead), ownerFull), want: object.CopyRequest{CannedACL: "public-read"},
		},
		{name: "copy a list for everybody signed in", op: to(func(c *Copy) { c.ACL = DirectiveCopy }), source: withGrants(ownerFull, signedIn), want: object.CopyRequest{CannedACL: "authenticated-read"}},
		{
			name: "copy a list of accounts", op: to(func(c *Copy) { c.ACL = DirectiveCopy }),
			source: withGrants(ownerFull, byID("x", permRead), byID("y", permWrite)),
			want:   object.CopyRequest{Grants: []object.Grant{ownerFull, byID("x", permRead)}},
		},
		{
			name: "copy a list of accounts and groups", op: to(func(c *Copy) { c.ACL = DirectiveCopy }),
			source: withGrants(ownerFull, everybody, byID("x", permRead)),
			want:   object.CopyRequest{CannedACL: "private"},
			calls:  "GETACL src/dir/a, COPY src/dir/a, GETACL dst/dir/a, PUTACL dst/dir/a",
		},
		{
			name: "add grants", op: to(func(c *Copy) {
				c.ACL, c.Grants = DirectiveAdd, []object.Grant{byID("x", permRead), byID("x", permFullControl)}
			}),
			source: withGrants(ownerFull, byID("x", permRead)),
			want:   object.CopyRequest{Grants: []object.Grant{ownerFull, byID("x", permRead), byID("x", permFullControl)}},
		},
		{name: "add reading for all", op: to(func(c *Copy) { c.ACL, c.CannedACL = DirectiveAdd, aclPublicRead }), want: object.CopyRequest{CannedACL: "public-read"}},
		{name: "add private changes nothing", op: to(func(c *Copy) { c.ACL, c.CannedACL = DirectiveAdd, aclPrivate }), source: withGrants(ownerFull, everybody), want: object.CopyRequest{CannedACL: "public-read"}},

		{
			name: "onto itself with another class", op: self(func(c *Copy) { c.StorageClass = "STANDARD_IA" }),
			want:  object.CopyRequest{Bucket: "src", Class: "STANDARD_IA", MetadataDirective: "REPLACE", Meta: sourceMeta, IfMatch: "e1"},
			calls: "HEAD src/dir/a, COPY src/dir/a",
		},
		{
			name: "onto itself with copied metadata and encryption", op: self(func(c *Copy) { c.SSE, c.Metadata = "AES256", DirectiveCopy }),
			want: object.CopyRequest{Bucket: "src", SSE: "AES256", MetadataDirective: "REPLACE", Meta: sourceMeta, IfMatch: "e1"},
		},
		{
			name: "onto itself with new metadata", op: self(func(c *Copy) { c.Metadata, c.NewMetadata = DirectiveReplace, object.Metadata{User: user("a", "1")} }),
			want: object.CopyRequest{Bucket: "src", MetadataDirective: "REPLACE", Meta: object.Metadata{User: user("a", "1")}}, calls: "COPY src/dir/a",
		},
		{
			name: "onto itself with added tags", op: self(func(c *Copy) { c.Tagging, c.NewTags = DirectiveAdd, []job.Tag{tag("a", "1")} }),
			want: object.CopyRequest{
				Bucket: "src", MetadataDirective: "REPLACE", Meta: sourceMeta, IfMatch: "e1",
				TaggingDirective: "REPLACE", Tags: []job.Tag{tag("old", "1"), tag("both", "old"), tag("a", "1")},
			},
			calls: "HEAD src/dir/a, GETTAGS src/dir/a, COPY src/dir/a",
		},
		{
			name: "onto itself with another list", op: self(func(c *Copy) { c.CannedACL = aclPublicRead }),
			want: object.CopyRequest{Bucket: "src", MetadataDirective: "REPLACE", Meta: sourceMeta, IfMatch: "e1", CannedACL: "public-read"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.op.Validate(); err != nil {
				t.Fatal(err)
			}
			f := newFake()
			e := c.entry
			if e.Key == "" {
				e = entry
			}
			f.add(ref(e), func(o *fakeObject) {
				if c.source != nil {
					c.source(o)
				}
			})
			if got := c.op.Apply(t.Context(), f, Task{Entry: e}); got != job.Succeeded(200, "") {
				t.Fatalf("outcome %+v after %s", got, f.made())
			}
			want := c.want
			if want.Source == (object.Ref{}) {
				want.Source = source
			}
			if want.Bucket == "" {
				want.Bucket = "dst"
			}
			if want.Key == "" {
				want.Key = "dir/a"
			}
			if got := f.copies[0].Size; got != 0 && got != 5 { // 5 where the source was looked at
				t.Errorf("size %d, want 5 or none", got)
			}
			if diff := cmp.Diff([]object.CopyRequest{want}, f.copies, cmpopts.IgnoreFields(object.CopyRequest{}, "Size")); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if c.calls != "" && f.made() != c.calls {
				t.Errorf("calls %s, want %s", f.made(), c.calls)
			}
		})
	}
}

func TestTheListPutLaterIsTheWholeOne(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add(source, withGrants(ownerFull, everybody, byID("x", permRead)))
	f.owner = object.Grantee{ID: "another"} // the role writes as another account
	op := to(func(c *Copy) { c.ACL, c.Grants = DirectiveAdd, []object.Grant{byID("y", permReadACP)} })
	if got := op.Apply(t.Context(), f, Task{Entry: entry}); got.Status != job.TaskSucceeded {
		t.Fatalf("outcome %+v", got)
	}
	want := object.ACL{Owner: f.owner, Grants: []object.Grant{ownerFull, everybody, byID("x", permRead), byID("y", permReadACP)}}
	if diff := cmp.Diff(want, f.objects[object.Ref{Bucket: "dst", Key: "dir/a"}].ACL); diff != "" {
		t.Errorf("list of the copy (-want +got):\n%s", diff)
	}
}

func TestReadingForAllIsAddedInTheStoresOwnWords(t *testing.T) {
	t.Parallel()
	for owner, uri := range map[string]string{"owner-id": groupsS3 + allUsers, "qcs::cam::uin/1:uin/1": groupsCOS + allUsers} {
		f := newFake()
		f.owner = object.Grantee{ID: owner}
		f.add(source, withGrants(byID("x", permRead)))
		op := to(func(c *Copy) { c.ACL, c.CannedACL = DirectiveAdd, aclPublicRead })
		if got := op.Apply(t.Context(), f, Task{Entry: entry}); got.Status != job.TaskSucceeded {
			t.Fatalf("outcome %+v", got)
		}
		want := []object.Grant{byID("x", permRead), byGroup(uri, permRead)}
		if diff := cmp.Diff(want, f.objects[object.Ref{Bucket: "dst", Key: "dir/a"}].ACL.Grants); diff != "" {
			t.Errorf("owner %s (-want +got):\n%s", owner, diff)
		}
	}
}

func TestCopiesThatFail(t *testing.T) {
	t.Parallel()
	many := func(n int) (tags []job.Tag) {
		for i := range n {
			tags = append(tags, job.Tag{Key: fmt.Sprint(i)})
		}
		return tags
	}
	long := strings.Repeat("x", 1000)
	for _, c := range []struct {
		name   string
		op     *Copy
		entry  job.Entry
		source func(*fakeObject)
		fail   map[string][]error
		code   string
		status int
		says   string
		calls  string // "" = none
	}{
		{name: "delete marker", op: to(nil), entry: job.Entry{Bucket: "src", Key: "dir/a", DeleteMarker: true}, code: "MethodNotAllowed", status: 405, says: "delete marker"},
		{name: "no key is left", op: to(func(c *Copy) { c.PrefixReplace, c.PrefixFrom = true, "dir/a" }), code: "InvalidRequest", says: "nothing is left"},
		{name: "key too long", op: to(func(c *Copy) { c.PrefixReplace, c.PrefixTo = true, strings.Repeat("x", 1020) }), code: "KeyTooLongError", says: "1025 bytes"},
		{name: "onto itself without a change", op: self(func(*Copy) {}), code: "InvalidRequest", says: "nothing is to be changed"},
		{name: "onto itself copying all", op: self(func(c *Copy) { c.Metadata, c.Tagging, c.ACL = DirectiveCopy, DirectiveCopy, DirectiveCopy }), code: "InvalidRequest", says: "nothing is to be changed"},
		{name: "onto itself by a prefix", op: self(func(c *Copy) { c.PrefixReplace, c.PrefixFrom, c.PrefixTo = true, "dir/", "dir/" }), code: "InvalidRequest", says: "nothing is to be changed"},
		{
			name: "onto itself with a list that takes two calls", op: self(func(c *Copy) { c.StorageClass, c.ACL = "STANDARD_IA", DirectiveCopy }),
			source: withGrants(ownerFull, everybody, byID("x", permRead)), code: "InvalidRequest", says: "in one call", calls: "HEAD src/dir/a, GETACL src/dir/a",
		},
		{name: "no source", op: to(nil), entry: job.Entry{Bucket: "src", Key: "none"}, code: "NoSuchKey", status: 404, says: "does not exist", calls: "COPY src/none"},
		{name: "archived source", op: to(nil), source: withClass("DEEP_ARCHIVE"), code: "InvalidObjectState", status: 403, says: "restore it first, then copy it. The store said: The operation is not valid", calls: "COPY src/dir/a"},
		{name: "not modified since", op: to(func(c *Copy) { c.IfModifiedSince = day }), code: "PreconditionFailed", status: 412, says: "job's conditions", calls: "COPY src/dir/a"},
		{name: "modified since", op: to(func(c *Copy) { c.IfUnmodifiedSince = day.Add(-time.Second) }), code: "PreconditionFailed", status: 412, says: "job's conditions", calls: "COPY src/dir/a"},
		{
			name: "modified since, which the store would not look at", op: to(func(c *Copy) {
				c.IfUnmodifiedSince, c.Metadata, c.NewMetadata.ContentType = day.Add(-time.Second), DirectiveAdd, "a/b"
			}),
			code: "PreconditionFailed", status: 412, says: "last modified at 2024-03-01T08:00:00Z", calls: "HEAD src/dir/a",
		},
		{
			name: "not modified since, with our own condition", op: to(func(c *Copy) { c.IfModifiedSince, c.Metadata, c.NewMetadata.ContentType = day, DirectiveAdd, "a/b" }),
			code: "PreconditionFailed", status: 412, says: "job's conditions", calls: "HEAD src/dir/a",
		},
		{
			name: "onto itself as it is, but modified since", op: self(func(c *Copy) { c.IfUnmodifiedSince, c.StorageClass = day.Add(-time.Second), "STANDARD" }),
			code: "PreconditionFailed", status: 412, says: "last modified", calls: "HEAD src/dir/a",
		},
		{
			name: "too much metadata", op: to(func(c *Copy) { c.Metadata, c.NewMetadata.User = DirectiveAdd, user("new", long, "more", long) }),
			source: func(o *fakeObject) { o.Info.Meta.User = user("old", long) },
			code:   "MetadataTooLarge", says: "3010 bytes", calls: "HEAD src/dir/a",
		},
		{name: "too many tags", op: to(func(c *Copy) { c.Tagging, c.NewTags = DirectiveAdd, many(9) }), code: "InvalidTag", says: "2 tags, and with those to add it would have 11", calls: "GETTAGS src/dir/a"},
		{
			name: "no right to read the metadata", op: to(func(c *Copy) { c.Metadata, c.NewMetadata.ContentType = DirectiveAdd, "a/b" }),
			fail: map[string][]error{"HEAD": {answer("AccessDenied", 403, "")}},
			code: "AccessDenied", status: 403, says: "While reading the source's metadata: Access denied.", calls: "HEAD src/dir/a",
		},
		{
			name: "no right to read the tags", op: to(func(c *Copy) { c.Tagging, c.NewTags = DirectiveAdd, many(1) }),
			fail: map[string][]error{"GETTAGS": {answer("AccessDenied", 403, "Access Denied")}},
			code: "AccessDenied", status: 403, says: "While reading the source's tags: Access Denied", calls: "GETTAGS src/dir/a",
		},
		{
			name: "no right to read the list", op: to(func(c *Copy) { c.ACL = DirectiveCopy }),
			fail: map[string][]error{"GETACL": {answer("AccessDenied", 403, "Access Denied")}},
			code: "AccessDenied", status: 403, says: "While reading the source's access list: Access Denied", calls: "GETACL src/dir/a",
		},
		{
			name: "no right to put the list", op: to(func(c *Copy) { c.Grants = []object.Grant{signedIn} }),
			fail: map[string][]error{"PUTACL": {answer("AccessDenied", 403, "Access Denied")}},
			code: "AccessDenied", status: 403, says: "While setting the access list of the copy, which was made: Access Denied", calls: "COPY src/dir/a, GETACL dst/dir/a, PUTACL dst/dir/a",
		},
		{
			name: "foreign text is cleaned", op: to(nil), fail: map[string][]error{"COPY": {answer("Od\x1bd", 500, "\x1b[2J"+strings.Repeat("é", 2000))}},
			code: "Odd", status: 500, says: "[2Jé", calls: "COPY src/dir/a",
		},
		{
			name: "no answer", op: to(nil), fail: map[string][]error{"COPY": {&object.Error{Code: object.CodeConnection, Class: object.Transient, Err: errors.New("connection refused")}}},
			code: "ConnectionError", says: "connection refused", calls: "COPY src/dir/a",
		},
		{name: "an error of another kind", op: to(nil), fail: map[string][]error{"COPY": {errors.New("boom")}}, code: "InternalError", says: "boom", calls: "COPY src/dir/a"},
		{name: "an error that says nothing", op: to(nil), fail: map[string][]error{"COPY": {&object.Error{}}}, code: "InternalError", says: "No answer came.", calls: "COPY src/dir/a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.add(source, func(o *fakeObject) {
				if c.source != nil {
					c.source(o)
				}
			})
			f.fail = c.fail
			e := c.entry
			if e.Key == "" {
				e = entry
			}
			got := c.op.Apply(t.Context(), f, Task{Entry: e})
			if got.Status != job.TaskFailed || got.Code != c.code || got.HTTPStatus != c.status || !strings.Contains(got.Message, c.says) {
				t.Errorf("outcome %+v, want %s %d saying %q", got, c.code, c.status, c.says)
			}
			if got.Message != job.CleanText(got.Message, maxMessage) {
				t.Errorf("message of %d bytes is not clean: %q", len(got.Message), got.Message)
			}
			if f.made() != c.calls {
				t.Errorf("calls %q, want %q", f.made(), c.calls)
			}
		})
	}
}

func TestAFractionOfASecondIsNoChange(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add(source, func(o *fakeObject) { o.Info.LastModified = day.Add(900 * time.Millisecond) })
	op := to(func(c *Copy) { c.IfUnmodifiedSince, c.Metadata, c.NewMetadata.ContentType = day, DirectiveAdd, "a/b" })
	if got := op.Apply(t.Context(), f, Task{Entry: entry}); got.Status != job.TaskSucceeded {
		t.Errorf("outcome %+v", got)
	}
}

func TestAGroupIsNotTakenForAnOwnerWithoutAName(t *testing.T) {
	t.Parallel()
	if canned, ok := cannedFor(object.Grantee{}, []object.Grant{byGroup(groupsS3+allUsers, permFullControl)}); ok {
		t.Errorf("full control for everybody is taken for %s", canned)
	}
}

func TestASourceThatChangesBetweenHeadAndCopyIsReadAgain(t *testing.T) {
	t.Parallel()
	change := func(f *fakeStore, times int) func() error {
		return func() error {
			if times--; times >= 0 {
				f.now = f.now.Add(time.Minute)
				o := f.objects[source]
				o.Info.ETag, o.Info.LastModified = fmt.Sprint("changed", times), f.now
				o.Info.Meta.User["old"] = fmt.Sprint(times)
			}
			return nil
		}
	}
	op := to(func(c *Copy) { c.Metadata, c.NewMetadata.User = DirectiveAdd, user("new", "2") })

	f := newFake()
	f.add(source)
	f.after["HEAD"] = change(f, 1)
	if got := op.Apply(t.Context(), f, Task{Entry: entry}); got != job.Succeeded(200, "") {
		t.Fatalf("outcome %+v after %s", got, f.made())
	}
	want := user("old", "0", "both", "old", "new", "2")
	if diff := cmp.Diff(want, f.objects[object.Ref{Bucket: "dst", Key: "dir/a"}].Info.Meta.User); diff != "" {
		t.Errorf("metadata of the copy (-want +got):\n%s", diff)
	}

	f = newFake()
	f.add(source)
	f.after["HEAD"] = change(f, 1000)
	got := op.Apply(t.Context(), f, Task{Entry: entry})
	if got.Code != object.CodePreconditionFailed || len(f.copies) != copyTries {
		t.Errorf("a source that never rests: %+v after %d copies", got, len(f.copies))
	}
}

func TestATaskWithoutTagsInCOSsWords(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add(source)
	f.fail["GETTAGS"] = []error{answer("NoSuchTagSet", 404, "The TagSet does not exist.")}
	op := to(func(c *Copy) { c.Tagging, c.NewTags = DirectiveAdd, []job.Tag{{Key: "a"}} })
	if got := op.Apply(t.Context(), f, Task{Entry: entry}); got.Status != job.TaskSucceeded {
		t.Fatalf("outcome %+v", got)
	}
	if diff := cmp.Diff([]job.Tag{{Key: "a"}}, f.copies[0].Tags); diff != "" {
		t.Error(diff)
	}
}

// A task whose end is not known when ctx ends has none; one whose answer came has it.
func TestAnEndedContext(t *testing.T) {
	t.Parallel()
	all := map[string]Operation{
		"COPY":    to(nil),
		"HEAD":    to(func(c *Copy) { c.Metadata, c.NewMetadata.ContentType = DirectiveAdd, "a/b" }),
		"GETACL":  to(func(c *Copy) { c.ACL = DirectiveCopy }),
		"PUTACL":  to(func(c *Copy) { c.Grants = []object.Grant{signedIn} }),
		"RESTORE": &Restore{Days: 1, Tier: TierBulk},
		"DELETE":  &Delete{},
		"PUTTAGS": &Tagging{Tags: []job.Tag{{Key: "a"}}},
		"GETTAGS": &Tagging{Directive: DirectiveAdd, Tags: []job.Tag{{Key: "a"}}},
	}
	errs := []struct {
		err   error
		known bool
	}{
		{context.Canceled, false},
		{&object.Error{Code: object.CodeConnection, Class: object.Transient, Err: context.Canceled}, false},
		{&object.Error{Code: object.CodeConnection}, false},
		{&object.Error{Code: "SlowDown", Status: 503, Class: object.Throttle}, false},
		{answer(object.CodeAccessDenied, 403, "Access Denied"), true},
	}
	for kind, op := range all {
		for _, c := range errs {
			f := newFake()
			f.add(source)
			ctx, cancel := context.WithCancel(t.Context())
			f.fail[kind] = []error{c.err}
			// The context ends while the call is under way.
			ending := &endingStore{fakeStore: f, cancel: cancel}
			got := op.Apply(ctx, ending, Task{Entry: entry})
			if known := got != (job.Outcome{}); known != c.known {
				t.Errorf("%s answering %v: outcome %+v", kind, c.err, got)
			}
			f.calls = nil
			if got := op.Apply(ctx, f, Task{Entry: entry}); got != (job.Outcome{}) || len(f.calls) > 0 {
				t.Errorf("%s begun after the end: outcome %+v, calls %s", kind, got, f.made())
			}
		}
	}
}
