package access

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// qAuthorization is a parsed Authorization header of COS (page 436/7778).
type qAuthorization struct {
	accessKey  string
	keyTime    string // as sent: it is the message that the signing key is made of
	start, end time.Time
	headers    []string // lower case
	params     []string // lower case, percent-encoded
	signature  []byte
}

// qParts are the parts of a signature.
var qParts = []string{"q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list", "q-signature"}

// QSign verifies the signature of COS's q-sign-algorithm=sha1 in the Authorization header (page 436/7778). Presigned
// requests, with the signature in the query, are refused but by a Verifier of AsStore. The signature covers the method, the path, and the headers and
// parameters that its lists name; host must be one of them. It never covers a body: Content-MD5 does when it is signed.
//
// Errors: AccessDenied (unsigned, malformed, presigned), NoSuchPrincipal, RequestExpired, BadSignature, and
// InvalidRequest for a query that does not decode.
func (v *Verifier) QSign(r *http.Request) (Principal, error) {
	params, err := query(r)
	if err != nil {
		return Principal{}, err
	}
	var text string
	presigned := slices.ContainsFunc(params, func(p pair) bool { return strings.HasPrefix(strings.ToLower(p.name), "q-sign") })
	switch {
	case presigned && !v.asStore:
		return Principal{}, job.Errorf(job.AccessDenied, "Signatures in the query are not accepted: send the signature in the Authorization header.")
	case presigned && r.Header.Get("Authorization") == "":
		text = presignedText(params)
	default:
		if text, err = authorization(r); err != nil {
			return Principal{}, err
		}
	}
	a, err := parseQSign(text)
	if err != nil {
		return Principal{}, err
	}
	p, err := v.principal(a.accessKey)
	if err != nil {
		return Principal{}, err
	}
	if err := v.inTime(a); err != nil {
		return Principal{}, err
	}
	message, err := a.httpString(r, params, v.asStore)
	if err != nil {
		return Principal{}, err
	}
	if !hmac.Equal(a.signature, qSignature(p.SecretKey, a.keyTime, message)) {
		return Principal{}, mismatch(r.Host)
	}
	return v.verified(p)
}

// presignedText makes the header's text of a query.
func presignedText(params []pair) string {
	var parts []string
	for _, p := range params {
		if slices.Contains(qParts, p.name) {
			parts = append(parts, p.name+"="+p.value)
		}
	}
	return strings.Join(parts, "&")
}

// parseQSign parses the header's text: seven name=value parts, nothing in it percent-encoded.
func parseQSign(text string) (qAuthorization, error) {
	malformed := func(what string) (qAuthorization, error) {
		return qAuthorization{}, job.Errorf(job.AccessDenied,
			"The Authorization header is malformed: %s; it must read q-sign-algorithm=sha1&q-ak=…&q-sign-time=…&q-key-time=…&q-header-list=…&q-url-param-list=…&q-signature=….", what)
	}
	parts := make(map[string]string, 7)
	for part := range strings.SplitSeq(text, "&") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return malformed("a part has no =")
		}
		if _, twice := parts[name]; twice {
			return malformed("a part stands in it twice")
		}
		parts[name] = value
	}
	for _, name := range qParts {
		if _, ok := parts[name]; !ok {
			return malformed(name + " is missing")
		}
	}
	if parts["q-sign-algorithm"] != "sha1" {
		return malformed("q-sign-algorithm must be sha1")
	}
	// Only the key time is signed, so another sign time would be anybody's word.
	if parts["q-sign-time"] != parts["q-key-time"] {
		return malformed("q-sign-time and q-key-time must be equal")
	}
	start, end, ok := timeRange(parts["q-key-time"])
	if !ok {
		return malformed("q-key-time must be two Unix times in seconds, joined by a semicolon")
	}
	signature, err := hex.DecodeString(parts["q-signature"])
	if err != nil || len(signature) != sha1.Size {
		return malformed("q-signature must be 40 hexadecimal digits")
	}
	return qAuthorization{
		accessKey: parts["q-ak"],
		keyTime:   parts["q-key-time"],
		start:     start,
		end:       end,
		headers:   nameList(parts["q-header-list"]),
		params:    nameList(parts["q-url-param-list"]),
		signature: signature,
	}, nil
}

func timeRange(s string) (start, end time.Time, ok bool) {
	a, b, found := strings.Cut(s, ";")
	from, err1 := strconv.ParseInt(a, 10, 64)
	to, err2 := strconv.ParseInt(b, 10, 64)
	if !found || err1 != nil || err2 != nil || from < 0 || to < from {
		return time.Time{}, time.Time{}, false
	}
	return time.Unix(from, 0), time.Unix(to, 0), true
}

// inTime holds the request against the time that its signature is good for. A client's clock may be ahead of ours.
func (v *Verifier) inTime(a qAuthorization) error {
	now := v.now()
	switch {
	case now.After(a.end):
		return job.Errorf(job.RequestExpired, "Request has expired: its signature was good until %s, and it is %s here; sign it anew, and check the client's clock.", utc(a.end), utc(now))
	case now.Add(MaxSkew).Before(a.start):
		return job.Errorf(job.RequestExpired, "The request's signature is not good before %s, and it is %s here: check the client's clock.", utc(a.start), utc(now))
	}
	return nil
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// httpString is what is signed of the request: method, decoded path, parameters and headers.
func (a qAuthorization) httpString(r *http.Request, params []pair, hostless bool) (string, error) {
	headers, err := signedHeaders(r, a.headers, hostless)
	if err != nil {
		return "", err
	}
	var hs, ps []pair
	for name, values := range headers {
		for _, value := range values {
			hs = append(hs, pair{name, value})
		}
	}
	for _, p := range params {
		if slices.Contains(a.params, strings.ToLower(escape(p.name))) {
			ps = append(ps, p)
		}
	}
	for _, name := range a.params {
		if !slices.ContainsFunc(ps, func(p pair) bool { return strings.ToLower(escape(p.name)) == name }) {
			return "", job.Errorf(job.BadSignature, "The signature covers the parameter %.64q, which did not arrive: send it in the query.", name)
		}
	}
	return strings.ToLower(r.Method) + "\n" + r.URL.Path + "\n" + qPairs(ps) + "\n" + qPairs(hs) + "\n", nil
}

// qPairs joins names and values as COS signs them: names in lower case, sorted by name, then by the value as it is.
func qPairs(ps []pair) string {
	ps = slices.Clone(ps)
	for i := range ps {
		ps[i].name = strings.ToLower(escape(ps[i].name))
	}
	slices.SortFunc(ps, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + escape(p.value))
	}
	return b.String()
}

// qSignature signs; the signing key is used as its hexadecimal text.
func qSignature(secret, keyTime, httpString string) []byte {
	digest := sha1.Sum([]byte(httpString))
	signKey := hex.EncodeToString(hmacSHA1([]byte(secret), keyTime))
	return hmacSHA1([]byte(signKey), "sha1\n"+keyTime+"\n"+hex.EncodeToString(digest[:])+"\n")
}

func hmacSHA1(key []byte, message string) []byte {
	h := hmac.New(sha1.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
