package localstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/localstore"
)

func grantsOf(t *testing.T, c *s3.Client, key string) string {
	t.Helper()
	out := must(c.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: bucket, Key: &key}))(t)
	if *out.Owner.ID != testAccess {
		t.Errorf("the owner is %s", *out.Owner.ID)
	}
	var words []string
	for _, g := range out.Grants {
		who := aws.ToString(g.Grantee.ID)
		if g.Grantee.Type == types.TypeGroup {
			who = aws.ToString(g.Grantee.URI)
		}
		words = append(words, fmt.Sprintf("%s:%s", who[strings.LastIndex(who, "/")+1:], g.Permission))
	}
	return strings.Join(words, " ")
}

func TestAccessLists(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	owner := testAccess + ":FULL_CONTROL"
	put(t, c, "k", "x")
	if d := cmp.Diff(owner, grantsOf(t, c, "k")); d != "" {
		t.Error(d)
	}
	put(t, c, "k", "x", func(in *s3.PutObjectInput) { in.ACL = types.ObjectCannedACLPublicRead })
	if d := cmp.Diff(owner+" AllUsers:READ", grantsOf(t, c, "k")); d != "" {
		t.Error(d)
	}
	must(c.CopyObject(t.Context(), copyInput("copy", "k")))(t)
	if d := cmp.Diff(owner, grantsOf(t, c, "copy")); d != "" {
		t.Errorf("a copy takes the source's access list over: %s", d)
	}
	must(c.CopyObject(t.Context(), copyInput("copy", "k", func(in *s3.CopyObjectInput) {
		in.GrantRead, in.GrantFullControl = aws.String(`id="u1", id="u2"`), aws.String(`id="`+testAccess+`"`)
	})))(t)
	if d := cmp.Diff(owner+" u1:READ u2:READ", grantsOf(t, c, "copy")); d != "" {
		t.Error(d)
	}
	key := aws.String("k")
	must(c.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{Bucket: bucket, Key: key, ACL: types.ObjectCannedACLAuthenticatedRead}))(t)
	if d := cmp.Diff(owner+" AuthenticatedUsers:READ", grantsOf(t, c, "k")); d != "" {
		t.Error(d)
	}
	must(c.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{Bucket: bucket, Key: key, AccessControlPolicy: &types.AccessControlPolicy{
		Owner: &types.Owner{ID: aws.String(testAccess)},
		Grants: []types.Grant{
			{Grantee: &types.Grantee{Type: types.TypeCanonicalUser, ID: aws.String("u1")}, Permission: types.PermissionReadAcp},
			{Grantee: &types.Grantee{Type: types.TypeGroup, URI: aws.String("http://acs.amazonaws.com/groups/global/AllUsers")}, Permission: types.PermissionRead},
		},
	}}))(t)
	if d := cmp.Diff("u1:READ_ACP AllUsers:READ", grantsOf(t, c, "k")); d != "" {
		t.Error(d)
	}
	_, err := c.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{Bucket: bucket, Key: key, ACL: "no-such"})
	refused(t, err, 400, "InvalidArgument")
	_, err = c.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{Bucket: bucket, Key: aws.String("none"), ACL: types.ObjectCannedACLPrivate})
	refused(t, err, 404, "NoSuchKey")
}

func TestTagRules(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	put(t, c, "k", "x")
	tags := func(n int, key, value string) []types.Tag {
		var out []types.Tag
		for i := range n {
			out = append(out, types.Tag{Key: aws.String(fmt.Sprintf(key, i)), Value: aws.String(value)})
		}
		return out
	}
	for name, tt := range map[string]struct {
		tags []types.Tag
		ok   bool
	}{
		"ten":             {tags(10, "k%d", "v"), true},
		"eleven":          {tags(11, "k%d", "v"), false},
		"signs":           {tags(1, "+-=._:/@ %d", "é 1"), true},
		"empty value":     {tags(1, "k%d", ""), true},
		"long value":      {tags(1, "k%d", strings.Repeat("v", 257)), false},
		"long key":        {tags(1, "k%0128d", "v"), false},
		"bad sign":        {tags(1, "k%d", "a&b"), false},
		"the same twice":  {append(tags(1, "k%d", "v"), tags(1, "k%d", "v")...), false},
		"128 code points": {tags(1, strings.Repeat("é", 127)+"%d", "v"), true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: bucket, Key: aws.String("k"), Tagging: &types.Tagging{TagSet: tt.tags}})
			if !tt.ok {
				refused(t, err, 400, "InvalidTag")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBucketsKeepTheirRegion(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	far := aws.String("far-bucket")
	must(c.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: far, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-far"},
	}))(t)
	for name, want := range map[*string]string{bucket: "local", far: "eu-far"} {
		if got := aws.ToString(must(c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: name}))(t).BucketRegion); got != want {
			t.Errorf("%s lies in %q, want %q", *name, got, want)
		}
		if got := string(must(c.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: name}))(t).LocationConstraint); got != want {
			t.Errorf("%s is located in %q, want %q", *name, got, want)
		}
	}
	_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: far})
	refused(t, err, 409, "BucketAlreadyOwnedByYou")
	_, err = c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("Not_A_Bucket")})
	refused(t, err, 400, "InvalidBucketName")
	_, err = c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("none-such")})
	if statusOf(err) != 404 {
		t.Errorf("HEAD of no bucket: %v", err)
	}
	_, err = c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("none-such"), Key: aws.String("k")})
	refused(t, err, 404, "NoSuchBucket")
	list := must(c.ListBuckets(t.Context(), &s3.ListBucketsInput{}))(t)
	if len(list.Buckets) != 2 || *list.Buckets[1].Name != *far || *list.Buckets[1].BucketRegion != "eu-far" {
		t.Errorf("buckets: %+v", list.Buckets)
	}
	must(c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: far}))(t)
}

func TestWhatIsNotOfferedIsRefused(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	put(t, c, "k", "x")
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: bucket, Key: aws.String("k"), Body: strings.NewReader("x"), SSECustomerAlgorithm: aws.String("AES256"),
		SSECustomerKey: aws.String("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="), SSECustomerKeyMD5: aws.String("x"),
	})
	refused(t, err, 501, "NotImplemented")
	_, err = c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("k"), ServerSideEncryption: types.ServerSideEncryptionAwsKms})
	refused(t, err, 501, "NotImplemented")
	_, err = c.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: bucket})
	refused(t, err, 501, "NotImplemented")
	_, err = c.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{Bucket: bucket, Key: aws.String("k")})
	refused(t, err, 501, "NotImplemented")
	if text, _ := get(t, c, "k"); text != "x" {
		t.Errorf("a refused write changed the object to %q", text)
	}
}
