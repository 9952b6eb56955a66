package e2e

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object/cephtest"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

// oddKeys are eighteen that S3 allows and that stores and clients like to get wrong.
var oddKeys = []string{
	"a space", "plus+plus", "per%cent%20", "ключ/鍵/مفتاح 🗝", "new\nline", "control\x01\x1b", "a/./b", "a/../b", "../up",
	"/lead", "trail/", "a//b", "k", "k/child", `back\slash`, "!'()*;:@&=$,?#[]", "<xml>&amp;\"'", strings.Repeat("x", 1024),
}

// oddStore is a store that the keys are tried on.
type oddStore struct {
	endpoint, access, secret string
	noRestores               bool // declared: it answers 501 to each
}

func TestOddKeys(t *testing.T) {
	t.Parallel()
	t.Run("embedded store", func(t *testing.T) {
		s, err := localstore.Open(t.Context(), localstore.Options{
			Dir: t.TempDir(), AccessKey: matrixAccess, SecretKey: matrixSecret, Region: "ap-test",
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, d := range []httpwire.Dialect{httpwire.S3, httpwire.COS} {
			tryOddKeys(t, oddStore{s.URL(), matrixAccess, matrixSecret, false}, d)
		}
	})
	t.Run("Ceph RGW", func(t *testing.T) {
		g := cephtest.Open(t)
		tryOddKeys(t, oddStore{g.URL, g.AccessKey, g.SecretKey, true}, httpwire.S3)
	})
}

func tryOddKeys(t *testing.T, o oddStore, dialect httpwire.Dialect) {
	t.Helper()
	sdk := s3.New(s3.Options{
		BaseEndpoint: &o.endpoint, Region: "ap-test", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(o.access, o.secret, ""),
	})
	suffix := fmt.Sprintf("-%s-%d-1250000000", dialect, time.Now().UnixNano()) // a store that others use too
	source, target := "odd"+suffix, "odd-to"+suffix
	for _, b := range []string{source, target} {
		if _, err := sdk.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b}); err != nil {
			t.Fatal(err)
		}
	}
	driver, err := httpwire.Open(httpwire.Options{
		Endpoint: o.endpoint, Dialect: dialect, Region: "ap-test",
		Credentials: func(context.Context) (httpwire.Credentials, error) {
			return httpwire.Credentials{AccessKey: o.access, SecretKey: o.secret}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer driver.Close()
	apply := func(op operation.Operation, bucket, key string) {
		t.Helper()
		if out := op.Apply(t.Context(), driver, operation.Task{Entry: job.Entry{Bucket: job.Bucket(bucket), Key: job.Key(key)}}); out.Status != job.TaskSucceeded {
			t.Errorf("%s: %s of %.60q: %+v", dialect, op.Name(), key, out)
		}
	}
	for _, k := range oddKeys {
		if _, err := sdk.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &source, Key: &k, Body: strings.NewReader(k)}); err != nil {
			t.Fatalf("put %.60q: %v", k, err)
		}
		apply(&operation.Copy{TargetBucket: job.Bucket(target), StorageClass: "GLACIER"}, source, k)
		apply(&operation.Tagging{Directive: operation.DirectiveReplace, Tags: []job.Tag{{Key: "a", Value: "b"}}}, target, k)
		restore := &operation.Restore{Days: 3, Tier: operation.TierStandard}
		if !o.noRestores {
			apply(restore, target, k)
		} else if out := restore.Apply(t.Context(), driver, operation.Task{Entry: job.Entry{Bucket: job.Bucket(target), Key: job.Key(k)}}); out.Code != "NotImplemented" || out.HTTPStatus != 501 {
			t.Errorf("%s: restore of %.60q on a store that restores nothing: %+v", dialect, k, out)
		}
		tags, err := sdk.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &target, Key: &k})
		if err != nil || len(tags.TagSet) != 1 || aws.ToString(tags.TagSet[0].Value) != "b" {
			t.Errorf("%s: tags of the copy of %.60q: %v, %v", dialect, k, tags, err)
		}
		head, err := sdk.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &target, Key: &k})
		if err != nil || aws.ToInt64(head.ContentLength) != int64(len(k)) || !o.noRestores && !strings.Contains(aws.ToString(head.Restore), "ongoing") {
			t.Errorf("%s: the copy of %.60q: %+v, %v", dialect, k, head, err)
		}
	}
	want := slices.Sorted(slices.Values(oddKeys))
	if got := listedKeys(t, sdk, target); !slices.Equal(got, want) {
		t.Errorf("%s: listed\n%q\nwant\n%q", dialect, got, want)
	}
	deleteAll(t, driver, target)
	if got := listedKeys(t, sdk, target); len(got) != 0 {
		t.Errorf("%s: after deleting all: %q", dialect, got)
	}
}

