package probe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/object/probe"
)

const (
	accessKey = "test-key"
	secretKey = "test-secret"
	region    = "local"

	plain     = job.Bucket("plain-1250000000")
	versioned = job.Bucket("versioned-1250000000")
)

// start runs an embedded store with two buckets, each with an object of somebody else's.
func start(t *testing.T, d httpwire.Dialect) *httpwire.Client {
	t.Helper()
	store, err := localstore.Open(t.Context(), localstore.Options{
		Dir: t.TempDir(), AccessKey: accessKey, SecretKey: secretKey, Region: region,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	stock := s3.New(s3.Options{
		BaseEndpoint: aws.String(store.URL()), Region: region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
	for _, b := range []job.Bucket{plain, versioned} {
		if _, err := stock.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(string(b))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stock.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(string(versioned)),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	c, err := httpwire.Open(httpwire.Options{
		Endpoint: store.URL(), Dialect: d, Region: region,
		Credentials: func(context.Context) (httpwire.Credentials, error) {
			return httpwire.Credentials{AccessKey: accessKey, SecretKey: secretKey}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, b := range []job.Bucket{plain, versioned} {
		_, err := c.Put(t.Context(), object.PutRequest{Bucket: b, Key: foreign, Body: strings.NewReader("x"), Size: 1})
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// foreign is a key that a probe has nothing to do with.
const foreign = job.Key("somebody/else")

// run probes, and looks that only what lay there before is left.
func run(t *testing.T, honest, s object.Store, b job.Bucket, d httpwire.Dialect) probe.Report {
	t.Helper()
	r, err := probe.Run(t.Context(), s, b, probe.Options{COS: d == httpwire.COS})
	if err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, honest, b)
	return r
}

func nothingLeft(t *testing.T, s object.Store, b job.Bucket) {
	t.Helper()
	var left []job.Key
	for e, err := range s.List(context.WithoutCancel(t.Context()), b, object.ListOptions{Versions: true}) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, e.Key)
	}
	if !slices.Equal(left, []job.Key{foreign}) {
		t.Errorf("in the bucket are %q", left)
	}
}

// others are the capabilities that do not work, as "name verdict".
func others(r probe.Report) []string {
	var all []string
	for _, c := range r.Capabilities {
		if c.Verdict != probe.Works {
			all = append(all, c.Name+" "+string(c.Verdict))
		}
	}
	return all
}

func TestTheEmbeddedStoreDoesEverything(t *testing.T) {
	t.Parallel()
	for _, d := range []httpwire.Dialect{httpwire.S3, httpwire.COS} {
		for b, want := range map[job.Bucket][]string{
			versioned: nil,
			plain:     {"version-copy unknown", "version-tags unknown", "version-delete unknown"},
		} {
			t.Run(fmt.Sprint(d, " ", b), func(t *testing.T) {
				t.Parallel()
				c := start(t, d)
				r := run(t, c, c, b, d)
				if diff := cmp.Diff(want, others(r)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
					t.Logf("%+v", r.Capabilities)
				}
				if r.Bucket != b || r.Versioned != (b == versioned) || !strings.HasPrefix(r.Prefix, "drover-probe-") {
					t.Errorf("report of %s under %s, versioned %v", r.Bucket, r.Prefix, r.Versioned)
				}
			})
		}
	}
}

func TestTheDocumentNamesEverything(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../docs/probe.md")
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, httpwire.COS)
	for _, found := range run(t, c, c, plain, httpwire.COS).Capabilities {
		name := found.Name
		if strings.HasPrefix(name, "class-") {
			name = "class-…"
		}
		if !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("docs/probe.md does not name %s", name)
		}
	}
}

// dropsClass takes no notice of classes.
type dropsClass struct{ *httpwire.Client }

func (s dropsClass) Put(ctx context.Context, p object.PutRequest) (object.PutResult, error) {
	p.Class = ""
	return s.Client.Put(ctx, p)
}

// dropsCopyClass keeps the class of a put, and not that of a copy.
type dropsCopyClass struct{ *httpwire.Client }

func (s dropsCopyClass) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	c.Class = ""
	return s.Client.Copy(ctx, c)
}

// dropsTags keeps the source's tags on a copy whatever it is told, as Ceph's gateway does, and takes none with a put.
type dropsTags struct{ *httpwire.Client }

func (s dropsTags) Put(ctx context.Context, p object.PutRequest) (object.PutResult, error) {
	p.Tags = nil
	return s.Client.Put(ctx, p)
}

func (s dropsTags) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	c.TaggingDirective, c.Tags = "", nil
	return s.Client.Copy(ctx, c)
}

// dropsConditions copies whatever the conditions say.
type dropsConditions struct{ *httpwire.Client }

func (s dropsConditions) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	c.IfMatch, c.IfModifiedSince, c.IfUnmodifiedSince = "", object.CopyRequest{}.IfModifiedSince, object.CopyRequest{}.IfUnmodifiedSince
	return s.Client.Copy(ctx, c)
}

// dropsVersions works on the latest version always.
type dropsVersions struct{ *httpwire.Client }

func (s dropsVersions) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	c.Source.Version = ""
	return s.Client.Copy(ctx, c)
}

func (s dropsVersions) PutTags(ctx context.Context, r object.Ref, tags []object.Tag) (int, error) {
	r.Version = ""
	return s.Client.PutTags(ctx, r, tags)
}

// dropsMore acknowledges encryption, access lists and restorations, and does nothing about them.
type dropsMore struct{ *httpwire.Client }

func (s dropsMore) Put(ctx context.Context, p object.PutRequest) (object.PutResult, error) {
	p.SSE = ""
	return s.Client.Put(ctx, p)
}

func (s dropsMore) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	c.SSE, c.CannedACL, c.Grants = "", "", nil
	return s.Client.Copy(ctx, c)
}

