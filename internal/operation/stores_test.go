package operation_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/cephtest"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

// site is a real store with two buckets, and the stock SDK to look at it.
type site struct {
	store    object.Store
	stock    *s3.Client
	src, dst job.Bucket
}

var siteNumber atomic.Int64

func openSite(t *testing.T, url, region, access, secret string, d httpwire.Dialect) *site {
	t.Helper()
	w, err := httpwire.Open(httpwire.Options{
		Endpoint: url, Dialect: d, Region: job.Region(region),
		Credentials: func(context.Context) (httpwire.Credentials, error) {
			return httpwire.Credentials{AccessKey: access, SecretKey: secret}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	n := fmt.Sprintf("%d-%d-%d", time.Now().Unix(), os.Getpid(), siteNumber.Add(1))
	s := &site{store: w, src: job.Bucket("src" + n + "-1250000000"), dst: job.Bucket("dst" + n + "-1250000000")}
	s.stock = s3.New(s3.Options{
		BaseEndpoint: &url, Region: region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
	})
	for _, b := range []job.Bucket{s.src, s.dst} {
		if _, err := s.stock.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(string(b))}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func embedded(t *testing.T, d httpwire.Dialect) *site {
	t.Helper()
	s, err := localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), Region: "ap-test", AccessKey: "ak", SecretKey: "sk"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return openSite(t, s.URL(), "ap-test", "ak", "sk", d)
}

func ceph(t *testing.T) *site {
	t.Helper()
	g := cephtest.Open(t)
	return openSite(t, g.URL, cephtest.Region, g.AccessKey, g.SecretKey, httpwire.S3)
}

var (
	meta = object.Metadata{ContentType: "text/x-thing", CacheControl: "max-age=5", User: map[string]string{"colour": "blue"}}
	tags = []object.Tag{{Key: "a b", Value: "c+d"}}
)

// put stores an object of n bytes.
func (s *site) put(t *testing.T, key job.Key, n int) (entry job.Entry, body string) {
	t.Helper()
	body = strings.Repeat(string(key)+" 0123456789\n", n/12+1)[:n]
	_, err := s.store.Put(t.Context(), object.PutRequest{
		Bucket: s.src, Key: key, Body: strings.NewReader(body), Size: int64(n), Meta: meta, Tags: tags,
	})
	if err != nil {
		t.Fatal(err)
	}
	return job.Entry{Row: 3, Bucket: s.src, Key: key, Size: int64(n)}, body
}

// holds looks at a copy with the stock SDK.
func (s *site) holds(t *testing.T, key job.Key, body, class string, wantTags []object.Tag) {
	t.Helper()
	in := &s3.GetObjectInput{Bucket: aws.String(string(s.dst)), Key: aws.String(string(key))}
	out, err := s.stock.GetObject(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	if err != nil || string(got) != body {
		t.Errorf("%d bytes of %d, %v", len(got), len(body), err)
	}
	if c := string(out.StorageClass); c != class {
		t.Errorf("class %q, want %q", c, class)
	}
	if aws.ToString(out.ContentType) != meta.ContentType || aws.ToString(out.CacheControl) != meta.CacheControl || cmp.Diff(meta.User, out.Metadata) != "" {
		t.Errorf("metadata %v, %v, %v", aws.ToString(out.ContentType), aws.ToString(out.CacheControl), out.Metadata)
	}
	if wantTags == nil {
		return
	}
	tagged, err := s.stock.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: in.Bucket, Key: in.Key})
	if err != nil {
		t.Fatal(err)
	}
	var gotTags []object.Tag
	for _, tag := range tagged.TagSet {
		gotTags = append(gotTags, object.Tag{Key: *tag.Key, Value: *tag.Value})
	}
	if diff := cmp.Diff(wantTags, gotTags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

// uploads counts the unfinished ones.
func (s *site) uploads(t *testing.T) int {
	t.Helper()
	out, err := s.stock.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(string(s.dst))})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Uploads)
}

// small makes copies go by parts that servers take.
var small = operation.Limits{Copy: 6 << 20, CopyPart: 5 << 20, Put: 6 << 20, PutPart: 5 << 20, Parts: 2}

const large = 17 << 20 // bytes: three parts and a rest

func copyTo(s *site, change func(*operation.Copy)) *operation.Copy {
	c := &operation.Copy{TargetBucket: s.dst, StorageClass: "STANDARD_IA"}
	if change != nil {
		change(c)
	}
	return c
}

// memory remembers uploads.
type memory map[int64]operation.Upload

func (m memory) Load(_ context.Context, row int64) (operation.Upload, bool, error) {
	u, ok := m[row]
	return u, ok, nil
}

func (m memory) Save(_ context.Context, row int64, u operation.Upload) error {
	m[row] = u
	return nil
}

func (m memory) Remove(_ context.Context, row int64) error {
	delete(m, row)
	return nil
}

// dying ends a context when some parts are made, and counts them.
type dying struct {
	object.Store
	after  int64
	cancel func()
	parts  atomic.Int64
}

func (d *dying) count() {
	if d.parts.Add(1) == d.after {
		d.cancel()
	}
}

func (d *dying) UploadPartCopy(ctx context.Context, r object.PartCopyRequest) (string, error) {
	etag, err := d.Store.UploadPartCopy(ctx, r)
	if err == nil {
		d.count()
	}
	return etag, err
}

func (d *dying) UploadPart(ctx context.Context, r object.PartRequest) (string, error) {
	etag, err := d.Store.UploadPart(ctx, r)
	if err == nil {
		d.count()
	}
	return etag, err
}

// kill applies an operation and ends it when two parts are made; then it applies it again and counts the parts.
func kill(t *testing.T, op operation.Operation, from object.Store, target object.Store, task operation.Task) (again int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := &dying{Store: target, after: 2, cancel: cancel}
	task.Uploads, task.Limits = memory{}, small
	apply := func(ctx context.Context, d *dying) job.Outcome {
		if from == target {
			return op.Apply(ctx, d, task)
		}
		task.Target = d
		return op.Apply(ctx, from, task)
	}
	if got := apply(ctx, d); got != (job.Outcome{}) {
		t.Fatalf("a killed copy ends with %+v", got)
	}
	d = &dying{Store: target, after: -1}
	task.Repeat = true
	if got := apply(t.Context(), d); got.Status != job.TaskSucceeded {
		t.Fatalf("outcome %+v", got)
	}
	if len(task.Uploads.(memory)) > 0 {
		t.Errorf("remembered %v", task.Uploads)
	}
	return d.parts.Load()
}

func TestCopiesByPartsOnRealStores(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *site{
		"embedded, s3":  func(t *testing.T) *site { return embedded(t, httpwire.S3) },
		"embedded, cos": func(t *testing.T) *site { return embedded(t, httpwire.COS) },
		"Ceph":          ceph,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			wantTags, verify := tags, operation.VerifyChecksum
			if name == "Ceph" {
				wantTags, verify = nil, operation.VerifyOff // it drops the tags of uploads
			}
			e, body := s.put(t, "dir/é big", large)
			op := copyTo(s, func(c *operation.Copy) { c.Verify, c.CannedACL = verify, "public-read" })
			if got := op.Apply(t.Context(), s.store, operation.Task{Entry: e, Limits: small}); got.Status != job.TaskSucceeded {
				t.Fatalf("outcome %+v", got)
			}
			s.holds(t, e.Key, body, "STANDARD_IA", wantTags)
			e, body = s.put(t, "killed", large)
			if n := kill(t, op, s.store, s.store, operation.Task{Entry: e}); n > 2 {
				t.Errorf("%d parts were made anew", n)
			}
			s.holds(t, e.Key, body, "STANDARD_IA", wantTags)
			if n := s.uploads(t); n > 0 {
				t.Errorf("%d uploads are left over", n)
			}
		})
	}
}

