package operation

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

func TestRestoreDeleteAndTagging(t *testing.T) {
	t.Parallel()
	tag := func(k, v string) job.Tag { return job.Tag{Key: k, Value: v} }
	restore := &Restore{Days: 7, Tier: TierStandard}
	versioned := job.Entry{Bucket: "src", Key: "dir/a", Version: "v1"}
	marked := job.Entry{Bucket: "src", Key: "dir/a", Version: "v1", DeleteMarker: true}
	for _, c := range []struct {
		name   string
		op     Operation
		entry  job.Entry
		source func(*fakeObject)
		fail   map[string][]error
		want   job.Outcome
		calls  string
		tags   []job.Tag // of the object afterwards; nil = not looked at
	}{
		{"restore an archived object", restore, entry, withClass("ARCHIVE"), nil, job.Succeeded(202, ""), "RESTORE src/dir/a", nil},
		{"restore a version", restore, versioned, withClass("GLACIER"), nil, job.Succeeded(202, ""), "RESTORE src/dir/a?v1", nil},
		{"restore a restored object", restore, entry, restoring(false), nil, job.Succeeded(200, "The object was restored already; its validity was set anew."), "RESTORE src/dir/a", nil},
		{"restore an object under way", restore, entry, restoring(true), nil, job.Succeeded(409, "The object was being restored already."), "RESTORE src/dir/a", nil},
		{
			"restore an object in no archive on S3", restore, entry, nil, nil,
			job.FailedTask("InvalidObjectState", 403, nothingToRestore+" The store said: Restore is not allowed for the object's current storage class."), "RESTORE src/dir/a", nil,
		},
		{
			"restore an object in no archive on COS", restore, entry, nil,
			map[string][]error{"RESTORE": {answer("RestoreNonArchiveObject", 405, "Not an archive object.")}},
			job.FailedTask("RestoreNonArchiveObject", 405, nothingToRestore+" The store said: Not an archive object."), "RESTORE src/dir/a", nil,
		},
		{"restore nothing", restore, job.Entry{Bucket: "src", Key: "none"}, nil, nil, job.FailedTask("NoSuchKey", 404, "The specified key does not exist."), "RESTORE src/none", nil},
		{"restore a delete marker", restore, marked, nil, nil, job.FailedTask("MethodNotAllowed", 405, "The row lists a delete marker, which has nothing to restore."), "", nil},

		{"delete", &Delete{}, entry, nil, nil, job.Succeeded(204, ""), "DELETE src/dir/a", nil},
		{"delete a version", &Delete{}, versioned, nil, nil, job.Succeeded(204, ""), "DELETE src/dir/a?v1", nil},
		{"delete a delete marker", &Delete{}, marked, nil, nil, job.Succeeded(204, ""), "DELETE src/dir/a?v1", nil},
		{"delete what is not there", &Delete{}, job.Entry{Bucket: "src", Key: "none"}, nil, nil, job.Succeeded(204, ""), "DELETE src/none", nil},
		{
			"delete what is locked", &Delete{}, entry, nil,
			map[string][]error{"DELETE": {answer("AccessDenied", 403, "Locked.")}},
			job.FailedTask("AccessDenied", 403, "Locked."), "DELETE src/dir/a", nil,
		},

		{"replace tags", &Tagging{DirectiveReplace, []job.Tag{tag("a", "1")}}, entry, nil, nil, job.Succeeded(200, ""), "PUTTAGS src/dir/a", []job.Tag{tag("a", "1")}},
		{"replace tags of a version", &Tagging{"", []job.Tag{tag("a", "1")}}, versioned, nil, nil, job.Succeeded(200, ""), "PUTTAGS src/dir/a?v1", []job.Tag{tag("a", "1")}},
		{"take all tags away", &Tagging{DirectiveReplace, []job.Tag{}}, entry, nil, nil, job.Succeeded(204, ""), "DELETETAGS src/dir/a", nil},
		{
			"add tags", &Tagging{DirectiveAdd, []job.Tag{tag("both", "new"), tag("a", "1")}}, entry, nil, nil,
			job.Succeeded(200, ""), "GETTAGS src/dir/a, PUTTAGS src/dir/a",
			[]job.Tag{tag("old", "1"), tag("both", "new"), tag("a", "1")},
		},
		{
			"add tags to a version", &Tagging{DirectiveAdd, []job.Tag{tag("a", "1")}}, versioned, nil, nil,
			job.Succeeded(200, ""), "GETTAGS src/dir/a?v1, PUTTAGS src/dir/a?v1",
			[]job.Tag{tag("old", "1"), tag("both", "old"), tag("a", "1")},
		},
		{
			"add tags where there are none", &Tagging{DirectiveAdd, []job.Tag{tag("a", "1")}}, entry, nil,
			map[string][]error{"GETTAGS": {answer("NoSuchTagSet", 404, "")}},
			job.Succeeded(200, ""), "GETTAGS src/dir/a, PUTTAGS src/dir/a",
			[]job.Tag{tag("a", "1")},
		},
		{
			"add up to ten tags", &Tagging{DirectiveAdd, tagsOf(8)}, entry, nil, nil,
			job.Succeeded(200, ""), "GETTAGS src/dir/a, PUTTAGS src/dir/a", append([]job.Tag{tag("old", "1"), tag("both", "old")}, tagsOf(8)...),
		},
		{
			"add too many tags", &Tagging{DirectiveAdd, tagsOf(9)}, entry, nil, nil,
			job.FailedTask("InvalidTag", 0, "The object has 2 tags, and with those to add it would have 11; an object has at most 10."), "GETTAGS src/dir/a",
			[]job.Tag{tag("old", "1"), tag("both", "old")},
		},
		{
			"add tags unread", &Tagging{DirectiveAdd, tagsOf(1)}, entry, nil,
			map[string][]error{"GETTAGS": {answer("AccessDenied", 403, "Access Denied")}},
			job.FailedTask("AccessDenied", 403, "While reading the object's tags: Access Denied"), "GETTAGS src/dir/a", nil,
		},
		{"tag nothing", &Tagging{"", tagsOf(1)}, job.Entry{Bucket: "src", Key: "none"}, nil, nil, job.FailedTask("NoSuchKey", 404, "The specified key does not exist."), "PUTTAGS src/none", nil},
		{"tag a delete marker", &Tagging{"", tagsOf(1)}, marked, nil, nil, job.FailedTask("MethodNotAllowed", 405, "The row lists a delete marker, which has no tags."), "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			at := object.Ref{Bucket: "src", Key: "dir/a", Version: c.entry.Version}
			f.add(at, func(o *fakeObject) {
				if c.source != nil {
					c.source(o)
				}
			})
			if c.fail != nil {
				f.fail = c.fail
			}
			if got := c.op.Apply(t.Context(), f, Task{Entry: c.entry}); got != c.want {
				t.Errorf("outcome %+v, want %+v", got, c.want)
			}
			if f.made() != c.calls {
				t.Errorf("calls %q, want %q", f.made(), c.calls)
			}
			if diff := cmp.Diff(c.tags, f.tagsAt(at)); c.tags != nil && diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheRestoreRequest(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add(source, restoring(false))
	(&Restore{Days: 9, Tier: TierBulk}).Apply(t.Context(), f, Task{Entry: entry})
	want := object.RestoreRequest{Ref: source, Days: 9, Tier: TierBulk}
	if diff := cmp.Diff([]object.RestoreRequest{want}, f.restores); diff != "" {
		t.Error(diff)
	}
	if got := f.objects[source].Info.Restore.Expiry; !got.Equal(day.AddDate(0, 0, 9)) {
		t.Errorf("validity ends %s", got)
	}
}
