package e2e

import (
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/tencentyun/cos-go-sdk-v5"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

const (
	matrixAccess = "matrix-access"
	matrixSecret = "matrix-secret"
	matrixSource = "from-1250000000"
	matrixTarget = "to-1250000000"
	grantee      = "qcs::cam::uin/200000000002:uin/200000000002"
	newGrantee   = "qcs::cam::uin/300000000003:uin/300000000003"
)

// looked is what a stock SDK says of an object.
type looked struct {
	Body, Class, SSE, Type, Cache string
	Meta, Tags                    map[string]string
	Readers                       []string // those who may read, but the owner; a group by its last word
}

// witness looks at the copies with a stock SDK.
type witness interface {
	look(t *testing.T, key string) looked
}

// directives in every combination, with all else drawn: each value of each option stands beside each of any other many
// times over.
func TestCopyDoesWhatItsOptionsSay(t *testing.T) {
	t.Parallel()
	store, err := localstore.Open(t.Context(), localstore.Options{
		Dir: t.TempDir(), AccessKey: matrixAccess, SecretKey: matrixSecret, Region: "ap-test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	old := fillMatrix(t, store)
	for dialect, w := range map[httpwire.Dialect]witness{
		httpwire.S3: awsWitness{matrixS3(store)}, httpwire.COS: cosWitness{matrixCOS(store, matrixTarget)},
	} {
		t.Run(string(dialect), func(t *testing.T) {
			driver, err := httpwire.Open(httpwire.Options{
				Endpoint: store.URL(), Dialect: dialect, Region: "ap-test",
				Credentials: func(context.Context) (httpwire.Credentials, error) {
					return httpwire.Credentials{AccessKey: matrixAccess, SecretKey: matrixSecret}, nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer driver.Close()
			random := rand.New(rand.NewPCG(1, 2))
			for _, acl := range []operation.Directive{"", "Copy", "Replaced", "Add"} {
				for _, meta := range []operation.Directive{"", "Copy", "Replaced", "Add"} {
					for _, tags := range []operation.Directive{"", "Copy", "Replaced", "Add"} {
						for range 4 {
							runMatrix(t, random, driver, w, old, acl, meta, tags)
						}
					}
				}
			}
		})
	}
}

func matrixS3(s *localstore.Store) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.URL()), Region: "ap-test", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(matrixAccess, matrixSecret, ""),
	})
}

func matrixCOS(s *localstore.Store, bucket string) *cos.Client {
	address := strings.TrimPrefix(s.URL(), "http://")
	return cos.NewClient(&cos.BaseURL{BucketURL: &url.URL{Scheme: "http", Host: bucket + ".cos.ap-test.localhost"}}, &http.Client{
		Transport: &cos.AuthorizationTransport{
			SecretID: matrixAccess, SecretKey: matrixSecret,
			Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", address)
			}},
		},
	})
}

// sourceKey is an odd one on purpose.
const sourceKey = "old/a b+é%/k.txt"

// fillMatrix makes the buckets and an object of two versions; it gives the older one's id.
func fillMatrix(t *testing.T, store *localstore.Store) (old string) {
	t.Helper()
	c := matrixS3(store)
	for _, b := range []string{matrixSource, matrixTarget} {
		if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b}); err != nil {
			t.Fatal(err)
		}
	}
	source := matrixSource
	if _, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &source, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"first", "second"} {
		out, err := c.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &source, Key: aws.String(sourceKey), Body: strings.NewReader(body),
			ContentType: aws.String("text/x-old"), CacheControl: aws.String("max-age=60"),
			Metadata: map[string]string{"color": "red", "shape": "round", "body": body},
			Tagging:  aws.String("a=1&b=2"), GrantRead: aws.String(`id="` + grantee + `"`),
		})
		if err != nil {
			t.Fatal(err)
		}
		if old == "" {
			old = *out.VersionId
		}
	}
	return old
}

