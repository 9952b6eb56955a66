package localstore_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/localstore"
)

// oddKeys are legal keys that stores built on folders lose or mix up.
var oddKeys = []string{
	"a/../b", "b", "/lead", "lead", "//lead", "../x", "x", "..", ".", "./x", "k", "k/child", "k/", "dir/", "a//b", "a/b", "a/./b",
	"a/b/", strings.Repeat("x", 1024), strings.Repeat("ä/", 341), "tab\tkey", "line\nbreak", "cr\rkey", "\x01\x02\x1f", "\x00", "a\x00b", "a",
	"esc\x1b[31m", "\x7f", " lead space", "trail space ", "plus+key", "plus key", "percent%20key", "percent key", "q?a=b&c", "hash#x",
	"semi;colon", "quote\"'`", "<xml>&amp;", "back\\slash", "é +%.txt", "日本語", "emoji😀", "~tilde", "a=b", "*!()", ":@$,", "?versionId=x",
	"k?versionId=null", "uploads", "?acl", "%", "%zz", "%2F",
}

func TestEveryLegalKeyIsItsOwnObject(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	for _, key := range oddKeys {
		put(t, c, key, "body of "+key)
	}
	for _, key := range oddKeys {
		if text, _ := get(t, c, key); text != "body of "+key {
			t.Errorf("%q holds %q", key, text)
		}
		if n := aws.ToInt64(head(t, c, key).ContentLength); n != int64(len("body of "+key)) {
			t.Errorf("HEAD of %q says %d bytes", key, n)
		}
		copied := "copies/" + key
		if len(copied) > 1024 {
			continue
		}
		must(c.CopyObject(t.Context(), &s3.CopyObjectInput{
			Bucket: bucket, Key: aws.String(copied), CopySource: aws.String(*bucket + "/" + strings.ReplaceAll(url.QueryEscape(key), "+", "%20")),
		}))(t)
		if text, _ := get(t, c, copied); text != "body of "+key {
			t.Errorf("the copy of %q holds %q", key, text)
		}
		must(c.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
			Bucket: bucket, Key: aws.String(key), Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}},
		}))(t)
		must(c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String(copied)}))(t)
	}
	want := slices.Sorted(slices.Values(oddKeys))
	if d := cmp.Diff(want, listAll(t, c, "", "", 7)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, listAllVersions(t, c, 7)); d != "" {
		t.Error(d)
	}
	for _, key := range oddKeys {
		must(c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String(key)}))(t)
	}
	if left := listAll(t, c, "", "", 1000); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
	must(c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: bucket}))(t)
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	for key, code := range map[string]string{strings.Repeat("x", 1025): "KeyTooLongError", "bad\xffutf8": "InvalidURI"} {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: strings.NewReader("")})
		refused(t, err, 400, code)
	}
}

// listAll lists keys and common prefixes with both versions of the call, which must agree.
func listAll(t *testing.T, c *s3.Client, prefix, delimiter string, page int32) []string {
	t.Helper()
	var first, second []string
	v1 := &s3.ListObjectsInput{
		Bucket: bucket, MaxKeys: &page, EncodingType: types.EncodingTypeUrl, Prefix: &prefix, Delimiter: &delimiter,
	}
	for {
		out := must(c.ListObjects(t.Context(), v1))(t)
		if n := len(out.Contents) + len(out.CommonPrefixes); n > int(page) {
			t.Fatalf("a page of %d has %d rows", page, n)
		}
		first = append(first, rows(t, out.Contents, out.CommonPrefixes)...)
		if !*out.IsTruncated {
			break
		}
		v1.Marker = aws.String(decoded(t, *out.NextMarker))
	}
	v2 := &s3.ListObjectsV2Input{
		Bucket: bucket, MaxKeys: &page, EncodingType: types.EncodingTypeUrl, Prefix: &prefix, Delimiter: &delimiter,
	}
	for {
		out := must(c.ListObjectsV2(t.Context(), v2))(t)
		got := rows(t, out.Contents, out.CommonPrefixes)
		if int(*out.KeyCount) != len(got) {
			t.Fatalf("KeyCount is %d of %d", *out.KeyCount, len(got))
		}
		second = append(second, got...)
		if !*out.IsTruncated {
			break
		}
		v2.ContinuationToken = out.NextContinuationToken
	}
	if d := cmp.Diff(first, second); d != "" {
		t.Fatalf("ListObjects and ListObjectsV2 differ:\n%s", d)
	}
	return first
}

func listAllVersions(t *testing.T, c *s3.Client, page int32) []string {
	t.Helper()
	var keys []string
	in := &s3.ListObjectVersionsInput{Bucket: bucket, MaxKeys: &page, EncodingType: types.EncodingTypeUrl}
	for {
		out := must(c.ListObjectVersions(t.Context(), in))(t)
		for _, v := range out.Versions {
			keys = append(keys, decoded(t, *v.Key))
		}
		if !*out.IsTruncated {
			return keys
		}
		in.KeyMarker, in.VersionIdMarker = aws.String(decoded(t, *out.NextKeyMarker)), out.NextVersionIdMarker
	}
}

func rows(t *testing.T, contents []types.Object, prefixes []types.CommonPrefix) []string {
	t.Helper()
	var out []string
	for _, o := range contents {
		out = append(out, decoded(t, *o.Key))
	}
	for _, p := range prefixes {
		out = append(out, decoded(t, *p.Prefix))
	}
	return slices.Sorted(slices.Values(out))
}

func decoded(t *testing.T, s string) string {
	t.Helper()
	return must(url.PathUnescape(s))(t)
}

func TestListingsRollUpAtTheDelimiter(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	for _, key := range []string{"o/a", "o/a-b", "o/a/b", "o/a/c", "o/a0", "o/b/x/y", "o/c/", "p", "o\x00/z"} {
		put(t, c, key, "")
	}
	tests := []struct {
		prefix, delimiter string
		want              []string
	}{
		{"o/", "/", []string{"o/a", "o/a-b", "o/a/", "o/a0", "o/b/", "o/c/"}},
		{"o/a", "/", []string{"o/a", "o/a-b", "o/a/", "o/a0"}},
		{"", "/", []string{"o\x00/", "o/", "p"}},
		{"o/a/", "/", []string{"o/a/b", "o/a/c"}},
		{"", "a/", []string{"o/a", "o/a-b", "o/a/", "o/a0", "o/b/x/y", "o/c/", "o\x00/z", "p"}},
		{"o", "", []string{"o/a", "o/a-b", "o/a/b", "o/a/c", "o/a0", "o/b/x/y", "o/c/", "o\x00/z"}},
		{"none", "/", nil},
	}
	for _, tt := range tests {
		for _, page := range []int32{1, 2, 1000} {
			t.Run(fmt.Sprintf("%q by %q, %d a page", tt.prefix, tt.delimiter, page), func(t *testing.T) {
				want := slices.Sorted(slices.Values(tt.want))
				got := slices.Sorted(slices.Values(listAll(t, c, tt.prefix, tt.delimiter, page)))
				if d := cmp.Diff(want, got); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

func TestListingWithoutRoomIsEmptyAndWhole(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	put(t, c, "k", "")
	out := must(c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int32(0)}))(t)
	if len(out.Contents) != 0 || *out.IsTruncated {
		t.Errorf("got %d rows, truncated %v", len(out.Contents), *out.IsTruncated)
	}
	out = must(c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, StartAfter: aws.String("k")}))(t)
	if len(out.Contents) != 0 {
		t.Errorf("start-after lists its own key")
	}
}