func (s dropsMore) PutACL(context.Context, object.Ref, string, *object.ACL) error { return nil }

func (s dropsMore) Restore(context.Context, object.RestoreRequest) (int, error) { return 202, nil }

// mixesKeys keeps keys as paths of a file system would.
type mixesKeys struct{ *httpwire.Client }

func (s mixesKeys) Put(ctx context.Context, p object.PutRequest) (object.PutResult, error) {
	p.Key = job.Key(strings.NewReplacer("a/../", "", "//", "/").Replace(string(p.Key)))
	return s.Client.Put(ctx, p)
}

func (s mixesKeys) Get(ctx context.Context, r object.Ref, offset, length int64) (io.ReadCloser, object.Info, error) {
	r.Key = job.Key(strings.NewReplacer("a/../", "", "//", "/").Replace(string(r.Key)))
	return s.Client.Get(ctx, r, offset, length)
}

// refusesTags has no tags.
type refusesTags struct{ *httpwire.Client }

func (s refusesTags) PutTags(context.Context, object.Ref, []object.Tag) (int, error) {
	return 0, &object.Error{Op: "PutTags", Code: "NotImplemented", Status: 501, Message: "no\x1b tags"}
}

func TestLiesAreFound(t *testing.T) {
	t.Parallel()
	noVersions := []string{"version-copy unknown", "version-tags unknown", "version-delete unknown"}
	for _, v := range []struct {
		name   string
		bucket job.Bucket
		lie    func(*httpwire.Client) object.Store
		want   []string
	}{
		{"classes are dropped", plain, func(c *httpwire.Client) object.Store { return dropsClass{c} }, append([]string{
			"class-STANDARD_IA ignored", "class-ONEZONE_IA ignored", "class-INTELLIGENT_TIERING ignored",
			"class-GLACIER_IR ignored", "class-GLACIER ignored", "class-DEEP_ARCHIVE ignored",
			"list-class unknown", "copy-class unknown", "copy-class-default unknown", "copy-self-class unknown",
		}, append(noVersions, "restore unknown")...)},
		{"classes of copies are dropped", versioned, func(c *httpwire.Client) object.Store { return dropsCopyClass{c} }, []string{
			"copy-class ignored", "copy-self-class refused",
		}},
		{"tags are dropped", versioned, func(c *httpwire.Client) object.Store { return dropsTags{c} }, []string{
			"put-tags ignored", "copy-tags-replaced ignored", "copy-both-replaced ignored",
		}},
		{"conditions are dropped", versioned, func(c *httpwire.Client) object.Store { return dropsConditions{c} }, []string{
			"copy-if-modified-since ignored", "copy-if-unmodified-since ignored", "copy-if-match ignored",
		}},
		{"versions are dropped", versioned, func(c *httpwire.Client) object.Store { return dropsVersions{c} }, []string{
			"version-copy ignored", "version-tags ignored",
		}},
		{"encryption, access and restorations are dropped", versioned, func(c *httpwire.Client) object.Store { return dropsMore{c} }, []string{
			"put-encryption ignored", "acl-canned ignored", "acl-grants ignored", "copy-encryption ignored",
			"copy-acl-canned ignored", "copy-acl-grants ignored", "restore ignored", "restore-refused ignored",
		}},
		{"tags are refused", versioned, func(c *httpwire.Client) object.Store { return refusesTags{c} }, []string{
			"tags refused", "copy-tags-kept unknown", "copy-tags-replaced unknown", "copy-tags-beside-metadata unknown",
			"copy-both-replaced unknown", "version-tags refused",
		}},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			c := start(t, httpwire.S3)
			r := run(t, c, v.lie(c), v.bucket, httpwire.S3)
			if diff := cmp.Diff(v.want, others(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, f := range r.Capabilities {
				if (f.Meaning == "") == (f.Verdict == probe.Ignored || f.Verdict == probe.Refused) || (f.Detail == "") != (f.Verdict == probe.Works) {
					t.Errorf("%+v", f)
				}
			}
			n := 0
			for _, verdict := range []probe.Verdict{probe.Works, probe.Ignored, probe.Refused, probe.Unknown} {
				n += r.Count(verdict)
			}
			if n != len(r.Capabilities) {
				t.Errorf("%d verdicts on %d capabilities", n, len(r.Capabilities))
			}
		})
	}
}

