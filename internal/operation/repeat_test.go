package operation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// lost is a call that had its effect and whose answer never came.
var lost = &object.Error{Op: "Fake", Code: object.CodeConnection, Class: object.Transient}

func restoring(ongoing bool) func(*fakeObject) {
	return func(o *fakeObject) {
		o.Info.Class, o.Info.Restore = "ARCHIVE", &object.RestoreState{Ongoing: ongoing}
	}
}

// Each row of the tables: the first attempt does the work and is cut off, the second is told what the row says.
func TestEveryRowOfTheTables(t *testing.T) {
	t.Parallel()
	versioned := job.Entry{Bucket: "src", Key: "dir/a", Version: "v1"}
	cases := map[string]struct {
		op    Operation
		entry job.Entry
		state func(*fakeObject)
		fail  []error // what the store answers the second attempt's call, where the fake would answer otherwise
		kind  string
		want  job.Outcome
	}{
		"copy PreconditionFailed 412": {
			op:    self(func(c *Copy) { c.StorageClass, c.IfUnmodifiedSince = "STANDARD_IA", day }),
			entry: entry, kind: "COPY", want: job.Succeeded(412, copyExplained[0].note),
		},
		"copy InvalidObjectState 403": {
			op:    self(func(c *Copy) { c.StorageClass = "DEEP_ARCHIVE" }),
			entry: entry, kind: "COPY", want: job.Succeeded(403, copyExplained[1].note),
		},
		"restore RestoreAlreadyInProgress 409": {
			op: &Restore{Days: 3, Tier: TierBulk}, state: withClass("ARCHIVE"),
			entry: entry, kind: "RESTORE", want: job.Succeeded(409, restoreExplained[0].note),
		},
		"delete NoSuchKey 404": {
			op: &Delete{}, entry: entry, kind: "DELETE", want: job.Succeeded(404, deleteExplained[0].note),
		},
		"delete NoSuchVersion 404": {
			op: &Delete{}, entry: versioned, kind: "DELETE", want: job.Succeeded(404, deleteExplained[1].note),
			fail: []error{answer(object.CodeNoSuchVersion, 404, "The specified version does not exist.")},
		},
	}
	rows := map[string]bool{}
	for _, r := range copyExplained {
		rows[fmt.Sprint("copy ", r.code, " ", r.status)] = true
	}
	for _, r := range restoreExplained {
		rows[fmt.Sprint("restore ", r.code, " ", r.status)] = true
	}
	for _, r := range deleteExplained {
		rows[fmt.Sprint("delete ", r.code, " ", r.status)] = true
	}
	if got, want := slices.Sorted(maps.Keys(cases)), slices.Sorted(maps.Keys(rows)); !slices.Equal(got, want) {
		t.Fatalf("tested are %v, the tables have %v", got, want)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.add(ref(c.entry), func(o *fakeObject) {
				if c.state != nil {
					c.state(o)
				}
			})
			f.after[c.kind] = func() error { return lost }
			if got := c.op.Apply(t.Context(), f, Task{Entry: c.entry}); got.Status != job.TaskFailed {
				t.Fatalf("first attempt: %+v", got)
			}
			f.after, f.calls = nil, nil
			f.fail[c.kind] = c.fail
			if got := c.op.Apply(t.Context(), f, Task{Entry: c.entry, Repeat: true}); got != c.want {
				t.Errorf("second attempt: %+v after %s, want %+v", got, f.made(), c.want)
			}
		})
	}
}

