package engine_test

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeStore is an object store that copies nothing and remembers every call.
type fakeStore struct {
	object.Store // what no test calls
	mu           sync.Mutex
	copies       map[job.Key]int
	total        int
	order        []job.Key // the copies' keys as they came
	inFlight     int
	onCopy       func(ctx context.Context, k job.Key) error
	buckets      map[job.Bucket]object.BucketInfo
	arrived      chan struct{} // replaced and closed at each copy
}

func newFakeStore() *fakeStore {
	return &fakeStore{
		copies: map[job.Key]int{}, arrived: make(chan struct{}),
		buckets: map[job.Bucket]object.BucketInfo{"src": {Region: "local"}, "dst": {Region: "local"}},
	}
}

func (s *fakeStore) HeadBucket(_ context.Context, b job.Bucket) (object.BucketInfo, error) {
	if i, ok := s.buckets[b]; ok {
		return i, nil
	}
	return object.BucketInfo{}, &object.Error{Op: "HeadBucket", Code: object.CodeNoSuchBucket, Status: 404}
}

func (s *fakeStore) Head(context.Context, object.Ref) (object.Info, error) {
	return object.Info{}, &object.Error{Op: "Head", Code: object.CodeNoSuchKey, Status: 404}
}

func (s *fakeStore) List(context.Context, job.Bucket, object.ListOptions) iter.Seq2[object.ListEntry, error] {
	return func(func(object.ListEntry, error) bool) {}
}

func (s *fakeStore) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	s.mu.Lock()
	s.copies[c.Source.Key]++
	s.total++
	s.order = append(s.order, c.Key)
	s.inFlight++
	f := s.onCopy
	close(s.arrived)
	s.arrived = make(chan struct{})
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.inFlight--; s.mu.Unlock() }()
	if f != nil {
		if err := f(ctx, c.Source.Key); err != nil {
			return object.CopyResult{}, err
		}
	}
	return object.CopyResult{HTTPStatus: 200}, nil
}

func (s *fakeStore) calls() (total int, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.copies {
		most = max(most, n)
	}
	return s.total, most
}

// waitCalls waits until n copies have begun.
func (s *fakeStore) waitCalls(t *testing.T, n int) {
	t.Helper()
	for {
		s.mu.Lock()
		got, ch := s.total, s.arrived
		s.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-ch:
		case <-t.Context().Done():
			t.Fatal("the test ended before the calls came")
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d calls after 30 s", got, n)
		}
	}
}

// stores gives a fakeStore to every role but one.
type stores struct{ s *fakeStore }

// Store implements engine.Stores.
func (s stores) Store(_ context.Context, _ job.Account, r job.Role, region job.Region) (object.Store, error) {
	if region != "" && region != "local" {
		return nil, job.FieldErrorf("region", "region %q is not configured.", region)
	}
	if r.Name == "nobody" {
		return nil, job.Errorf(job.AccessDenied, "There is no role %q.", r.Name)
	}
	return s.s, nil
}

// Default implements engine.Stores.
func (s stores) Default() job.Region { return "local" }

// rig is an engine that can be stopped and started again on the same folder.
type rig struct {
	t       *testing.T
	dir     string
	store   *fakeStore
	options func(*engine.Options)
	wrap    func(engine.Carrier) engine.Carrier

	carrier *carrier.Carrier
	engine  *engine.Engine
	cancel  context.CancelFunc
	ended   chan error
}

var caller = job.Caller{Account: job.Account{UIN: "100000000001", AppID: "1250000000"}, Principal: "tester"}

