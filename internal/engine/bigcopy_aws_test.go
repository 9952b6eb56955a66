package engine_test

import (
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drover-batch/drover/internal/localstore"
)

// stores of the running tests, by test name.
var localURLs sync.Map

func sdk(url string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &url, Region: "local", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("a", "secret", ""),
	})
}

func makeBuckets(t *testing.T, s *localstore.Store, names ...string) {
	t.Helper()
	localURLs.Store(t.Name(), s.URL())
	for _, b := range names {
		if _, err := sdk(s.URL()).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b}); err != nil {
			t.Fatal(err)
		}
	}
}

// unfinishedUploads asks the AWS SDK for what is left.
func unfinishedUploads(t *testing.T, bucket string) (keys []string) {
	t.Helper()
	url, _ := localURLs.Load(t.Name())
	out, err := sdk(url.(string)).ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range out.Uploads {
		keys = append(keys, aws.ToString(u.Key))
	}
	return keys
}
