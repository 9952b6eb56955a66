package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// bigSize is one byte more than a store copies in one call.
const bigSize = object.MaxCopySize + 1

var (
	big     = job.Entry{Row: 7, Bucket: "src", Key: "dir/a", Size: bigSize}
	bigCopy = object.Ref{Bucket: "dst", Key: "dir/a"}
)

func sized(n int64) func(*fakeObject) { return func(o *fakeObject) { o.Info.Size = n } }

// withBig is a store with the big object.
func withBig(change ...func(*fakeObject)) *fakeStore {
	f := newFake()
	f.add(source, append([]func(*fakeObject){sized(bigSize)}, change...)...)
	return f
}

// count says how often a kind of call was made.
func (f *fakeStore) count(kind string) int {
	n := 0
	for _, c := range f.calls {
		if strings.HasPrefix(c, kind+" ") {
			n++
		}
	}
	return n
}

func TestAnObjectOver5GBIsCopiedByParts(t *testing.T) {
	t.Parallel()
	const before, after = "HEAD src/dir/a, GETTAGS src/dir/a, CREATE dst/dir/a, ", "COMPLETE dst/dir/a"
	refused := "COPY src/dir/a, HEAD src/dir/a, " + before
	for _, c := range []struct {
		name  string
		op    *Copy
		entry job.Entry
		size  int64
		made  func(*fakeObject) // what the copy has otherwise than its source
		first string            // the calls before the parts
	}{
		{"as the inventory says", to(nil), big, bigSize, nil, before},
		{"when the store refuses", to(nil), entry, bigSize, nil, refused},
		{"when the inventory says another size", to(nil), job.Entry{Bucket: "src", Key: "dir/a", Size: 5}, bigSize, nil, refused},
		{
			"with all that can be changed", to(func(c *Copy) {
				c.StorageClass, c.SSE, c.CannedACL = "standard_ia", "AES256", aclPublicRead
				c.NewMetadata.ContentType, c.NewTags = "a/b", tagsOf(2)
			}), big, bigSize, func(o *fakeObject) {
				o.Info.Class, o.Info.SSE, o.Info.Meta, o.Tags = "STANDARD_IA", "AES256", object.Metadata{ContentType: "a/b"}, tagsOf(2)
				o.ACL.Grants = append(o.ACL.Grants, byGroup(groupsS3+allUsers, permRead))
			},
			"HEAD src/dir/a, CREATE dst/dir/a, ",
		},
		{
			"with things added", to(func(c *Copy) {
				c.Metadata, c.NewMetadata.User, c.Tagging, c.NewTags = DirectiveAdd, user("new", "2"), DirectiveAdd, tagsOf(1)
			}), big, bigSize, func(o *fakeObject) {
				o.Info.Meta.User["new"] = "2"
				o.Tags = append(o.Tags, tagsOf(1)...)
			},
			"HEAD src/dir/a, GETTAGS src/dir/a, CREATE dst/dir/a, ",
		},
		{"of 5 TB", to(nil), big, 5e12, nil, before},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := withBig(sized(c.size))
			if got := c.op.Apply(t.Context(), f, Task{Entry: c.entry}); got != job.Succeeded(200, "") {
				t.Fatalf("outcome %+v after %s", got, f.made())
			}
			want := f.objects[source].clone()
			if c.made != nil {
				c.made(want)
			}
			got := f.objects[bigCopy]
			want.Info.ETag, want.Info.LastModified = got.Info.ETag, got.Info.LastModified
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("copy (-want +got):\n%s", diff)
			}
			n := f.count("PART")
			if made := f.made(); made != c.first+strings.Repeat("PART dst/dir/a, ", n)+after {
				t.Errorf("calls %s", made)
			}
			if partSize := partOf(c.size, 128<<20); int64(n) != (c.size+partSize-1)/partSize || n > object.MaxParts {
				t.Errorf("%d parts", n)
			}
			if len(f.uploads) > 0 {
				t.Errorf("left over: %v", f.uploads)
			}
		})
	}
}

func TestPartsCoverAnObjectOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 50<<40).Draw(t, "size")
		u := Upload{Size: size, PartSize: partOf(size, rapid.Int64Range(object.MinPartSize, object.MaxPartSize).Draw(t, "wanted"))}
		if size/u.PartSize > 100_000 {
			t.Fatalf("parts of %d bytes of %d", u.PartSize, size)
		}
		var at int64
		all := parts(u)
		for i, p := range all {
			if p.Number != i+1 || p.Size < 1 || p.Size > u.PartSize || p.Size < u.PartSize && i < len(all)-1 {
				t.Fatalf("part %d is %+v", i, p)
			}
			at += p.Size
		}
		if at != size || len(all) > object.MaxParts {
			t.Fatalf("%d parts have %d bytes of %d", len(all), at, size)
		}
	})
}

// regionStore keeps the source regions that it is told.
type regionStore struct {
	*fakeStore
	told map[job.Region]int
}

func (s *regionStore) Copy(ctx context.Context, r object.CopyRequest) (object.CopyResult, error) {
	s.told[r.SourceRegion]++
	return s.fakeStore.Copy(ctx, r)
}

func (s *regionStore) UploadPartCopy(ctx context.Context, r object.PartCopyRequest) (string, error) {
	s.mu.Lock()
	s.told[r.SourceRegion]++
	s.mu.Unlock()
	return s.fakeStore.UploadPartCopy(ctx, r)
}

// A target in another region copies by itself: what is asked of the source goes to the source's store, all else to it.
func TestACopyToAnotherRegion(t *testing.T) {
	t.Parallel()
	for _, e := range []job.Entry{entry, big} {
		from, into := withBig(), &regionStore{fakeStore: withBig(), told: map[job.Region]int{}}
		if e == entry {
			from.objects[source].Info.Size, into.objects[source].Info.Size = 5, 5
		}
		task := Task{Entry: e, Target: into, SourceRegion: "eu-other"}
		op := to(func(c *Copy) {
			c.ACL, c.Tagging, c.NewTags, c.Verify = DirectiveCopy, DirectiveAdd, tagsOf(1), VerifyHead
		})
		if got := op.Apply(t.Context(), from, task); got != job.Succeeded(200, "") {
			t.Fatalf("outcome %+v", got)
		}
		if len(into.told) != 1 || into.told["eu-other"] == 0 {
			t.Errorf("told %v", into.told)
		}
		if s := from.made(); s != "GETTAGS src/dir/a, GETACL src/dir/a, HEAD src/dir/a" && s != "HEAD src/dir/a, GETTAGS src/dir/a, GETACL src/dir/a" {
			t.Errorf("calls to the source %s", s)
		}
	}
	// The same names elsewhere are another object: its state explains nothing.
	from, into := newFake(), newFake()
	from.add(source)
	into.add(source)
	into.fail["COPY"] = []error{answer(object.CodePreconditionFailed, 412, "")}
	op := self(func(c *Copy) { c.IfModifiedSince = day.Add(-time.Hour) })
	if got := op.Apply(t.Context(), from, Task{Entry: entry, Target: into, Repeat: true}); got.Code != object.CodePreconditionFailed || from.made() != "" {
		t.Errorf("outcome %+v after %s", got, from.made())
	}
}

func TestASourceThatChangesUnderItsPartsIsCopiedAnew(t *testing.T) {
	t.Parallel()
	f := withBig()
	n := 0
	f.after["PART"] = func() error {
		if n++; n == 5 {
			f.objects[source].Info.ETag, f.objects[source].Info.LastModified = "e2", day.Add(time.Minute)
		}
		return nil
	}
	m := &memory{}
	if got := to(nil).Apply(t.Context(), f, Task{Entry: big, Uploads: m}); got != job.Succeeded(200, "") {
		t.Fatalf("outcome %+v", got)
	}
	if f.count("CREATE") != 2 || f.count("ABORT") != 1 || len(f.uploads) > 0 || len(m.rows) > 0 {
		t.Errorf("%d begun, %d aborted, left over %v, remembered %v", f.count("CREATE"), f.count("ABORT"), f.uploads, m.rows)
	}
}

