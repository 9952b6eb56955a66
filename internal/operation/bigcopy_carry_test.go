package operation

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// target is a store that takes what is carried to it, and keeps the last of it.
type target struct {
	*fakeStore
	put  object.PutRequest
	body string
}

func (s *target) Put(_ context.Context, p object.PutRequest) (object.PutResult, error) {
	if err := s.call("PUT", object.Ref{Bucket: p.Bucket, Key: p.Key}); err != nil {
		return object.PutResult{}, err
	}
	b, err := io.ReadAll(p.Body)
	s.body = string(b)
	s.put, s.put.Body = p, nil
	return object.PutResult{ETag: "new", Version: "v9"}, err
}

func TestCarry(t *testing.T) {
	t.Parallel()
	const tooShort = "The source's body has 3 bytes where 5 were announced."
	for _, c := range []struct {
		name   string
		op     func(*Copy)
		from   func(*fakeStore)
		to     func(*fakeStore)
		want   job.Outcome
		put    func(*object.PutRequest)
		fromIs string // calls; "" = not looked at
		toIs   string
	}{
		{"as it is", nil, nil, nil, job.Succeeded(200, ""), nil, "HEAD src/dir/a, GETTAGS src/dir/a, GET src/dir/a", "PUT dst/dir/a"},
		{
			"with all that can be changed", func(c *Copy) {
				c.StorageClass, c.SSE, c.SSEKey, c.CannedACL = "ARCHIVE", object.SSEKMS, "key", aclPublicRead
				c.NewMetadata.ContentType, c.NewTags = "a/b", tagsOf(1)
			}, nil, nil, job.Succeeded(200, ""), func(p *object.PutRequest) {
				p.Class, p.SSE, p.SSEKey, p.CannedACL, p.Meta, p.Tags = "ARCHIVE", object.SSEKMS, "key", aclPublicRead, object.Metadata{ContentType: "a/b"}, tagsOf(1)
			}, "", "",
		},
		{
			"with grants to groups, put afterwards", func(c *Copy) { c.Grants = []object.Grant{byGroup(groupsCOS+allUsers, permRead)} }, nil,
			func(f *fakeStore) { f.add(object.Ref{Bucket: "dst", Key: "dir/a", Version: "v9"}) }, job.Succeeded(200, ""),
			func(p *object.PutRequest) { p.CannedACL = aclPrivate }, "", "PUT dst/dir/a, GETACL dst/dir/a?v9, PUTACL dst/dir/a?v9",
		},
		{
			"and looked at", func(c *Copy) { c.Verify = VerifyHead }, nil,
			func(f *fakeStore) { f.add(object.Ref{Bucket: "dst", Key: "dir/a", Version: "v9"}) }, job.Succeeded(200, ""), nil,
			"", "PUT dst/dir/a, HEAD dst/dir/a?v9, GETTAGS dst/dir/a?v9",
		},
		{
			"with the source's private list", func(c *Copy) { c.ACL = DirectiveCopy }, nil, nil, job.Succeeded(200, ""),
			func(p *object.PutRequest) { p.CannedACL = aclPrivate }, "", "",
		},
		{
			"with the source's list of accounts", func(c *Copy) { c.ACL = DirectiveCopy },
			func(f *fakeStore) { withGrants(byID("x", permRead))(f.objects[source]) }, nil,
			job.FailedTask(object.CodeInvalidRequest, 0, "The source's access list names accounts or groups that another store does not know; use AccessControlDirective Replaced."),
			nil, "GETACL src/dir/a", "",
		},
		{
			"onto the same names", func(c *Copy) { c.TargetBucket = "src" }, nil, nil, job.Succeeded(200, ""),
			func(p *object.PutRequest) { p.Bucket = "src" }, "", "PUT src/dir/a",
		},
		{
			"not modified since", func(c *Copy) { c.IfUnmodifiedSince = day.Add(-time.Second) }, nil, nil,
			job.FailedTask(object.CodePreconditionFailed, 412, copyHints[object.CodePreconditionFailed]+" The store said: The source was last modified at 2024-03-01T08:00:00Z."),
			nil, "HEAD src/dir/a, GETTAGS src/dir/a", "",
		},
		{
			"a body that is too short", nil, func(f *fakeStore) { f.objects[source].Body = "123" }, nil,
			job.FailedTask(object.CodeConnection, 0, "While reading the source: "+tooShort), nil, "", "",
		},
		{
			"an archived source", nil, func(f *fakeStore) { f.fail["GET"] = []error{answer(object.CodeInvalidObjectState, 403, "no")} }, nil,
			job.FailedTask(object.CodeInvalidObjectState, 403, "While reading the source: "+copyHints[object.CodeInvalidObjectState]+" The store said: no"), nil, "", "",
		},
		{
			"a target that refuses", nil, nil, func(f *fakeStore) { f.fail["PUT"] = []error{answer(object.CodeAccessDenied, 403, "no")} },
			job.FailedTask(object.CodeAccessDenied, 403, "While storing the copy: no"), nil, "", "PUT dst/dir/a",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			from, into := newFake(), &target{fakeStore: newFake()}
			from.add(source, func(o *fakeObject) { o.Body = "12345" })
			for f, change := range map[*fakeStore]func(*fakeStore){from: c.from, into.fakeStore: c.to} {
				if change != nil {
					change(f)
				}
			}
			task := Task{Entry: entry, Target: into, Carry: true, SpoolDir: t.TempDir()}
			if got := to(c.op).Apply(t.Context(), from, task); got != c.want {
				t.Errorf("outcome %+v, want %+v", got, c.want)
			}
			if c.want.Status == job.TaskSucceeded {
				o := from.objects[source]
				want := object.PutRequest{Bucket: "dst", Key: "dir/a", Size: 5, Meta: o.Info.Meta, Tags: o.Tags}
				if c.put != nil {
					c.put(&want)
				}
				if diff := cmp.Diff(want, into.put); diff != "" || into.body != "12345" {
					t.Errorf("stored %q (-want +got):\n%s", into.body, diff)
				}
			}
			if c.fromIs != "" && from.made() != c.fromIs {
				t.Errorf("calls %q, want %q", from.made(), c.fromIs)
			}
			if c.toIs != "" && into.made() != c.toIs || c.want.Code != "" && c.toIs == "" && into.made() != "" {
				t.Errorf("calls of the target %q, want %q", into.made(), c.toIs)
			}
		})
	}
}

