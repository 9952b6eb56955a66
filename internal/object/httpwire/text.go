package httpwire

import (
	"time"
	"unsafe"
)

// text is the memory of the strings that a call builds: its path, its headers, its body, so that a call of the hot path
// allocates none of them. They are good until the call's request is freed. What leaves the call is cloned before.
type text struct{ b []byte }

// since gives what was appended from at on. Bytes that were given do not change: the memory is appended to, and the
// strings keep what it has moved out of. Only what an attempt was signed with makes room for the next attempt's.
func (t *text) since(at int) string { return view(t.b[at:]) }

// join gives the parts as one string.
func (t *text) join(parts ...string) string {
	at := len(t.b)
	for _, p := range parts {
		t.b = append(t.b, p...)
	}
	return t.since(at)
}

// date gives a time as headers have it.
func (t *text) date(at time.Time) string {
	from := len(t.b)
	t.b = at.UTC().AppendFormat(t.b, httpDate)
	return t.since(from)
}

// escaped gives s percent-encoded: itself where there is nothing to encode.
func (t *text) escaped(s string, keepSlash bool) string {
	for i := range len(s) {
		if c := s[i]; !unreserved[c] && (c != '/' || !keepSlash) {
			at := len(t.b)
			t.b = appendEscaped(t.b, s, keepSlash)
			return t.since(at)
		}
	}
	return s
}

// reset makes the memory ready for the next call. A call with much text does not keep it.
func (t *text) reset() {
	if cap(t.b) > maxKept {
		t.b = nil
	}
	t.b = t.b[:0]
}

// maxKept is the most memory of a kind that is kept from one call to the next.
const maxKept = 16 << 10

// view gives bytes as a string without copying them. They must not change as long as the string is in use.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// appendXML writes s with what XML would take for markup replaced.
func appendXML(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '<' || c == '>' || c == '&' || c == '\'' || c == '"' {
			return append(b, escapeXML(s)...)
		}
	}
	return append(b, s...)
}
