package httpwire

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signerv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	cos "github.com/tencentyun/cos-go-sdk-v5"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// anyRequest draws a request as the client would build it.
func anyRequest(t *rapid.T, c *Client) *request {
	key := rapid.StringN(1, 40, 200).Draw(t, "key")
	if rapid.Bool().Draw(t, "odd key") {
		key = rapid.StringOfN(rapid.RuneFrom([]rune(" +%/.&=?#ü日~*'()!;:@,\\\x01\n")), 1, 20, -1).Draw(t, "key")
	}
	method := rapid.SampledFrom([]string{"GET", "PUT", "POST", "HEAD", "DELETE"}).Draw(t, "method")
	rq := c.onObject("Op", method, object.Ref{
		Bucket: "bucket-1250000000", Key: job.Key(key), Version: job.Version(rapid.StringN(0, 8, -1).Draw(t, "version")),
	})
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab  +%&=;,/\"'ü日~*()!\t")), 0, 24, -1)
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		"acl", "tagging", "restore", "Prefix", "prefix", "encoding-type", "list-type", "a b", "ü", "q*",
	}), 0, 4, rapid.ID).Draw(t, "parameters") {
		rq.param(name, text.Draw(t, "parameter"))
	}
	c.d.setMetadata(rq, object.Metadata{
		CacheControl: text.Draw(t, "cache"), ContentType: text.Draw(t, "type"), ContentLanguage: text.Draw(t, "language"),
		User: rapid.MapOfN(rapid.StringMatching(`[a-zA-Z0-9-]{1,10}`), text, 0, 3).Draw(t, "metadata"),
	})
	rq.setIf(c.d.tagging, encodeTags([]object.Tag{{Key: text.Draw(t, "tag"), Value: text.Draw(t, "tag value")}}))
	rq.setIf(c.d.copySource, c.copySource(object.Ref{Bucket: "src", Key: job.Key(key)}, ""))
	if method == "PUT" || method == "POST" {
		switch rapid.IntRange(0, 2).Draw(t, "body") {
		case 0:
			rq.setXML([]byte("<x>" + key + "</x>"))
		case 1:
			rq.setBody(strings.NewReader(key), int64(len(key)))
		}
	}
	distinct(rq)
	rq.finish()
	if rq.err != nil {
		t.Fatal(rq.err)
	}
	return rq
}

// distinct drops headers that differ in case only: no call sets a name twice.
func distinct(rq *request) {
	seen := map[string]bool{}
	kept := rq.header[:0]
	for _, f := range rq.header {
		if !seen[f.name] {
			seen[f.name] = true
			kept = append(kept, f)
		}
	}
	rq.header = kept
}

// stock makes net/http's request of ours, as a stock signer sees it.
func stock(t *rapid.T, rq *request) *http.Request {
	u := &url.URL{Scheme: "https", Host: rq.host, Path: rq.plain, RawPath: rq.path}
	_, u.RawQuery, _ = strings.Cut(rq.target, "?")
	if u.EscapedPath() != rq.path {
		t.Fatalf("path %q is %q to net/url", rq.path, u.EscapedPath())
	}
	hr := &http.Request{Method: rq.method, URL: u, Host: rq.host, Header: http.Header{}, ContentLength: rq.size}
	for _, f := range rq.header {
		hr.Header.Set(f.name, f.value)
	}
	return hr
}

