package coscontrol

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// COS's signature covers what its lists name (Tencent Cloud 436/7778), and no body. A job is too much to be made or moved by
// what somebody else has put in: all of the query must be signed, and a body by way of its Content-MD5. The stock SDKs do
// both.

// signedNames reads one of the lists of an Authorization header that was verified.
func signedNames(r *http.Request, list string) []string {
	for part := range strings.SplitSeq(r.Header.Get("Authorization"), "&") {
		if names, ok := strings.CutPrefix(strings.TrimSpace(part), list+"="); ok {
			return strings.Split(strings.ToLower(names), ";")
		}
	}
	return nil
}

// allSigned refuses a query with a parameter that the signature does not cover.
func allSigned(r *http.Request) error {
	signed := signedNames(r, "q-url-param-list")
	for name := range r.URL.Query() {
		listed := strings.ToLower(strings.ReplaceAll(url.QueryEscape(name), "+", "%20"))
		if !slices.Contains(signed, listed) {
			return job.Errorf(job.AccessDenied, "The signature does not cover the parameter %.64q: name every parameter of the query in q-url-param-list.", name)
		}
	}
	return nil
}

// readBody reads the whole body and holds it to its Content-MD5.
func readBody(r *http.Request) ([]byte, error) {
	body, err := api.ReadBody(r)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, nil
	}
	return body, checkMD5(r, body)
}

func checkMD5(r *http.Request, body []byte) error {
	headers := r.Header.Values("Content-Md5")
	switch {
	case len(headers) == 0:
		return job.Errorf(job.InvalidRequest, "The request has a body and no Content-MD5: send the MD5 of the body in base64, and sign that header.")
	case len(headers) > 1:
		return job.Errorf(job.InvalidRequest, "The request has %d Content-MD5 headers: send one.", len(headers))
	case !slices.Contains(signedNames(r, "q-header-list"), "content-md5"):
		return job.Errorf(job.InvalidRequest, "The signature does not cover Content-MD5, and so not the body: name content-md5 in q-header-list.")
	}
	said, err := base64.StdEncoding.DecodeString(headers[0])
	if err != nil || len(said) != md5.Size {
		return job.Errorf(job.BadDigest, "Content-MD5 is not an MD5 in base64.")
	}
	if sum := md5.Sum(body); !bytes.Equal(sum[:], said) {
		return job.Errorf(job.BadDigest, "Content-MD5 is not the MD5 of the body that arrived: send the request again.")
	}
	return nil
}
