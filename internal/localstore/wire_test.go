package localstore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/drover-batch/drover/internal/localstore"
)

var testCredentials = aws.Credentials{AccessKeyID: testAccess, SecretAccessKey: testSecret}

// send signs a raw request with the SDK's signer and sends it.
func send(t *testing.T, r *http.Request, payload string, at time.Time) (int, string) {
	t.Helper()
	r.Header.Set("X-Amz-Content-Sha256", payload)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(t.Context(), testCredentials, r, payload, "s3", "local", at); err != nil {
		t.Fatal(err)
	}
	return answer(t, r)
}

func answer(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	out := must(http.DefaultClient.Do(r))(t)
	defer out.Body.Close()
	return out.StatusCode, string(must(io.ReadAll(out.Body))(t))
}

func request(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	return must(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))(t)
}

func TestSignaturesAreHeldAgainstTheRequest(t *testing.T) {
	t.Parallel()
	c, s := setup(t, localstore.Options{})
	put(t, c, "k", "body")
	url := s.URL() + "/" + *bucket + "/k"
	now := time.Now()
	tests := map[string]struct {
		change func(*http.Request)
		at     time.Time
		status int
		code   string
	}{
		"good":            {func(*http.Request) {}, now, 200, ""},
		"other path":      {func(r *http.Request) { r.URL.Path += "x" }, now, 403, "SignatureDoesNotMatch"},
		"other query":     {func(r *http.Request) { r.URL.RawQuery = "acl" }, now, 403, "SignatureDoesNotMatch"},
		"other method":    {func(r *http.Request) { r.Method = http.MethodDelete }, now, 403, "SignatureDoesNotMatch"},
		"other host":      {func(r *http.Request) { r.Host = "elsewhere" }, now, 403, "SignatureDoesNotMatch"},
		"other payload":   {func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD-X") }, now, 403, "SignatureDoesNotMatch"},
		"late":            {func(*http.Request) {}, now.Add(-16 * time.Minute), 403, "RequestTimeTooSkewed"},
		"early":           {func(*http.Request) {}, now.Add(16 * time.Minute), 403, "RequestTimeTooSkewed"},
		"no signature":    {func(r *http.Request) { r.Header.Del("Authorization") }, now, 403, "AccessDenied"},
		"not a signature": {func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x") }, now, 400, "AuthorizationHeaderMalformed"},
		"unknown key": {func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), testAccess, "nobody", 1))
		}, now, 403, "InvalidAccessKeyId"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := request(t, http.MethodGet, url, "")
			r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
			if err := v4.NewSigner().SignHTTP(t.Context(), testCredentials, r, "UNSIGNED-PAYLOAD", "s3", "local", tt.at); err != nil {
				t.Fatal(err)
			}
			tt.change(r)
			status, body := answer(t, r)
			if status != tt.status || !strings.Contains(body, tt.code) {
				t.Errorf("answer is %d %s", status, body)
			}
		})
	}
}

