package probe_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
)

// cephOthers is what Ceph 16.2 does not do in either kind of bucket, and cephPlain and cephVersioned what it does not do
// in one alone. It is started with the classes STANDARD_IA, GLACIER and DEEP_ARCHIVE.
var (
	cephOthers = []string{
		"put-encryption ignored",
		"class-ONEZONE_IA refused", "class-INTELLIGENT_TIERING refused", "class-GLACIER_IR refused",
		"copy-tags-replaced ignored",
		"copy-tags-beside-metadata ignored",
		"copy-both-replaced ignored", // the copy's tags can no longer be read
		"copy-class-default ignored",
		"copy-encryption ignored",
		"copy-if-modified-since ignored", "copy-if-unmodified-since ignored", "copy-if-match ignored",
		"restore refused", "restore-refused refused",
	}
	cephPlain     = []string{"version-copy unknown", "version-tags unknown", "version-delete unknown"}
	cephVersioned = []string{"tags ignored"} // those of an object without its version are not deleted
)

// TestCeph probes a server that nobody of this project wrote, and that is known to lie.
func TestCeph(t *testing.T) {
	endpoint := os.Getenv("DROVER_TEST_S3")
	if endpoint == "" {
		t.Skip("DROVER_TEST_S3 is not set: start a Ceph gateway and set it to the gateway's URL")
	}
	access := cmp.Or(os.Getenv("DROVER_TEST_S3_ACCESS_KEY"), "test")
	secret := cmp.Or(os.Getenv("DROVER_TEST_S3_SECRET_KEY"), "testtest")
	stock := s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: "default", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
	})
	c, err := httpwire.Open(httpwire.Options{
		Endpoint: endpoint, Region: "default",
		Credentials: func(context.Context) (httpwire.Credentials, error) {
			return httpwire.Credentials{AccessKey: access, SecretKey: secret}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, v := range []struct {
		name string
		more []string
	}{{"plain", cephPlain}, {"versioned", cephVersioned}} {
		t.Run(v.name, func(t *testing.T) {
			b := cephBucket(t, stock, v.name == "versioned")
			_, err := c.Put(t.Context(), object.PutRequest{Bucket: b, Key: foreign, Body: strings.NewReader("x"), Size: 1})
			if err != nil {
				t.Fatal(err)
			}
			r := run(t, c, c, b, httpwire.S3)
			want := slices.Sorted(slices.Values(append(v.more, cephOthers...)))
			if diff := gocmp.Diff(want, slices.Sorted(slices.Values(others(r)))); diff != "" {
				t.Errorf("(-want +got):\n%s\n%+v", diff, r.Capabilities)
			}
		})
	}
}

func cephBucket(t *testing.T, stock *s3.Client, versioned bool) job.Bucket {
	t.Helper()
	name := fmt.Sprintf("probe%d", time.Now().UnixNano())
	if _, err := stock.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	if !versioned {
		return job.Bucket(name)
	}
	if _, err := stock.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  &name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	return job.Bucket(name)
}
