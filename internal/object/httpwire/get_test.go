package httpwire

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/object"
)

// rawAnswer writes an answer's bytes as they are and closes the connection.
func rawAnswer(w http.ResponseWriter, s string) {
	conn, _, _ := w.(http.Hijacker).Hijack()
	_, _ = conn.Write([]byte(s))
	_ = conn.Close()
}

func TestGetGoesOnAfterABreak(t *testing.T) {
	var ranges []string
	var n atomic.Int32
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range")+" "+r.Header.Get("If-Match"))
		switch n.Add(1) {
		case 1:
			rawAnswer(w, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n0123")
		case 2:
			w.WriteHeader(503)
		case 3:
			rawAnswer(w, "HTTP/1.1 206 OK\r\nContent-Length: 6\r\nContent-Range: bytes 4-9/10\r\nETag: \"e\"\r\n\r\n456")
		default:
			rawAnswer(w, "HTTP/1.1 206 OK\r\nContent-Length: 3\r\nContent-Range: bytes 7-9/10\r\nETag: \"e\"\r\n\r\n789")
		}
	})
	body, info, err := c.Get(t.Context(), ref, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if string(b) != "0123456789" || err != nil || info.Size != 10 {
		t.Errorf("got %q of %d, %v", b, info.Size, err)
	}
	want := []string{" ", `bytes=4-9 "e"`, `bytes=4-9 "e"`, `bytes=7-9 "e"`}
	if diff := cmp.Diff(want, ranges); diff != "" {
		t.Error(diff)
	}
}

func TestGetDoesNotMixTwoObjects(t *testing.T) {
	var n atomic.Int32
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			rawAnswer(w, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n0123")
			return
		}
		w.WriteHeader(412)
	})
	body, _, err := c.Get(t.Context(), ref, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err = io.ReadAll(body); object.CodeOf(err) != object.CodePreconditionFailed {
		t.Error(err)
	}
}

func TestGetGivesUpWithoutProgress(t *testing.T) {
	var n atomic.Int32
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		rawAnswer(w, "HTTP/1.1 206 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n")
	})
	body, _, err := c.Get(t.Context(), ref, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err = io.ReadAll(body); !object.Retryable(err) || n.Load() > 2 {
		t.Errorf("%v after %d calls", err, n.Load())
	}
}

func TestGetOfAStoreWithoutRanges(t *testing.T) {
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("0123456789")) })
	for _, v := range []struct {
		offset, length int64
		want           string
	}{{3, 4, "3456"}, {0, 2, "01"}, {5, -1, "56789"}} {
		body, info, err := c.Get(t.Context(), ref, v.offset, v.length)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		body.Close()
		if string(b) != v.want || err != nil || info.Size != 10 {
			t.Errorf("got %q of %d, %v; want %q", b, info.Size, err, v.want)
		}
	}
}

