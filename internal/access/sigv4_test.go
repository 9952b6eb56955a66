package access_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func signV4(t rapid.TB, r *http.Request, payload, service, region string, at time.Time) {
	t.Helper()
	s := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := aws.Credentials{AccessKeyID: alice.AccessKey, SecretAccessKey: alice.SecretKey}
	if err := s.SignHTTP(context.Background(), creds, r, payload, service, region, at); err != nil {
		t.Fatal(err)
	}
}

// The sample of the AWS documentation, "Signature Calculations for the Authorization Header": GET Object with a range.
func TestSigV4DocumentedVector(t *testing.T) {
	t.Parallel()
	p := access.Principal{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	r, _ := http.NewRequest("GET", "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	r.Header.Set("Range", "bytes=0-9")
	r.Header.Set("X-Amz-Date", "20130524T000000Z")
	r.Header.Set("X-Amz-Content-Sha256", hexSHA256(nil))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
	got, err := verifierAt(time.Date(2013, 5, 24, 0, 10, 0, 0, time.UTC), p).SigV4(r, nil)
	if err != nil || got != p {
		t.Fatalf("got %v, %v", got, err)
	}
	if region := access.ScopeRegion(r); region != "us-east-1" {
		t.Errorf("region %q", region)
	}
}

// What aws-sdk-go-v2 signs is accepted, and no more once any signed part has changed.
func TestSigV4AgreesWithTheStockSigner(t *testing.T) {
	t.Parallel()
	v := verifierAt(noon, alice)
	// The SDK sorts parameters before it encodes them, the specification after; names of plain letters are one to both.
	name := rapid.StringMatching(`[a-zA-Z0-9]{1,6}`)
	rapid.Check(t, func(t *rapid.T) {
		r, body := drawRequest(t, name, rapid.String())
		r.Header.Set("X-Amz-Account-Id", "100000000001")
		r.Header.Set("X-Amz-Content-Sha256", hexSHA256(body))
		at := noon.Add(time.Duration(rapid.Int64Range(-900, 900).Draw(t, "skew")) * time.Second)
		region := rapid.SampledFrom([]string{"us-east-1", "snow", "local"}).Draw(t, "region")
		signV4(t, r, hexSHA256(body), "s3", region, at)
		got, gotBody := receive(t, r)
		if p, err := v.SigV4(got, gotBody); err != nil || p != alice {
			t.Fatalf("%s %s: %v, %v", got.Method, got.RequestURI, p, err)
		}
		if access.ScopeRegion(got) != job.Region(region) {
			t.Fatalf("region %q, want %q", access.ScopeRegion(got), region)
		}
		want := job.BadSignature
		switch rapid.IntRange(0, 8).Draw(t, "tamper") {
		case 0:
			got.Method = "PATCH"
		case 1:
			got.URL.Path += "x"
			got.URL.RawPath = ""
		case 2:
			got.Host = "other.example.com"
		case 3:
			got.Header.Set("X-Amz-Account-Id", "2")
		case 4:
			got.URL.RawQuery = strings.TrimPrefix(got.URL.RawQuery+"&added=1", "&")
		case 5:
			gotBody = append(gotBody, 'x')
			want = job.BadDigest
		case 6:
			got.Header.Set("X-Amz-Security-Token", "t")
			want = job.AccessDenied
		case 7:
			got.Header.Set("Content-Type", "other/type")
		case 8:
			got.Header.Set("Authorization", strings.Replace(got.Header.Get("Authorization"), "/"+region+"/", "/elsewhere/", 1))
		}
		_, err := v.SigV4(got, gotBody)
		wantCode(t, err, want)
	})
}

func TestSigV4Payloads(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, header, signed, body string
		want                       job.Code
	}{
		{name: "no header: the body's own hash", signed: hexSHA256([]byte("b")), body: "b"},
		{name: "no header and another body", signed: hexSHA256([]byte("b")), body: "c", want: job.BadSignature},
		{name: "unsigned with an empty body", header: "UNSIGNED-PAYLOAD", signed: "UNSIGNED-PAYLOAD"},
		{name: "unsigned with a body", header: "UNSIGNED-PAYLOAD", signed: "UNSIGNED-PAYLOAD", body: "b", want: job.AccessDenied},
		{name: "streaming", header: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", signed: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", body: "b", want: job.AccessDenied},
		{name: "the hash of another body", header: hexSHA256([]byte("x")), signed: hexSHA256([]byte("x")), body: "b", want: job.BadDigest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, _ := http.NewRequest("POST", "http://h/api/v1/jobs", nil)
			if tc.header != "" {
				r.Header.Set("X-Amz-Content-Sha256", tc.header)
			}
			signV4(t, r, tc.signed, "s3", "local", noon)
			_, err := verifierAt(noon, alice).SigV4(r, []byte(tc.body))
			if tc.want != "" {
				wantCode(t, err, tc.want)
			} else if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestSigV4Refuses(t *testing.T) {
	t.Parallel()
	const good = "AWS4-HMAC-SHA256 Credential=AKIDalice/20261122/local/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0123456789012345678901234567890123456789012345678901234567890123"
	for _, tc := range []struct {
		name, header, query, date string
		want                      job.Code
	}{
		{name: "an unsigned request", want: job.AccessDenied},
		{name: "another scheme", header: "Basic eA==", want: job.AccessDenied},
		{name: "another service", header: strings.Replace(good, "/s3/", "/ec2/", 1), want: job.AccessDenied},
		{name: "a scope without region", header: strings.Replace(good, "/local/", "//", 1), want: job.AccessDenied},
		{name: "a short scope", header: strings.Replace(good, "AKIDalice/", "", 1), want: job.AccessDenied},
		{name: "a part twice", header: good + ", Signature=00", want: job.AccessDenied},
		{name: "a short signature", header: good[:len(good)-2], want: job.AccessDenied},
		{name: "an unknown key", header: strings.Replace(good, "AKIDalice", "AKIDbob", 1), want: job.NoSuchPrincipal},
		{name: "host not signed", header: strings.Replace(good, "host;", "", 1), want: job.AccessDenied},
		{name: "the date not signed", header: strings.Replace(good, ";x-amz-date", "", 1), want: job.AccessDenied},
		{name: "no date", header: good, date: "-", want: job.AccessDenied},
		{name: "the scope of another day", header: strings.Replace(good, "20261122", "20261121", 1), want: job.BadSignature},
		{name: "a clock behind", header: good, date: "20261122T114459Z", want: job.RequestExpired},
		{name: "a clock ahead", header: good, date: "20261122T121501Z", want: job.RequestExpired},
		{name: "a presigned request", query: "X-Amz-Signature=00", want: job.AccessDenied},
		{name: "a query that does not decode", header: good, query: "a;b", want: job.InvalidRequest},
		{name: "a wrong signature", header: good, want: job.BadSignature},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, _ := http.NewRequest("GET", "http://h/api/v1/jobs", nil)
			r.URL.RawQuery = tc.query
			r.Header.Set("X-Amz-Date", "20261122T120000Z")
			if tc.date == "-" {
				r.Header.Del("X-Amz-Date")
			} else if tc.date != "" {
				r.Header.Set("X-Amz-Date", tc.date)
			}
			if tc.header != "" {
				r.Header.Set("Authorization", tc.header)
			}
			_, err := verifierAt(noon, alice).SigV4(r, nil)
			wantCode(t, err, tc.want)
		})
	}
}

// No header text makes the verifier panic, is accepted, or brings the secret back.
func FuzzSigV4(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDalice/20261122/local/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0123456789012345678901234567890123456789012345678901234567890123", "a=b", "20261122T120000Z")
	f.Add("AWS4-HMAC-SHA256 ,=,Credential=////", "%", "x")
	v := verifierAt(noon, alice)
	f.Fuzz(func(t *testing.T, header, query, date string) {
		r, _ := http.NewRequest("GET", "http://h/jobs", nil)
		r.Header["Authorization"] = []string{header}
		r.Header["X-Amz-Date"] = []string{date}
		r.URL.RawQuery = query
		_, err := v.SigV4(r, nil)
		if err == nil {
			t.Fatal("accepted")
		}
		if strings.Contains(err.Error(), secret) {
			t.Fatalf("the error tells the secret: %v", err)
		}
		access.ScopeRegion(r)
	})
}
