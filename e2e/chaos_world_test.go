package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/localstore"
)

const (
	chaosRole    = "qcs::cam::uin/100000000001:roleName/batch"
	chaosObjects = 3000
	chaosChunk   = 40       // rows, as in the configurations
	largeObject  = 36 << 20 // three parts of 16 MiB where a copy is carried between regions
)

// chaosWorld is what outlives the servers that are killed: two stores, the lists of objects, and the record of all calls.
type chaosWorld struct {
	dir    string
	binary string
	stores map[string]*localstore.Store // by region: local and far
	calls  *callRecord
	lists  map[string]*chaosList
}

// chaosList is a manifest and what is true of it.
type chaosList struct {
	name     string
	manifest client.Manifest
	keys     []string
	missing  map[string]bool
}

func newChaosWorld(t *testing.T) *chaosWorld {
	t.Helper()
	w := &chaosWorld{dir: t.TempDir(), binary: armedBinary(t), stores: map[string]*localstore.Store{}, calls: &callRecord{}, lists: map[string]*chaosList{}}
	for _, region := range []string{"local", "far"} {
		s, err := localstore.Open(t.Context(), localstore.Options{
			Dir: filepath.Join(w.dir, region), Region: region, AccessKey: devKey, SecretKey: devSecret, CallLog: w.calls.of(region),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		w.stores[region] = s
		w.bucket(t, region, "target")
	}
	w.bucket(t, "local", "source")
	w.bucket(t, "local", "large")
	w.bucket(t, "local", "batch")
	w.fill(t)
	return w
}

const devKey, devSecret = "drover-dev", "drover-dev-secret"

func (w *chaosWorld) s3(region string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(w.stores[region].URL()), Region: region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(devKey, devSecret, ""),
	})
}

func (w *chaosWorld) bucket(t *testing.T, region, name string) {
	t.Helper()
	if _, err := w.s3(region).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
}

func (w *chaosWorld) put(ctx context.Context, bucket, key string, body []byte) (etag string, err error) {
	out, err := w.s3("local").PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// fill makes the objects and the lists: a CSV and an inventory report of them with some rows that have no object, one in
// which more than half have none, and one with large objects.
func (w *chaosWorld) fill(t *testing.T) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(32)
	var keys, half, large []string
	missing := map[string]bool{}
	for i := range chaosObjects {
		k := chaosKey(i)
		keys = append(keys, k)
		if i%3 == 0 && len(half) < 1800 {
			half = append(half, k, k+".none", k+".neither")
			missing[k+".none"], missing[k+".neither"] = true, true
		}
		if i%250 == 7 {
			missing[k] = true
			continue
		}
		g.Go(func() error { _, err := w.put(ctx, "source", k, []byte("body of "+k)); return err })
	}
	for i := range 200 {
		k := fmt.Sprintf("small/%d", i)
		large = append(large, k)
		g.Go(func() error { _, err := w.put(ctx, "large", k, []byte(k)); return err })
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), largeObject/16)
	for i := range 2 {
		k := fmt.Sprintf("large/%d", i)
		large = append(large, k)
		g.Go(func() error { _, err := w.put(ctx, "large", k, body); return err })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	w.csv(t, "csv", "source", keys, missing)
	w.csv(t, "half", "source", half, missing)
	w.csv(t, "large", "large", large, nil)
	w.inventory(t, keys, missing)
}

func (w *chaosWorld) csv(t *testing.T, name, source string, keys []string, missing map[string]bool) {
	t.Helper()
	var b bytes.Buffer
	for _, k := range keys {
		fmt.Fprintf(&b, "%s,%s\n", source, strings.ReplaceAll(url.PathEscape(k), "+", "%2B"))
	}
	etag, err := w.put(t.Context(), "batch", name+".csv", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	w.lists[name] = &chaosList{name: name, keys: keys, missing: missing, manifest: client.Manifest{
		Format: "COSBatchOperations_CSV_V1", Fields: []string{"Bucket", "Key"}, Bucket: "batch", Key: name + ".csv", ETag: etag,
	}}
}

// inventory lets drover make the report of what is in the bucket: gzip data files of 1,000 rows.
func (w *chaosWorld) inventory(t *testing.T, keys []string, missing map[string]bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "--quiet", "inventory", "create", "--bucket", "source", "--to", "s3://batch/inventory",
		"--rows-per-file", "1000", "--endpoint-url", w.stores["local"].URL(), "--region", "local")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("inventory create: %v\n%s", err, stderr.Bytes())
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "s3://"), "/")
	if !ok {
		t.Fatalf("inventory create printed %q", out)
	}
	head, err := w.s3("local").HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, k := range keys {
		if !missing[k] {
			there = append(there, k)
		}
	}
	w.lists["inventory"] = &chaosList{name: "inventory", keys: there, manifest: client.Manifest{
		Format: "COSInventoryReport_CSV_V1", Bucket: bucket, Key: key, ETag: aws.ToString(head.ETag),
	}}
}

// callRecord takes the call logs of the stores.
type callRecord struct {
	mu    sync.Mutex
	calls []loggedCall
	more  chan struct{} // closed and replaced at each call, when somebody waits
}