func TestAnswersThatNoEarlierAttemptExplains(t *testing.T) {
	t.Parallel()
	noKey := answer(object.CodeNoSuchKey, 404, "The specified key does not exist.")
	for _, c := range []struct {
		name   string
		op     Operation
		repeat bool
		state  func(*fakeObject)
		fail   map[string][]error
		code   string
	}{
		{name: "412 on a first attempt", op: self(func(c *Copy) { c.StorageClass, c.IfUnmodifiedSince = "STANDARD", day.Add(-time.Hour) }), code: "PreconditionFailed"},
		{
			name: "412 and not as asked: class", repeat: true, code: "PreconditionFailed",
			op: self(func(c *Copy) { c.StorageClass, c.IfUnmodifiedSince = "STANDARD_IA", day.Add(-time.Hour) }),
		},
		{
			name: "412 and not as asked: encryption", repeat: true, code: "PreconditionFailed",
			op: self(func(c *Copy) { c.SSE, c.IfUnmodifiedSince = "AES256", day.Add(-time.Hour) }),
		},
		{
			name: "412 and not as asked: user metadata", repeat: true, code: "PreconditionFailed",
			op: self(func(c *Copy) { c.NewMetadata.User, c.IfUnmodifiedSince = user("a", "1"), day.Add(-time.Hour) }),
		},
		{
			name: "412 and not as asked: headers", repeat: true, code: "PreconditionFailed",
			op: self(func(c *Copy) {
				c.NewMetadata = object.Metadata{ContentType: "a/b", User: user("old", "1", "both", "old")}
				c.IfUnmodifiedSince = day.Add(-time.Hour)
			}),
		},
		{
			name: "412 and not as asked: tags", repeat: true, code: "PreconditionFailed",
			op: self(func(c *Copy) { c.NewTags, c.IfUnmodifiedSince = []job.Tag{{Key: "a"}}, day.Add(-time.Hour) }),
		},
		{name: "412 of a copy to another place", repeat: true, op: to(func(c *Copy) { c.IfUnmodifiedSince = day.Add(-time.Hour) }), code: "PreconditionFailed"},
		{name: "an archived source of a copy to another place", repeat: true, op: to(nil), state: withClass("ARCHIVE"), code: "InvalidObjectState"},
		{name: "an object that was archived before", repeat: false, op: self(func(c *Copy) { c.StorageClass = "ARCHIVE" }), state: withClass("ARCHIVE"), code: "InvalidObjectState"},
		{name: "404 on a first delete", op: &Delete{}, fail: map[string][]error{"DELETE": {noKey}}, code: "NoSuchKey"},
		{name: "no bucket on a second delete", repeat: true, op: &Delete{}, fail: map[string][]error{"DELETE": {answer(object.CodeNoSuchBucket, 404, "")}}, code: "NoSuchBucket"},
		{name: "a restore refused for its tier", repeat: true, op: &Restore{Days: 1, Tier: TierBulk}, fail: map[string][]error{"RESTORE": {answer("Conflict", 409, "")}}, code: "Conflict"},
		{
			name: "a look that fails", repeat: true, code: "PreconditionFailed",
			op:   self(func(c *Copy) { c.Metadata, c.IfUnmodifiedSince = DirectiveReplace, day.Add(-time.Hour) }),
			fail: map[string][]error{"HEAD": {answer(object.CodeAccessDenied, 403, "")}},
		},
		{
			name: "a look at the tags that fails", repeat: true, code: "PreconditionFailed",
			op:   self(func(c *Copy) { c.NewTags, c.IfUnmodifiedSince = []job.Tag{{Key: "a"}}, day.Add(-time.Hour) }),
			fail: map[string][]error{"GETTAGS": {answer(object.CodeAccessDenied, 403, "")}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.add(source, func(o *fakeObject) {
				if c.state != nil {
					c.state(o)
				}
			})
			if c.fail != nil {
				f.fail = c.fail
			}
			got := c.op.Apply(t.Context(), f, Task{Entry: entry, Repeat: c.repeat})
			if got.Status != job.TaskFailed || got.Code != c.code {
				t.Errorf("outcome %+v after %s, want %s", got, f.made(), c.code)
			}
		})
	}
}

func TestALookThatTheContextEndsLeavesTheTaskUndone(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add(source)
	ctx, cancel := context.WithCancel(t.Context())
	f.fail["HEAD"] = []error{context.Canceled}
	op := self(func(c *Copy) { c.Metadata, c.IfUnmodifiedSince = DirectiveReplace, day.Add(-time.Hour) })
	got := op.Apply(ctx, &endingStore{fakeStore: f, cancel: cancel}, Task{Entry: entry, Repeat: true})
	if got != (job.Outcome{}) {
		t.Errorf("outcome %+v after %s", got, f.made())
	}
}