func TestCopiesBetweenStores(t *testing.T) {
	sites := map[string]func(t *testing.T) *site{
		"s3":   func(t *testing.T) *site { return embedded(t, httpwire.S3) },
		"cos":  func(t *testing.T) *site { return embedded(t, httpwire.COS) },
		"Ceph": ceph,
	}
	for _, pair := range [][2]string{{"s3", "cos"}, {"cos", "s3"}, {"s3", "Ceph"}, {"Ceph", "cos"}} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			from, to := sites[pair[0]](t), sites[pair[1]](t)
			dir := t.TempDir()
			op := copyTo(to, func(c *operation.Copy) { c.Verify, c.ACL = operation.VerifyChecksum, operation.DirectiveCopy })
			task := operation.Task{Target: to.store, Carry: true, SpoolDir: dir, Limits: small}
			for _, size := range []int{0, 1, 1000, 300_000, 6 << 20} {
				key := job.Key(fmt.Sprintf("dir/é +%% %d", size))
				var body string
				task.Entry, body = from.put(t, key, size)
				if got := op.Apply(t.Context(), from.store, task); got != job.Succeeded(200, "") {
					t.Fatalf("%d bytes: outcome %+v", size, got)
				}
				to.holds(t, key, body, "STANDARD_IA", tags)
			}
			large, body := from.put(t, "large", large)
			if pair[1] == "Ceph" {
				op.Verify = "" // it drops the tags of uploads
			}
			if n := kill(t, op, from.store, to.store, operation.Task{Entry: large, Carry: true, SpoolDir: dir}); n > 2 {
				t.Errorf("%d parts were made anew", n)
			}
			var wantTags []object.Tag
			if pair[1] != "Ceph" {
				wantTags = tags
			}
			to.holds(t, "large", body, "STANDARD_IA", wantTags)
			if n := to.uploads(t); n > 0 {
				t.Errorf("%d uploads are left over", n)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left in the spool: %v, %v", left, err)
			}

			task.Entry = job.Entry{Bucket: from.src, Key: "none"}
			if got := op.Apply(t.Context(), from.store, task); got.Status != job.TaskFailed || got.HTTPStatus != 404 {
				t.Errorf("a source that is none: %+v", got)
			}
			task.Entry, _ = from.put(t, "k", 10)
			if got := copyTo(to, func(c *operation.Copy) { c.TargetBucket = "no-such-bucket-1250000000" }).Apply(t.Context(), from.store, task); got.Code != object.CodeNoSuchBucket || !strings.HasPrefix(got.Message, "While storing the copy: ") {
				t.Errorf("a target that is none: %+v", got)
			}
			grantee := "qcs::cam::uin/1:uin/1"
			_, err := from.stock.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{
				Bucket: aws.String(string(from.src)), Key: aws.String("k"), GrantRead: aws.String(`id="` + grantee + `"`),
			})
			if err != nil && pair[0] != "Ceph" {
				t.Fatal(err)
			}
			if got := op.Apply(t.Context(), from.store, task); pair[0] != "Ceph" && (got.Code != object.CodeInvalidRequest || !strings.Contains(got.Message, "another store does not know")) {
				t.Errorf("a list that names accounts: %+v", got)
			}
		})
	}
}

