package localstore

import (
	"bytes"
	"hash/crc64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The example of AWS S3 API, Signature Calculations: Chunked Upload and Trailing Headers.
const exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

func exampleAuth(seed, payload string) *sigV4 {
	var keys signingKeys
	return &sigV4{
		time: "20130524T000000Z", scope: "20130524/us-east-1/s3/aws4_request", key: keys.derive(exampleSecret, "20130524", "us-east-1"),
		signature: seed, payload: payload,
	}
}

func TestSignedChunks(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("a", 66560)
	plain := []string{
		"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
		"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
		"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
	}
	withTrailer := []string{
		"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
		"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
		"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
	}
	trailer := "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
	frame := func(sigs []string, trailer string) string {
		return "10000;chunk-signature=" + sigs[0] + "\r\n" + body[:65536] + "\r\n400;chunk-signature=" + sigs[1] + "\r\n" + body[65536:] +
			"\r\n0;chunk-signature=" + sigs[2] + "\r\n" + trailer + "\r\n"
	}
	const seed, trailerSeed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
	forged := slices.Clone(plain)
	forged[1] = forged[0]
	for name, tt := range map[string]struct {
		auth   *sigV4
		framed string
		err    error
	}{
		"signed":                  {exampleAuth(seed, streamingSigned), frame(plain, ""), nil},
		"with a signed trailer":   {exampleAuth(trailerSeed, streamingTrailer), frame(withTrailer, trailer), nil},
		"a chunk's bytes changed": {exampleAuth(seed, streamingSigned), strings.Replace(frame(plain, ""), "aaaa", "aaab", 1), errBadSignature},
		"a signature changed":     {exampleAuth(seed, streamingSigned), frame(forged, ""), errBadSignature},
		"the trailer changed":     {exampleAuth(trailerSeed, streamingTrailer), frame(withTrailer, strings.Replace(trailer, "sOO8", "sOO9", 1)), errBadSignature},
		"the trailer is gone":     {exampleAuth(trailerSeed, streamingTrailer), frame(withTrailer, ""), errBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			headers := http.Header{}
			got, err := io.ReadAll(newChunkReader(strings.NewReader(tt.framed), tt.auth, headers))
			if err != tt.err {
				t.Fatalf("error is %v, want %v", err, tt.err)
			}
			if err == nil && string(got) != body {
				t.Error("the body is not what was framed")
			}
			if tt.auth.payload == streamingTrailer && err == nil && headers.Get("X-Amz-Checksum-Crc32c") != "sOO8/Q==" {
				t.Errorf("trailers: %v", headers)
			}
		})
	}
}

func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"))
	f.Add([]byte("5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n"))
	f.Add([]byte("ffffffffffffffff\r\n"))
	f.Add([]byte("0\r\n"))
	f.Fuzz(func(t *testing.T, framed []byte) {
		got, err := io.ReadAll(newChunkReader(bytes.NewReader(framed), nil, http.Header{}))
		if err == nil && len(got) > len(framed) {
			t.Fatalf("%d bytes out of %d", len(got), len(framed))
		}
	})
}

func TestQSignVectors(t *testing.T) {
	t.Parallel()
	const example = "SKEXAMPLE"
	for _, tt := range []struct {
		secret, method, target string
		headers                map[string]string
		keyTime, signature     string
	}{
		{
			"AKIDZfbOA78asKUYBcXFrJD0a1ICvR98JM", http.MethodPut, "/testfile2",
			map[string]string{
				"host": "testbucket-125000000.cos.ap-guangzhou.myqcloud.com", "x-cos-content-sha1": "db8ac1c259eb89d4a131b253bacfca5f319d54f2",
				"x-cos-stroage-class": "nearline",
			},
			"1480932292;1481012292", "ce4ac0ecbcdb30538b3fee0a97cc6389694ce53a",
		},
		{
			example, http.MethodPost, "/jobs/j/status?requestedJobStatus=Cancelled&statusUpdateReason=a+b%26c",
			map[string]string{"content-length": "0", "host": "127.0.0.1:39635", "x-cos-appid": "1250000000"},
			"1795350261;1795353861", "efd02cd8e93c959849ef615fa7cb3d0bf3df37a6",
		},
		{
			example, http.MethodPost, "/dir%2Fa%20b.txt?restore&versionId=VID",
			map[string]string{
				"content-length": "101", "content-md5": "q+NFo1S6UODL6uLB0bf1TQ==", "content-type": "application/xml", "host": "127.0.0.1:39635",
			},
			"1795350261;1795353861", "7b974f7774e381c2ed144e91f5f547b9c487e291",
		},
	} {
		r := qSigned(t, tt.method, tt.target, tt.headers, tt.keyTime, tt.signature)
		secretOf := func(string) (string, bool) { return tt.secret, true }
		during := time.Unix(1480932300, 0)
		if tt.secret == example {
			during = time.Unix(1795350300, 0)
		}
		if err := verifyQSign(r, secretOf, during); err != nil {
			t.Errorf("%s: %v", tt.target, err)
		}
		if err := verifyQSign(r, secretOf, during.Add(48*time.Hour)); err != errExpired {
			t.Errorf("%s: later %v", tt.target, err)
		}
		if err := verifyQSign(r, func(string) (string, bool) { return "", false }, during); err != errNoSuchAccessKey {
			t.Errorf("%s: with an unknown key %v", tt.target, err)
		}
		if err := verifyQSign(r, func(string) (string, bool) { return "other", true }, during); err != errBadSignature {
			t.Errorf("%s: with another secret %v", tt.target, err)
		}
	}
}