func TestInfoOfHeaders(t *testing.T) {
	c, _ := start(t, COS, func(w http.ResponseWriter, r *http.Request) {
		for k, v := range map[string]string{
			"Content-Length": "12", "ETag": `"e1"`, "Last-Modified": "Tue, 19 Nov 2019 16:00:00 GMT",
			"x-cos-storage-class": "DEEP_ARCHIVE", "x-cos-server-side-encryption": "AES256", "x-cos-version-id": "v1",
			"x-cos-restore": `ongoing-request="false", expiry-date="Wed, 20 Nov 2019 16:00:00 GMT"`, "x-cos-tagging-count": "3",
			"x-cos-meta-Some-Name": "=?UTF-8?Q?=C3=A9?=", "Cache-Control": "no-cache", "Expires": "0", "Content-Encoding": "gzip",
			"Content-Type": "text/plain", "x-amz-meta-other": "no", "x-cos-archive-status": "ARCHIVE_ACCESS",
		} {
			w.Header().Set(k, v)
		}
	})
	got, err := c.Head(t.Context(), ref)
	want := object.Info{
		Size: 12, ETag: "e1", Version: "v1", LastModified: time.Date(2019, 11, 19, 16, 0, 0, 0, time.UTC), Class: "DEEP_ARCHIVE",
		ArchiveTier: "ARCHIVE_ACCESS", SSE: "AES256", TagCount: 3, Restore: &object.RestoreState{Expiry: time.Date(2019, 11, 20, 16, 0, 0, 0, time.UTC)},
		Meta: object.Metadata{
			CacheControl: "no-cache", ContentEncoding: "gzip", ContentType: "text/plain", Expires: "0",
			User: map[string]string{"some-name": "=?UTF-8?Q?=C3=A9?="},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if r := parseRestore(`ongoing-request="true"`); !r.Ongoing || !r.Expiry.IsZero() {
		t.Error(r)
	}
}

// What each dialect calls things.
func TestCopyOnTheWire(t *testing.T) {
	for d, want := range map[Dialect]map[string]string{
		S3: {
			"x-amz-copy-source": "b-125/dir/a%20%C3%A9%20%2B%25.txt?versionId=v1", "x-amz-metadata-directive": "REPLACE",
			"x-amz-meta-a": "naïve", "x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "k%20=v%26", "x-amz-storage-class": "GLACIER",
			"x-amz-acl": "private", "x-amz-grant-full-control": `id="1", id="2"`, "x-amz-server-side-encryption": "AES256",
			"x-amz-copy-source-if-match": `"e"`, "x-amz-copy-source-if-modified-since": "Thu, 01 Jan 2026 00:00:00 GMT",
		},
		COS: {
			"x-cos-copy-source":        "b-125.cos.ap-test.myqcloud.com/dir/a%20%C3%A9%20%2B%25.txt?versionId=v1",
			"x-cos-metadata-directive": "Replaced",
			"x-cos-meta-a":             "naïve", "x-cos-tagging-directive": "Replaced", "x-cos-tagging": "k%20=v%26", "x-cos-storage-class": "GLACIER",
			"x-cos-acl": "private", "x-cos-grant-full-control": `id="1", id="2"`, "x-cos-server-side-encryption": "AES256",
			"x-cos-copy-source-if-match": `"e"`, "x-cos-copy-source-if-modified-since": "Thu, 01 Jan 2026 00:00:00 GMT",
		},
	} {
		t.Run(string(d), func(t *testing.T) {
			got := map[string]string{}
			var host string
			c, _ := start(t, d, func(w http.ResponseWriter, r *http.Request) {
				host = r.Host
				for k := range want {
					got[k] = r.Header.Get(k)
				}
				_, _ = w.Write([]byte("  \n<?xml version=\"1.0\"?>\n<CopyObjectResult xmlns=\"x\"><LastModified>2026-01-02T03:04:05.000Z</LastModified>" +
					"<ETag>&quot;abc&quot;</ETag></CopyObjectResult>\n"))
			})
			src := ref
			src.Version = "v1"
			r, err := c.Copy(t.Context(), object.CopyRequest{
				Source: src, Bucket: "dst-125", Key: "k", Class: "GLACIER", SSE: "AES256", CannedACL: "private", IfMatch: "e",
				MetadataDirective: object.DirectiveReplace, Meta: object.Metadata{User: map[string]string{"A": "naïve"}},
				TaggingDirective: object.DirectiveReplace, Tags: []object.Tag{{Key: "k ", Value: "v&"}},
				Grants: []object.Grant{
					{Permission: "FULL_CONTROL", Grantee: object.Grantee{ID: "1"}},
					{Permission: "FULL_CONTROL", Grantee: object.Grantee{ID: "2"}},
				},
				IfModifiedSince: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			wantResult := object.CopyResult{HTTPStatus: 200}
			if diff := cmp.Diff(wantResult, r); diff != "" {
				t.Error(diff)
			}
			if d == COS && host != "dst-125.cos.ap-test.myqcloud.com" {
				t.Errorf("host %q", host)
			}
		})
	}
}

func TestRestoreOnTheWire(t *testing.T) {
	for d, want := range map[Dialect]string{
		S3: `<RestoreRequest xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Days>7</Days>` +
			`<GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters></RestoreRequest>`,
		COS: `<RestoreRequest><Days>7</Days><CASJobParameters><Tier>Bulk</Tier></CASJobParameters></RestoreRequest>`,
	} {
		var got, query string
		c, _ := start(t, d, func(w http.ResponseWriter, r *http.Request) {
			got, query = readAll(r), r.URL.RawQuery
			w.WriteHeader(202)
		})
		status, err := c.Restore(t.Context(), object.RestoreRequest{
			Ref: object.Ref{Bucket: "b", Key: "k", Version: "v"}, Days: 7, Tier: "Bulk",
		})
		if err != nil || status != 202 || got != want || query != "restore=&versionId=v" {
			t.Errorf("%s: %d, %v, %q %s", d, status, err, query, got)
		}
		_, err = c.Restore(t.Context(), object.RestoreRequest{Ref: object.Ref{Bucket: "b", Key: "k"}, Tier: "Bulk"})
		if without := strings.Replace(want, "<Days>7</Days>", "", 1); err != nil || got != without {
			t.Errorf("%s: without days: %v, %s", d, err, got)
		}
	}
}

func TestListingsThatDoNotAdvance(t *testing.T) {
	page := func(inner string) string {
		return "<ListBucketResult><IsTruncated>true</IsTruncated>" + inner + "</ListBucketResult>"
	}
	for _, v := range []struct {
		name     string
		d        Dialect
		versions bool
		body     string
		rows     int
	}{
		{"same token", S3, false, page("<NextContinuationToken>t</NextContinuationToken><Contents><Key>a</Key></Contents>"), 1},
		{"no token", S3, false, page("<Contents><Key>a</Key></Contents>"), 0},
		{"same marker", COS, false, page("<NextMarker>a</NextMarker><Contents><Key>a</Key></Contents>"), 1},
		{"truncated and empty", COS, false, page(""), 0},
		{"same version marker", S3, true, page("<NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>" +
			"<Version><Key>a</Key><VersionId>1</VersionId></Version>"), 1},
		{"bad encoding", S3, false, page("<EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents>"), 0},
	} {
		t.Run(v.name, func(t *testing.T) {
			var n atomic.Int32
			c, _ := start(t, v.d, func(w http.ResponseWriter, _ *http.Request) {
				n.Add(1)
				_, _ = w.Write([]byte(v.body))
			})
			rows := 0
			var last error
			for _, err := range c.List(t.Context(), "b", object.ListOptions{Versions: v.versions}) {
				if last = err; err == nil {
					rows++
				}
			}
			if object.CodeOf(last) != codeBadAnswer || object.Retryable(last) || rows != v.rows || n.Load() > 2 {
				t.Errorf("%d rows, %d calls, %v", rows, n.Load(), last)
			}
		})
	}
}

func TestEmptyPagesLeadOn(t *testing.T) {
	var n atomic.Int32
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			_, _ = w.Write([]byte("<L><IsTruncated>true</IsTruncated><NextContinuationToken>t1</NextContinuationToken></L>"))
		case 2:
			if r.URL.Query().Get("continuation-token") != "t1" {
				t.Errorf("query %q", r.URL.RawQuery)
			}
			_, _ = w.Write([]byte("<L><EncodingType>url</EncodingType><Contents><Key>a+b%2Bc</Key></Contents></L>"))
		}
	})
	for e, err := range c.List(t.Context(), "b", object.ListOptions{}) {
		if err != nil || e.Key != "a b+c" {
			t.Errorf("%q, %v", e.Key, err)
		}
	}
}

func TestCopyScanAgreesWithTheParser(t *testing.T) {
	for body, ok := range map[string]bool{
		`<CopyObjectResult><ETag>"a"</ETag></CopyObjectResult>`:                                                                 true,
		`<CopyObjectResult><ETag></ETag></CopyObjectResult>`:                                                                    false,
		`<CopyObjectResult><LastModified>2026-01-02T03:04:05.000Z</LastModified></CopyObjectResult>`:                            false,
		`<?xml version="1.0" encoding="UTF-8"?><CopyObjectResult xmlns="http://s3"><ETag>&#34;a&#34;</ETag></CopyObjectResult>`: true,
		"\n \t<CopyObjectResult>\n<ETag>a</ETag>\n</CopyObjectResult>\n":                                                        true,
		`<CopyObjectResult><!-- <ETag>b</ETag> --><ETag>a</ETag></CopyObjectResult>`:                                            false,
		`<CopyObjectResults><ETag>a</ETag></CopyObjectResults>`:                                                                 false,
		`<CopyObjectResult><ETag>a</ETag>`:                                                                                      false,
		`<CopyObjectResult><ETag>&#x61;</ETag></CopyObjectResult>`:                                                              false,
		`<Error><ETag>a</ETag></Error>`:                                                                                         false,
		``:                                                                                                                      false,
	} {
		if version, got := scanCopyResult([]byte(body)); got != ok || ok && version != "" {
			t.Errorf("%q: %q %v", body, version, got)
		}
	}
}

func TestBodyOfARequestIsNotTouchedAfterTheCall(t *testing.T) {
	c, _ := start(t, S3, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(403) // before the body is read
	})
	for range 20 {
		body := strings.NewReader(strings.Repeat("x", 1<<20))
		_, err := c.Put(t.Context(), object.PutRequest{Bucket: "b", Key: "k", Body: body, Size: 1 << 20})
		if err == nil {
			t.Fatal("no error")
		}
		body.Reset("") // a race when something still reads it
	}
}