func TestConditionsHoldForPartsToo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set  func(*Copy)
		good bool
	}{
		{func(c *Copy) { c.IfModifiedSince = day.Add(-time.Second) }, true},
		{func(c *Copy) { c.IfModifiedSince = day }, false},
		{func(c *Copy) { c.IfUnmodifiedSince = day }, true},
		{func(c *Copy) { c.IfUnmodifiedSince = day.Add(-time.Second) }, false},
	} {
		for _, e := range []job.Entry{big, entry} {
			f := withBig()
			got := to(c.set).Apply(t.Context(), f, Task{Entry: e})
			if good := got.Status == job.TaskSucceeded; good != c.good || !good && got.Code != object.CodePreconditionFailed {
				t.Errorf("outcome %+v after %s", got, f.made())
			}
		}
	}
}

func TestARefusalWithAnotherReasonIsTold(t *testing.T) {
	t.Parallel()
	for _, fail := range []map[string][]error{
		{"COPY": {answer(object.CodeInvalidRequest, 400, "Something else.")}},
		{"COPY": {answer(object.CodeInvalidRequest, 400, "Something else.")}, "HEAD": {answer(object.CodeAccessDenied, 403, "")}},
	} {
		f := newFake()
		f.add(source)
		f.fail = fail
		want := job.FailedTask(object.CodeInvalidRequest, 400, "Something else.")
		if got := to(nil).Apply(t.Context(), f, Task{Entry: entry}); got != want || f.made() != "COPY src/dir/a, HEAD src/dir/a" {
			t.Errorf("outcome %+v after %s", got, f.made())
		}
	}
	f := newFake()
	f.add(source)
	f.fail = map[string][]error{"COPY": {answer(object.CodeInvalidRequest, 400, "")}, "HEAD": {context.Canceled}}
	ctx, cancel := context.WithCancel(t.Context())
	if got := to(nil).Apply(ctx, &endingStore{fakeStore: f, cancel: cancel}, Task{Entry: entry}); got != (job.Outcome{}) {
		t.Errorf("an ended look gives %+v", got)
	}
}

func TestThePartsUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	f := &countingStore{fakeStore: withBig(), gate: make(chan struct{})}
	go func() {
		// The first parts wait for each other: as many as may be under way at once.
		for range 3 {
			f.gate <- struct{}{}
		}
		close(f.gate)
	}()
	got := to(nil).Apply(t.Context(), f, Task{Entry: big, Limits: Limits{CopyPart: 1 << 30, Parts: 3}})
	if got != job.Succeeded(200, "") || f.most > 3 || f.count("PART") != 6 {
		t.Errorf("outcome %+v, %d parts at once of %d", got, f.most, f.count("PART"))
	}
}

type countingStore struct {
	*fakeStore
	gate      chan struct{}
	now, most int
}

func (s *countingStore) UploadPartCopy(ctx context.Context, r object.PartCopyRequest) (string, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	<-s.gate
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	return s.fakeStore.UploadPartCopy(ctx, r)
}

func TestCompositeETags(t *testing.T) {
	t.Parallel()
	const md5 = "0123456789abcdef0123456789abcdef"
	for _, c := range []struct {
		etags []string
		want  string
	}{
		{[]string{md5, md5}, "-2"},
		{[]string{md5, "x"}, ""},
		{[]string{md5, md5 + "00"}, ""},
	} {
		var made []object.Part
		for _, e := range c.etags {
			made = append(made, object.Part{ETag: e})
		}
		if got := composite(made); !strings.HasSuffix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%v gives %q", c.etags, got)
		}
	}
	if err := (&assembly{}).gone(errors.New("x")); !isGone(fmt.Errorf("y: %w", err)) {
		t.Error("what is gone is not told")
	}
}