// runMatrix draws the other options, copies, and compares with what the options say.
func runMatrix(t *testing.T, random *rand.Rand, driver object.Store, w witness, old string, acl, meta, tags operation.Directive) {
	t.Helper()
	op := &operation.Copy{
		TargetBucket: matrixTarget, ACL: acl, Metadata: meta, Tagging: tags,
		StorageClass: pick(random, "", "STANDARD", "STANDARD_IA", "ARCHIVE", "DEEP_ARCHIVE"), SSE: pick(random, "", "AES256"),
	}
	want := looked{
		Body: "second", Class: op.StorageClass, SSE: op.SSE, Type: "text/x-old", Cache: "max-age=60",
		Meta: map[string]string{"color": "red", "shape": "round", "body": "second"},
		Tags: map[string]string{"a": "1", "b": "2"},
	}
	if want.Class == "" {
		want.Class = "STANDARD"
	}
	entry := job.Entry{Bucket: matrixSource, Key: sourceKey}
	if random.IntN(2) == 0 {
		entry.Version, want.Body, want.Meta["body"] = job.Version(old), "first", "first"
	}
	target := sourceKey
	switch random.IntN(4) {
	case 0:
		op.PrefixReplace, op.PrefixTo, target = true, "new/", "new/"+sourceKey
	case 1:
		op.PrefixReplace, op.PrefixFrom, op.PrefixTo, target = true, "old/", "replaced/", "replaced/"+strings.TrimPrefix(sourceKey, "old/")
	case 2:
		op.PrefixReplace, op.PrefixFrom, target = true, "old/", strings.TrimPrefix(sourceKey, "old/")
	}
	matrixMetadata(op, &want, meta)
	matrixTags(op, &want, tags)
	matrixACL(random, op, &want, acl)
	missed := matrixConditions(random, op)
	if err := op.Validate(); err != nil {
		t.Fatalf("%+v: %v", op, err)
	}
	o := op.Apply(t.Context(), driver, operation.Task{Entry: entry})
	if missed {
		if o.Status != job.TaskFailed || o.HTTPStatus != 412 {
			t.Errorf("%+v: its condition does not hold, but the task is %+v", op, o)
		}
		return
	}
	if o.Status != job.TaskSucceeded {
		t.Fatalf("%+v: %+v", op, o)
	}
	got := w.look(t, target)
	if want.Class == "ARCHIVE" || want.Class == "DEEP_ARCHIVE" {
		want.Body = "" // not readable before it is restored
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%+v of version %q (-want +got):\n%s", op, entry.Version, d)
	}
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

func matrixMetadata(op *operation.Copy, want *looked, d operation.Directive) {
	added := object.Metadata{ContentType: "text/x-new", User: map[string]string{"color": "blue", "size": "xl"}}
	switch d {
	case operation.DirectiveReplace:
		op.NewMetadata = added
		want.Type, want.Cache, want.Meta = "text/x-new", "", added.User
	case operation.DirectiveAdd:
		op.NewMetadata = added
		want.Type = "text/x-new"
		maps.Copy(want.Meta, added.User)
	}
}

func matrixTags(op *operation.Copy, want *looked, d operation.Directive) {
	added := []job.Tag{{Key: "b", Value: "9 é+"}, {Key: "c", Value: ""}}
	switch d {
	case operation.DirectiveReplace:
		op.NewTags = added
		want.Tags = map[string]string{"b": "9 é+", "c": ""}
	case operation.DirectiveAdd:
		op.NewTags = added
		want.Tags["b"], want.Tags["c"] = "9 é+", ""
	}
}

func matrixACL(random *rand.Rand, op *operation.Copy, want *looked, d operation.Directive) {
	const everybody = "AllUsers"
	switch d {
	case operation.DirectiveCopy:
		want.Readers = []string{grantee}
	case operation.DirectiveReplace:
		if random.IntN(2) == 0 {
			op.CannedACL, want.Readers = "public-read", []string{everybody}
			return
		}
		op.Grants = []object.Grant{{Grantee: object.Grantee{ID: newGrantee}, Permission: "READ"}}
		want.Readers = []string{newGrantee}
	case operation.DirectiveAdd:
		op.Grants = []object.Grant{{Grantee: object.Grantee{ID: newGrantee}, Permission: "READ"}}
		want.Readers = []string{grantee, newGrantee}
	}
}

func matrixConditions(random *rand.Rand, op *operation.Copy) (missed bool) {
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	switch random.IntN(6) {
	case 0:
		op.IfModifiedSince = past
	case 1:
		op.IfUnmodifiedSince = past
		return true
	case 2:
		op.IfUnmodifiedSince = future
	case 3:
		op.IfModifiedSince = future
		return true
	}
	return false
}

// awsWitness looks with the AWS SDK.
type awsWitness struct{ c *s3.Client }

func (w awsWitness) look(t *testing.T, key string) looked {
	t.Helper()
	bucket := matrixTarget
	head, err := w.c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("HEAD %q: %v", key, err)
	}
	l := looked{
		Class: string(head.StorageClass), SSE: string(head.ServerSideEncryption), Type: aws.ToString(head.ContentType),
		Cache: aws.ToString(head.CacheControl), Meta: head.Metadata, Tags: map[string]string{},
	}
	if l.Class == "" {
		l.Class = "STANDARD"
	}
	if get, err := w.c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key}); err == nil {
		b, err := io.ReadAll(get.Body)
		if err != nil {
			t.Fatal(err)
		}
		l.Body = string(b)
	}
	tags, err := w.c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags.TagSet {
		l.Tags[*tag.Key] = *tag.Value
	}
	acl, err := w.c.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range acl.Grants {
		l.reader(aws.ToString(acl.Owner.ID), aws.ToString(g.Grantee.ID), aws.ToString(g.Grantee.URI), string(g.Permission))
	}
	return l
}

