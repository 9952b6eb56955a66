package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

const (
	v4Algorithm     = "AWS4-HMAC-SHA256"
	v4Time          = "20060102T150405Z"
	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// v4Authorization is a parsed Authorization header of AWS Signature Version 4.
type v4Authorization struct {
	accessKey string
	date      string // of the credential scope: YYYYMMDD
	region    string
	headers   []string // lower case, in the order of the header
	signature []byte
}

// SigV4 verifies AWS Signature Version 4 in the Authorization header, with the service s3 and whatever region the
// credential scope names (AWS documentation: "Authenticating Requests: Using the Authorization Header"). body is the
// whole body as received. x-amz-content-sha256 must be its SHA-256 when it is a hash; UNSIGNED-PAYLOAD is accepted only
// with an empty body, where it leaves nothing unsigned; the streaming forms never are. Without the header the body's own
// hash is used. The headers host and every x-amz-* must be signed. Presigned requests are refused.
//
// Errors: AccessDenied (unsigned, malformed, presigned, not enough signed), NoSuchPrincipal, RequestExpired, BadDigest,
// BadSignature, and InvalidRequest for a query that does not decode.
func (v *Verifier) SigV4(r *http.Request, body []byte) (Principal, error) {
	params, err := query(r)
	if err != nil {
		return Principal{}, err
	}
	if slices.ContainsFunc(params, func(p pair) bool {
		return strings.EqualFold(p.name, "X-Amz-Algorithm") || strings.EqualFold(p.name, "X-Amz-Signature")
	}) {
		return Principal{}, job.Errorf(job.AccessDenied, "Presigned requests are not accepted: send the signature in the Authorization header.")
	}
	text, err := authorization(r)
	if err != nil {
		return Principal{}, err
	}
	a, err := parseV4(text)
	if err != nil {
		return Principal{}, err
	}
	p, err := v.principal(a.accessKey)
	if err != nil {
		return Principal{}, err
	}
	when, err := v.v4Date(r, a)
	if err != nil {
		return Principal{}, err
	}
	payload, err := payloadHash(r, body)
	if err != nil {
		return Principal{}, err
	}
	canonical, err := a.canonicalRequest(r, params, payload)
	if err != nil {
		return Principal{}, err
	}
	if !hmac.Equal(a.signature, v4Signature(p.SecretKey, when, a, canonical)) {
		return Principal{}, mismatch(r.Host)
	}
	return v.verified(p)
}

// ScopeRegion gives the region that a request's credential scope names, "" when the request has none. It trusts nothing:
// call it after SigV4 has accepted the request.
func ScopeRegion(r *http.Request) job.Region {
	a, err := parseV4(strings.TrimSpace(r.Header.Get("Authorization")))
	if err != nil {
		return ""
	}
	return job.Region(a.region)
}

func parseV4(text string) (v4Authorization, error) {
	malformed := func(what string) (v4Authorization, error) {
		return v4Authorization{}, job.Errorf(job.AccessDenied,
			"The Authorization header is malformed: %s; it must read %s Credential=<access key>/<date>/<region>/s3/aws4_request, SignedHeaders=…, Signature=….", what, v4Algorithm)
	}
	rest, ok := strings.CutPrefix(text, v4Algorithm+" ")
	if !ok {
		return malformed("it does not begin with the algorithm")
	}
	parts := make(map[string]string, 3)
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := parts[name]; !ok || twice {
			return malformed("a part has no = or stands in it twice")
		}
		parts[name] = value
	}
	// An access key may hold a slash; the four parts behind it may not.
	scope := strings.Split(parts["Credential"], "/")
	if len(scope) < 5 {
		return malformed("Credential must have five parts")
	}
	n := len(scope) - 4
	if scope[n+2] != "s3" || scope[n+3] != "aws4_request" {
		return malformed("the credential scope must end in s3/aws4_request")
	}
	if len(scope[n]) != 8 || scope[n+1] == "" {
		return malformed("the credential scope needs a date and a region")
	}
	signature, err := hex.DecodeString(parts["Signature"])
	if err != nil || len(signature) != sha256.Size {
		return malformed("Signature must be 64 hexadecimal digits")
	}
	return v4Authorization{
		accessKey: strings.Join(scope[:n], "/"),
		date:      scope[n],
		region:    scope[n+1],
		headers:   nameList(parts["SignedHeaders"]),
		signature: signature,
	}, nil
}

