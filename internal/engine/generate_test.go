package engine_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// keepingStore is a fakeStore with objects that can be listed, and others that can be written and read.
type keepingStore struct {
	*fakeStore
	listed   []object.ListEntry // of src
	listings int

	kept sync.Map // of bucket/key to []byte
}

func (s *keepingStore) List(ctx context.Context, b job.Bucket, o object.ListOptions) iter.Seq2[object.ListEntry, error] {
	return func(yield func(object.ListEntry, error) bool) {
		if b != "src" {
			yield(object.ListEntry{}, &object.Error{Op: "List", Code: object.CodeNoSuchBucket, Status: 404, Class: object.Permanent})
			return
		}
		s.listings++
		for _, e := range s.listed {
			if strings.HasPrefix(string(e.Key), o.Prefix) && !yield(e, nil) {
				return
			}
		}
	}
}

func (s *keepingStore) Put(_ context.Context, p object.PutRequest) (object.PutResult, error) {
	b, err := io.ReadAll(p.Body)
	s.kept.Store(string(p.Bucket)+"/"+string(p.Key), b)
	return object.PutResult{ETag: etagOf(b)}, err
}

func (s *keepingStore) Get(_ context.Context, r object.Ref, offset, length int64) (io.ReadCloser, object.Info, error) {
	v, ok := s.kept.Load(string(r.Bucket) + "/" + string(r.Key))
	if !ok {
		return nil, object.Info{}, &object.Error{Op: "Get", Code: object.CodeNoSuchKey, Status: 404, Class: object.Permanent}
	}
	b := v.([]byte)
	info := object.Info{Size: int64(len(b)), ETag: etagOf(b)}
	b = b[min(offset, int64(len(b))):]
	if length >= 0 {
		b = b[:min(length, int64(len(b)))]
	}
	return io.NopCloser(bytes.NewReader(b)), info, nil
}

func etagOf(b []byte) string {
	sum := md5.Sum(b)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

type keepingStores struct {
	stores
	s *keepingStore
}

func (s keepingStores) Store(ctx context.Context, a job.Account, r job.Role, region job.Region) (object.Store, error) {
	if _, err := s.stores.Store(ctx, a, r, region); err != nil {
		return nil, err
	}
	return s.s, nil
}

// generatorRig is a rig whose bucket src has n objects, every third of them a picture, and a spec that copies those.
func generatorRig(t *testing.T, n int) (*rig, *keepingStore, job.Spec) {
	t.Helper()
	r := newRig(t, nil)
	s := &keepingStore{fakeStore: r.store}
	for i := range n {
		k := "text/" + string(key(i))
		if i%3 == 0 {
			k = "pics/" + string(key(i)) + ".jpg"
		}
		s.listed = append(s.listed, object.ListEntry{Key: job.Key(k), Size: int64(i), ETag: `"x"`, LastModified: time.Unix(int64(i), 0)})
	}
	slices.SortFunc(s.listed, func(a, b object.ListEntry) int { return strings.Compare(string(a.Key), string(b.Key)) })
	r.options = func(o *engine.Options) { o.Stores = keepingStores{stores{r.store}, s} }
	spec := r.spec(0)
	spec.Manifest = job.Manifest{}
	spec.Generator = &job.Generator{
		Source: "src", Filter: job.ObjectFilter{Prefixes: []string{"pics/", "pics/dir", "none/"}, Suffixes: []string{".jpg"}},
		Output: job.Place{Bucket: "lists", Prefix: "made"},
	}
	return r, s, spec
}

func TestAJobMakesItsManifest(t *testing.T) {
	t.Parallel()
	r, store, spec := generatorRig(t, 3000)
	s := r.start()
	j := waitFor(t, s, create(t, s, spec), final)
	at := j.Generated.Location
	if j.Status != job.Complete || j.Progress.Succeeded != 1000 || j.Progress.Total != 1000 {
		t.Fatalf("%s %+v %v", j.Status, j.Progress, j.Failures)
	}
	if at.Bucket != "lists" || !strings.HasPrefix(string(at.Key), "made/job-"+string(j.ID)+"/list/") || j.Generated.Format != job.FormatInventory {
		t.Errorf("made %+v", j.Generated)
	}
	if _, ok := store.kept.Load("lists/" + string(at.Key)); !ok {
		t.Errorf("there is nothing at %s", at.Key)
	}
	for k, n := range store.copies {
		if n != 1 || !strings.HasPrefix(string(k), "pics/") {
			t.Errorf("%s was copied %d times", k, n)
		}
	}
	if again, err := s.Job(t.Context(), caller, j.ID); err != nil || again.Generated.Location != at || again.Spec.Generator.Source != "src" {
		t.Errorf("afterwards %+v, %v", again.Generated, err)
	}
}

// A crash while the manifest is made, or just after, leaves one job with each object once.
func TestCrashesWhileAManifestIsMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op       string
		listings int // 2 prefixes each
	}{"made, not pinned": {"before update", 4}, "pinned": {"after update", 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, store, spec := generatorRig(t, 900)
			cut := &cutting{cut: make(chan struct{}), at: func(op, k string, v []byte) bool {
				return op == c.op && strings.HasPrefix(k, "state.") && bytes.Contains(v, []byte(`"Generated":{`))
			}}
			r.wrap = func(c engine.Carrier) engine.Carrier { cut.Carrier = c; return cut }
			s := r.start()
			id := create(t, s, spec)
			<-cut.cut
			r.crash()
			r.wrap = nil
			s = r.start()
			j := waitFor(t, s, id, final)
			ok, failed := reportRows(t, spec, j)
			if j.Status != job.Complete || len(ok) != 300 || len(failed) != 0 || store.listings != c.listings {
				t.Errorf("%s, %d and %d rows, listed %d times; %v", j.Status, len(ok), len(failed), store.listings, j.Failures)
			}
		})
	}
}

func TestManifestsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*job.Generator)
		code   string
		says   string
	}{
		"nothing fits":     {func(g *job.Generator) { g.Filter.Classes = []string{"GLACIER"} }, "NoMatchingObjects", "src"},
		"no such bucket":   {func(g *job.Generator) { g.Source = "nowhere" }, "NoSuchBucket", "nowhere"},
		"in another place": {func(g *job.Generator) { g.Output.Region = "away" }, "RegionMismatch", "away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, spec := generatorRig(t, 30)
			c.change(spec.Generator)
			s := r.start()
			j := waitFor(t, s, create(t, s, spec), final)
			if j.Status != job.Failed || len(j.Failures) != 1 || j.Failures[0].Code != c.code || !strings.Contains(j.Failures[0].Reason, c.says) {
				t.Errorf("%s %v", j.Status, j.Failures)
			}
		})
	}
}

// TestSizesAreKnownBeforeTheConfirmation: of a list that has them, and still once the job has ended.
func TestSizesAreKnownBeforeTheConfirmation(t *testing.T) {
	t.Parallel()
	r, store, spec := generatorRig(t, 300)
	spec.ConfirmationRequired = true
	want := new(job.Sizes)
	for _, e := range store.listed {
		if strings.HasPrefix(string(e.Key), "pics/") {
			want.Add(job.Sizes{Bytes: e.Size, Largest: e.Size})
		}
	}
	s := r.start()
	id := create(t, s, spec)
	j := waitFor(t, s, id, status(job.Suspended))
	if diff := cmp.Diff(want, j.Sizes); diff != "" || j.Progress.Total != 100 {
		t.Errorf("%d objects of sizes (-want +got):\n%s", j.Progress.Total, diff)
	}
	if _, err := s.Confirm(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, waitFor(t, s, id, final).Sizes); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
	list, _, err := s.List(t.Context(), caller, job.Filter{}, job.Page{Max: 10})
	if err != nil || len(list) != 1 || cmp.Diff(want, list[0].Sizes) != "" {
		t.Errorf("in a list: %+v, %v", list, err)
	}
	csv := waitFor(t, s, create(t, s, r.spec(5)), final)
	if csv.Sizes != nil {
		t.Errorf("a CSV's objects have the sizes %+v", csv.Sizes)
	}
}