func TestKeysThatAreMixedUp(t *testing.T) {
	t.Parallel()
	c := start(t, httpwire.S3)
	r := run(t, c, mixesKeys{c}, plain, httpwire.S3)
	got := others(r)
	for _, want := range []string{"key-dots", "key-double-slash"} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want+" ") && s != want+" unknown" }) {
			t.Errorf("%s is not found: %q", want, got)
		}
	}
}

// listsAll takes no notice of a listing's prefix.
type listsAll struct{ *httpwire.Client }

func (s listsAll) List(ctx context.Context, b job.Bucket, o object.ListOptions) iter.Seq2[object.ListEntry, error] {
	o.Prefix = ""
	return s.Client.List(ctx, b, o)
}

// A store that lists too much must not have everything deleted.
func TestNothingOfOthersIsRemoved(t *testing.T) {
	t.Parallel()
	for _, b := range []job.Bucket{plain, versioned} {
		c := start(t, httpwire.S3)
		_, err := probe.Run(t.Context(), listsAll{c}, b, probe.Options{})
		if err == nil || !strings.Contains(err.Error(), "somebody/else") {
			t.Errorf("%s: %v", b, err)
		}
		if _, err := c.Head(t.Context(), object.Ref{Bucket: b, Key: foreign}); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
}

// stops ends the probe's context at its tenth put.
type stops struct {
	*httpwire.Client
	stop context.CancelFunc
	n    *int
}

func (s stops) Put(ctx context.Context, p object.PutRequest) (object.PutResult, error) {
	if *s.n++; *s.n == 10 {
		s.stop()
	}
	return s.Client.Put(context.WithoutCancel(ctx), p)
}

func TestAnInterruptedProbeTidiesUp(t *testing.T) {
	t.Parallel()
	for _, b := range []job.Bucket{plain, versioned} {
		c := start(t, httpwire.S3)
		ctx, stop := context.WithCancel(t.Context())
		if _, err := probe.Run(ctx, stops{c, stop, new(int)}, b, probe.Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", b, err)
		}
		nothingLeft(t, c, b)
	}
}

// keeps deletes nothing, and says that it did.
type keeps struct{ *httpwire.Client }

func (s keeps) Delete(context.Context, object.Ref) (object.DeleteResult, error) {
	return object.DeleteResult{HTTPStatus: 204}, nil
}

func TestWhatIsLeftIsTold(t *testing.T) {
	t.Parallel()
	c := start(t, httpwire.S3)
	r, err := probe.Run(t.Context(), keeps{c}, plain, probe.Options{})
	if err == nil || !strings.Contains(err.Error(), r.Prefix) || !slices.Contains(others(r), "delete ignored") {
		t.Errorf("%v, %q", err, others(r))
	}
}

func TestABucketThatTakesNoObjects(t *testing.T) {
	t.Parallel()
	c := start(t, httpwire.S3)
	if _, err := probe.Run(t.Context(), c, "none-1250000000", probe.Options{}); object.CodeOf(err) != object.CodeNoSuchBucket {
		t.Error(err)
	}
}