func TestPresignedLinks(t *testing.T) {
	t.Parallel()
	c, s := setup(t, localstore.Options{})
	put(t, c, "a/é +%.txt", "body")
	in := &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a/é +%.txt"), ResponseContentType: aws.String("text/z")}
	link := must(s3.NewPresignClient(c).PresignGetObject(t.Context(), in))(t)
	if status, body := answer(t, request(t, http.MethodGet, link.URL, "")); status != 200 || body != "body" {
		t.Errorf("answer is %d %s", status, body)
	}
	forged := strings.Replace(link.URL, "text%2Fz", "text%2Fx", 1)
	if status, body := answer(t, request(t, http.MethodGet, forged, "")); status != 403 {
		t.Errorf("a changed link answers %d %s", status, body)
	}
	r := request(t, http.MethodGet, s.URL()+"/"+*bucket+"/k?X-Amz-Expires=60", "")
	old, _, err := v4.NewSigner().PresignHTTP(t.Context(), testCredentials, r, "UNSIGNED-PAYLOAD", "s3", "local", time.Now().Add(-2*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if status, body := answer(t, request(t, http.MethodGet, old, "")); status != 403 || !strings.Contains(body, "expired") {
		t.Errorf("an expired link answers %d %s", status, body)
	}
}

func TestBucketsByHost(t *testing.T) {
	t.Parallel()
	c, s := setup(t, localstore.Options{})
	put(t, c, "a/b", "body")
	for _, host := range []string{"bkt.s3.local.localhost", "bkt.s3-local.example", "bkt.localhost:80", "BKT.cos.local.localhost"} {
		r := request(t, http.MethodGet, s.URL()+"/a/b", "")
		r.Host = host
		if status, body := send(t, r, "UNSIGNED-PAYLOAD", time.Now()); status != 200 || body != "body" {
			t.Errorf("%s answers %d %s", host, status, body)
		}
	}
	for _, host := range []string{"s3.local.localhost", "cos.local.localhost", "localhost:80", "store.example.com"} {
		r := request(t, http.MethodGet, s.URL()+"/bkt/a/b", "")
		r.Host = host
		if status, body := send(t, r, "UNSIGNED-PAYLOAD", time.Now()); status != 200 || body != "body" {
			t.Errorf("%s answers %d %s", host, status, body)
		}
	}
}

func TestBodiesAreHeldAgainstTheirDigests(t *testing.T) {
	t.Parallel()
	c, s := setup(t, localstore.Options{})
	url := s.URL() + "/" + *bucket + "/k"
	hexOf := func(text string) string { h := sha256.Sum256([]byte(text)); return hex.EncodeToString(h[:]) }
	tests := map[string]struct {
		payload string
		headers map[string]string
		status  int
		code    string
	}{
		"hash":                {hexOf("hello"), nil, 200, ""},
		"wrong hash":          {hexOf("other"), nil, 400, "XAmzContentSHA256Mismatch"},
		"MD5":                 {"UNSIGNED-PAYLOAD", map[string]string{"Content-Md5": "XUFAKrxLKna5cZ2REBfFkg=="}, 200, ""},
		"wrong MD5":           {"UNSIGNED-PAYLOAD", map[string]string{"Content-Md5": "AUFAKrxLKna5cZ2REBfFkg=="}, 400, "BadDigest"},
		"no MD5 at all":       {"UNSIGNED-PAYLOAD", map[string]string{"Content-Md5": "x"}, 400, "InvalidDigest"},
		"CRC32":               {"UNSIGNED-PAYLOAD", map[string]string{"X-Amz-Checksum-Crc32": "NhCmhg=="}, 200, ""},
		"wrong CRC32":         {"UNSIGNED-PAYLOAD", map[string]string{"X-Amz-Checksum-Crc32": "NhCmhQ=="}, 400, "BadDigest"},
		"CRC32 of wrong size": {"UNSIGNED-PAYLOAD", map[string]string{"X-Amz-Checksum-Crc32": "NhCm"}, 400, "InvalidRequest"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			put(t, c, "k", "before")
			r := request(t, http.MethodPut, url, "hello")
			for k, v := range tt.headers {
				r.Header.Set(k, v)
			}
			status, body := send(t, r, tt.payload, time.Now())
			if status != tt.status || !strings.Contains(body, tt.code) {
				t.Errorf("answer is %d %s", status, body)
			}
			text, _ := get(t, c, "k")
			if want := map[bool]string{true: "hello", false: "before"}[tt.status == 200]; text != want {
				t.Errorf("the object is %q", text)
			}
		})
	}
}

func TestStreamedBodiesWithTrailers(t *testing.T) {
	t.Parallel()
	c, s := setup(t, localstore.Options{})
	// Over TLS the SDK streams its body in unsigned chunks with a checksum in the trailer.
	front := httptest.NewTLSServer(s)
	defer front.Close()
	secure := client(s, func(o *s3.Options) {
		o.BaseEndpoint, o.HTTPClient = aws.String(front.URL), front.Client()
	})
	for _, algorithm := range []types.ChecksumAlgorithm{"", "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512"} {
		in := &s3.PutObjectInput{
			Bucket: bucket, Key: aws.String("k"), Body: io.MultiReader(bytes.NewReader(big)), ContentLength: aws.Int64(int64(len(big))), ChecksumAlgorithm: algorithm,
		}
		if _, err := secure.PutObject(t.Context(), in); err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if text, _ := get(t, c, "k", func(in *s3.GetObjectInput) { in.ChecksumMode = types.ChecksumModeEnabled }); text != string(big) {
			t.Errorf("%s: the body is not what was sent", algorithm)
		}
	}
	framed := func(sum string) string {
		return fmt.Sprintf("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n", sum)
	}
	for name, tt := range map[string]struct {
		body, length string
		status       int
		code         string
	}{
		"good":          {framed("NhCmhg=="), "5", 200, ""},
		"wrong trailer": {framed("NhCmhQ=="), "5", 400, "BadDigest"},
		"too long":      {framed("NhCmhg=="), "4", 400, "IncompleteBody"},
		"too short":     {framed("NhCmhg=="), "6", 400, "IncompleteBody"},
		"cut off":       {"5\r\nhel", "5", 400, "IncompleteBody"},
		"no framing":    {"hello there", "5", 400, ""},
		"no length":     {framed("NhCmhg=="), "", 411, "MissingContentLength"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, http.MethodPut, s.URL()+"/"+*bucket+"/framed", tt.body)
			r.Header.Set("Content-Encoding", "aws-chunked")
			r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
			if tt.length != "" {
				r.Header.Set("X-Amz-Decoded-Content-Length", tt.length)
			}
			status, body := send(t, r, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", time.Now())
			if status != tt.status || !strings.Contains(body, tt.code) {
				t.Errorf("answer is %d %s", status, body)
			}
		})
	}
	// Clients that do not know the framing's length send it in HTTP's own chunks.
	r := request(t, http.MethodPut, s.URL()+"/"+*bucket+"/framed", framed("NhCmhg=="))
	r.ContentLength = -1
	r.Header.Set("Content-Encoding", "aws-chunked")
	r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
	r.Header.Set("X-Amz-Decoded-Content-Length", "5")
	if status, body := send(t, r, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", time.Now()); status != 200 {
		t.Errorf("answer is %d %s", status, body)
	}
	text, out := get(t, c, "framed")
	if text != "hello" || out.ContentEncoding != nil {
		t.Errorf("the object is %q, encoded %q", text, aws.ToString(out.ContentEncoding))
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.b.String(), "\n"), "\n")
}

