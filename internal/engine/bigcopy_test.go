package engine_test

import (
	"bytes"
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

// partStore is a real store that does not answer for parts from the third on, until it is let go.
type partStore struct {
	object.Store
	mu    sync.Mutex
	parts map[int]int // how often each part was asked for
	third chan struct{}
	once  sync.Once
	free  bool
}

func (s *partStore) UploadPartCopy(ctx context.Context, p object.PartCopyRequest) (string, error) {
	s.mu.Lock()
	s.parts[p.Number]++
	free := s.free
	s.mu.Unlock()
	if p.Number >= 3 && !free {
		s.once.Do(func() { close(s.third) })
		select {
		case <-object.WaitDone(ctx):
		case <-ctx.Done():
		}
		return "", &object.Error{Op: "UploadPartCopy", Code: object.CodeConnection, Class: object.Transient, Err: object.ErrWaitEnded}
	}
	return s.Store.UploadPartCopy(ctx, p)
}

func (s *partStore) waitForThird(t *testing.T) {
	t.Helper()
	select {
	case <-s.third:
	case <-time.After(30 * time.Second):
		t.Fatalf("no third part was asked for: %v", s.parts)
	}
}

type oneStore struct{ s object.Store }

func (o oneStore) Store(context.Context, job.Account, job.Role, job.Region) (object.Store, error) {
	return o.s, nil
}

func (o oneStore) Default() job.Region { return "local" }

// bigRig is an engine over the embedded store, with an object that is copied in five parts.
func bigRig(t *testing.T) (*engine.Service, *partStore, job.Spec) {
	t.Helper()
	r := newRig(t, nil)
	local, err := localstore.Open(t.Context(), localstore.Options{Dir: r.dir + "/store", AccessKey: "a", SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	driver, err := httpwire.Open(httpwire.Options{
		Endpoint: local.URL(), Region: "local",
		Credentials: func(context.Context) (httpwire.Credentials, error) {
			return httpwire.Credentials{AccessKey: "a", SecretKey: "secret"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.stop()
		driver.Close()
		if err := local.Close(); err != nil {
			t.Error(err)
		}
	})
	makeBuckets(t, local, "src", "dst")
	if _, err := driver.Put(t.Context(), object.PutRequest{
		Bucket: "src", Key: "large", Body: bytes.NewReader(make([]byte, 25<<20)), Size: 25 << 20,
	}); err != nil {
		t.Fatal(err)
	}
	s := &partStore{Store: driver, parts: map[int]int{}, third: make(chan struct{})}
	r.options = func(o *engine.Options) {
		o.Stores = oneStore{s}
		o.Limits = operation.Limits{Copy: 8 << 20, CopyPart: 5 << 20, Parts: 1}
	}
	spec := r.spec(0)
	spec.Operation.(*operation.Copy).Verify = operation.VerifyHead // it asks for the size first
	if err := os.WriteFile(spec.Manifest.Location.Path, []byte("src,large\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return r.start(), s, spec
}

func TestLargeCopyGoesOnAfterAPause(t *testing.T) {
	t.Parallel()
	svc, s, spec := bigRig(t)
	id := create(t, svc, spec)
	s.waitForThird(t)
	if _, err := svc.Pause(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, svc, id, status(job.Paused))
	s.mu.Lock()
	s.free = true
	s.mu.Unlock()
	if _, err := svc.Resume(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	if j := waitFor(t, svc, id, final); j.Progress.Succeeded != 1 {
		t.Fatalf("job is %s, %+v", j.Status, j.Progress)
	}
	if s.parts[1] != 1 || s.parts[2] != 1 || s.parts[5] != 1 {
		t.Errorf("parts were asked for so often: %v; finished ones are not made again", s.parts)
	}
	if info, err := s.Head(t.Context(), object.Ref{Bucket: "dst", Key: "copy/large"}); err != nil || info.Size != 25<<20 {
		t.Errorf("the copy: %+v, %v", info, err)
	}
}

func TestCancelledLargeCopyLeavesNoParts(t *testing.T) {
	t.Parallel()
	svc, s, spec := bigRig(t)
	id := create(t, svc, spec)
	s.waitForThird(t)
	if _, err := svc.Cancel(t.Context(), caller, id, ""); err != nil {
		t.Fatal(err)
	}
	if j := waitFor(t, svc, id, final); j.Status != job.Cancelled || j.Progress.Done() != 0 {
		t.Errorf("job is %s, %+v", j.Status, j.Progress)
	}
	if left := unfinishedUploads(t, "dst"); len(left) != 0 {
		t.Errorf("parts are left: %v", left)
	}
}
