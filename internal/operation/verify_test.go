package operation

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

const (
	md5A = "0123456789abcdef0123456789abcdef"
	md5B = "fedcba9876543210fedcba9876543210"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	const (
		before = "HEAD src/dir/a, GETTAGS src/dir/a, COPY src/dir/a, "
		after  = "HEAD dst/dir/a, GETTAGS dst/dir/a"
		read   = ", GET src/dir/a, GET dst/dir/a"
		start  = "The store says that the copy is made, but "
		while  = "While looking at the copy, which the store says is made: "
	)
	copied := object.Ref{Bucket: "dst", Key: "dir/a"}
	lie := func(change func(o *fakeObject)) func(*fakeStore) {
		return func(f *fakeStore) {
			f.after["COPY"] = func() error {
				change(f.objects[copied])
				return nil
			}
		}
	}
	failing := func(kind string, errs ...error) func(*fakeStore) {
		return func(f *fakeStore) { f.fail[kind] = errs }
	}
	unreadable := &object.Error{Op: "Tags", Code: "InvalidResponse", Status: 200, Class: object.Transient}
	for _, c := range []struct {
		name   string
		op     func(*Copy)
		store  func(*fakeStore)
		calls  string
		code   string
		status int
		says   string
	}{
		{"all is well", nil, nil, before + after, "", 200, ""},
		{
			"all is well, and was changed", func(c *Copy) {
				c.StorageClass, c.SSE, c.NewTags, c.NewMetadata.User = "standard_ia", "AES256", tagsOf(2), user("a", "1")
			}, nil, "HEAD src/dir/a, COPY src/dir/a, " + after, "", 200, "",
		},
		{"another size", nil, lie(func(o *fakeObject) { o.Info.Size = 4 }), before + after, codeVerifyFailed, 200, start + "its size is 4 bytes, not 5."},
		{
			"another class", func(c *Copy) { c.StorageClass = "archive" }, lie(func(o *fakeObject) { o.Info.Class = "STANDARD" }),
			before + after, codeVerifyFailed, 200, start + `its class is "STANDARD", not "ARCHIVE".`,
		},
		{"a class that nobody asked for", nil, lie(func(o *fakeObject) { o.Info.Class = "STANDARD_IA" }), before + after, "", 200, ""},
		{
			"a class in lower case", func(c *Copy) { c.StorageClass = "STANDARD_IA" }, lie(func(o *fakeObject) { o.Info.Class = "standard_ia" }),
			before + after, "", 200, "",
		},
		{
			"no encryption", func(c *Copy) { c.SSE = "AES256" }, lie(func(o *fakeObject) { o.Info.SSE = "" }),
			before + after, codeVerifyFailed, 200, start + `its encryption is "", not "AES256".`,
		},
		{"encryption in another word", func(c *Copy) { c.SSE = object.SSEKMSCOS }, lie(func(o *fakeObject) { o.Info.SSE = object.SSEKMS }), before + after, "", 200, ""},
		{
			"other headers and metadata", nil, lie(func(o *fakeObject) {
				o.Info.Meta.CacheControl, o.Info.Meta.User = "", user("old", "2", "new", "x")
			}), before + after, codeVerifyFailed, 200,
			start + `its CacheControl is "", not "no-cache"; its metadata "both" is "", not "old"; its metadata "new" is "x", not ""; its metadata "old" is "2", not "1".`,
		},
		{"a type that the store made up", func(c *Copy) { c.Metadata = DirectiveReplace }, nil, before + after, "", 200, ""},
		{
			"no tags", func(c *Copy) { c.NewTags = tagsOf(2) }, lie(func(o *fakeObject) { o.Tags = nil }),
			"HEAD src/dir/a, COPY src/dir/a, " + after, codeVerifyFailed, 200, start + `its tags are none, not "k0=v" "k1=v".`,
		},
		{
			"tags that should be gone", func(c *Copy) { c.Tagging, c.NewTags = DirectiveReplace, []job.Tag{} }, lie(func(o *fakeObject) { o.Tags = tagsOf(1) }),
			"HEAD src/dir/a, COPY src/dir/a, " + after, codeVerifyFailed, 200, start + `its tags are "k0=v", not none.`,
		},
		{"tags that nobody can read", nil, failing("GETTAGS", nil, unreadable), before + after, codeVerifyFailed, 200, start + "its tags cannot be read."},
		{"no copy", nil, func(f *fakeStore) {
			f.after["COPY"] = func() error { delete(f.objects, copied); return nil }
		}, before + "HEAD dst/dir/a", codeVerifyFailed, 200, start + "it is not there."},
		{
			"no right to look", nil, failing("HEAD", nil, answer(object.CodeAccessDenied, 403, "")),
			before + "HEAD dst/dir/a", object.CodeAccessDenied, 403, while + "Access denied.",
		},
		{
			"no right to read its tags", nil, failing("GETTAGS", nil, answer(object.CodeAccessDenied, 403, "no")),
			before + after, object.CodeAccessDenied, 403, while + "no",
		},
		{
			"no right to read the source", nil, failing("HEAD", answer(object.CodeAccessDenied, 403, "")),
			"HEAD src/dir/a", object.CodeAccessDenied, 403, "While reading the source's metadata: Access denied.",
		},

		{"the same MD5", byChecksum(nil), nil, before + after, "", 200, ""},
		{
			"the same bytes under another ETag", byChecksum(nil), lie(func(o *fakeObject) { o.Info.ETag, o.Body = md5B, md5A }),
			before + after + read, "", 200, "",
		},
		{
			"other bytes", byChecksum(nil), lie(func(o *fakeObject) { o.Info.ETag = md5B }),
			before + after + read, codeVerifyFailed, 200, start + "its bytes are not those of its source.",
		},
		{
			"other tags, whatever the bytes", byChecksum(nil), lie(func(o *fakeObject) { o.Info.ETag, o.Tags = md5B, nil }),
			before + after, codeVerifyFailed, 200, start + `its tags are none, not "both=old" "old=1".`,
		},
		{
			"the same ETag that is no MD5", byChecksum(nil), func(f *fakeStore) { f.objects[source].Info.ETag = "e1" },
			before + after + read, "", 200, "",
		},
		{
			"the same ETag of an object under a key", byChecksum(func(c *Copy) { c.SSE = object.SSEKMS }), nil,
			before + after + read, "", 200, "",
		},
		{
			"bytes that cannot be read", byChecksum(func(c *Copy) { c.StorageClass = "DEEP_ARCHIVE" }), func(f *fakeStore) { f.newETags = true },
			before + after, "", 200, "The copy lies in an archive class, so that its bytes could not be compared.",
		},
		{
			"no right to read the copy", byChecksum(nil), func(f *fakeStore) {
				f.newETags, f.fail["GET"] = true, []error{nil, answer(object.CodeAccessDenied, 403, "no")}
			},
			before + after + read, object.CodeAccessDenied, 403, while + "no",
		},
		{
			"no right to read the source's bytes", byChecksum(nil), func(f *fakeStore) {
				f.newETags, f.fail["GET"] = true, []error{answer(object.CodeAccessDenied, 403, "no")}
			},
			before + after + ", GET src/dir/a", object.CodeAccessDenied, 403, while + "no",
		},
		{
			"a source that changed since", byChecksum(nil), func(f *fakeStore) {
				f.newETags = true
				f.after["COPY"] = func() error { f.objects[source].Info.ETag = md5B; return nil }
			},
			before + after + ", GET src/dir/a", "", 200, "The source was changed after the copy, so that their bytes could not be compared.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.add(source, func(o *fakeObject) { o.Info.ETag = md5A })
			if c.store != nil {
				c.store(f)
			}
			op := to(func(op *Copy) {
				op.Verify = VerifyHead
				if c.op != nil {
					c.op(op)
				}
			})
			got := op.Apply(t.Context(), f, Task{Entry: entry})
			if got.Code != c.code || got.HTTPStatus != c.status || got.Message != c.says || (got.Status == job.TaskSucceeded) != (c.code == "") {
				t.Errorf("outcome %+v, want %s %d %q", got, c.code, c.status, c.says)
			}
			if f.made() != c.calls {
				t.Errorf("calls %q, want %q", f.made(), c.calls)
			}
		})
	}
}

