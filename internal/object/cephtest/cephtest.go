// Package cephtest gives tests the Ceph RADOS Gateway that tools/ceph-rgw.sh starts, the server that nobody of this
// project wrote. `make test` starts one. It is imported by tests only.
package cephtest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/httpwire"
)

const (
	variable = "DROVER_TEST_S3" // the gateway's URL; its keys with _ACCESS_KEY and _SECRET_KEY after it

	// Region is what signatures are for; the gateway takes any.
	Region = "default"
	// Other is the id of a second user, to be granted rights.
	Other = "test-other"
	// KMSKey is the key that the gateway's key management has.
	KMSKey = "drover-key"
)

// Gateway is a running gateway.
type Gateway struct {
	URL       string
	AccessKey string
	SecretKey string
	SDK       *s3.Client // the stock client, as an independent witness
}

// Open finds the gateway. Without one the test is skipped, and with CI=true it fails.
func Open(t *testing.T) *Gateway {
	t.Helper()
	url := os.Getenv(variable)
	if url == "" {
		const how = "%s names no Ceph gateway: use `make test`, or tools/ceph-rgw.sh run -- go test ..."
		if os.Getenv("CI") == "true" {
			t.Fatalf(how, variable)
		}
		t.Skipf(how, variable)
	}
	g := &Gateway{
		URL:       url,
		AccessKey: cmp.Or(os.Getenv(variable+"_ACCESS_KEY"), "test"),
		SecretKey: cmp.Or(os.Getenv(variable+"_SECRET_KEY"), "testtest"),
	}
	g.SDK = s3.New(s3.Options{
		BaseEndpoint: &url, Region: Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(g.AccessKey, g.SecretKey, ""),
	})
	return g
}

// Wire opens a driver on the gateway that signs with a secret.
func (g *Gateway) Wire(t *testing.T, secret string) *httpwire.Client {
	t.Helper()
	w, err := httpwire.Open(httpwire.Options{
		Endpoint: g.URL, Region: Region,
		Credentials: func(context.Context) (httpwire.Credentials, error) {
			return httpwire.Credentials{AccessKey: g.AccessKey, SecretKey: secret}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

var buckets atomic.Int64

// Bucket makes a bucket whose name no other run has.
func (g *Gateway) Bucket(t *testing.T, versioned bool) job.Bucket {
	t.Helper()
	name := fmt.Sprintf("t%d-%d-%d", time.Now().Unix(), os.Getpid(), buckets.Add(1))
	if _, err := g.SDK.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	if !versioned {
		return job.Bucket(name)
	}
	if _, err := g.SDK.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  &name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	return job.Bucket(name)
}
