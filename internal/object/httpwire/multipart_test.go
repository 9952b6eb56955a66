package httpwire_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/cephtest"
	"github.com/drover-batch/drover/internal/object/httpwire"
)

// place is a store with a bucket for multipart uploads.
type place struct {
	store  object.Store
	bucket job.Bucket
	// Gaps: what the store does not keep of an upload's beginning, and whether it decodes the key of a part's source
	// twice.
	noTags, noSSE, twice bool
}

// places opens every store that there is.
func places(t *testing.T) map[string]func(t *testing.T) place {
	all := map[string]func(t *testing.T) place{
		"embedded, s3":  func(t *testing.T) place { return embedded(t, httpwire.S3) },
		"embedded, cos": func(t *testing.T) place { return embedded(t, httpwire.COS) },
	}
	all["Ceph"] = func(t *testing.T) place {
		g := cephtest.Open(t)
		return place{store: g.Wire(t, g.SecretKey), bucket: g.Bucket(t, false), noTags: true, noSSE: true, twice: true}
	}
	return all
}

func embedded(t *testing.T, d httpwire.Dialect) place {
	t.Helper()
	s, err := localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), Region: "ap-test", AccessKey: "ak", SecretKey: "sk"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	bucket := "bkt-1250000000"
	stock := s3.New(s3.Options{
		BaseEndpoint: aws.String(s.URL()), Region: "ap-test", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("ak", "sk", ""),
	})
	if _, err := stock.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	return place{store: wire(t, s.URL(), d), bucket: job.Bucket(bucket)}
}

