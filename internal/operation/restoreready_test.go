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
