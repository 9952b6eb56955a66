package localstore_test

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/localstore"
)

const mib = 1 << 20

// filled is n bytes that differ by place.
func filled(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i) ^ seed
	}
	return b
}

func startUpload(t *testing.T, c *s3.Client, key string, change ...func(*s3.CreateMultipartUploadInput)) *string {
	t.Helper()
	in := &s3.CreateMultipartUploadInput{Bucket: bucket, Key: &key}
	for _, f := range change {
		f(in)
	}
	return must(c.CreateMultipartUpload(t.Context(), in))(t).UploadId
}

func complete(t *testing.T, c *s3.Client, key string, id *string, parts ...types.CompletedPart) (*s3.CompleteMultipartUploadOutput, error) {
	t.Helper()
	return c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: &key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
}

func TestMultipartUploads(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []types.ChecksumAlgorithm{
		"", types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha256,
	} {
		t.Run("checksum "+string(algorithm), func(t *testing.T) {
			c, _ := setup(t, localstore.Options{})
			first, second := filled(5*mib, 1), filled(70_000, 2)
			id := startUpload(t, c, "k", func(in *s3.CreateMultipartUploadInput) {
				in.ChecksumAlgorithm, in.StorageClass = algorithm, types.StorageClassStandardIa
				in.Tagging, in.Metadata = aws.String("mp=1"), map[string]string{"m": "1"}
			})
			var parts []types.CompletedPart
			var sums []byte
			for i, body := range [][]byte{first, second} {
				n := aws.Int32(int32(i + 1))
				out := must(c.UploadPart(t.Context(), &s3.UploadPartInput{
					Bucket: bucket, Key: aws.String("k"), UploadId: id, PartNumber: n, Body: bytes.NewReader(body), ChecksumAlgorithm: algorithm,
				}))(t)
				parts = append(parts, types.CompletedPart{PartNumber: n, ETag: out.ETag})
				sum := md5.Sum(body)
				sums = append(sums, sum[:]...)
			}
			listed := must(c.ListParts(t.Context(), &s3.ListPartsInput{Bucket: bucket, Key: aws.String("k"), UploadId: id}))(t)
			if len(listed.Parts) != 2 || *listed.Parts[1].Size != 70_000 {
				t.Errorf("parts: %+v", listed.Parts)
			}
			out := must(complete(t, c, "k", id, parts...))(t)
			if want := fmt.Sprintf(`"%x-2"`, md5.Sum(sums)); *out.ETag != want {
				t.Errorf("ETag is %s, want %s", *out.ETag, want)
			}
			// The SDK holds the body against the store's checksum of the whole, where there is one.
			text, got := get(t, c, "k", func(in *s3.GetObjectInput) { in.ChecksumMode = types.ChecksumModeEnabled })
			if text != string(first)+string(second) {
				t.Error("the body is not the parts in order")
			}
			if got.StorageClass != types.StorageClassStandardIa || aws.ToInt32(got.TagCount) != 1 || got.Metadata["m"] != "1" {
				t.Errorf("class %s, %d tags, metadata %v", got.StorageClass, aws.ToInt32(got.TagCount), got.Metadata)
			}
			part, rest := get(t, c, "k", func(in *s3.GetObjectInput) { in.PartNumber = aws.Int32(2) })
			if part != string(second) || *rest.PartsCount != 2 {
				t.Error("part 2 is not read by its number")
			}
			span, _ := get(t, c, "k", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=5242870-5242889") })
			if span != string(first[5*mib-10:])+string(second[:10]) {
				t.Error("a range over the seam is wrong")
			}
			must(c.CopyObject(t.Context(), copyInput("copy", "k")))(t)
			if text, _ := get(t, c, "copy"); text != string(first)+string(second) {
				t.Error("the copy's body is wrong")
			}
		})
	}
}

func TestUploadPartCopy(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	body := filled(6*mib, 3)
	put(t, c, "from", string(body))
	put(t, c, "cold", "x", class("GLACIER"))
	id := startUpload(t, c, "to")
	in := func(n int32, source, span string) *s3.UploadPartCopyInput {
		return &s3.UploadPartCopyInput{
			Bucket: bucket, Key: aws.String("to"), UploadId: id, PartNumber: &n, CopySource: aws.String(*bucket + "/" + source), CopySourceRange: &span,
		}
	}
	one := must(c.UploadPartCopy(t.Context(), in(1, "from", "bytes=0-5242879")))(t)
	two := must(c.UploadPartCopy(t.Context(), in(2, "from", "bytes=5242880-6291455")))(t)
	_, err := c.UploadPartCopy(t.Context(), in(3, "from", "bytes=9999999-"))
	refused(t, err, 416, "InvalidRange")
	_, err = c.UploadPartCopy(t.Context(), in(3, "cold", "bytes=0-0"))
	refused(t, err, 403, "InvalidObjectState")
	must(complete(t, c, "to", id,
		types.CompletedPart{PartNumber: aws.Int32(1), ETag: one.CopyPartResult.ETag},
		types.CompletedPart{PartNumber: aws.Int32(2), ETag: two.CopyPartResult.ETag},
	))(t)
	if text, _ := get(t, c, "to"); text != string(body) {
		t.Error("the body is not the source's")
	}
}

func TestMultipartRefusals(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	id := startUpload(t, c, "k")
	etag := func(n int32, text string) types.CompletedPart {
		out := must(c.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: bucket, Key: aws.String("k"), UploadId: id, PartNumber: &n, Body: strings.NewReader(text),
		}))(t)
		return types.CompletedPart{PartNumber: &n, ETag: out.ETag}
	}
	one, two := etag(1, "small"), etag(2, "last")
	_, err := complete(t, c, "k", id, one, two)
	refused(t, err, 400, "EntityTooSmall")
	_, err = complete(t, c, "k", id, two, one)
	refused(t, err, 400, "InvalidPartOrder")
	_, err = complete(t, c, "k", id, types.CompletedPart{PartNumber: aws.Int32(1), ETag: two.ETag})
	refused(t, err, 400, "InvalidPart")
	_, err = complete(t, c, "k", id, types.CompletedPart{PartNumber: aws.Int32(9), ETag: two.ETag})
	refused(t, err, 400, "InvalidPart")
	_, err = c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: aws.String("k"), UploadId: id, PartNumber: aws.Int32(10001)})
	refused(t, err, 400, "InvalidArgument")
	_, err = c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: aws.String("k"), UploadId: aws.String("none"), PartNumber: aws.Int32(1)})
	refused(t, err, 404, "NoSuchUpload")
	put(t, c, "k", "there")
	_, err = c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: aws.String("k"), UploadId: id, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{one}},
	})
	refused(t, err, 412, "PreconditionFailed")
	must(complete(t, c, "k", id, one))(t)
	if text, _ := get(t, c, "k"); text != "small" {
		t.Errorf("body is %q", text)
	}
	_, err = complete(t, c, "k", id, one)
	refused(t, err, 404, "NoSuchUpload")
}