func TestCallLogHasALineForEachObjectCall(t *testing.T) {
	t.Parallel()
	log := &lines{}
	c, _ := setup(t, localstore.Options{CallLog: log})
	put(t, c, "a b+c\n/é", "x", class("GLACIER"))
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a b+c\n/é")})
	refused(t, err, 403, "InvalidObjectState")
	if err := restore(t, c, "a b+c\n/é", "", 1, types.TierBulk); err != nil {
		t.Fatal(err)
	}
	listAll(t, c, "", "", 10)
	must(c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("z")}}}}))(t)
	key := `a%20b%2Bc%0A/%C3%A9`
	want := []string{"PutObject bkt " + key + " 200", "GetObject bkt " + key + " 403", "RestoreObject bkt " + key + " 202", "DeleteObjects bkt z 204"}
	got := log.all()
	if len(got) != len(want) {
		t.Fatalf("the log is %q", got)
	}
	for i, line := range got {
		fields := strings.Split(line, " ")
		if _, err := time.Parse(time.RFC3339Nano, fields[0]); err != nil {
			t.Error(err)
		}
		if strings.Join(fields[1:5], " ") != want[i] || !regexp.MustCompile(`^[0-9A-F]{16}$`).MatchString(fields[5]) || len(fields) != 6 {
			t.Errorf("line %q, want %q", line, want[i])
		}
	}
}