func newRig(t *testing.T, options func(*engine.Options)) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), store: newFakeStore(), options: options}
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *rig) start() *engine.Service {
	r.t.Helper()
	c, err := carrier.Open(r.t.Context(), carrier.Options{
		Dir: filepath.Join(r.dir, "js"), Logger: slog.New(slog.NewTextHandler(testWriter{r.t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	var ec engine.Carrier = c
	if r.wrap != nil {
		ec = r.wrap(c)
	}
	o := engine.Options{
		Carrier: ec, Stores: stores{r.store}, Dir: filepath.Join(r.dir, "scratch"), ChunkRows: 100, Concurrency: 8, Alone: true,
		Logger: slog.New(slog.NewTextHandler(testWriter{r.t}, nil)),
	}
	if r.options != nil {
		r.options(&o)
	}
	e, err := engine.New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.carrier, r.engine, r.cancel, r.ended = c, e, cancel, make(chan error, 1)
	go func() { r.ended <- e.Run(ctx) }()
	select {
	case <-e.Ready():
	case err := <-r.ended:
		r.t.Fatalf("engine ended: %v", err)
	}
	return e.Service()
}

// stop stops the engine and its carrier.
func (r *rig) stop() {
	if r.engine == nil {
		return
	}
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Errorf("engine ended: %v", err)
	}
	if err := r.carrier.Close(); err != nil {
		r.t.Errorf("close carrier: %v", err)
	}
	r.engine = nil
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

// spec makes a copy job of n keys from a local CSV with a local report.
func (r *rig) spec(n int) job.Spec {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "list.csv")
	f, err := os.Create(path)
	if err != nil {
		r.t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintf(w, "src,%s\n", url.PathEscape(string(key(i))))
	}
	if err := w.Flush(); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		r.t.Fatal(err)
	}
	return job.Spec{
		Token: string(job.NewID()), Description: r.t.Name(), Priority: 10,
		Manifest:  job.Manifest{Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey}, Location: job.Location{Path: path}},
		Operation: &operation.Copy{TargetBucket: "dst", PrefixReplace: true, PrefixTo: "copy/"},
		Report:    job.Report{Enabled: true, Path: filepath.Join(r.t.TempDir(), "report"), Scope: job.AllTasks},
		Role:      job.Role{ARN: "qcs::cam::uin/100000000001:roleName/r", Account: "100000000001", Name: "r"},
		Request:   job.Request{Protocol: "cli"},
	}
}

func key(i int) job.Key { return job.Key(fmt.Sprintf("dir %d/ключ+%d%%.txt", i%7, i)) }

func create(t *testing.T, s *engine.Service, spec job.Spec) job.ID {
	t.Helper()
	j, err := s.Create(t.Context(), caller, spec)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return j.ID
}

// waitFor watches the job until ok.
func waitFor(t *testing.T, s *engine.Service, id job.ID, ok func(job.Job) bool) job.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var last job.Job
	done := fmt.Errorf("as awaited")
	err := s.Watch(ctx, caller, id, func(j job.Job) error {
		last = j
		if ok(j) {
			return done
		}
		return nil
	})
	if err != done {
		t.Fatalf("job is %s (%s), %+v, failures %v: %v", last.Status, last.StatusReason, last.Progress, last.Failures, err)
	}
	return last
}

func status(want job.Status) func(job.Job) bool {
	return func(j job.Job) bool { return j.Status == want }
}

func final(j job.Job) bool { return j.Status.Final() }

// reportRows reads a job's report: how often each key stands in it, by status.
func reportRows(t *testing.T, spec job.Spec, j job.Job) (ok, failed map[string]int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(spec.Report.Path, j.ReportManifest))
	if err != nil {
		t.Fatalf("read report manifest: %v", err)
	}
	var m struct {
		Results []struct{ TaskExecutionStatus, Key string }
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	ok, failed = map[string]int{}, map[string]int{}
	named := map[string]bool{}
	for _, res := range m.Results {
		named[filepath.Base(res.Key)] = true
		f, err := os.Open(filepath.Join(spec.Report.Path, res.Key))
		if err != nil {
			t.Fatal(err)
		}
		rd := csv.NewReader(f)
		for {
			row, err := rd.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("report file %s: %v", res.Key, err)
			}
			k, err := url.PathUnescape(row[1])
			if err != nil {
				t.Fatal(err)
			}
			if row[3] == "succeeded" {
				ok[k]++
			} else {
				failed[k]++
			}
		}
		_ = f.Close()
	}
	files, err := os.ReadDir(filepath.Join(filepath.Dir(filepath.Join(spec.Report.Path, j.ReportManifest)), "results"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, f := range files {
		if !named[f.Name()] {
			t.Errorf("results/%s is not named by the report's manifest", f.Name())
		}
	}
	return ok, failed
}

// wantWhole checks that every one of n rows has one outcome, counted once and reported once.
func wantWhole(t *testing.T, spec job.Spec, j job.Job, n int) {
	t.Helper()
	p := j.Progress
	if j.Status != job.Complete || p.Total != int64(n) || p.Done() != int64(n) {
		t.Fatalf("job is %s with %+v, want Complete with %d (failures %v)", j.Status, p, n, j.Failures)
	}
	ok, failed := reportRows(t, spec, j)
	if len(ok)+len(failed) != n || int64(len(ok)) != p.Succeeded || int64(len(failed)) != p.Failed {
		t.Fatalf("%d + %d keys in the report, counted %d + %d, want %d", len(ok), len(failed), p.Succeeded, p.Failed, n)
	}
	for k, times := range ok {
		if times != 1 || failed[k] != 0 {
			t.Fatalf("key %q stands %d times as succeeded, %d as failed", k, times, failed[k])
		}
	}
	for i := range n {
		if k := string(key(i)); ok[k]+failed[k] != 1 {
			t.Fatalf("key %q stands %d times in the report", k, ok[k]+failed[k])
		}
	}
}

// crash ends the engine without a drain: what it would still write is cut off by the test's carrier.
func (r *rig) crash() {
	r.t.Helper()
	r.cancel()
	<-r.ended
	if err := r.carrier.Close(); err != nil {
		r.t.Errorf("close carrier: %v", err)
	}
	r.engine = nil
}