// reader notes one grant; the owner's own go without saying.
func (l *looked) reader(owner, id, uri, permission string) {
	if i := strings.LastIndex(uri, "/"); i >= 0 {
		id = uri[i+1:]
	}
	if id == owner && permission == "FULL_CONTROL" {
		return
	}
	if permission != "READ" {
		id = permission + " " + id
	}
	l.Readers = append(l.Readers, id)
	slices.Sort(l.Readers)
}

// cosWitness looks with Tencent's SDK.
type cosWitness struct{ c *cos.Client }

func (w cosWitness) look(t *testing.T, key string) looked {
	t.Helper()
	head, err := w.c.Object.Head(t.Context(), key, nil)
	if err != nil {
		t.Fatalf("HEAD %q: %v", key, err)
	}
	l := looked{
		Class: head.Header.Get("x-cos-storage-class"), SSE: head.Header.Get("x-cos-server-side-encryption"),
		Type: head.Header.Get("Content-Type"), Cache: head.Header.Get("Cache-Control"),
		Meta: map[string]string{}, Tags: map[string]string{},
	}
	if l.Class == "" {
		l.Class = "STANDARD"
	}
	for name, v := range head.Header {
		if n, ok := strings.CutPrefix(strings.ToLower(name), "x-cos-meta-"); ok {
			l.Meta[n] = v[0]
		}
	}
	if get, err := w.c.Object.Get(t.Context(), key, nil); err == nil {
		b, err := io.ReadAll(get.Body)
		if err != nil {
			t.Fatal(err)
		}
		l.Body = string(b)
	}
	tags, _, err := w.c.Object.GetTagging(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags.TagSet {
		l.Tags[tag.Key] = tag.Value
	}
	acl, _, err := w.c.Object.GetACL(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range acl.AccessControlList {
		l.reader(acl.Owner.ID, g.Grantee.ID, g.Grantee.URI, g.Permission)
	}
	return l
}
