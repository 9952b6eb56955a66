package engine_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// memory is a fakeStore with a bucket of objects.
type memory struct {
	*fakeStore
	mu      sync.Mutex
	objects map[job.Key][]byte
	refuse  func(op string, k job.Key) error // of Get and Put
}

// Store implements engine.Stores.
func (m *memory) Store(ctx context.Context, a job.Account, r job.Role, region job.Region) (object.Store, error) {
	if _, err := (stores{m.fakeStore}).Store(ctx, a, r, region); err != nil {
		return nil, err
	}
	return m, nil
}

// Default implements engine.Stores.
func (m *memory) Default() job.Region { return "local" }

func (m *memory) asked(op string, k job.Key) error {
	if m.refuse == nil {
		return nil
	}
	return m.refuse(op, k)
}

// Get implements object.Reader.
func (m *memory) Get(_ context.Context, r object.Ref, offset, length int64) (io.ReadCloser, object.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[r.Key]
	if !ok {
		return nil, object.Info{}, &object.Error{Op: "Get", Code: object.CodeNoSuchKey, Status: 404}
	}
	if err := m.asked("Get", r.Key); err != nil {
		return nil, object.Info{}, err
	}
	info := object.Info{Size: int64(len(b)), ETag: etag(b)}
	b = b[offset:]
	if length >= 0 {
		b = b[:min(length, int64(len(b)))]
	}
	return io.NopCloser(bytes.NewReader(b)), info, nil
}

// Head implements object.Reader.
func (m *memory) Head(ctx context.Context, r object.Ref) (object.Info, error) {
	body, info, err := m.Get(ctx, r, 0, -1)
	if err == nil {
		err = body.Close()
	}
	return info, err
}

