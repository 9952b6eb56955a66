package operation

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// maxUserMetadata bounds an object's user metadata: bytes of all names and values together (Tencent Cloud 436/10881,
// AWS S3 API).
const maxUserMetadata = 2048

// header is one of the system headers among an object's metadata.
type header struct {
	name  string
	value *string
}

func headersOf(m *object.Metadata) []header {
	return []header{
		{"CacheControl", &m.CacheControl},
		{"ContentDisposition", &m.ContentDisposition},
		{"ContentEncoding", &m.ContentEncoding},
		{"ContentLanguage", &m.ContentLanguage},
		{"ContentType", &m.ContentType},
		{"HttpExpiresDate", &m.Expires},
	}
}

func emptyMetadata(m object.Metadata) bool {
	return len(m.User) == 0 && !slices.ContainsFunc(headersOf(&m), func(h header) bool { return *h.value != "" })
}

// mergeMetadata gives the metadata of an object with new ones put over it.
func mergeMetadata(old, added object.Metadata) object.Metadata {
	merged := old
	to := headersOf(&merged)
	for i, h := range headersOf(&added) {
		if *h.value != "" {
			*to[i].value = *h.value
		}
	}
	merged.User = make(map[string]string, len(old.User)+len(added.User))
	maps.Copy(merged.User, old.User)
	maps.Copy(merged.User, added.User)
	return merged
}

func userMetadataSize(m object.Metadata) int {
	n := 0
	for k, v := range m.User {
		n += len(k) + len(v)
	}
	return n
}

func checkMetadata(p *job.Problems, m object.Metadata) {
	const field = "NewObjectMetadata"
	for _, h := range headersOf(&m) {
		switch {
		case !headerValue(*h.value):
			p.Addf(field+"."+h.name, "holds control characters or bytes that are no UTF-8; use plain text.")
		case len(*h.value) > maxUserMetadata:
			p.Addf(field+"."+h.name, "is %d bytes long; at most %d are allowed.", len(*h.value), maxUserMetadata)
		}
	}
	if n := userMetadataSize(m); n > maxUserMetadata {
		p.Addf(field+".UserMetadata", "has %d bytes of names and values; at most %d are allowed.", n, maxUserMetadata)
	}
	for _, name := range slices.Sorted(maps.Keys(m.User)) {
		if !metadataName(name) {
			p.Addf(field+".UserMetadata", "%s is no name for metadata; use lower-case letters, digits and hyphens, without the x-cos-meta- or x-amz-meta- in front.", job.Quote(name))
			return
		}
		if !headerValue(m.User[name]) {
			p.Addf(field+".UserMetadata", "the value of %s holds control characters or bytes that are no UTF-8; use plain text.", job.Quote(name))
			return
		}
	}
}

// metadataName reports whether s can be the end of a header's name: a token of RFC 9110 without upper-case letters.
func metadataName(s string) bool {
	return s != "" && strings.Trim(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

func headerValue(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