func TestSigV4AgreesWithTheSDK(t *testing.T) {
	c, err := Open(Options{Endpoint: "https://s3.example.com", Region: "eu-test-1"})
	if err != nil {
		t.Fatal(err)
	}
	ours := newV4("eu-test-1")
	rapid.Check(t, func(t *rapid.T) {
		rq := anyRequest(t, c)
		cred := Credentials{AccessKey: "AKID", SecretKey: rapid.StringN(1, 40, -1).Draw(t, "secret")}
		if rapid.Bool().Draw(t, "temporary") {
			cred.SessionToken = "token/+="
		}
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 0)
		ours.sign(rq, cred, at)
		hr := stock(t, rq)
		hash := rq.out.get("x-amz-content-sha256")
		hr.Header.Set("X-Amz-Content-Sha256", hash)
		// Anew each time: it keeps keys by access key alone.
		theirs := signerv4.NewSigner(func(o *signerv4.SignerOptions) { o.DisableURIPathEscaping = true })
		err := theirs.SignHTTP(t.Context(), aws.Credentials{
			AccessKeyID: cred.AccessKey, SecretAccessKey: cred.SecretKey, SessionToken: cred.SessionToken,
		}, hr, hash, "s3", "eu-test-1", at)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := rq.out.get("authorization"), hr.Header.Get("Authorization"); got != want {
			t.Fatalf("got  %s\nwant %s\nfor %q %+v", got, want, rq.target, rq.out)
		}
	})
}

func TestQSignAgreesWithTheSDK(t *testing.T) {
	c, err := Open(Options{Dialect: COS, Region: "ap-test"})
	if err != nil {
		t.Fatal(err)
	}
	// We sign all that we send; the SDK leaves this one out unless told.
	cos.SetNeedSignHeaders("content-language", true)
	ours := newQSign()
	rapid.Check(t, func(t *rapid.T) {
		rq := anyRequest(t, c)
		cred := Credentials{AccessKey: "AKID", SecretKey: rapid.StringN(1, 40, -1).Draw(t, "secret")}
		if rapid.Bool().Draw(t, "temporary") {
			cred.SessionToken = "token/+="
		}
		at := time.Unix(rapid.Int64Range(1e6, 4e9).Draw(t, "time"), 0)
		ours.sign(rq, cred, at)
		if ours.start > at.Unix()-qBefore || ours.start < at.Unix()-qBefore-qStep {
			t.Fatalf("key time %s at %d", ours.keyTime, at.Unix())
		}
		hr := stock(t, rq)
		if rq.size > 0 {
			hr.Header.Set("Content-Length", rq.out.get("content-length"))
		}
		from, to := time.Unix(ours.start, 0), time.Unix(ours.start+qLasts, 0)
		cos.AddAuthorizationHeader(cred.AccessKey, cred.SecretKey, cred.SessionToken, hr, &cos.AuthTime{
			SignStartTime: from, SignEndTime: to, KeyStartTime: from, KeyEndTime: to,
		})
		if got, want := rq.out.get("authorization"), hr.Header.Get("Authorization"); got != want {
			t.Fatalf("got  %s\nwant %s\nfor %q %+v", got, want, rq.target, rq.out)
		}
	})
}

// A signer keeps keys between calls: nothing of one call may show in another.
func TestSignersCarryNothingOver(t *testing.T) {
	for _, d := range []Dialect{S3, COS} {
		c, err := Open(Options{Endpoint: "http://127.0.0.1:1", Dialect: d, Region: "r"})
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			used := c.signers.New().(signer)
			for range rapid.IntRange(1, 4).Draw(t, "calls") {
				rq := anyRequest(t, c)
				cred := Credentials{AccessKey: "A", SecretKey: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "secret")}
				at := time.Unix(rapid.SampledFrom([]int64{1e9, 1e9 + 1, 1e9 + 90000, 1e9 + 400}).Draw(t, "time"), 0)
				used.sign(rq, cred, at)
				got := append(fields(nil), rq.out...)
				c.signers.New().(signer).sign(rq, cred, at)
				for i := range got {
					if got[i] != rq.out[i] {
						t.Fatalf("%s: got %+v, a new signer gives %+v", d, got[i], rq.out[i])
					}
				}
			}
		})
	}
}

func TestEscapingIsUndone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		for _, keep := range []bool{true, false} {
			enc := appendEscaped(nil, string(raw), keep)
			dec, err := url.PathUnescape(string(enc))
			if err != nil || dec != string(raw) {
				t.Fatalf("%q became %q", raw, dec)
			}
			if bytes.ContainsAny(enc, " +&=?#\r\n") {
				t.Fatalf("%q has bytes that mean something", enc)
			}
		}
	})
}