// Put implements object.Writer.
func (m *memory) Put(_ context.Context, p object.PutRequest) (object.PutResult, error) {
	b, err := io.ReadAll(p.Body)
	if err != nil || int64(len(b)) != p.Size {
		return object.PutResult{}, fmt.Errorf("%d of %d bytes: %w", len(b), p.Size, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.asked("Put", p.Key); err != nil {
		return object.PutResult{}, err
	}
	m.objects[p.Key] = b
	return object.PutResult{ETag: etag(b)}, nil
}

// Delete implements object.Deleter.
func (m *memory) Delete(_ context.Context, r object.Ref) (object.DeleteResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, r.Key)
	return object.DeleteResult{HTTPStatus: 204}, nil
}

// List implements object.Lister.
func (m *memory) List(_ context.Context, _ job.Bucket, o object.ListOptions) iter.Seq2[object.ListEntry, error] {
	var keys []job.Key
	m.mu.Lock()
	for k := range m.objects {
		if strings.HasPrefix(string(k), o.Prefix) {
			keys = append(keys, k)
		}
	}
	m.mu.Unlock()
	slices.Sort(keys)
	return func(yield func(object.ListEntry, error) bool) {
		for _, k := range keys {
			if !yield(object.ListEntry{Key: k}, nil) {
				return
			}
		}
	}
}

func etag(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// stored starts an engine over a memory whose copies of odd keys fail, and gives a spec of n keys that lie in it.
func stored(t *testing.T, n int) (*rig, *memory, *engine.Service, job.Spec) {
	t.Helper()
	m := &memory{fakeStore: newFakeStore(), objects: map[job.Key][]byte{}}
	r := newRig(t, func(o *engine.Options) { o.Stores = m })
	r.store = m.fakeStore
	m.onCopy = func(_ context.Context, k job.Key) error {
		if strings.HasSuffix(string(k), "1%.txt") {
			return &object.Error{Op: "Copy", Code: object.CodeNoSuchKey, Status: 404}
		}
		return nil
	}
	s := r.start()
	var list bytes.Buffer
	for i := range n {
		fmt.Fprintf(&list, "src,%s\n", escaped(key(i)))
	}
	m.objects["list.csv"] = list.Bytes()
	spec := r.spec(1)
	spec.Request = job.Request{Protocol: "cos", Body: []byte("as sent")}
	spec.Manifest.Location = job.Location{Bucket: "src", Key: "list.csv", ETag: etag(list.Bytes())}
	spec.Report = job.Report{Enabled: true, Bucket: "src", Prefix: "out", Scope: job.AllTasks}
	return r, m, s, spec
}

func escaped(k job.Key) string {
	var b strings.Builder
	for _, c := range []byte(k) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func TestRetryDoesTheFailedTasksAgain(t *testing.T) {
	t.Parallel()
	_, m, s, spec := stored(t, 300)
	old := waitFor(t, s, create(t, s, spec), final)
	if old.Status != job.Complete || old.Progress.Failed != 30 {
		t.Fatalf("job is %s, %+v", old.Status, old.Progress)
	}
	files, err := s.ReportFiles(t.Context(), caller, old.ID)
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	m.fakeStore.mu.Lock()
	m.copies, m.onCopy = map[job.Key]int{}, nil
	m.fakeStore.mu.Unlock()
	confirm := false
	again, err := s.Retry(t.Context(), caller, old.ID, job.Retry{Token: "a/../b", ConfirmationRequired: &confirm})
	if err != nil {
		t.Fatal(err)
	}
	sp := again.Spec
	if sp.RetryOf != old.ID || sp.Description != spec.Description || sp.Priority != spec.Priority || sp.Role != spec.Role || len(sp.Request.Body) != 0 {
		t.Errorf("spec %+v", sp)
	}
	if want := job.Key("out/job-" + string(old.ID) + "/retry/a%2F..%2Fb.csv"); sp.Manifest.Location.Key != want {
		t.Errorf("manifest at %s, want %s", sp.Manifest.Location.Key, want)
	}
	again = waitFor(t, s, again.ID, final)
	if again.Status != job.Complete || again.Progress.Succeeded != 30 || again.Progress.Total != 30 {
		t.Errorf("retry is %s, %+v, %v", again.Status, again.Progress, again.Failures)
	}
	if r := again.Events[0].Reason; !strings.Contains(r, string(old.ID)) {
		t.Errorf("the new job's first event says %q", r)
	}
	if old, err = s.Job(t.Context(), caller, old.ID); err != nil {
		t.Fatal(err)
	}
	wantEvent(t, old, caller.Principal, "30 failed tasks are tried again by job "+string(again.ID))
	m.fakeStore.mu.Lock()
	defer m.fakeStore.mu.Unlock()
	for i := range 300 {
		if got, want := m.copies[key(i)], strings.HasSuffix(string(key(i)), "1%.txt"); (got == 1) != want {
			t.Errorf("%s was copied %d times", key(i), got)
		}
	}
}

func TestRetryIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	r, m, s, spec := stored(t, 20)
	open := spec
	open.ConfirmationRequired = true
	clean := spec
	clean.Token, clean.Report.Enabled = string(job.NewID()), false
	foreground := r.spec(5)
	failing := spec
	failing.Token = string(job.NewID())
	failing.Manifest.Location.ETag = "other"

	waiting := waitFor(t, s, create(t, s, open), status(job.Suspended))
	spec.Token = string(job.NewID())
	done := waitFor(t, s, create(t, s, spec), final)
	files, err := s.ReportFiles(t.Context(), caller, done.ID)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f job.ReportFile) bool { return f.Status == job.TaskFailed })
	failedFile := files[i]

	for name, tc := range map[string]struct {
		id     job.ID
		retry  job.Retry
		before func()
		code   job.Code
		words  string
	}{
		"of a job that has not ended": {id: waiting.ID, code: job.Conflict, words: "Suspended"},
		"without a report":            {id: waitFor(t, s, create(t, s, clean), final).ID, code: job.InvalidRequest, words: "without a report"},
		"with a local report":         {id: waitFor(t, s, create(t, s, foreground), final).ID, code: job.InvalidRequest, words: "local folder"},
		"where nothing was started":   {id: waitFor(t, s, create(t, s, failing), final).ID, code: job.InvalidRequest, words: "nothing to retry"},
		"with a bad token":            {id: done.ID, retry: job.Retry{Token: strings.Repeat("x", 65)}, code: job.InvalidArgument, words: "ClientRequestToken"},
		"of a job of nobody":          {id: "no-such-job", code: job.NoSuchJob, words: "no-such-job"},
		"with a changed file": {
			id: done.ID, before: func() { m.objects[failedFile.Key] = []byte("src,other,,failed,X,404,\n") },
			code: job.InvalidRequest, words: failedFile.Name,
		},
		"with a missing file": {id: done.ID, before: func() { delete(m.objects, failedFile.Key) }, code: job.InvalidRequest, words: "NoSuchKey"},
		"where the role may not write": {id: done.ID, before: func() {
			m.refuse = func(op string, _ job.Key) error {
				if op == "Put" {
					return &object.Error{Op: "Put", Code: object.CodeAccessDenied, Status: 403}
				}
				return nil
			}
		}, code: job.InvalidRequest, words: "right to write"},
		"where the store is away": {id: done.ID, before: func() {
			m.refuse = func(string, job.Key) error { return &object.Error{Op: "Get", Code: "SlowDown", Status: 503} }
		}, code: job.Unavailable, words: "Try again"},
	} {
		m.mu.Lock()
		kept := m.objects[failedFile.Key]
		if tc.before != nil {
			tc.before()
		}
		m.mu.Unlock()
		_, err := s.Retry(t.Context(), caller, tc.id, tc.retry)
		if job.CodeOf(err) != tc.code || !strings.Contains(job.MessageOf(err), tc.words) {
			t.Errorf("%s: %v %v, want %s with %q", name, job.CodeOf(err), err, tc.code, tc.words)
		}
		m.mu.Lock()
		m.refuse, m.objects[failedFile.Key] = nil, kept
		m.mu.Unlock()
	}
	stranger := caller
	stranger.Account.UIN = "100000000002"
	if _, err := s.Retry(t.Context(), stranger, done.ID, job.Retry{}); job.CodeOf(err) != job.NoSuchJob {
		t.Errorf("another account: %v", err)
	}
}