func byChecksum(change func(*Copy)) func(*Copy) {
	return func(c *Copy) {
		c.Verify = VerifyChecksum
		if change != nil {
			change(c)
		}
	}
}

// A copy onto itself is held against what it is to become, and one made by an earlier attempt too.
func TestVerifyOfACopyOntoItself(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add(source)
	op := self(func(c *Copy) { c.StorageClass, c.Verify = "ARCHIVE", VerifyHead })
	for _, repeat := range []bool{false, true} {
		if got := op.Apply(t.Context(), f, Task{Entry: entry, Repeat: repeat}); got.Status != job.TaskSucceeded {
			t.Errorf("outcome %+v after %s", got, f.made())
		}
	}
}

func TestAnEndedLookHasNoOutcome(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"HEAD", "GETTAGS", "GET"} {
		f := newFake()
		f.add(source)
		f.newETags = true
		ctx, cancel := context.WithCancel(t.Context())
		f.after["COPY"] = func() error {
			f.fail[kind] = []error{&object.Error{Code: object.CodeConnection, Class: object.Transient, Err: context.Canceled}}
			cancel()
			return nil
		}
		op := to(func(c *Copy) { c.Verify = VerifyChecksum })
		if got := op.Apply(ctx, f, Task{Entry: entry}); got != (job.Outcome{}) {
			t.Errorf("%s: outcome %+v", kind, got)
		}
	}
}

func TestSameBytes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200_000)
	broken := errors.New("broken")
	for _, c := range []struct {
		a, b io.Reader
		want error
	}{
		{strings.NewReader(""), strings.NewReader(""), nil},
		{strings.NewReader(long), iotest.OneByteReader(strings.NewReader(long)), nil},
		{strings.NewReader(long), strings.NewReader(long[1:]), errOtherBytes},
		{strings.NewReader(long[:64<<10]), strings.NewReader(long), errOtherBytes},
		{strings.NewReader(long), strings.NewReader(""), errOtherBytes},
		{strings.NewReader(long), strings.NewReader(long[:150_000] + "y" + long[150_001:]), errOtherBytes},
		{strings.NewReader(long), io.MultiReader(strings.NewReader(long[:100]), iotest.ErrReader(broken)), broken},
		{iotest.ErrReader(broken), strings.NewReader(long), broken},
	} {
		if got := sameBytes(c.a, c.b); !errors.Is(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}