// Ceph answers success to copies that it makes otherwise than it was asked to.
func TestVerifyCatchesCeph(t *testing.T) {
	s := ceph(t)
	for _, c := range []struct {
		name   string
		change func(*operation.Copy)
		lies   bool // without verify the task succeeds
		code   string
		says   string
	}{
		{"a plain copy", func(c *operation.Copy) {}, false, "", ""},
		{"another class", func(c *operation.Copy) { c.StorageClass = "GLACIER" }, false, "", ""},
		{"other metadata", func(c *operation.Copy) {
			c.NewMetadata = object.Metadata{ContentType: "a/b"}
		}, true, "VerifyFailed", `The store says that the copy is made, but its tags are none, not "a b=c+d".`},
		{"other tags", func(c *operation.Copy) {
			c.NewTags = []object.Tag{{Key: "z", Value: "9"}}
		}, true, "VerifyFailed", `The store says that the copy is made, but its tags are "a b=c+d", not "z=9".`},
		{"other metadata and tags", func(c *operation.Copy) {
			c.NewMetadata, c.NewTags = object.Metadata{ContentType: "a/b"}, []object.Tag{{Key: "z", Value: "9"}}
		}, true, "VerifyFailed", "The store says that the copy is made, but its tags "},
		{"encryption", func(c *operation.Copy) { c.SSE = "AES256" }, true, "VerifyFailed", `The store says that the copy is made, but its encryption is "", not "AES256".`},
		{"modified since tomorrow", func(c *operation.Copy) { c.IfModifiedSince = time.Now().AddDate(0, 0, 1) }, true, "PreconditionFailed", "last modified"},
		{"not modified since yesterday", func(c *operation.Copy) { c.IfUnmodifiedSince = time.Now().AddDate(0, 0, -1) }, true, "PreconditionFailed", "last modified"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := s.put(t, job.Key(c.name), 100)
			for _, v := range []operation.Verify{operation.VerifyOff, operation.VerifyHead, operation.VerifyChecksum} {
				op := copyTo(s, func(o *operation.Copy) { c.change(o); o.Verify = v })
				got := op.Apply(t.Context(), s.store, operation.Task{Entry: e})
				if v == operation.VerifyOff {
					if got.Status != job.TaskSucceeded {
						t.Errorf("off: the gateway does not lie any more: %+v", got)
					}
					continue
				}
				if got.Code != c.code || !strings.Contains(got.Message, c.says) || c.lies != (got.Status == job.TaskFailed) {
					t.Errorf("%s: outcome %+v", v, got)
				}
			}
		})
	}
	// A part of a key with a percent sign is taken from the key decoded twice, which may be another object.
	e, _ := s.put(t, "a%20b", large)
	_, other := s.put(t, "a b", large)
	op := copyTo(s, func(o *operation.Copy) { o.Tagging, o.NewTags = operation.DirectiveReplace, []object.Tag{} })
	task := operation.Task{Entry: e, Limits: small}
	if got := op.Apply(t.Context(), s.store, task); got.Status != job.TaskSucceeded {
		t.Errorf("the gateway does not mix up keys any more: %+v", got)
	}
	s.holds(t, "a%20b", other, "STANDARD_IA", nil)
	op.Verify = operation.VerifyChecksum
	if got := op.Apply(t.Context(), s.store, task); got.Code != "VerifyFailed" {
		t.Errorf("another object's bytes: outcome %+v", got)
	}
}