func qSigned(t *testing.T, method, target string, headers map[string]string, keyTime, signature string) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Method: method, URL: u, Header: http.Header{}}
	var names, params []string
	for name, value := range headers {
		names = append(names, name)
		if name == "host" {
			r.Host = value
		} else {
			r.Header.Set(name, value)
		}
	}
	for name := range u.Query() {
		params = append(params, strings.ToLower(name))
	}
	slices.Sort(names)
	slices.Sort(params)
	r.Header.Set("Authorization", strings.Join([]string{
		"q-sign-algorithm=sha1", "q-ak=AK", "q-sign-time=" + keyTime, "q-key-time=" + keyTime, "q-header-list=" + strings.Join(names, ";"),
		"q-url-param-list=" + strings.Join(params, ";"), "q-signature=" + signature,
	}, "&"))
	return r
}

func FuzzCopySource(f *testing.F) {
	for _, s := range []string{"/b/k", "b/k?versionId=x", "b", "b/%zz", "h.cos.r.localhost/k%2Fx", "?versionId=", "//", "b/k?versionid="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range []dialect{dialectS3, dialectCOS} {
			c := &call{r: &http.Request{Header: http.Header{d.prefix + "Copy-Source": {text}}}, d: d}
			if src, err := c.copySource(); err == nil && (src.bucket == "" || src.key == "") {
				t.Fatalf("%q is %+v", text, src)
			}
		}
	})
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=-1", "bytes=5-", "bytes=9-1", "bytes=--1", "bytes=1-9223372036854775807", "x"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, text string, size int64) {
		size = max(size, 0)
		offset, length, whole, err := parseRange(text, size)
		if err == nil && (offset < 0 || length < 0 || offset+length > size || whole && length != size) {
			t.Fatalf("%q of %d is %d+%d", text, size, offset, length)
		}
	})
}

func FuzzTagQuery(f *testing.F) {
	f.Add("a=1&b=2")
	f.Add("a=%zz")
	f.Fuzz(func(t *testing.T, text string) {
		if tags, err := parseTagQuery(text); err == nil && checkTags(tags, maxTags) != nil {
			t.Fatalf("%q gives %v", text, tags)
		}
	})
}

func TestRowsKeepTheOrderOfKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.RuneFrom([]rune{0, 1, 2, 'a', '/', 0x10FFFF}), 0, 6, -1)
		a, b := name.Draw(t, "a"), name.Draw(t, "b")
		x, y := versionRow("bkt", a, 1), versionRow("bkt", b, 1)
		if got, want := bytes.Compare(x, y), strings.Compare(a, b); got != want {
			t.Fatalf("rows of %q and %q compare %d, keys %d", a, b, got, want)
		}
		key, seq := cutVersionRow("bkt", x)
		if key != a || seq != 1 {
			t.Fatalf("%q comes back as %q, %d", a, key, seq)
		}
		from, to := keyRows(kindVersion, "bkt", a)
		if in := bytes.Compare(y, from) >= 0 && bytes.Compare(y, to) < 0; in != (a == b) {
			t.Fatalf("%q in the rows of %q: %v", b, a, in)
		}
		if bytes.Compare(versionRow("bkt", a, 2), x) >= 0 {
			t.Fatal("a newer version comes later")
		}
	})
}

func TestCRCsOfPartsCombine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "a"), rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		got := combineCRC(crc64.Checksum(a, ecma), crc64.Checksum(b, ecma), int64(len(b)), ecmaPolynomial, 64)
		if want := crc64.Checksum(append(a, b...), ecma); got != want {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=ak/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00", "")
	f.Add("q-sign-algorithm=sha1&q-ak=ak&q-sign-time=1;2&q-key-time=1;2&q-header-list=host&q-url-param-list=&q-signature=00", "")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/20130524/r/s3/aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=1&X-Amz-Signature=0")
	f.Add("", "q-sign-algorithm=sha1&q-sign-time=1;2&q-key-time=1;2&q-header-list=%zz")
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	secretOf := func(string) (string, bool) { return "secret", true }
	f.Fuzz(func(t *testing.T, header, query string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/b/k", RawQuery: query}, Host: "h", Header: http.Header{
			"Authorization": {header}, "X-Amz-Date": {"20130524T000000Z"}, "X-Amz-Content-Sha256": {unsignedPayload},
		}}
		var keys signingKeys
		if _, err := verifySigV4(r, &keys, secretOf, at); err == nil {
			t.Fatalf("%q, %q passes as SigV4", header, query)
		}
		if err := verifyQSign(r, secretOf, time.Unix(1, 0)); err == nil {
			t.Fatalf("%q, %q passes as q-sign", header, query)
		}
	})
}

func FuzzGrantees(f *testing.F) {
	f.Add(`id="a", uri="b"`)
	f.Add(`id=`)
	f.Fuzz(func(t *testing.T, text string) {
		grants, err := parseGrantees(text, permRead)
		for _, g := range grants {
			if err == nil && g.ID == "" && g.URI == "" {
				t.Fatalf("%q gives %v", text, grants)
			}
		}
	})
}
