package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sync/errgroup"
)

// storeClient is the AWS SDK on the store of the script's drover dev.
func storeClient(ts *testscript.TestScript) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(ts.Getenv("STORE")),
		Region:       ts.Getenv("AWS_REGION"),
		UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(
			ts.Getenv("AWS_ACCESS_KEY_ID"), ts.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})
}

// splitObject takes BUCKET/KEY apart.
func splitObject(ts *testscript.TestScript, name string) (bucket, key *string) {
	b, k, ok := strings.Cut(name, "/")
	if !ok || k == "" {
		ts.Fatalf("%q is not BUCKET/KEY", name)
	}
	return &b, &k
}

// bucket NAME...: makes buckets.
func makeBucket(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		_, err := storeClient(ts).CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &name})
		ts.Check(err)
	}
}

// put BUCKET/KEY FILE [CLASS]: stores a file of the script.
func put(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: put BUCKET/KEY FILE [CLASS]")
	}
	bucket, key := splitObject(ts, args[0])
	in := &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(ts.ReadFile(args[1]))}
	if len(args) == 3 {
		in.StorageClass = types.StorageClass(args[2])
	}
	_, err := storeClient(ts).PutObject(context.Background(), in)
	ts.Check(err)
}

// fill BUCKET/PREFIX N [CLASS]: stores N small objects named PREFIX00000 and so on, and writes a manifest of them to the
// file BUCKET.csv.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: fill BUCKET/PREFIX N [CLASS]")
	}
	bucket, prefix := splitObject(ts, args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	client := storeClient(ts)
	var manifest bytes.Buffer
	g, ctx := errgroup.WithContext(context.Background())
	g.SetLimit(32)
	for i := range n {
		key := fmt.Sprintf("%s%05d", *prefix, i)
		fmt.Fprintf(&manifest, "%s,%s\n", *bucket, url.PathEscape(key))
		in := &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(key)}
		if len(args) == 3 {
			in.StorageClass = types.StorageClass(args[2])
		}
		g.Go(func() error {
			_, err := client.PutObject(ctx, in)
			return err
		})
	}
	ts.Check(g.Wait())
	ts.Check(os.WriteFile(ts.MkAbs(*bucket+".csv"), manifest.Bytes(), 0o644))
}

// repeat FILE N LINE: writes a file of N times the same line: a long job over one object.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat FILE N LINE")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte(args[2]+"\n"), n), 0o644))
}

// object BUCKET/KEY [FIELD=VALUE...]: the object is there, and so are its fields: class, type, meta.NAME, restore
// (ongoing or done), tag.KEY. With ! the object is not there.
func lookAt(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: [!] object BUCKET/KEY [FIELD=VALUE...]")
	}
	bucket, key := splitObject(ts, args[0])
	client := storeClient(ts)
	head, err := client.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: bucket, Key: key})
	if _, missing := errors.AsType[*types.NotFound](err); missing {
		if !neg {
			ts.Fatalf("%s is not there", args[0])
		}
		return
	}
	ts.Check(err)
	if neg {
		ts.Fatalf("%s is there", args[0])
	}
	got := map[string]string{"class": string(head.StorageClass), "type": aws.ToString(head.ContentType)}
	for k, v := range head.Metadata {
		got["meta."+k] = v
	}
	if r := aws.ToString(head.Restore); r != "" {
		got["restore"] = "done"
		if strings.Contains(r, `ongoing-request="true"`) {
			got["restore"] = "ongoing"
		}
	}
	tags, err := client.GetObjectTagging(context.Background(), &s3.GetObjectTaggingInput{Bucket: bucket, Key: key})
	ts.Check(err)
	for _, t := range tags.TagSet {
		got["tag."+aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	for _, want := range args[1:] {
		field, value, _ := strings.Cut(want, "=")
		if got[field] != value {
			ts.Fatalf("%s: %s is %q, want %q (all: %v)", args[0], field, got[field], value, got)
		}
	}
}

// count BUCKET[/PREFIX] N: so many objects lie there.
func countObjects(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: count BUCKET[/PREFIX] N")
	}
	bucket, prefix, _ := strings.Cut(args[0], "/")
	n := 0
	pages := s3.NewListObjectsV2Paginator(storeClient(ts), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		ts.Check(err)
		n += len(page.Contents)
	}
	if fmt.Sprint(n) != args[1] {
		ts.Fatalf("%d objects in %s, want %s", n, args[0], args[1])
	}
}