type loggedCall struct {
	at                      time.Time
	region, op, bucket, key string
}

type callLogOf struct {
	r      *callRecord
	region string
}

func (r *callRecord) of(region string) callLogOf { return callLogOf{r, region} }

// Write takes one line, as the store writes them.
func (l callLogOf) Write(line []byte) (int, error) {
	f := strings.Fields(string(line))
	if len(f) < 4 {
		return 0, fmt.Errorf("call log line %q", line)
	}
	at, err := time.Parse(time.RFC3339Nano, f[0])
	if err != nil {
		return 0, err
	}
	key, err := url.PathUnescape(f[3])
	if err != nil {
		return 0, err
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	l.r.calls = append(l.r.calls, loggedCall{at, l.region, f[1], f[2], key})
	if l.r.more != nil {
		close(l.r.more)
		l.r.more = nil
	}
	return len(line), nil
}

// wait waits until n calls on keys with a prefix have come.
func (r *callRecord) wait(ctx context.Context, prefix string, n int) error {
	for {
		r.mu.Lock()
		if r.more == nil {
			r.more = make(chan struct{})
		}
		more := r.more
		r.mu.Unlock()
		if len(r.under(prefix)) >= n {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// under gives the calls on keys with a prefix, in the order in which they came.
func (r *callRecord) under(prefix string) []loggedCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []loggedCall
	for _, c := range r.calls {
		if strings.HasPrefix(c.key, prefix) {
			out = append(out, c)
		}
	}
	return out
}

var errKilled = errors.New("the server was killed")

// victim is a drover serve that is going to be killed.
type victim struct {
	cmd     *exec.Cmd
	api     string
	ended   chan struct{} // closed when the process is gone; then err and endedAt are set
	err     error
	endedAt time.Time

	mu     sync.Mutex
	stderr bytes.Buffer
}

// Write takes the process's log.
func (v *victim) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.stderr.Write(b)
}

// log is the end of what the process wrote.
func (v *victim) log() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := v.stderr.Bytes()
	return string(b[max(0, len(b)-4000):])
}

const chaosConfig = `
default_region: local
regions:
  local: {endpoint: "%s"}
  far: {endpoint: "%s"}
roles:
  - arn: ` + chaosRole + `
    appid: "1250000000"
    credentials: {"*": {source: static, access_key: drover-dev, secret_key: "env:CHAOS_SECRET"}}
    policy: full-access
principals:
  - {access_key: drover-dev, secret_key: "env:CHAOS_SECRET", uin: "100000000001", appid: "1250000000", policy: full-access}
engine: {dir: state, chunk_rows: 40}
worker: {concurrency: 16}
listen: {addr: "127.0.0.1:0"}
`

// start starts a server on the folder. errKilled says that its kill came before it answered.
func (w *chaosWorld) start(dir string, k kill) (*victim, error) {
	config := filepath.Join(dir, "drover.yaml")
	text := fmt.Sprintf(chaosConfig, w.stores["local"].URL(), w.stores["far"].URL())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return w.launch("serve", config, k)
}

// launch starts drover serve or drover worker by a configuration.
func (w *chaosWorld) launch(command, config string, k kill) (*victim, error) {
	v := &victim{cmd: exec.Command(w.binary, command, "--config", config), ended: make(chan struct{})}
	v.cmd.Env = append(os.Environ(), "CHAOS_SECRET="+devSecret)
	if k.at != "" {
		v.cmd.Env = append(v.cmd.Env, fmt.Sprintf("DROVER_KILL_AT=%s:%d", k.at, k.times))
	}
	v.cmd.Stderr = v
	ready, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	v.cmd.Stdout = out
	err = v.cmd.Start()
	_ = out.Close()
	if err != nil {
		return nil, err
	}
	go func() {
		v.err = v.cmd.Wait()
		v.endedAt = time.Now()
		close(v.ended)
	}()
	line, err := bufio.NewReader(ready).ReadString('\n')
	if err != nil {
		<-v.ended
		return v, errKilled
	}
	var r struct{ API string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ready ")), &r); err != nil {
		return v, errors.Join(err, v.stop())
	}
	v.api = r.API
	if k.after > 0 {
		// Where the kill falls is the point of the test: a random moment, not an event.
		time.AfterFunc(k.after, func() { _ = v.cmd.Process.Kill() })
	}
	return v, nil
}

func (v *victim) client() (*client.Client, error) {
	return client.New(client.Options{Server: v.api, AccessKey: devKey, SecretKey: devSecret, RetryDelay: 20 * time.Millisecond})
}

// dead says whether the process is gone.
func (v *victim) dead() bool {
	select {
	case <-v.ended:
		return true
	default:
		return false
	}
}

// killed says of a process that is gone whether SIGKILL ended it.
func (v *victim) killed() bool {
	st, ok := v.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && st.Signaled() && st.Signal() == syscall.SIGKILL
}

// stop drains it; the error is that its exit code is not 0.
func (v *victim) stop() error {
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-v.ended
	if v.killed() {
		return nil // its kill came first
	}
	return v.err
}
