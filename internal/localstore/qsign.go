package localstore

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verifyQSign holds a request against COS's signature, in the Authorization header or in the query (Tencent 436/7778).
// The lists decide what is covered, as on COS; every header and parameter that they name must be there.
func verifyQSign(r *http.Request, secretOf func(ak string) (string, bool), now time.Time) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errInvalidURI
	}
	claim := qSignClaim(r, query)
	if claim["q-sign-algorithm"] != "sha1" {
		return errAccessDenied.because("The signature's algorithm must be sha1.")
	}
	keyTime := claim["q-key-time"]
	if keyTime != claim["q-sign-time"] {
		return errAccessDenied.because("q-sign-time and q-key-time must be equal.")
	}
	if err := checkKeyTime(keyTime, now); err != nil {
		return err
	}
	secret, ok := secretOf(claim["q-ak"])
	if !ok {
		return errNoSuchAccessKey
	}
	headers, err := qSignPairs(claim["q-header-list"], func(name string) []string {
		if name == "host" || name == "content-length" {
			return []string{signedHeader(r, name)}
		}
		return r.Header.Values(name)
	})
	if err != nil {
		return err
	}
	params, err := qSignPairs(claim["q-url-param-list"], func(name string) []string { return valuesFold(query, name) })
	if err != nil {
		return err
	}
	text := strings.ToLower(r.Method) + "\n" + r.URL.Path + "\n" + params + "\n" + headers + "\n"
	sum := sha1.Sum([]byte(text))
	toSign := "sha1\n" + keyTime + "\n" + hex.EncodeToString(sum[:]) + "\n"
	want := macSHA1(macSHA1(secret, keyTime), toSign)
	if subtle.ConstantTimeCompare([]byte(want), []byte(claim["q-signature"])) != 1 {
		return errBadSignature
	}
	return nil
}

// isQSign reports whether a request is signed COS's way.
func isQSign(r *http.Request) bool {
	return strings.HasPrefix(strings.TrimSpace(r.Header.Get("Authorization")), "q-sign-algorithm=") ||
		strings.Contains(r.URL.RawQuery, "q-sign-algorithm=")
}

var qSignParts = []string{
	"q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list", "q-signature",
}

func qSignClaim(r *http.Request, query url.Values) map[string]string {
	claim := map[string]string{}
	auth := strings.TrimSpace(r.Header.Get("Authorization"))
	if auth == "" {
		for _, name := range qSignParts {
			claim[name] = query.Get(name)
		}
		return claim
	}
	for part := range strings.SplitSeq(auth, "&") {
		name, value, _ := strings.Cut(part, "=")
		claim[name] = value
	}
	return claim
}

func checkKeyTime(keyTime string, now time.Time) error {
	from, to, _ := strings.Cut(keyTime, ";")
	start, err1 := strconv.ParseInt(from, 10, 64)
	end, err2 := strconv.ParseInt(to, 10, 64)
	switch {
	case err1 != nil || err2 != nil:
		return errAccessDenied.because("q-sign-time is written start;end in Unix seconds.")
	case now.Unix() > end:
		return errExpired
	case start-now.Unix() > int64(maxSkew/time.Second):
		return errTimeSkewed
	}
	return nil
}

// qSignPairs writes the listed names with their values as they are signed.
func qSignPairs(list string, valuesOf func(name string) []string) (string, error) {
	if list == "" {
		return "", nil
	}
	names := strings.Split(list, ";")
	slices.Sort(names)
	var pairs []string
	for _, encoded := range slices.Compact(names) {
		name, err := url.PathUnescape(encoded)
		if err != nil {
			return "", errAccessDenied.because("A list of the signature does not parse.")
		}
		values := slices.Clone(valuesOf(name))
		if len(values) == 0 {
			return "", errBadSignature
		}
		slices.Sort(values)
		for _, v := range values {
			pairs = append(pairs, strings.ToLower(encodeURI(name))+"="+encodeURI(v))
		}
	}
	return strings.Join(pairs, "&"), nil
}

// valuesFold gives a parameter's values by its name in any case: COS signs names in lower case.
func valuesFold(q url.Values, name string) []string {
	var out []string
	for k, v := range q {
		if strings.EqualFold(k, name) {
			out = append(out, v...)
		}
	}
	return out
}

func macSHA1(key, text string) string {
	h := hmac.New(sha1.New, []byte(key))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}
