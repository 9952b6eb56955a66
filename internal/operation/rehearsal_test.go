package operation_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

// logged opens an embedded store whose calls are logged, and gives what makes further buckets in it.
func logged(t *testing.T) (open func(*testing.T) *site, log *bytes.Buffer) {
	t.Helper()
	log = new(bytes.Buffer)
	s, err := localstore.Open(t.Context(), localstore.Options{
		Dir: t.TempDir(), Region: "ap-test", AccessKey: "ak", SecretKey: "sk", CallLog: log, RestoreDelay: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(t *testing.T) *site { return openSite(t, s.URL(), "ap-test", "ak", "sk", httpwire.S3) }, log
}

// stocked puts objects of all kinds that matter into the source bucket, and gives the list that an inventory has of them.
func (s *site) stocked(t *testing.T) (entries []job.Entry) {
	t.Helper()
	for i, o := range []struct {
		key   job.Key
		size  int
		class string
	}{
		{"dir/a", 100, "STANDARD"},
		{"dir/b", 0, "STANDARD_IA"},
		{"dir/cold", 100, "GLACIER"},
		{"dir/warm", 50, "INTELLIGENT_TIERING"},
		{"dir/large", 11 << 20, "STANDARD"}, // two parts and a rest
		{"other/control\x01", 10, "STANDARD"},
	} {
		_, err := s.store.Put(t.Context(), object.PutRequest{
			Bucket: s.src, Key: o.key, Body: strings.NewReader(strings.Repeat("x", o.size)), Size: int64(o.size), Class: o.class, Meta: meta, Tags: tags,
		})
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.store.Head(t.Context(), object.Ref{Bucket: s.src, Key: o.key})
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, job.Entry{Row: int64(i), Bucket: s.src, Key: o.key, Size: info.Size, ETag: info.ETag, Class: o.class})
	}
	return append(entries, job.Entry{Row: int64(len(entries)), Bucket: s.src, Key: "dir/marker", DeleteMarker: true})
}

// onSelf is a change of objects in place.
func onSelf(change func(*operation.Copy)) func(*site) operation.Operation {
	return func(s *site) operation.Operation {
		c := &operation.Copy{TargetBucket: s.src}
		change(c)
		return c
	}
}

func copied(change func(*operation.Copy)) func(*site) operation.Operation {
	return func(s *site) operation.Operation { return copyTo(s, change) }
}

func fixed(op operation.Operation) func(*site) operation.Operation {
	return func(*site) operation.Operation { return op }
}

// TestARehearsalsFiguresAreTheCallsSeen applies each operation to real objects, and holds the calls that the store logged and
// the failures that came against what the rehearsal of the same list had said before.
func TestARehearsalsFiguresAreTheCallsSeen(t *testing.T) {
	t.Parallel()
	open, log := logged(t)
	grants := []object.Grant{{Grantee: object.Grantee{ID: "somebody"}, Permission: "READ"}}
	for name, op := range map[string]func(*site) operation.Operation{
		"copy":                       copied(nil),
		"copy, other prefix":         copied(func(c *operation.Copy) { c.PrefixReplace, c.PrefixFrom, c.PrefixTo = true, "dir/", "new/" }),
		"copy, keys too long":        copied(func(c *operation.Copy) { c.PrefixReplace, c.PrefixTo = true, strings.Repeat("p", 1018) }),
		"copy, nothing left of keys": copied(func(c *operation.Copy) { c.PrefixReplace, c.PrefixFrom = true, "dir/a" }),
		"copy, metadata added": copied(func(c *operation.Copy) {
			c.Metadata, c.NewMetadata.User = operation.DirectiveAdd, map[string]string{"x": "y"}
		}),
		"copy, metadata replaced":      copied(func(c *operation.Copy) { c.NewMetadata.User = map[string]string{"x": "y"} }),
		"copy, tags added":             copied(func(c *operation.Copy) { c.Tagging, c.NewTags = operation.DirectiveAdd, []job.Tag{{Key: "x"}} }),
		"copy, tags replaced":          copied(func(c *operation.Copy) { c.NewTags = []job.Tag{{Key: "x"}} }),
		"copy with the access list":    copied(func(c *operation.Copy) { c.ACL = operation.DirectiveCopy }),
		"copy, a grant added":          copied(func(c *operation.Copy) { c.ACL, c.Grants = operation.DirectiveAdd, grants }),
		"copy, a group granted":        copied(func(c *operation.Copy) { c.Grants = append(grants, everyone) }),
		"copy, a canned list":          copied(func(c *operation.Copy) { c.CannedACL = "public-read" }),
		"copy and look at heads":       copied(func(c *operation.Copy) { c.Verify = operation.VerifyHead }),
		"copy and look at bytes":       copied(func(c *operation.Copy) { c.Verify = operation.VerifyChecksum }),
		"copy to an archive, verified": copied(func(c *operation.Copy) { c.Verify, c.StorageClass = operation.VerifyChecksum, "DEEP_ARCHIVE" }),
		"copy, all of it": copied(func(c *operation.Copy) {
			c.Verify, c.ACL, c.SSE = operation.VerifyChecksum, operation.DirectiveCopy, "AES256"
			c.Tagging, c.NewTags = operation.DirectiveAdd, []job.Tag{{Key: "x"}}
			c.Metadata, c.NewMetadata.User = operation.DirectiveAdd, map[string]string{"x": "y"}
		}),
		"copy of what is new enough": copied(func(c *operation.Copy) {
			c.IfModifiedSince = time.Unix(1_700_000_000, 0)
			c.Verify = operation.VerifyHead
		}),
		"copy of what is old enough": copied(func(c *operation.Copy) { c.IfUnmodifiedSince = time.Unix(4_000_000_000, 0) }),
		"in place, nothing changed":  onSelf(func(*operation.Copy) {}),
		"in place, another class":    onSelf(func(c *operation.Copy) { c.StorageClass = "STANDARD_IA" }),
		"in place, other metadata":   onSelf(func(c *operation.Copy) { c.NewMetadata.User = map[string]string{"x": "y"} }),
		"in place, more tags, verified": onSelf(func(c *operation.Copy) {
			c.Tagging, c.NewTags, c.Verify = operation.DirectiveAdd, []job.Tag{{Key: "x"}}, "checksum"
		}),
		"delete":                     fixed(&operation.Delete{}),
		"restore":                    fixed(&operation.Restore{Days: 3, Tier: operation.TierStandard}),
		"restore, inventory trusted": fixed(&operation.Restore{Days: 3, Tier: operation.TierBulk, TrustInventory: true}),
		"restore and wait":           fixed(&operation.Restore{Days: 3, Tier: operation.TierBulk, Wait: true}),
		"tags replaced":              fixed(&operation.Tagging{Tags: []job.Tag{{Key: "x"}}}),
		"tags added":                 fixed(&operation.Tagging{Directive: operation.DirectiveAdd, Tags: []job.Tag{{Key: "x"}}}),
		"tags taken away":            fixed(&operation.Tagging{Tags: []job.Tag{}}),
		"a canned list in place":     fixed(&operation.PutACL{Canned: "private"}),
		"grants in place":            fixed(&operation.PutACL{Grants: grants}),
	} {
		t.Run(name, func(t *testing.T) { // one after the other, for they share the log
			s := open(t)
			entries := s.stocked(t)
			op := op(s)
			if err := op.Validate(); err != nil {
				t.Fatal(err)
			}
			log.Reset()
			r := operation.NewRehearsal(op, s.store, small)
			r.Add(entries)
			if log.Len() > 0 {
				t.Errorf("the rehearsal called the store:\n%s", log)
			}
			limits := small
			limits.Parts = 1
			failures := apply(t.Context(), op, s.store, limits, entries)
			if diff := cmp.Diff(callsIn(log.String()), callsOf(r)); diff != "" {
				t.Errorf("calls (-seen +rehearsed):\n%s", diff)
			}
			told := map[string]int64{}
			for _, f := range r.Failures() {
				told[f.Code] = f.Count
			}
			if diff := cmp.Diff(failures, told); diff != "" {
				t.Errorf("failures (-seen +rehearsed):\n%s", diff)
			}
		})
	}
}

var everyone = object.Grant{Grantee: object.Grantee{URI: "http://acs.amazonaws.com/groups/global/AllUsers"}, Permission: "READ"}

// apply does what a worker does with a chunk, and counts the failures by their codes.
func apply(ctx context.Context, op operation.Operation, s object.Store, limits operation.Limits, entries []job.Entry) map[string]int64 {
	var tasks []operation.Task
	for _, e := range entries {
		tasks = append(tasks, operation.Task{Entry: e, Limits: limits})
	}
	failures := map[string]int64{}
	end := func(o job.Outcome) {
		if o.Status == job.TaskFailed {
			failures[o.Code]++
		}
	}
	if b, ok := op.(operation.Batcher); ok {
		for most := b.Most(s); len(tasks) > 0; {
			n := min(most, len(tasks))
			for _, o := range b.ApplyAll(ctx, s, tasks[:n]) {
				end(o)
			}
			tasks = tasks[n:]
		}
		return failures
	}
	for _, task := range tasks {
		o := op.Apply(ctx, s, task)
		if a, ok := op.(operation.Awaited); ok && a.Awaits() && o.Status == job.TaskSucceeded {
			_, o = a.Ready(ctx, s, task.Entry)
		}
		end(o)
	}
	return failures
}

// callsIn counts a log's calls by their operation; a delete of many objects has a line for each, of one request id.
func callsIn(log string) map[string]int64 {
	seen, ids := map[string]int64{}, map[string]bool{}
	for line := range strings.Lines(log) {
		f := strings.Fields(line)
		if id := f[len(f)-1]; !ids[id] {
			ids[id] = true
			seen[f[1]]++
		}
	}
	return seen
}

func callsOf(r *operation.Rehearsal) map[string]int64 {
	told := map[string]int64{}
	for _, c := range r.Calls() {
		told[c.Call] += c.Count
	}
	return told
}

// TestDeletesAreRehearsedAsWorkersBatchThem: a hundred to a call and bucket, but for what goes singly.
func TestDeletesAreRehearsedAsWorkersBatchThem(t *testing.T) {
	t.Parallel()
	open, log := logged(t)
	s := open(t)
	var entries []job.Entry
	for i := range 1000 {
		e := job.Entry{Row: int64(i), Bucket: s.src, Key: job.Key(fmt.Sprintf("k%03d", i))}
		switch {
		case i >= 950:
			e.Bucket = []job.Bucket{s.src, s.dst}[i%2]
		case i == 17:
			e.Version = "null"
		case i == 18:
			e.Key = "k001"
		}
		entries = append(entries, e)
	}
	entries = entries[:977] // the last call is not full
	log.Reset()
	r := operation.NewRehearsal(&operation.Delete{}, s.store, operation.Limits{})
	r.Add(entries)
	apply(t.Context(), &operation.Delete{}, s.store, operation.Limits{}, entries)
	want := map[string]int64{"DeleteObjects": 11, "DeleteObject": 2}
	if got := callsOf(r); !maps.Equal(got, want) || !maps.Equal(got, callsIn(log.String())) {
		t.Errorf("rehearsed %v, seen %v, want %v", got, callsIn(log.String()), want)
	}

	one := operation.NewRehearsal(&operation.Delete{}, noMany{s.store}, operation.Limits{})
	one.Add(entries)
	if got := callsOf(one)["DeleteObject"]; got != 977 {
		t.Errorf("%d calls for 977 objects on a store that deletes them one by one", got)
	}
}

// noMany hides what a store can do beyond the port.
type noMany struct{ object.Store }

// TestAFiveTebibyteCopyIsRehearsed: the parts are counted as the job would cut them, 10,000 of one object at most.
func TestAFiveTebibyteCopyIsRehearsed(t *testing.T) {
	t.Parallel()
	r := operation.NewRehearsal(&operation.Copy{TargetBucket: "dst-1250000000"}, noMany{}, operation.Limits{})
	r.Add([]job.Entry{
		{Bucket: "src-1250000000", Key: "5 TiB", Size: 5 << 40},
		{Bucket: "src-1250000000", Key: "5 GiB", Size: 5 << 30},
		{Bucket: "src-1250000000", Key: "5 GiB and a byte", Size: 5<<30 + 1},
	})
	want := map[string]int64{
		"CopyObject": 1, "HeadObject": 2, "GetObjectTagging": 2, "CreateMultipartUpload": 2, "UploadPartCopy": 9987 + 41, "CompleteMultipartUpload": 2,
	}
	if diff := cmp.Diff(want, callsOf(r)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if n := r.ByParts(); n != 2 {
		t.Errorf("%d objects are copied by parts", n)
	}
}

func TestARehearsalNamesTheFirstRowsThatFail(t *testing.T) {
	t.Parallel()
	r := operation.NewRehearsal(&operation.Copy{TargetBucket: "dst-1250000000"}, noMany{}, operation.Limits{})
	var entries []job.Entry
	for i := range 20 {
		entries = append(entries, job.Entry{Row: int64(i), Bucket: "src-1250000000", Key: "k", Class: []string{"GLACIER", "STANDARD"}[i%2]})
	}
	r.Add(entries)
	want := []operation.Failure{{
		Code: "InvalidObjectState", Message: "The source is archived and not restored; restore it first, then copy it.",
		Count: 10, First: []job.Entry{entries[0], entries[2], entries[4], entries[6], entries[8]},
	}}
	if diff := cmp.Diff(want, r.Failures()); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
}

// BenchmarkRehearsal shows what a row of a dry run costs beside its reading.
func BenchmarkRehearsal(b *testing.B) {
	entries := make([]job.Entry, 1000)
	for i := range entries {
		entries[i] = job.Entry{Bucket: "src-1250000000", Key: job.Key(fmt.Sprintf("dir/%d", i)), Size: 100}
	}
	for name, op := range map[string]operation.Operation{
		"copy":   &operation.Copy{TargetBucket: "dst-1250000000", PrefixReplace: true, PrefixTo: "new/"},
		"delete": &operation.Delete{},
		"tag":    &operation.Tagging{Tags: []job.Tag{{Key: "x"}}},
	} {
		b.Run(name, func(b *testing.B) {
			r := operation.NewRehearsal(op, new(httpwire.Client), operation.Limits{})
			b.ReportAllocs()
			for b.Loop() {
				r.Add(entries)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
		})
	}
}
