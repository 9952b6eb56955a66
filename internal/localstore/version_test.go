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

func versioning(t *testing.T, c *s3.Client, status types.BucketVersioningStatus) {
	t.Helper()
	must(c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	}))(t)
	if got := must(c.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: bucket}))(t).Status; got != status {
		t.Fatalf("versioning is %q, want %q", got, status)
	}
}

func at(version string) func(*s3.GetObjectInput) {
	return func(in *s3.GetObjectInput) { in.VersionId = &version }
}

func deleteKey(t *testing.T, c *s3.Client, key, version string) *s3.DeleteObjectOutput {
	t.Helper()
	in := &s3.DeleteObjectInput{Bucket: bucket, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	return must(c.DeleteObject(t.Context(), in))(t)
}

func TestVersions(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	if v := put(t, c, "k", "before").VersionId; v != nil {
		t.Errorf("a bucket without versions answers version %s", *v)
	}
	versioning(t, c, types.BucketVersioningStatusEnabled)
	v1 := *put(t, c, "k", "one").VersionId
	v2 := *put(t, c, "k", string(big)).VersionId
	for version, want := range map[string]string{"null": "before", v1: "one", v2: string(big)} {
		if text, out := get(t, c, "k", at(version)); text != want || *out.VersionId != version {
			t.Errorf("version %s is %.20q (%s)", version, text, *out.VersionId)
		}
	}
	gone := deleteKey(t, c, "k", "")
	if !*gone.DeleteMarker {
		t.Error("no delete marker")
	}
	marker := *gone.VersionId
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("k")})
	refused(t, err, 404, "NoSuchKey")
	_, err = c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("k"), VersionId: &marker})
	if statusOf(err) != 405 {
		t.Errorf("HEAD of a delete marker: %v", err)
	}
	if keys := listAll(t, c, "", "", 1000); len(keys) != 0 {
		t.Errorf("deleted keys are listed: %q", keys)
	}
	list := must(c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket}))(t)
	if d := cmp.Diff([]string{v2, v1, "null"}, versionIDs(list.Versions)); d != "" {
		t.Error(d)
	}
	if m := list.DeleteMarkers; len(m) != 1 || *m[0].VersionId != marker || !*m[0].IsLatest {
		t.Errorf("delete markers: %+v", m)
	}
	if out := deleteKey(t, c, "k", marker); !*out.DeleteMarker {
		t.Error("the removed version was a delete marker, and the answer does not say so")
	}
	if text, _ := get(t, c, "k"); text != string(big) {
		t.Error("removing the delete marker does not bring the object back")
	}

	versioning(t, c, types.BucketVersioningStatusSuspended)
	if v := put(t, c, "k", "suspended").VersionId; aws.ToString(v) != "null" {
		t.Errorf("a suspended bucket answers version %v", aws.ToString(v))
	}
	put(t, c, "k", "again")
	list = must(c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket}))(t)
	if d := cmp.Diff([]string{"null", v2, v1}, versionIDs(list.Versions)); d != "" {
		t.Error(d)
	}
	deleteKey(t, c, "k", "")
	list = must(c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket}))(t)
	if d := cmp.Diff([]string{v2, v1}, versionIDs(list.Versions)); d != "" {
		t.Error(d)
	}
	if m := list.DeleteMarkers; len(m) != 1 || *m[0].VersionId != "null" {
		t.Errorf("delete markers: %+v", m)
	}
	_, err = c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: bucket})
	refused(t, err, 409, "BucketNotEmpty")
	for _, v := range []string{"null", v1, v2} {
		deleteKey(t, c, "k", v)
	}
	must(c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: bucket}))(t)
}

func versionIDs(vs []types.ObjectVersion) []string {
	var out []string
	for _, v := range vs {
		out = append(out, *v.VersionId)
	}
	return out
}