// The driver sends a request again when its answer was lost: no second attempt of the task, but the same effect.
func TestACallThatWasSentTwiceExplainsItself(t *testing.T) {
	t.Parallel()
	twice := func(f *fakeStore) {
		f.after["COPY"] = func() error {
			f.after["COPY"] = nil
			_, err := f.Copy(context.Background(), f.copies[0])
			return err
		}
	}
	for name, op := range map[string]*Copy{
		"into an archive class":   self(func(c *Copy) { c.StorageClass = "ARCHIVE" }),
		"changing its own ETag":   self(func(c *Copy) { c.StorageClass = "STANDARD_IA" }),
		"meeting its own changes": self(func(c *Copy) { c.StorageClass, c.IfUnmodifiedSince = "STANDARD_IA", day }),
	} {
		f := newFake()
		f.newETags = true
		f.add(source)
		twice(f)
		if got := op.Apply(t.Context(), f, Task{Entry: entry}); got.Status != job.TaskSucceeded {
			t.Errorf("%s: outcome %+v after %s", name, got, f.made())
		}
	}
}

func TestASecondDeletePutsNoSecondMarker(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		setup func(*fakeStore)
		entry job.Entry
		calls string
		ok    bool
	}{
		{"gone", func(*fakeStore) {}, entry, "HEAD src/dir/a, HEADBUCKET src/", true},
		{"still there", func(f *fakeStore) { f.add(source) }, entry, "HEAD src/dir/a, DELETE src/dir/a", true},
		{"no right to look", func(f *fakeStore) { f.fail["HEAD"] = []error{answer(object.CodeAccessDenied, 403, "")} }, entry, "HEAD src/dir/a, DELETE src/dir/a", true},
		{"no bucket", func(f *fakeStore) { delete(f.buckets, "src") }, entry, "HEAD src/dir/a, HEADBUCKET src/, DELETE src/dir/a", false},
		{"a version", func(*fakeStore) {}, job.Entry{Bucket: "src", Key: "dir/a", Version: "v1"}, "DELETE src/dir/a?v1", true},
	} {
		f := newFake()
		c.setup(f)
		got := (&Delete{}).Apply(t.Context(), f, Task{Entry: c.entry, Repeat: true})
		if (got.Status == job.TaskSucceeded) != c.ok || f.made() != c.calls {
			t.Errorf("%s: outcome %+v after %s, want %s", c.name, got, f.made(), c.calls)
		}
	}
}