func TestUploadsAreListedAndAborted(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	ids := map[string]*string{}
	for _, key := range []string{"a/1", "a/2", "b\n", "c"} {
		ids[key] = startUpload(t, c, key)
	}
	var got []string
	in := &s3.ListMultipartUploadsInput{Bucket: bucket, MaxUploads: aws.Int32(1), Delimiter: aws.String("/"), EncodingType: types.EncodingTypeUrl}
	for {
		out := must(c.ListMultipartUploads(t.Context(), in))(t)
		for _, u := range out.Uploads {
			got = append(got, *u.Key)
		}
		for _, p := range out.CommonPrefixes {
			got = append(got, *p.Prefix)
		}
		if !*out.IsTruncated {
			break
		}
		in.KeyMarker, in.UploadIdMarker = aws.String(decoded(t, *out.NextKeyMarker)), out.NextUploadIdMarker
	}
	if d := cmp.Diff([]string{"a/", "b%0A", "c"}, got); d != "" {
		t.Error(d)
	}
	must(c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: bucket, Key: aws.String("c"), UploadId: ids["c"]}))(t)
	_, err := c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: bucket, Key: aws.String("c"), UploadId: ids["c"]})
	refused(t, err, 404, "NoSuchUpload")
	must(c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: bucket}))(t)
	must(c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}))(t)
	if left := must(c.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: bucket}))(t).Uploads; len(left) != 0 {
		t.Errorf("a bucket made anew has uploads: %+v", left)
	}
}

func TestABodyOutlivesItsObjectWhileItIsRead(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	body := filled(8*mib, 4)
	put(t, c, "k", string(body))
	out := must(c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("k")}))(t)
	defer out.Body.Close()
	deleteKey(t, c, "k", "")
	if got := must(io.ReadAll(out.Body))(t); !bytes.Equal(got, body) {
		t.Errorf("read %d bytes of %d", len(got), len(body))
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	put(t, c, "k", "hello", func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = types.ChecksumAlgorithmSha1 })
	out := must(c.GetObjectAttributes(t.Context(), &s3.GetObjectAttributesInput{
		Bucket: bucket, Key: aws.String("k"), ObjectAttributes: []types.ObjectAttributes{
			types.ObjectAttributesEtag, types.ObjectAttributesObjectSize, types.ObjectAttributesStorageClass, types.ObjectAttributesChecksum,
		},
	}))(t)
	got := fmt.Sprint(*out.ETag, *out.ObjectSize, out.StorageClass, *out.Checksum.ChecksumSHA1)
	if d := cmp.Diff("5d41402abc4b2a76b9719d911017c5925STANDARDqvTGHdzF6KLavt4PO0gs2a6pQ00=", got); d != "" {
		t.Error(d)
	}
}