func TestASourceThatChangesBeforeItIsCarriedIsReadAgain(t *testing.T) {
	t.Parallel()
	from, into := newFake(), &target{fakeStore: newFake()}
	from.add(source, func(o *fakeObject) { o.Body = "12345" })
	n := 0
	from.after["HEAD"] = func() error {
		if n++; n == 1 {
			o := from.objects[source]
			o.Info.ETag, o.Info.LastModified, o.Info.Size, o.Body = "e2", day.Add(time.Hour), 6, "second"
		}
		return nil
	}
	got := to(nil).Apply(t.Context(), from, Task{Entry: entry, Target: into, Carry: true})
	if got != job.Succeeded(200, "") || into.body != "second" {
		t.Errorf("outcome %+v, stored %q after %s", got, into.body, from.made())
	}
}

func TestSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, size := range []int{0, 1, spoolInMemory, spoolInMemory + 1, 1 << 20} {
		s, err := newSpool(dir, int64(size))
		if err != nil {
			t.Fatal(err)
		}
		body := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		if n, err := s.fill(strings.NewReader(body)); err != nil || n != int64(size) {
			t.Fatal(n, err)
		}
		for range 2 {
			got, err := io.ReadAll(s)
			if err != nil || string(got) != body {
				t.Errorf("%d bytes of %d, %v", len(got), size, err)
			}
			if _, err := s.Seek(0, io.SeekStart); err != nil {
				t.Error(err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("the folder shows %v, %v", left, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	from := newFake()
	from.add(source, sized(1<<20))
	task := Task{Entry: entry, Target: newFake(), Carry: true, SpoolDir: dir + "/none"}
	if got := to(nil).Apply(t.Context(), from, task); got.Code != codeInternal || !strings.Contains(got.Message, "keep a part of the source") {
		t.Errorf("without a folder: %+v", got)
	}
}