func TestReportFilesAreOnlyThoseThatTheManifestNames(t *testing.T) {
	t.Parallel()
	_, m, s, spec := stored(t, 20)
	id := waitFor(t, s, create(t, s, spec), final).ID
	files, err := s.ReportFiles(t.Context(), caller, id)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, f := range files {
		body, size, err := s.ReportFile(t.Context(), caller, id, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil || int64(len(b)) != size || etag(b) != f.MD5 {
			t.Errorf("%s: %d of %d bytes, MD5 %s, want %s; %v", f.Name, len(b), size, etag(b), f.MD5, err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		rows += bytes.Count(b, []byte("\n"))
	}
	if rows != 20 {
		t.Errorf("%d rows, want 20", rows)
	}
	folder := "out/job-" + string(id) + "/"
	for _, name := range []string{"", "manifest.json", "job.json", "../list.csv", string(files[0].Key), "00000009-failed.csv"} {
		if _, _, err := s.ReportFile(t.Context(), caller, id, name); job.CodeOf(err) != job.NoSuchFile {
			t.Errorf("%q: %v", name, err)
		}
	}
	// Who can write to the report's bucket must not get other things read for them.
	manifest := job.Key(folder + "manifest.json")
	whole := m.objects[manifest]
	for old, changed := range map[string]string{`"Bucket":"src"`: `"Bucket":"secrets"`, `"Key":"` + folder + "results/": `"Key":"private/`} {
		m.mu.Lock()
		m.objects[manifest] = bytes.ReplaceAll(whole, []byte(old), []byte(changed))
		m.mu.Unlock()
		if _, _, err := s.ReportFile(t.Context(), caller, id, files[0].Name); job.CodeOf(err) != job.InvalidRequest {
			t.Errorf("with %s: %v", changed, err)
		}
	}
	stranger := caller
	stranger.Account.UIN = "100000000002"
	if _, err := s.ReportFiles(t.Context(), stranger, id); job.CodeOf(err) != job.NoSuchJob {
		t.Errorf("another account: %v", err)
	}
}