func TestVersionListingsGoOnInTheMiddleOfAKey(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	versioning(t, c, types.BucketVersioningStatusEnabled)
	for _, key := range []string{"a", "b", "b", "b", "c/1", "c/2"} {
		put(t, c, key, "")
	}
	deleteKey(t, c, "b", "")
	var got []string
	in := &s3.ListObjectVersionsInput{Bucket: bucket, MaxKeys: aws.Int32(1), Delimiter: aws.String("/")}
	for {
		out := must(c.ListObjectVersions(t.Context(), in))(t)
		for _, v := range out.Versions {
			got = append(got, word(*v.Key, *v.IsLatest))
		}
		for _, v := range out.DeleteMarkers {
			got = append(got, word(*v.Key+"(deleted)", *v.IsLatest))
		}
		for _, p := range out.CommonPrefixes {
			got = append(got, *p.Prefix)
		}
		if !*out.IsTruncated {
			break
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
	if d := cmp.Diff("a! b(deleted)! b b b c/", strings.Join(got, " ")); d != "" {
		t.Error(d)
	}
}

func word(key string, latest bool) string {
	if latest {
		return key + "!"
	}
	return key
}

func TestCopiesOfVersions(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	versioning(t, c, types.BucketVersioningStatusEnabled)
	old := *put(t, c, "k", "old").VersionId
	put(t, c, "k", "new")
	out := must(c.CopyObject(t.Context(), copyInput("to", "k?versionId="+old)))(t)
	if *out.CopySourceVersionId != old || out.VersionId == nil {
		t.Errorf("the copy says source %v, version %v", aws.ToString(out.CopySourceVersionId), aws.ToString(out.VersionId))
	}
	if text, _ := get(t, c, "to"); text != "old" {
		t.Errorf("the copy is %q", text)
	}
	must(c.CopyObject(t.Context(), copyInput("k", "k?versionId="+old)))(t)
	if text, _ := get(t, c, "k"); text != "old" {
		t.Errorf("an old version copied onto its key gives %q", text)
	}
	_, err := c.CopyObject(t.Context(), copyInput("to", "k?versionId=0000000000000001"))
	refused(t, err, 404, "NoSuchVersion")
}

func TestTagsAndAccessListsOfVersions(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	versioning(t, c, types.BucketVersioningStatusEnabled)
	old := put(t, c, "k", "old").VersionId
	put(t, c, "k", "new")
	key := aws.String("k")
	must(c.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
		Bucket: bucket, Key: key, VersionId: old, Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}},
	}))(t)
	must(c.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{Bucket: bucket, Key: key, VersionId: old, ACL: types.ObjectCannedACLPublicRead}))(t)
	for version, want := range map[*string]struct {
		tags   string
		grants int
	}{old: {"a=1", 2}, nil: {"", 1}} {
		tags := must(c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: bucket, Key: key, VersionId: version}))(t)
		acl := must(c.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: bucket, Key: key, VersionId: version}))(t)
		if tagText(tags.TagSet) != want.tags || len(acl.Grants) != want.grants {
			t.Errorf("version %s has tags %q and %d grants", aws.ToString(version), tagText(tags.TagSet), len(acl.Grants))
		}
	}
	must(c.DeleteObjectTagging(t.Context(), &s3.DeleteObjectTaggingInput{Bucket: bucket, Key: key, VersionId: old}))(t)
	if tags := must(c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: bucket, Key: key, VersionId: old}))(t).TagSet; len(tags) != 0 {
		t.Errorf("tags left: %v", tagText(tags))
	}
}

func TestDeleteObjects(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	var ids []types.ObjectIdentifier
	for _, key := range []string{"a", "b<&>\"", "line\nbreak", "é +%"} {
		put(t, c, key, "")
		ids = append(ids, types.ObjectIdentifier{Key: aws.String(key)})
	}
	ids = append(ids, types.ObjectIdentifier{Key: aws.String("never was")})
	out := must(c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: ids}}))(t)
	if len(out.Deleted) != 5 || len(out.Errors) != 0 || *out.Deleted[2].Key != "line\nbreak" {
		t.Errorf("answer: %+v %+v", out.Deleted, out.Errors)
	}
	if keys := listAll(t, c, "", "", 1000); len(keys) != 0 {
		t.Errorf("left over: %q", keys)
	}
	put(t, c, "a", "")
	quiet := must(c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: ids[:1], Quiet: aws.Bool(true)}}))(t)
	if len(quiet.Deleted) != 0 {
		t.Errorf("a quiet delete tells of %d", len(quiet.Deleted))
	}
}
