package localstore_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/localstore"
)

func TestObjectsKeepWhatTheyWerePutWith(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	put(t, c, "k", "hello", func(in *s3.PutObjectInput) {
		in.ContentType, in.CacheControl = aws.String("text/x"), aws.String("max-age=5")
		in.ContentDisposition, in.ContentEncoding = aws.String("attachment"), aws.String("gzip")
		in.ContentLanguage = aws.String("de")
		in.Metadata = map[string]string{"a-b": "1 2", "c": "é"}
		in.Tagging = aws.String("x=1&y=a%20b")
		in.ServerSideEncryption = types.ServerSideEncryptionAes256
		in.StorageClass = types.StorageClassStandardIa
	})
	text, out := get(t, c, "k")
	if text != "hello" {
		t.Errorf("body is %q", text)
	}
	want := []string{"text/x", "max-age=5", "attachment", "gzip", "de", "AES256", "STANDARD_IA", `"5d41402abc4b2a76b9719d911017c592"`}
	got := []string{
		aws.ToString(out.ContentType), aws.ToString(out.CacheControl), aws.ToString(out.ContentDisposition), aws.ToString(out.ContentEncoding),
		aws.ToString(out.ContentLanguage), string(out.ServerSideEncryption), string(out.StorageClass), aws.ToString(out.ETag),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"a-b": "1 2", "c": "é"}, out.Metadata); d != "" {
		t.Error(d)
	}
	if aws.ToInt32(out.TagCount) != 2 {
		t.Errorf("tag count is %d", aws.ToInt32(out.TagCount))
	}
	tags := must(c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: bucket, Key: aws.String("k")}))(t)
	if d := cmp.Diff("x=1 y=a b", tagText(tags.TagSet)); d != "" {
		t.Error(d)
	}
}

func tagText(tags []types.Tag) string {
	var out []string
	for _, tag := range tags {
		out = append(out, *tag.Key+"="+*tag.Value)
	}
	return strings.Join(out, " ")
}
