package operation_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

// A restoration from its request to the end of the copy's validity, on a running store in both dialects.
func TestReadyFollowsARestoration(t *testing.T) {
	t.Parallel()
	const access, secret, region, bucket = "test-key", "test-secret", "local", "cold-1250000000"
	for dialect, class := range map[httpwire.Dialect]string{httpwire.S3: "GLACIER", httpwire.COS: "DEEP_ARCHIVE"} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			var ahead atomic.Int64
			store, err := localstore.Open(t.Context(), localstore.Options{
				Dir: t.TempDir(), AccessKey: access, SecretKey: secret, Region: region,
				Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			stock := s3.New(s3.Options{
				BaseEndpoint: aws.String(store.URL()), Region: region, UsePathStyle: true,
				Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
			})
			if _, err := stock.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
				t.Fatal(err)
			}
			c, err := httpwire.Open(httpwire.Options{
				Endpoint: store.URL(), Dialect: dialect, Region: region,
				Credentials: func(context.Context) (httpwire.Credentials, error) {
					return httpwire.Credentials{AccessKey: access, SecretKey: secret}, nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			e := job.Entry{Bucket: bucket, Key: "dir/a b"}
			if _, err := c.Put(t.Context(), object.PutRequest{
				Bucket: e.Bucket, Key: e.Key, Class: class, Body: strings.NewReader("x"), Size: 1,
			}); err != nil {
				t.Fatal(err)
			}

			op := &operation.Restore{Days: 2, Tier: operation.TierBulk}
			look := func(wantDone bool, status job.TaskStatus, says string) {
				t.Helper()
				done, got := op.Ready(t.Context(), c, e)
				if done != wantDone || got.Status != status || !strings.Contains(got.Message, says) {
					t.Errorf("done %v, %+v; want %v, %s and %q", done, got, wantDone, status, says)
				}
			}
			look(true, job.TaskFailed, "none was asked for")
			if got := op.Apply(t.Context(), c, operation.Task{Entry: e}); got != job.Succeeded(202, "") {
				t.Fatalf("outcome %+v", got)
			}
			look(false, "", "")
			ahead.Add(int64(time.Hour))
			info, err := c.Head(t.Context(), object.Ref{Bucket: e.Bucket, Key: e.Key})
			if err != nil || info.Restore == nil {
				t.Fatalf("%+v, %v", info, err)
			}
			look(true, job.TaskSucceeded, info.Restore.Expiry.UTC().Format(time.RFC3339))
			ahead.Add(int64(30 * 24 * time.Hour))
			look(true, job.TaskFailed, "its copy has expired")
		})
	}
}

// From an archive tier of intelligent tiering to a readable object, on a running store, as the stock SDK sees it.
func TestATierIsLeftForGood(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	store, err := localstore.Open(t.Context(), localstore.Options{
		Dir: t.TempDir(), AccessKey: "ak", SecretKey: "sk", Region: "ap-test",
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s := openSite(t, store.URL(), "ap-test", "ak", "sk", httpwire.S3)
	b, key := aws.String(string(s.src)), aws.String("k")
	put := func(bucket *string, class types.StorageClass) {
		t.Helper()
		if _, err := s.stock.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, StorageClass: class, Body: strings.NewReader(strings.Repeat("x", 128<<10))}); err != nil {
			t.Fatal(err)
		}
	}
	put(b, types.StorageClassIntelligentTiering)
	put(aws.String(string(s.dst)), types.StorageClassGlacier)
	if _, err := s.stock.PutBucketIntelligentTieringConfiguration(t.Context(), &s3.PutBucketIntelligentTieringConfigurationInput{
		Bucket: b, Id: aws.String("cold"), IntelligentTieringConfiguration: &types.IntelligentTieringConfiguration{
			Id: aws.String("cold"), Status: types.IntelligentTieringStatusEnabled, Tierings: []types.Tiering{
				{AccessTier: types.IntelligentTieringAccessTierArchiveAccess, Days: aws.Int32(90)},
				{AccessTier: types.IntelligentTieringAccessTierDeepArchiveAccess, Days: aws.Int32(180)},
			},
		},
	}); err != nil {
		t.Fatal(err)
	}
	readable := func() bool {
		t.Helper()
		out, err := s.stock.GetObject(t.Context(), &s3.GetObjectInput{Bucket: b, Key: key})
		if err == nil {
			out.Body.Close()
		}
		return err == nil
	}
	e := job.Entry{Bucket: s.src, Key: "k"}
	op := &operation.Restore{IntelligentTiering: true, Tier: operation.TierBulk}
	apply := func(op *operation.Restore, e job.Entry, code string) job.Outcome {
		t.Helper()
		got := op.Apply(t.Context(), s.store, operation.Task{Entry: e})
		if got.Code != code {
			t.Errorf("outcome %+v, want code %q", got, code)
		}
		return got
	}
	apply(op, e, "InvalidObjectState") // it lies in no tier yet
	for _, tier := range []types.ArchiveStatus{types.ArchiveStatusArchiveAccess, types.ArchiveStatusDeepArchiveAccess} {
		days := map[types.ArchiveStatus]int{types.ArchiveStatusArchiveAccess: 91, types.ArchiveStatusDeepArchiveAccess: 181}[tier]
		ahead.Add(int64(days) * int64(24*time.Hour))
		h, err := s.stock.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: b, Key: key})
		if err != nil || h.ArchiveStatus != tier || readable() {
			t.Fatalf("archive status %q, %v", h.ArchiveStatus, err)
		}
		if done, got := op.Ready(t.Context(), s.store, e); !done || got.Code != "InvalidObjectState" {
			t.Errorf("before it is asked for: %v, %+v", done, got)
		}
		apply(&operation.Restore{Days: 3, Tier: operation.TierBulk}, e, "InvalidArgument")
		if got := apply(op, e, ""); got.HTTPStatus != 202 {
			t.Errorf("outcome %+v", got)
		}
		if got := apply(op, e, ""); !strings.Contains(got.Message, "being restored already") {
			t.Errorf("outcome %+v", got)
		}
		if done, got := op.Ready(t.Context(), s.store, e); done || readable() {
			t.Errorf("while it runs: %v, %+v", done, got)
		}
		ahead.Add(int64(time.Hour))
		if done, got := op.Ready(t.Context(), s.store, e); !done || got.Status != job.TaskSucceeded || !readable() {
			t.Errorf("after it: %v, %+v", done, got)
		}
	}
	apply(op, job.Entry{Bucket: s.dst, Key: "k"}, "InvalidArgument") // an archive class needs days
}
