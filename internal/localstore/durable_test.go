package localstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"go.uber.org/goleak"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
)

// serveDir makes the test binary a store of its own in that folder: one that can be killed.
const serveDir = "LOCALSTORE_TEST_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveDir); dir != "" {
		s, err := localstore.Open(context.Background(), localstore.Options{Dir: dir, AccessKey: testAccess, SecretKey: testSecret})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.URL())
		io.Copy(io.Discard, os.Stdin) // until the parent is gone
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serve runs a store in a process of its own.
func serve(t testing.TB, dir string) (*exec.Cmd, *s3.Client) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveDir+"="+dir)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out := must(cmd.StdoutPipe())(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line := must(bufio.NewReader(out).ReadString('\n'))(t)
	return cmd, s3.New(s3.Options{
		BaseEndpoint: aws.String(strings.TrimSpace(line)), Region: "local", UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(testAccess, testSecret, ""),
	})
}

// TestKilledStoreHasAllThatItAcknowledged writes, copies, tags and deletes until the store is killed, then holds the
// folder against every answer that came.
func TestKilledStoreHasAllThatItAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acknowledged := map[string]string{} // key to body, "" for deleted
	var mu sync.Mutex
	var acks atomic.Int64
	for round := range 3 {
		cmd, c := serve(t, dir)
		if round == 0 {
			must(c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}))(t)
		}
		enough := acks.Load() + 400
		kill := sync.OnceFunc(func() { cmd.Process.Kill() })
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := 0; ; i++ {
					key := fmt.Sprintf("%d/%d/%d", round, w, i)
					text := key
					if i%4 == 0 {
						text = key + string(big)
					}
					done, err := writeSome(t.Context(), c, key, text, i)
					mu.Lock()
					for k, v := range done {
						acknowledged[k] = v
					}
					mu.Unlock()
					if err != nil {
						return // the store is gone
					}
					if acks.Add(1) >= enough {
						kill()
					}
				}
			})
		}
		wg.Wait()
		cmd.Wait()
	}
	c := client(open(t, localstore.Options{Dir: dir}))
	for key, want := range acknowledged {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key})
		if want == "" {
			if statusOf(err) != 404 {
				t.Errorf("%s was deleted, and now: %v", key, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s was acknowledged: %v", key, err)
			continue
		}
		if got := string(must(io.ReadAll(out.Body))(t)); got != want {
			t.Errorf("%s is not what was acknowledged (%d bytes of %d)", key, len(got), len(want))
		}
		out.Body.Close()
	}
	t.Logf("%d objects after %d rounds of writes", len(acknowledged), acks.Load())
	// What is listed is whole, acknowledged or not: no record lacks its body, no body its record.
	bigs := 0
	for _, key := range listAll(t, c, "", "", 1000) {
		if text, _ := get(t, c, key); len(text) > len(big) {
			bigs++
		}
	}
	if files := countFiles(t, dir); files != bigs {
		t.Errorf("%d files for %d large objects", files, bigs)
	}
}

// writeSome writes one key and what follows from it, and gives what was acknowledged.
func writeSome(ctx context.Context, c *s3.Client, key, text string, i int) (map[string]string, error) {
	done := map[string]string{}
	if _, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(text)}); err != nil {
		return done, err
	}
	done[key] = text
	to := key + "-copy"
	if _, err := c.CopyObject(ctx, copyInput(to, key)); err != nil {
		return done, err
	}
	done[to] = text
	if i%3 == 0 {
		delete(done, key) // either may be true when the answer does not come
		if _, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key}); err != nil {
			return done, err
		}
		done[key] = ""
	}
	return done, nil
}

func countFiles(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	clock := newClock()
	o := clock.options()
	o.Dir = t.TempDir()
	o.AccessKey, o.SecretKey = testAccess, testSecret
	first := must(localstore.Open(t.Context(), o))(t)
	c := client(first)
	must(c.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-far"},
	}))(t)
	versioning(t, c, types.BucketVersioningStatusEnabled)
	old := *put(t, c, "k", "old", func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=1") }).VersionId
	put(t, c, "k", string(big))
	put(t, c, "cold", "cold", class("GLACIER"))
	if err := restore(t, c, "cold", "", 1, types.TierStandard); err != nil {
		t.Fatal(err)
	}
	id := startUpload(t, c, "up")
	part := must(c.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: bucket, Key: aws.String("up"), UploadId: id, PartNumber: aws.Int32(1), Body: strings.NewReader("part"),
	}))(t)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	c = client(open(t, o))
	if text, out := get(t, c, "k", at(old)); text != "old" || aws.ToInt32(out.TagCount) != 1 {
		t.Errorf("the old version is %q with %d tags", text, aws.ToInt32(out.TagCount))
	}
	if text, _ := get(t, c, "k"); text != string(big) {
		t.Error("the new version is not what it was")
	}
	if newest := *put(t, c, "k", "newest").VersionId; newest <= old {
		t.Errorf("version %s came before %s", newest, old)
	}
	if got := aws.ToString(head(t, c, "cold").Restore); got != `ongoing-request="true"` {
		t.Errorf("the restore stands at %s", got)
	}
	clock.move(5 * time.Second)
	if text, _ := get(t, c, "cold"); text != "cold" {
		t.Errorf("the restored object is %q", text)
	}
	must(complete(t, c, "up", id, types.CompletedPart{PartNumber: aws.Int32(1), ETag: part.ETag}))(t)
	if text, _ := get(t, c, "up"); text != "part" {
		t.Errorf("the upload is %q", text)
	}
	if got := *must(c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: bucket}))(t).BucketRegion; got != "eu-far" {
		t.Errorf("the bucket lies in %s", got)
	}
}

func TestStartSweepsOrphansAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := localstore.Options{Dir: dir, AccessKey: testAccess, SecretKey: testSecret}
	first := must(localstore.Open(t.Context(), o))(t)
	c := client(first)
	must(c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}))(t)
	for i := range 5 {
		put(t, c, fmt.Sprint(i), string(big))
	}
	must(c.CopyObject(t.Context(), copyInput("copy", "0")))(t)
	put(t, c, "1", "small now")
	deleteKey(t, c, "2", "")
	if n := countFiles(t, dir); n != 4 {
		t.Errorf("%d files for 4 large objects", n)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "blobs", "ab", "00000000000000ab"), big, 0o644); err != nil {
		t.Fatal(err)
	}
	c = client(open(t, o))
	if n := countFiles(t, dir); n != 4 {
		t.Errorf("%d files for 4 large objects after a sweep", n)
	}
	for _, key := range []string{"0", "3", "4", "copy"} {
		if text, _ := get(t, c, key); text != string(big) {
			t.Errorf("%s lost its body", key)
		}
	}
}

func TestOneStoreAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, localstore.Options{Dir: dir})
	_, err := localstore.Open(t.Context(), localstore.Options{Dir: dir, AccessKey: "a", SecretKey: "b"})
	if job.CodeOf(err) != job.Conflict {
		t.Errorf("a second store in the folder: %v", err)
	}
	other := t.TempDir()
	serve(t, other)
	_, err = localstore.Open(t.Context(), localstore.Options{Dir: other, AccessKey: "a", SecretKey: "b"})
	if job.CodeOf(err) != job.Conflict {
		t.Errorf("a second process in the folder: %v", err)
	}
	taken := strings.TrimPrefix(open(t, localstore.Options{}).URL(), "http://")
	_, err = localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), Listen: taken, AccessKey: "a", SecretKey: "b"})
	if job.CodeOf(err) != job.Unavailable {
		t.Errorf("an address in use: %v", err)
	}
	for _, o := range []localstore.Options{{AccessKey: "a", SecretKey: "b"}, {Dir: dir, AccessKey: "a"}, {Dir: dir, SecretKey: "b"}} {
		if _, err := localstore.Open(t.Context(), o); job.CodeOf(err) != job.InvalidArgument {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestWritersOfOneKeyLeaveOneWhole(t *testing.T) {
	t.Parallel()
	c, s := setup(t, localstore.Options{})
	versioning(t, c, types.BucketVersioningStatusEnabled)
	var wins atomic.Int64
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			c := client(s)
			for i := range 5 {
				key := fmt.Sprintf("once-%d", i)
				_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(key), IfNoneMatch: aws.String("*")})
				if err == nil {
					wins.Add(1)
				} else if statusOf(err) != 412 {
					t.Error(err)
				}
				text := strings.Repeat(fmt.Sprintf("%02d", w), 20_000)
				if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("shared"), Body: strings.NewReader(text)}); err != nil {
					t.Error(err)
				}
				out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("shared")})
				if err != nil {
					t.Error(err)
					continue
				}
				got, err := io.ReadAll(out.Body)
				out.Body.Close()
				if err != nil || len(got) != 40_000 || string(got) != strings.Repeat(string(got[:2]), 20_000) {
					t.Errorf("read a mixture of writes: %d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
	if wins.Load() != 5 {
		t.Errorf("%d writers were the first of 5 keys", wins.Load())
	}
	out := must(c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket, Prefix: aws.String("shared")}))(t)
	if len(out.Versions) != 80 {
		t.Errorf("%d versions of 80 writes", len(out.Versions))
	}
}

// A request must not wait for a bucket's change that waits for the request.
func TestBucketsChangeWhileObjectsAreWritten(t *testing.T) {
	t.Parallel()
	c, s := setup(t, localstore.Options{})
	put(t, c, "k", "x")
	id := startUpload(t, c, "k")
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			c := client(s)
			name := aws.String(fmt.Sprintf("other-%d", w))
			for range 20 {
				_, err1 := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: name})
				_, err2 := c.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{Bucket: bucket, Key: aws.String("k"), ACL: types.ObjectCannedACLPrivate})
				_, err3 := c.CopyObject(t.Context(), copyInput(fmt.Sprintf("to-%d", w), "k"))
				_, err4 := c.UploadPart(t.Context(), &s3.UploadPartInput{
					Bucket: bucket, Key: aws.String("k"), UploadId: id, PartNumber: aws.Int32(int32(w + 1)), Body: strings.NewReader("x"),
				})
				_, err5 := c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: name})
				if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := must(localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), AccessKey: testAccess, SecretKey: testSecret}))(t)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}