// v4Date finds the time that the request was signed at, and holds it against ours and the scope's date.
func (v *Verifier) v4Date(r *http.Request, a v4Authorization) (time.Time, error) {
	name, layout := "x-amz-date", v4Time
	if r.Header.Get(name) == "" {
		name, layout = "date", http.TimeFormat
	}
	when, err := time.Parse(layout, r.Header.Get(name))
	if err != nil {
		return time.Time{}, job.Errorf(job.AccessDenied, "The request has no time that can be read: send x-amz-date like 20260102T150405Z, and sign it.")
	}
	if !slices.Contains(a.headers, name) {
		return time.Time{}, job.Errorf(job.AccessDenied, "The signature does not cover the header %.64q: sign it with the others.", name)
	}
	if when.UTC().Format("20060102") != a.date {
		return time.Time{}, job.Errorf(job.BadSignature, "The date in the credential scope is not the day of %s: sign both with one time.", name)
	}
	if now := v.now(); now.Sub(when).Abs() > MaxSkew {
		return time.Time{}, job.Errorf(job.RequestExpired, "The request was signed at %s, and it is %s here: the two may differ by %d minutes; check the client's clock.", utc(when), utc(now), int(MaxSkew.Minutes()))
	}
	return when.UTC(), nil
}

// payloadHash gives the last line of the canonical request.
func payloadHash(r *http.Request, body []byte) (string, error) {
	sum := sha256.Sum256(body)
	actual := hex.EncodeToString(sum[:])
	said := r.Header.Get("X-Amz-Content-Sha256")
	switch {
	case said == "" || strings.EqualFold(said, actual):
		if said == "" {
			return actual, nil
		}
		return said, nil
	case said == unsignedPayload:
		if len(body) > 0 {
			return "", job.Errorf(job.AccessDenied, "The body is not signed: send its SHA-256 in x-amz-content-sha256 in place of %s.", unsignedPayload)
		}
		return said, nil
	case len(said) == hex.EncodedLen(sha256.Size):
		return "", job.Errorf(job.BadDigest, "x-amz-content-sha256 is not the SHA-256 of the body that arrived: check that no proxy changes it.")
	}
	return "", job.Errorf(job.AccessDenied, "x-amz-content-sha256 is neither a SHA-256 in hexadecimal digits nor %s: streaming signatures are not accepted.", unsignedPayload)
}

func (a v4Authorization) canonicalRequest(r *http.Request, params []pair, payload string) (string, error) {
	for name := range r.Header {
		if l := strings.ToLower(name); strings.HasPrefix(l, "x-amz-") && !slices.Contains(a.headers, l) {
			return "", job.Errorf(job.AccessDenied, "The signature does not cover the header %.64q: sign every x-amz-* header.", l)
		}
	}
	headers, err := signedHeaders(r, a.headers, false)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + path + "\n" + v4Query(params) + "\n")
	for _, name := range a.headers {
		b.WriteString(name + ":")
		for i, value := range headers[name] {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(squeeze(value))
		}
		b.WriteByte('\n')
	}
	b.WriteString("\n" + strings.Join(a.headers, ";") + "\n" + payload)
	return b.String(), nil
}

// v4Query sorts by the encoded name, then by the encoded value.
func v4Query(params []pair) string {
	encoded := make([]pair, len(params))
	for i, p := range params {
		encoded[i] = pair{escape(p.name), escape(p.value)}
	}
	slices.SortFunc(encoded, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range encoded {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String()
}

// squeeze takes blanks off both ends and makes one of several inside.
func squeeze(s string) string {
	s = strings.Trim(s, " ")
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return s
}

func v4Signature(secret string, when time.Time, a v4Authorization, canonical string) []byte {
	digest := sha256.Sum256([]byte(canonical))
	scope := a.date + "/" + a.region + "/s3/aws4_request"
	text := v4Algorithm + "\n" + when.Format(v4Time) + "\n" + scope + "\n" + hex.EncodeToString(digest[:])
	key := []byte("AWS4" + secret)
	for _, part := range []string{a.date, a.region, "s3", "aws4_request", text} {
		key = hmacSHA256(key, part)
	}
	return key
}

func hmacSHA256(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
