package localstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/tencentyun/cos-go-sdk-v5"

	"github.com/drover-batch/drover/internal/localstore"
)

const (
	cosBucket = "data-1250000000"
	cosHost   = cosBucket + ".cos.ap-test.localhost"
)

// cosClient is the stock SDK, sent to the store whatever host it names.
func cosClient(s *localstore.Store, secret string) *cos.Client {
	address := strings.TrimPrefix(s.URL(), "http://")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}
	base := func(host string) *url.URL { return &url.URL{Scheme: "http", Host: host} }
	return cos.NewClient(&cos.BaseURL{BucketURL: base(cosHost), ServiceURL: base("service.cos.localhost")}, &http.Client{
		Transport: &cos.AuthorizationTransport{
			SecretID: testAccess, SecretKey: secret, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		},
	})
}

func cosSetup(t *testing.T, o localstore.Options) (*cos.Client, *localstore.Store) {
	t.Helper()
	s := open(t, o)
	c := cosClient(s, testSecret)
	if _, err := c.Bucket.Put(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return c, s
}

func cosRefused(t *testing.T, err error, status int, code string) {
	t.Helper()
	e, ok := errors.AsType[*cos.ErrorResponse](err)
	if !ok {
		t.Fatalf("error is %v, want %d %s", err, status, code)
	}
	if e.Response.StatusCode != status || e.Code != code {
		t.Fatalf("answer is %d %s (%s), want %d %s", e.Response.StatusCode, e.Code, e.Message, status, code)
	}
}

const cosKey = "a/é +%.txt"

func TestCOSObjects(t *testing.T) {
	t.Parallel()
	c, s := cosSetup(t, localstore.Options{})
	ctx := t.Context()
	// The SDK holds the answer's CRC-64 against its own.
	_, err := c.Object.Put(ctx, cosKey, strings.NewReader("hello"), &cos.ObjectPutOptions{
		ACLHeaderOptions: &cos.ACLHeaderOptions{XCosACL: "public-read"},
		ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{
			ContentType: "text/x", XCosStorageClass: "Standard_IA", XCosMetaXXX: &http.Header{"X-Cos-Meta-A-B": {"1"}},
			XOptionHeader: &http.Header{"X-Cos-Tagging": {"t=1"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	head := must(c.Object.Head(ctx, cosKey, nil))(t)
	got := []string{
		head.Header.Get("X-Cos-Storage-Class"), head.Header.Get("X-Cos-Meta-A-B"), head.Header.Get("Content-Type"),
		head.Header.Get("ETag"), head.Header.Get("X-Cos-Tagging-Count"),
	}
	want := []string{"STANDARD_IA", "1", "text/x", `"5d41402abc4b2a76b9719d911017c592"`, "1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if head.Header.Get("X-Cos-Request-Id") == "" {
		t.Error("no request id")
	}
	out := must(c.Object.Get(ctx, cosKey, &cos.ObjectGetOptions{Range: "bytes=1-3"}))(t)
	if text := string(must(io.ReadAll(out.Body))(t)); text != "ell" {
		t.Errorf("range is %q", text)
	}

	list, _, err := c.Bucket.Get(ctx, &cos.BucketGetOptions{Prefix: "a/", EncodingType: "url"})
	if err != nil {
		t.Fatal(err)
	}
	if key := must(cos.DecodeURIComponent(list.Contents[0].Key))(t); key != cosKey || list.Contents[0].StorageClass != "STANDARD_IA" {
		t.Errorf("listed: %+v", list.Contents)
	}

	acl, _, err := c.Object.GetACL(ctx, cosKey)
	if err != nil {
		t.Fatal(err)
	}
	if len(acl.AccessControlList) != 2 || acl.AccessControlList[1].Grantee.URI != "http://cam.qcloud.com/groups/global/AllUsers" {
		t.Errorf("ACL: %+v", acl.AccessControlList)
	}
	grantee := `id="qcs::cam::uin/1:uin/1"`
	if _, err := c.Object.PutACL(ctx, cosKey, &cos.ObjectPutACLOptions{Header: &cos.ACLHeaderOptions{XCosGrantRead: grantee}}); err != nil {
		t.Fatal(err)
	}
	if acl, _, err = c.Object.GetACL(ctx, cosKey); err != nil || acl.AccessControlList[0].Grantee.ID != "qcs::cam::uin/1:uin/1" {
		t.Errorf("ACL: %+v, %v", acl, err)
	}

	if _, err := c.Object.PutTagging(ctx, cosKey, &cos.ObjectPutTaggingOptions{TagSet: []cos.ObjectTaggingTag{{Key: "a", Value: "1"}}}); err != nil {
		t.Fatal(err)
	}
	tags, _, err := c.Object.GetTagging(ctx, cosKey)
	if err != nil || len(tags.TagSet) != 1 || tags.TagSet[0].Value != "1" {
		t.Errorf("tags: %+v, %v", tags, err)
	}
	// The same object through the other dialect.
	other := must(client(s).HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(cosBucket), Key: aws.String(cosKey)}))(t)
	if other.StorageClass != "STANDARD_IA" || other.Metadata["a-b"] != "1" {
		t.Errorf("S3 sees class %s, metadata %v", other.StorageClass, other.Metadata)
	}
	region := must(client(s).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(cosBucket)}))(t).BucketRegion
	if *region != "ap-test" {
		t.Errorf("the bucket lies in %s, not in its host's region", *region)
	}
	must(c.Object.Delete(ctx, cosKey))(t)
	_, err = c.Object.Head(ctx, cosKey, nil)
	if !cos.IsNotFoundError(err) {
		t.Errorf("HEAD after the delete: %v", err)
	}
}

func TestCOSCopy(t *testing.T) {
	t.Parallel()
	c, _ := cosSetup(t, localstore.Options{})
	ctx := t.Context()
	must(c.Object.Put(ctx, cosKey, strings.NewReader("hello"), &cos.ObjectPutOptions{
		ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{ContentType: "text/x", XCosMetaXXX: &http.Header{"X-Cos-Meta-M": {"1"}}},
	}))(t)
	res, _, err := c.Object.Copy(ctx, "copy", cosHost+"/"+cosKey, &cos.ObjectCopyOptions{
		ObjectCopyHeaderOptions: &cos.ObjectCopyHeaderOptions{
			XCosMetadataDirective: "Replaced", ContentType: "text/y", XCosStorageClass: "ARCHIVE", XCosMetaXXX: &http.Header{"X-Cos-Meta-M": {"2"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.ETag != `"5d41402abc4b2a76b9719d911017c592"` || res.CRC64 == "" {
		t.Errorf("result: %+v", res)
	}
	h := must(c.Object.Head(ctx, "copy", nil))(t).Header
	if d := cmp.Diff("text/y 2 ARCHIVE", strings.Join([]string{h.Get("Content-Type"), h.Get("X-Cos-Meta-M"), h.Get("X-Cos-Storage-Class")}, " ")); d != "" {
		t.Error(d)
	}
	_, _, err = c.Object.Copy(ctx, cosKey, cosHost+"/"+cosKey, nil)
	cosRefused(t, err, 400, "InvalidRequest")
	_, _, err = c.Object.Copy(ctx, "to", cosHost+"/copy", nil)
	cosRefused(t, err, 403, "InvalidObjectState")
	_, _, err = c.Object.Copy(ctx, "to", cosHost+"/"+cosKey, &cos.ObjectCopyOptions{
		ObjectCopyHeaderOptions: &cos.ObjectCopyHeaderOptions{XCosCopySourceIfMatch: `"00"`},
	})
	cosRefused(t, err, 412, "PreconditionFailed")
}

func TestCOSRestore(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c, _ := cosSetup(t, clock.options())
	ctx := t.Context()
	for _, class := range []string{"Archive", ""} {
		must(c.Object.Put(ctx, "k"+class, strings.NewReader("cold"), &cos.ObjectPutOptions{
			ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{XCosStorageClass: class},
		}))(t)
	}
	_, err := c.Object.Get(ctx, "kArchive", nil)
	cosRefused(t, err, 403, "InvalidObjectState")
	ask := &cos.ObjectRestoreOptions{Days: 3, Tier: &cos.CASJobParameters{Tier: "Bulk"}}
	_, err = c.Object.PostRestore(ctx, "k", ask)
	cosRefused(t, err, 405, "RestoreNonArchiveObject")
	if out := must(c.Object.PostRestore(ctx, "kArchive", ask))(t); out.StatusCode != 202 {
		t.Errorf("status %d", out.StatusCode)
	}
	_, err = c.Object.PostRestore(ctx, "kArchive", ask)
	cosRefused(t, err, 409, "RestoreAlreadyInProgress")
	h := must(c.Object.Head(ctx, "kArchive", nil))(t).Header
	if got := h.Get("X-Cos-Restore") + "|" + h.Get("X-Cos-Restore-Status"); got != `ongoing-request="true"|tier="bulk"; request-date="Sun, 01 Mar 2026 12:00:00 GMT"` {
		t.Errorf("HEAD says %s", got)
	}
	clock.move(10 * time.Second)
	h = must(c.Object.Head(ctx, "kArchive", nil))(t).Header
	if got := h.Get("X-Cos-Restore"); got != `ongoing-request="false", expiry-date="Thu, 05 Mar 2026 00:00:00 GMT"` {
		t.Errorf("HEAD says %s", got)
	}
	list, _, err := c.Bucket.Get(ctx, nil)
	if err != nil || list.Contents[1].RestoreStatus != "DONE" {
		t.Errorf("listed: %+v, %v", list, err)
	}
	must(c.Object.Get(ctx, "kArchive", nil))(t)
}

func TestCOSVersions(t *testing.T) {
	t.Parallel()
	c, _ := cosSetup(t, localstore.Options{})
	ctx := t.Context()
	must(c.Bucket.PutVersioning(ctx, &cos.BucketPutVersionOptions{Status: "Enabled"}))(t)
	if v, _, err := c.Bucket.GetVersioning(ctx); err != nil || v.Status != "Enabled" {
		t.Errorf("versioning: %+v, %v", v, err)
	}
	var ids []string
	for i := range 2 {
		out := must(c.Object.Put(ctx, "k", strings.NewReader(fmt.Sprint(i)), nil))(t)
		ids = append(ids, out.Header.Get("X-Cos-Version-Id"))
	}
	if out := must(c.Object.Delete(ctx, "k"))(t); out.Header.Get("X-Cos-Delete-Marker") != "true" {
		t.Error("no delete marker")
	}
	list, _, err := c.Bucket.GetObjectVersions(ctx, nil)
	if err != nil || len(list.Version) != 2 || len(list.DeleteMarker) != 1 || list.Version[0].VersionId != ids[1] {
		t.Errorf("versions: %+v, %v", list, err)
	}
	out := must(c.Object.Get(ctx, "k", nil, ids[0]))(t)
	if text := string(must(io.ReadAll(out.Body))(t)); text != "0" {
		t.Errorf("the old version is %q", text)
	}
	must(c.Object.Delete(ctx, "k", &cos.ObjectDeleteOptions{VersionId: ids[0]}))(t) // spelled VersionId by the SDK
	if list, _, err = c.Bucket.GetObjectVersions(ctx, nil); err != nil || len(list.Version) != 1 {
		t.Errorf("versions: %+v, %v", list, err)
	}
	gone, _, err := c.Object.DeleteMulti(ctx, &cos.ObjectDeleteMultiOptions{Objects: []cos.Object{{Key: "k", VersionId: ids[1]}}})
	if err != nil || len(gone.DeletedObjects) != 1 {
		t.Errorf("deleted: %+v, %v", gone, err)
	}
}

func TestCOSMultipart(t *testing.T) {
	t.Parallel()
	c, _ := cosSetup(t, localstore.Options{})
	ctx := t.Context()
	body := filled(5*mib+1000, 9)
	up, _, err := c.Object.InitiateMultipartUpload(ctx, "k", nil)
	if err != nil {
		t.Fatal(err)
	}
	done := &cos.CompleteMultipartUploadOptions{}
	for i, part := range []string{string(body[:5*mib]), string(body[5*mib:])} {
		out := must(c.Object.UploadPart(ctx, "k", up.UploadID, i+1, strings.NewReader(part), nil))(t)
		done.Parts = append(done.Parts, cos.Object{PartNumber: i + 1, ETag: out.Header.Get("ETag")})
	}
	if _, _, err := c.Object.CompleteMultipartUpload(ctx, "k", up.UploadID, done); err != nil {
		t.Fatal(err)
	}
	whole := must(c.Object.Put(ctx, "whole", strings.NewReader(string(body)), nil))(t).Header.Get("X-Cos-Hash-Crc64ecma")
	if got := must(c.Object.Head(ctx, "k", nil))(t).Header.Get("X-Cos-Hash-Crc64ecma"); got != whole {
		t.Errorf("CRC-64 of the parts joined is %s, of the whole %s", got, whole)
	}
}

func TestCOSSignatures(t *testing.T) {
	t.Parallel()
	c, s := cosSetup(t, localstore.Options{})
	ctx := t.Context()
	must(c.Object.Put(ctx, cosKey, strings.NewReader("hello"), nil))(t)
	_, err := cosClient(s, "wrong").Object.Put(ctx, "k", strings.NewReader("x"), nil)
	cosRefused(t, err, 403, "SignatureDoesNotMatch")
	buckets, _, err := c.Service.Get(ctx)
	if err != nil || len(buckets.Buckets) != 1 || buckets.Buckets[0].Region != "ap-test" {
		t.Errorf("buckets: %+v, %v", buckets, err)
	}
	link := must(c.Object.GetPresignedURL(ctx, http.MethodGet, cosKey, testAccess, testSecret, time.Hour, nil))(t)
	for query, status := range map[string]int{link.RawQuery: 200, link.RawQuery + "0": 403} {
		req := must(http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+link.EscapedPath()+"?"+query, nil))(t)
		req.Host = link.Host
		out := must(http.DefaultClient.Do(req))(t)
		out.Body.Close()
		if out.StatusCode != status {
			t.Errorf("a presigned link answers %d, want %d", out.StatusCode, status)
		}
	}
}