// drawOperation makes an operation that Validate accepts.
func drawOperation(rt *rapid.T) Operation {
	tags := rapid.SliceOfNDistinct(rapid.Custom(func(rt *rapid.T) job.Tag {
		return job.Tag{Key: rapid.SampledFrom([]string{"a", "b", "old", "both"}).Draw(rt, "key"), Value: rapid.SampledFrom([]string{"", "1", "é"}).Draw(rt, "value")}
	}), 1, 4, func(t job.Tag) string { return t.Key })
	directive := rapid.SampledFrom([]Directive{"", DirectiveCopy, DirectiveReplace, DirectiveAdd})
	switch rapid.IntRange(0, 9).Draw(rt, "operation") {
	case 0:
		return &Delete{}
	case 1:
		return &Restore{Days: rapid.IntRange(1, 365).Draw(rt, "days"), Tier: rapid.SampledFrom([]string{TierBulk, TierStandard}).Draw(rt, "tier")}
	case 2:
		return &Tagging{Directive: rapid.SampledFrom([]Directive{"", DirectiveReplace, DirectiveAdd}).Draw(rt, "directive"), Tags: tags.Draw(rt, "tags")}
	case 3:
		if rapid.Bool().Draw(rt, "canned") {
			return &PutACL{Canned: rapid.SampledFrom([]string{aclPrivate, aclPublicRead}).Draw(rt, "list")}
		}
		return &PutACL{Owner: rapid.SampledFrom([]object.Grantee{{}, ownerS3}).Draw(rt, "owner"), Grants: []object.Grant{byID("x", permRead)}}
	}
	c := &Copy{
		TargetBucket:  rapid.SampledFrom([]job.Bucket{"src", "src", "dst"}).Draw(rt, "bucket"),
		PrefixReplace: rapid.Bool().Draw(rt, "prefix"),
		PrefixFrom:    rapid.SampledFrom([]string{"", "", "dir/"}).Draw(rt, "from"),
		PrefixTo:      rapid.SampledFrom([]string{"", "", "new/"}).Draw(rt, "to"),
		StorageClass:  rapid.SampledFrom([]string{"", "STANDARD_IA", "ARCHIVE"}).Draw(rt, "class"),
		SSE:           rapid.SampledFrom([]string{"", "AES256"}).Draw(rt, "sse"),
		ACL:           directive.Draw(rt, "acl"),
		Metadata:      directive.Draw(rt, "metadata"),
		Tagging:       directive.Draw(rt, "tagging"),
	}
	if c.ACL != DirectiveCopy {
		if rapid.Bool().Draw(rt, "canned") {
			c.CannedACL = rapid.SampledFrom([]string{aclPrivate, aclPublicRead}).Draw(rt, "list")
		} else {
			c.Grants = []object.Grant{byID("x", permRead)}
		}
	}
	if c.Metadata != DirectiveCopy {
		c.NewMetadata = object.Metadata{ContentLanguage: "en", User: user("both", "new")}
	}
	if c.Tagging != DirectiveCopy {
		c.NewTags = tags.Draw(rt, "new tags")
	}
	if rapid.Bool().Draw(rt, "condition") {
		c.IfUnmodifiedSince = day.Add(time.Duration(rapid.IntRange(-60, 60).Draw(rt, "seconds")) * time.Second)
	}
	if c.Validate() != nil {
		rt.Fatalf("drew an operation that is not valid: %v", c.Validate())
	}
	return c
}

// drawStore makes a store with one object in some state; the same draws make the same store.
func drawStore(rt *rapid.T) func() *fakeStore {
	class := rapid.SampledFrom([]string{"STANDARD", "STANDARD_IA", "ARCHIVE"}).Draw(rt, "source class")
	restore := rapid.SampledFrom([]*object.RestoreState{nil, {Ongoing: true}, {Expiry: day}}).Draw(rt, "restore state")
	grants := rapid.SampledFrom([][]object.Grant{{ownerFull}, {ownerFull, everybody}, {ownerFull, byID("y", permRead)}, {ownerFull, everybody, byID("y", permRead)}}).Draw(rt, "grants")
	newETags := rapid.Bool().Draw(rt, "new ETags")
	return func() *fakeStore {
		f := newFake()
		f.newETags = newETags
		f.add(source, withGrants(grants...), withClass(class))
		if archived(class) && restore != nil {
			state := *restore
			f.objects[source].Info.Restore = &state
		}
		return f
	}
}

func TestApplyingTwiceLeavesWhatApplyingOnceLeaves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		op, mk := drawOperation(rt), drawStore(rt)
		once, twice := mk(), mk()
		first := op.Apply(t.Context(), once, Task{Entry: entry})
		op.Apply(t.Context(), twice, Task{Entry: entry})
		second := op.Apply(t.Context(), twice, Task{Entry: entry, Repeat: true})
		if first.Status == job.TaskSucceeded && second.Status != job.TaskSucceeded {
			rt.Fatalf("first %+v, then %+v after %s", first, second, twice.made())
		}
		for _, f := range []*fakeStore{once, twice} {
			for _, o := range f.objects {
				o.Info.LastModified, o.Info.ETag = time.Time{}, ""
			}
		}
		if diff := cmp.Diff(once.objects, twice.objects); diff != "" {
			rt.Fatalf("once and twice differ (-once +twice):\n%s", diff)
		}
	})
}