func wire(t *testing.T, url string, d httpwire.Dialect) *httpwire.Client {
	t.Helper()
	w, err := httpwire.Open(httpwire.Options{
		Endpoint: url, Dialect: d, Region: "ap-test", MaxAttempts: 3,
		Credentials: func(context.Context) (httpwire.Credentials, error) {
			return httpwire.Credentials{AccessKey: "ak", SecretKey: "sk"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// text is n bytes that differ from place to place.
func text(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%015d\n", i)
	}
	return b.String()[:n]
}

func TestMultipart(t *testing.T) {
	for name, open := range places(t) {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			ctx := t.Context()
			const size = object.MinPartSize + 1000
			body := text(size)
			src := object.Ref{Bucket: p.bucket, Key: "dir/source é +%"}
			if p.twice {
				src.Key = "dir/source é +"
			}
			put, err := p.store.Put(ctx, object.PutRequest{Bucket: src.Bucket, Key: src.Key, Body: strings.NewReader(body), Size: size})
			if err != nil {
				t.Fatal(err)
			}
			want := object.Metadata{ContentType: "text/x-thing", CacheControl: "max-age=5", User: map[string]string{"colour": "blue"}}
			tags := []object.Tag{{Key: "a b", Value: "c+d"}}
			u := object.Upload{Bucket: p.bucket, Key: "dir/made é +%"}
			u.ID, err = p.store.CreateMultipart(ctx, object.CreateMultipartRequest{
				Bucket: u.Bucket, Key: u.Key, Class: "STANDARD_IA", SSE: "AES256", Meta: want, Tags: tags, CannedACL: "public-read",
			})
			if err != nil {
				t.Fatal(err)
			}
			part := func(number int, offset, length int64, etag string) (string, error) {
				return p.store.UploadPartCopy(ctx, object.PartCopyRequest{
					Upload: u, Number: number, Source: src, Offset: offset, Length: length, IfMatch: etag,
				})
			}
			copied, err := part(1, 0, object.MinPartSize, put.ETag)
			if err != nil {
				t.Fatal(err)
			}
			const tail = "the end"
			sent, err := p.store.UploadPart(ctx, object.PartRequest{Upload: u, Number: 2, Body: strings.NewReader(tail), Size: int64(len(tail))})
			if err != nil {
				t.Fatal(err)
			}
			parts, err := p.store.ListParts(ctx, u)
			if err != nil {
				t.Fatal(err)
			}
			wantParts := []object.Part{{Number: 1, ETag: copied, Size: object.MinPartSize}, {Number: 2, ETag: sent, Size: int64(len(tail))}}
			if diff := cmp.Diff(wantParts, parts); diff != "" {
				t.Fatal(diff)
			}
			res, err := p.store.CompleteMultipart(ctx, object.CompleteRequest{Upload: u, Parts: parts})
			if err != nil || res.HTTPStatus != 200 || !strings.HasSuffix(res.ETag, "-2") {
				t.Fatalf("complete: %+v, %v", res, err)
			}
			made := object.Ref{Bucket: u.Bucket, Key: u.Key}
			rc, info, err := p.store.Get(ctx, made, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(rc)
			rc.Close()
			if err != nil || string(got) != body[:object.MinPartSize]+tail {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
			if diff := cmp.Diff(want, info.Meta); diff != "" || info.Class != "STANDARD_IA" || info.ETag != res.ETag || info.SSE != "AES256" && !p.noSSE {
				t.Errorf("made: %+v %s", info, diff)
			}
			gotTags, err := p.store.Tags(ctx, made)
			if kept := err == nil && cmp.Diff(tags, gotTags) == ""; kept == p.noTags {
				t.Errorf("tags %v, %v", gotTags, err)
			}
			acl, err := p.store.ACL(ctx, made)
			if err != nil || len(acl.Grants) < 2 {
				t.Errorf("access list %+v, %v", acl, err)
			}

			if _, err = p.store.ListParts(ctx, u); object.CodeOf(err) != object.CodeNoSuchUpload && object.CodeOf(err) != object.CodeNoSuchKey {
				t.Errorf("parts of a completed upload: %v", err)
			}
			if _, err = part(1, 0, 10, ""); object.CodeOf(err) != object.CodeNoSuchUpload {
				t.Errorf("part of a completed upload: %v", err)
			}
		})
	}
}

func TestMultipartRefused(t *testing.T) {
	for name, open := range places(t) {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			ctx := t.Context()
			src := object.Ref{Bucket: p.bucket, Key: "src"}
			if _, err := p.store.Put(ctx, object.PutRequest{Bucket: src.Bucket, Key: src.Key, Body: strings.NewReader("0123456789"), Size: 10}); err != nil {
				t.Fatal(err)
			}
			u := object.Upload{Bucket: p.bucket, Key: "k"}
			odd := object.Ref{Bucket: p.bucket, Key: "100%"}
			_, err := p.store.Put(ctx, object.PutRequest{Bucket: odd.Bucket, Key: odd.Key, Body: strings.NewReader("0123456789"), Size: 10})
			if err != nil {
				t.Fatal(err)
			}
			if u.ID, err = p.store.CreateMultipart(ctx, object.CreateMultipartRequest{Bucket: u.Bucket, Key: u.Key}); err != nil {
				t.Fatal(err)
			}
			ranged := object.PartCopyRequest{Upload: u, Number: 1, Source: src, Length: 5}
			for what, change := range map[string]func(r *object.PartCopyRequest){
				"no bytes":            func(r *object.PartCopyRequest) { r.Length = 0 },
				"number 0":            func(r *object.PartCopyRequest) { r.Number = 0 },
				"number 10,001":       func(r *object.PartCopyRequest) { r.Number = 10001 },
				"no upload":           func(r *object.PartCopyRequest) { r.Upload.ID = "" },
				"no source":           func(r *object.PartCopyRequest) { r.Source.Key = "" },
				"before the source":   func(r *object.PartCopyRequest) { r.Offset = -1 },
				"newline in an ETag":  func(r *object.PartCopyRequest) { r.IfMatch = "a\nb" },
				"source with a slash": func(r *object.PartCopyRequest) { r.Source.Bucket = "a/b" },
			} {
				r := ranged
				change(&r)
				if _, err := p.store.UploadPartCopy(ctx, r); object.CodeOf(err) != object.CodeInvalidRequest || object.Retryable(err) {
					t.Errorf("%s: %v", what, err)
				}
			}
			percent := ranged
			percent.Source = odd
			if _, err := p.store.UploadPartCopy(ctx, percent); err != nil != p.twice {
				t.Errorf("a source with a percent sign: %v", err)
			}
			gone := ranged
			gone.Source.Key = "none"
			if _, err := p.store.UploadPartCopy(ctx, gone); object.StatusOf(err) != 404 {
				t.Errorf("no such source: %v", err)
			}
			if _, err := p.store.UploadPartCopy(ctx, ranged); err != nil {
				t.Fatal(err)
			}
			_, err = p.store.CompleteMultipart(ctx, object.CompleteRequest{Upload: u, Parts: []object.Part{{Number: 1, ETag: "0123456789abcdef0123456789abcdef"}}})
			if object.CodeOf(err) != "InvalidPart" {
				t.Errorf("a part that is none: %v", err)
			}
			if err := p.store.AbortMultipart(ctx, u); err != nil {
				t.Error(err)
			}
			if err := p.store.AbortMultipart(ctx, u); object.CodeOf(err) != object.CodeNoSuchUpload {
				t.Errorf("abort again: %v", err)
			}
			if _, err := p.store.Head(ctx, object.Ref{Bucket: u.Bucket, Key: u.Key}); object.StatusOf(err) != 404 {
				t.Errorf("after the abort: %v", err)
			}
		})
	}
}

// answering serves one answer after the other, the last one for ever.
func answering(t *testing.T, seen *[]string, answers ...string) string {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := int(n.Add(1)) - 1
		if seen != nil {
			*seen = append(*seen, fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Header.Get("X-Cos-Copy-Source"), r.Header.Get("X-Amz-Copy-Source")))
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		a := answers[min(at, len(answers)-1)]
		status, body, _ := strings.Cut(a, " ")
		var code int
		fmt.Sscan(status, &code)
		w.WriteHeader(code)
		io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// A completion and a part copy may fail behind a 200.
func TestErrorsBehindSuccess(t *testing.T) {
	t.Parallel()
	u := object.Upload{Bucket: "b", Key: "k", ID: "u"}
	parts := []object.Part{{Number: 1, ETag: "e"}}
	const (
		fault = "200 \n\n<Error><Code>InternalError</Code><Message>again</Message></Error>"
		final = "200 <Error><Code>AccessDenied</Code><Message>no</Message></Error>"
		done  = `200   <?xml version="1.0"?><CompleteMultipartUploadResult><ETag>"x-1"</ETag></CompleteMultipartUploadResult>`
		part  = `200 <CopyPartResult><ETag>&quot;p&quot;</ETag></CopyPartResult>`
		gone  = "404 <Error><Code>NoSuchUpload</Code></Error>"
	)
	for _, v := range []struct {
		name    string
		answers []string
		copies  bool
		code    string
		status  int
		etag    string
	}{
		{"completed at the second attempt", []string{fault, done}, false, "", 200, "x-1"},
		{"refused behind a success", []string{final}, false, "AccessDenied", 200, ""},
		{"never completed", []string{fault}, false, "InternalError", 200, ""},
		{"gone at once", []string{gone}, false, object.CodeNoSuchUpload, 404, ""},
		{"gone after a fault", []string{fault, gone}, false, "", 200, ""},
		{"no answer of its own", []string{"200 <Other/>"}, false, "InvalidResponse", 200, ""},
		{"an answer without an ETag", []string{"200 <CompleteMultipartUploadResult/>"}, false, "InvalidResponse", 200, ""},
		{"an empty answer", []string{"200 "}, false, "InvalidResponse", 200, ""},
		{"part at the second attempt", []string{fault, part}, true, "", 0, "p"},
		{"part refused behind a success", []string{final}, true, "AccessDenied", 200, ""},
		{"part without an ETag", []string{"200 <CopyPartResult/>"}, true, "InvalidResponse", 200, ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			store := wire(t, answering(t, nil, v.answers...), httpwire.S3)
			var etag string
			var status int
			var err error
			if v.copies {
				etag, err = store.UploadPartCopy(t.Context(), object.PartCopyRequest{Upload: u, Number: 1, Source: object.Ref{Bucket: "s", Key: "k"}, Length: 1})
			} else {
				var res object.CompleteResult
				res, err = store.CompleteMultipart(t.Context(), object.CompleteRequest{Upload: u, Parts: parts})
				etag, status = res.ETag, res.HTTPStatus
			}
			if err != nil {
				status = object.StatusOf(err)
			}
			if etag != v.etag || object.CodeOf(err) != v.code || status != v.status {
				t.Errorf("etag %q, status %d, %v", etag, status, err)
			}
		})
	}
}

func TestPartsInPages(t *testing.T) {
	t.Parallel()
	page := func(truncated bool, next int, numbers ...int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "200 <ListPartsResult><IsTruncated>%t</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker>", truncated, next)
		for _, n := range numbers {
			fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>&#34;e%d&#34;</ETag><Size>%d</Size></Part>", n, n, n)
		}
		return b.String() + "</ListPartsResult>"
	}
	u := object.Upload{Bucket: "b", Key: "k", ID: "u+"}
	var seen []string
	store := wire(t, answering(t, &seen, page(true, 2, 2, 1), page(true, 3, 3), page(false, 0, 9)), httpwire.S3)
	got, err := store.ListParts(t.Context(), u)
	want := []object.Part{{Number: 1, ETag: "e1", Size: 1}, {Number: 2, ETag: "e2", Size: 2}, {Number: 3, ETag: "e3", Size: 3}, {Number: 9, ETag: "e9", Size: 9}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	wantSeen := []string{
		"GET /b/k?max-parts=1000&uploadId=u%2B ", "GET /b/k?max-parts=1000&part-number-marker=2&uploadId=u%2B ", "GET /b/k?max-parts=1000&part-number-marker=3&uploadId=u%2B ",
	}
	if diff := cmp.Diff(wantSeen, seen); diff != "" {
		t.Error(diff)
	}
	stuck := wire(t, answering(t, nil, page(true, 0, 1)), httpwire.S3)
	if _, err := stuck.ListParts(t.Context(), u); err == nil || object.Retryable(err) {
		t.Errorf("a list that does not advance: %v", err)
	}
}

// Sources in another region are named by that region's host, and encryption by the dialect's own words.
func TestCopyAcrossRegionsAndKeys(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		d      httpwire.Dialect
		source string
		sse    [3]string // header names' prefix, word, key header
	}{
		{httpwire.S3, "s/k%20", [3]string{"X-Amz-", "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"}},
		{httpwire.COS, "s.cos.eu-other.myqcloud.com/k%20", [3]string{"X-Cos-", "cos/kms", "X-Cos-Server-Side-Encryption-Cos-Kms-Key-Id"}},
	} {
		var got []http.Header
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.Header)
			var out any = struct {
				XMLName xml.Name `xml:"CopyObjectResult"`
				ETag    string
			}{ETag: "e"}
			if r.URL.Query().Has("uploads") {
				out = struct {
					XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
					UploadID string   `xml:"UploadId"`
				}{UploadID: "u"}
			}
			if err := xml.NewEncoder(w).Encode(out); err != nil {
				t.Error(err)
			}
		}))
		t.Cleanup(srv.Close)
		store := wire(t, srv.URL, v.d)
		for _, sse := range []string{object.SSEKMS, object.SSEKMSCOS} {
			if _, err := store.Copy(t.Context(), object.CopyRequest{
				Source: object.Ref{Bucket: "s", Key: "k "}, SourceRegion: "eu-other", Bucket: "b", Key: "k", SSE: sse, SSEKey: "key-1",
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := store.CreateMultipart(t.Context(), object.CreateMultipartRequest{Bucket: "b", Key: "k", SSE: sse, SSEKey: "key-1"}); err != nil {
				t.Fatal(err)
			}
		}
		if s := got[0].Get(v.sse[0] + "Copy-Source"); s != v.source {
			t.Errorf("%s: source %q, want %q", v.d, s, v.source)
		}
		for _, h := range got {
			if h.Get(v.sse[0]+"Server-Side-Encryption") != v.sse[1] || h.Get(v.sse[2]) != "key-1" {
				t.Errorf("%s: %v", v.d, h)
			}
		}
	}
}
