package localstore

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	sigV4Algorithm = "AWS4-HMAC-SHA256"
	sigV4Time      = "20060102T150405Z"
	maxSkew        = 15 * time.Minute
	maxPresign     = 7 * 24 * time.Hour

	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// sigV4 is a verified signature: what the signatures of a streamed body's chunks go on from.
type sigV4 struct {
	time      string
	scope     string
	key       []byte
	signature string
	payload   string // x-amz-content-sha256, or UNSIGNED-PAYLOAD
}

// sigV4Claim is what a request says of its signature.
type sigV4Claim struct {
	accessKey, date, region, service string
	time                             string
	signed                           []string
	signature                        string
	payload                          string
	query                            url.Values // without the signature itself
}

// signingKeys keeps the last signing key: it changes once a day.
type signingKeys struct{ last atomic.Pointer[signingKey] }

type signingKey struct {
	secret, date, region string
	key                  []byte
}

// verifySigV4 holds a request against its signature, in the Authorization header or in the query. Any region is taken:
// one store plays several (AWS S3 API, Authenticating Requests).
func verifySigV4(r *http.Request, keys *signingKeys, secretOf func(ak string) (string, bool), now time.Time) (*sigV4, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errInvalidURI
	}
	var c *sigV4Claim
	if query.Get("X-Amz-Algorithm") != "" {
		c, err = presignedClaim(r, query, now)
	} else {
		c, err = headerClaim(r, query, now)
	}
	if err != nil {
		return nil, err
	}
	secret, ok := secretOf(c.accessKey)
	if !ok {
		return nil, errNoSuchAccessKey
	}
	if c.service != "s3" {
		return nil, errAuthMalformed.because("The credential's scope must be of the service s3.")
	}
	if !slices.Contains(c.signed, "host") {
		return nil, errAccessDenied.because("The signature must cover the Host header.")
	}
	scope := strings.Join([]string{c.date, c.region, c.service, "aws4_request"}, "/")
	canonical := sha256.Sum256([]byte(canonicalRequest(r, c)))
	toSign := strings.Join([]string{sigV4Algorithm, c.time, scope, hex.EncodeToString(canonical[:])}, "\n")
	key := keys.derive(secret, c.date, c.region)
	want := hex.EncodeToString(mac(key, toSign))
	if subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) != 1 {
		return nil, errBadSignature
	}
	return &sigV4{time: c.time, scope: scope, key: key, signature: want, payload: c.payload}, nil
}

func headerClaim(r *http.Request, query url.Values, now time.Time) (*sigV4Claim, error) {
	c := &sigV4Claim{query: query, time: r.Header.Get("X-Amz-Date"), payload: r.Header.Get("X-Amz-Content-Sha256")}
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), sigV4Algorithm)
	if !ok {
		return nil, errAuthMalformed
	}
	var credential string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			c.signed = strings.Split(value, ";")
		case "Signature":
			c.signature = value
		}
	}
	if err := c.setCredential(credential); err != nil {
		return nil, err
	}
	signedAt, err := time.Parse(sigV4Time, c.time)
	if err != nil {
		if signedAt, err = http.ParseTime(r.Header.Get("Date")); err != nil {
			return nil, errAccessDenied.because("A signed request needs a valid x-amz-date or Date header.")
		}
		c.time = signedAt.UTC().Format(sigV4Time)
	}
	if signedAt.Sub(now).Abs() > maxSkew {
		return nil, errTimeSkewed
	}
	if c.date != c.time[:8] {
		return nil, errAuthMalformed.because("The credential's date is not the request's.")
	}
	if c.payload == "" {
		return nil, errInvalidRequest.because("A request signed in its header needs x-amz-content-sha256.")
	}
	return c, nil
}

func presignedClaim(r *http.Request, query url.Values, now time.Time) (*sigV4Claim, error) {
	c := &sigV4Claim{time: query.Get("X-Amz-Date"), signature: query.Get("X-Amz-Signature"), payload: unsignedPayload}
	if query.Get("X-Amz-Algorithm") != sigV4Algorithm {
		return nil, errAuthMalformed
	}
	if p := query.Get("X-Amz-Content-Sha256"); p != "" {
		c.payload = p
	} else if p := r.Header.Get("X-Amz-Content-Sha256"); p != "" {
		c.payload = p
	}
	c.signed = strings.Split(query.Get("X-Amz-SignedHeaders"), ";")
	query.Del("X-Amz-Signature")
	c.query = query
	if err := c.setCredential(query.Get("X-Amz-Credential")); err != nil {
		return nil, err
	}
	signedAt, err := time.Parse(sigV4Time, c.time)
	seconds, convErr := strconv.Atoi(query.Get("X-Amz-Expires"))
	life := time.Duration(seconds) * time.Second
	switch {
	case err != nil || convErr != nil || life <= 0 || life > maxPresign || c.date != c.time[:8]:
		return nil, errAuthMalformed.because("X-Amz-Date and X-Amz-Expires (1–604800) are needed and must agree with the credential.")
	case signedAt.Sub(now) > maxSkew:
		return nil, errTimeSkewed
	case now.After(signedAt.Add(life)):
		return nil, errExpired
	}
	return c, nil
}

func (c *sigV4Claim) setCredential(text string) error {
	parts := strings.Split(text, "/")
	n := len(parts)
	if n < 5 || parts[n-1] != "aws4_request" || c.signature == "" {
		return errAuthMalformed
	}
	c.accessKey = strings.Join(parts[:n-4], "/")
	c.date, c.region, c.service = parts[n-4], parts[n-3], parts[n-2]
	return nil
}

func canonicalRequest(r *http.Request, c *sigV4Claim) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + encodePath(r.URL.Path) + "\n")
	b.WriteString(canonicalQuery(c.query))
	b.WriteByte('\n')
	for _, name := range c.signed {
		b.WriteString(name + ":" + signedHeader(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(c.signed, ";") + "\n" + c.payload)
	return b.String()
}

// signedHeader is a header's value as it is signed: net/http takes some of them out of the map.
func signedHeader(r *http.Request, name string) string {
	switch {
	case name == "host":
		return r.Host
	case name == "content-length" && r.Header.Get(name) == "":
		return strconv.FormatInt(max(r.ContentLength, 0), 10)
	case name == "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

func canonicalQuery(q url.Values) string {
	pairs := make([]string, 0, len(q))
	for name, values := range q {
		for _, v := range values {
			pairs = append(pairs, encodeURI(name)+"="+encodeURI(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func (k *signingKeys) derive(secret, date, region string) []byte {
	if l := k.last.Load(); l != nil && l.secret == secret && l.date == date && l.region == region {
		return l.key
	}
	key := mac([]byte("AWS4"+secret), date)
	for _, part := range []string{region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	k.last.Store(&signingKey{secret: secret, date: date, region: region, key: key})
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

const upperHex = "0123456789ABCDEF"

// encodeURI encodes all but RFC 3986's unreserved characters.
func encodeURI(s string) string { return encodeAllBut(s, "-_.~") }

// encodePath is encodeURI that leaves slashes.
func encodePath(s string) string { return encodeAllBut(s, "-_.~/") }

func encodeAllBut(s, safe string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = unreserved(s[i], safe)
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unreserved(c, safe) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

func unreserved(c byte, safe string) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(safe, c) >= 0
}
