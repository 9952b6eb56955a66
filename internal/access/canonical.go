package access

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// pair is one name and value of a query, or of the headers.
type pair struct{ name, value string }

// escape is RFC 3986's percent-encoding of all but the unreserved characters, with upper-case digits: both signatures
// use it.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// query form-decodes the query as received. A query that does not decode is refused: what a handler would read of it
// would not be what was signed.
func query(r *http.Request) ([]pair, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, job.Errorf(job.InvalidRequest, "The query of the request does not decode: percent-encode the names and values in it.")
	}
	var ps []pair
	for name, vs := range values {
		for _, v := range vs {
			ps = append(ps, pair{name, v})
		}
	}
	return ps, nil
}

// headerValues gives a header's values as the client sent them. net/http takes some headers out of the map.
func headerValues(r *http.Request, name string) []string {
	if name == "host" {
		return []string{r.Host}
	}
	if vs := r.Header.Values(name); len(vs) > 0 {
		return vs
	}
	switch {
	case name == "transfer-encoding":
		return r.TransferEncoding
	case name == "content-length" && r.ContentLength > 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	return nil
}

// authorization gives the one Authorization header.
func authorization(r *http.Request) (string, error) {
	vs := r.Header.Values("Authorization")
	switch {
	case len(vs) == 0 || strings.TrimSpace(vs[0]) == "":
		return "", job.Errorf(job.AccessDenied, "The request is not signed: send an Authorization header.")
	case len(vs) > 1:
		return "", job.Errorf(job.AccessDenied, "The request has %d Authorization headers: send one.", len(vs))
	}
	return strings.TrimSpace(vs[0]), nil
}

// nameList splits a list of header or parameter names.
func nameList(s string) []string {
	if s == "" {
		return nil
	}
	names := strings.Split(strings.ToLower(s), ";")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}

// signedHeaders collects the values of the named headers: host must be among them unless hostless, and each must be in the
// request.
func signedHeaders(r *http.Request, names []string, hostless bool) (map[string][]string, error) {
	if !hostless && !slices.Contains(names, "host") {
		return nil, job.Errorf(job.AccessDenied, "The signature does not cover the Host header: sign host with the others.")
	}
	headers := make(map[string][]string, len(names))
	for _, name := range names {
		vs := headerValues(r, name)
		if len(vs) == 0 {
			return nil, job.Errorf(job.BadSignature, "The signature covers the header %.64q, which did not arrive: send it, and check that no proxy takes it out.", name)
		}
		headers[name] = vs
	}
	return headers, nil
}
