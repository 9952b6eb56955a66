package httpwire_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/object/objecttest"
)

const (
	accessKey = "test-key"
	secretKey = "test-secret"
	region    = "local"
)

// clock is a clock that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time         { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) elapse(d time.Duration) { c.ahead.Add(int64(d)) }

func TestLocalStore(t *testing.T) {
	for _, d := range []httpwire.Dialect{httpwire.S3, httpwire.COS} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			var clk clock
			store, err := localstore.Open(t.Context(), localstore.Options{
				Dir: t.TempDir(), AccessKey: accessKey, SecretKey: secretKey, Region: region, Now: clk.now,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
			buckets := newBuckets(t, store.URL())
			objecttest.Run(t, func(t *testing.T) objecttest.Fixture {
				archive := map[httpwire.Dialect]string{httpwire.S3: "GLACIER", httpwire.COS: "ARCHIVE"}[d]
				return objecttest.Fixture{
					Store: open(t, store.URL(), d, secretKey), Forged: open(t, store.URL(), d, "wrong"),
					Bucket: buckets.make(t, false), Other: buckets.make(t, false), Versioned: buckets.make(t, true),
					Missing: "missing-1250000000", Region: region,
					Class: "STANDARD_IA", Archive: archive, Elapse: clk.elapse,
					SSE: true, ACLs: true, Grantee: "100000000002", Conditions: true, NewTags: true,
				}
			})
		})
	}
}

func open(t *testing.T, url string, d httpwire.Dialect, secret string) *httpwire.Client {
	t.Helper()
	c, err := httpwire.Open(httpwire.Options{
		Endpoint: url, Dialect: d, Region: region,
		Credentials: func(context.Context) (httpwire.Credentials, error) {
			return httpwire.Credentials{AccessKey: accessKey, SecretKey: secret}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// buckets makes buckets with a stock client: making them is not the driver's work.
type buckets struct {
	client *s3.Client
	mu     sync.Mutex
	n      int
}

func newBuckets(t *testing.T, url string) *buckets {
	t.Helper()
	return &buckets{client: s3.New(s3.Options{
		BaseEndpoint: aws.String(url), Region: region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})}
}

func (b *buckets) make(t *testing.T, versioned bool) job.Bucket {
	t.Helper()
	b.mu.Lock()
	b.n++
	name := fmt.Sprintf("b%d-1250000000", b.n)
	b.mu.Unlock()
	if _, err := b.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	if versioned {
		_, err := b.client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
			Bucket:                  &name,
			VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return job.Bucket(name)
}