// deleteAll deletes the odd keys as a job does: as many by one call as may be.
func deleteAll(t *testing.T, driver *httpwire.Client, bucket string) {
	t.Helper()
	var tasks []operation.Task
	for _, k := range append([]string{"not there", "k"}, oddKeys...) { // one stands there twice
		tasks = append(tasks, operation.Task{Entry: job.Entry{Bucket: job.Bucket(bucket), Key: job.Key(k)}})
	}
	for i, o := range new(operation.Delete).ApplyAll(t.Context(), driver, tasks) {
		if o.Status != job.TaskSucceeded || o.HTTPStatus != 204 {
			t.Errorf("delete of %.60q: %+v", tasks[i].Entry.Key, o)
		}
	}
}

// TestDeletesKeepTheRulesOfVersions deletes with and without version ids in a bucket with versions, twice.
func TestDeletesKeepTheRulesOfVersions(t *testing.T) {
	t.Parallel()
	s, err := localstore.Open(t.Context(), localstore.Options{
		Dir: t.TempDir(), AccessKey: matrixAccess, SecretKey: matrixSecret, Region: "ap-test",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sdk := matrixS3(s)
	for _, dialect := range []httpwire.Dialect{httpwire.S3, httpwire.COS} {
		bucket := "versions-" + string(dialect) + "-1250000000"
		if _, err := sdk.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
		if _, err := sdk.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
			Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		}); err != nil {
			t.Fatal(err)
		}
		driver, err := httpwire.Open(httpwire.Options{
			Endpoint: s.URL(), Dialect: dialect, Region: "ap-test",
			Credentials: func(context.Context) (httpwire.Credentials, error) {
				return httpwire.Credentials{AccessKey: matrixAccess, SecretKey: matrixSecret}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer driver.Close()
		var tasks []operation.Task
		for _, k := range []string{"marked", "removed", "cr\rin it"} {
			out, err := sdk.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &k, Body: strings.NewReader(k)})
			if err != nil {
				t.Fatal(err)
			}
			e := job.Entry{Bucket: job.Bucket(bucket), Key: job.Key(k)}
			if k == "removed" {
				e.Version = job.Version(*out.VersionId)
			}
			tasks = append(tasks, operation.Task{Entry: e})
		}
		for _, repeat := range []bool{false, true} {
			for i := range tasks {
				tasks[i].Repeat = repeat
			}
			for i, o := range new(operation.Delete).ApplyAll(t.Context(), driver, tasks) {
				if o.Status != job.TaskSucceeded {
					t.Errorf("%s: delete of %q, again %v: %+v", dialect, tasks[i].Entry.Key, repeat, o)
				}
			}
		}
		list, err := sdk.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket})
		if err != nil || len(list.Versions) != 2 || len(list.DeleteMarkers) != 2 {
			t.Errorf("%s: %d versions and %d markers are left, want 2 and 2 (%v)", dialect, len(list.Versions), len(list.DeleteMarkers), err)
		}
	}
}

// listedKeys lists a bucket as the SDK does it, with keys encoded on the wire.
func listedKeys(t *testing.T, sdk *s3.Client, bucket string) []string {
	t.Helper()
	out, err := sdk.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, EncodingType: types.EncodingTypeUrl})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range out.Contents {
		k, err := url.QueryUnescape(*o.Key)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return slices.Sorted(slices.Values(keys))
}
