package localstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/drover-batch/drover/internal/localstore"
)

const (
	testAccess = "test-access"
	testSecret = "test-secret"
)

// open starts a store for the test's time.
func open(t testing.TB, o localstore.Options) *localstore.Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.AccessKey, o.SecretKey = testAccess, testSecret
	s, err := localstore.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(s *localstore.Store, change ...func(*s3.Options)) *s3.Client {
	o := s3.Options{
		BaseEndpoint: aws.String(s.URL()), Region: "local", UsePathStyle: true,
		Credentials:      credentials.NewStaticCredentialsProvider(testAccess, testSecret, ""),
		RetryMaxAttempts: 1,
	}
	return s3.New(o, change...)
}

// setup starts a store with a bucket b.
func setup(t testing.TB, o localstore.Options) (*s3.Client, *localstore.Store) {
	t.Helper()
	s := open(t, o)
	c := client(s)
	must(c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}))(t)
	return c, s
}

var bucket = aws.String("bkt")

// must gives a call's result and ends the test when it failed.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused holds an error against the code and status wanted.
func refused(t testing.TB, err error, status int, code string) {
	t.Helper()
	var api smithy.APIError
	var http *smithyhttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &http) {
		t.Fatalf("error is %v, want %d %s", err, status, code)
	}
	if api.ErrorCode() != code || http.HTTPStatusCode() != status {
		t.Fatalf("answer is %d %s (%s), want %d %s", http.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage(), status, code)
	}
}

// statusOf gives the HTTP status of an error's answer, 0 for none.
func statusOf(err error) int {
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}

func put(t testing.TB, c *s3.Client, key, text string, change ...func(*s3.PutObjectInput)) *s3.PutObjectOutput {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: strings.NewReader(text)}
	for _, f := range change {
		f(in)
	}
	return must(c.PutObject(t.Context(), in))(t)
}

func get(t testing.TB, c *s3.Client, key string, change ...func(*s3.GetObjectInput)) (string, *s3.GetObjectOutput) {
	t.Helper()
	in := &s3.GetObjectInput{Bucket: bucket, Key: aws.String(key)}
	for _, f := range change {
		f(in)
	}
	out := must(c.GetObject(t.Context(), in))(t)
	defer out.Body.Close()
	return string(must(io.ReadAll(out.Body))(t)), out
}

func head(t testing.TB, c *s3.Client, key string) *s3.HeadObjectOutput {
	t.Helper()
	return must(c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String(key)}))(t)
}

func class(name string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.StorageClass = types.StorageClass(name) }
}

// big is a body that does not fit into the key-value store.
var big = bytes.Repeat([]byte("0123456789abcdef"), 10_000)
