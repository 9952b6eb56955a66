package report

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/drover-batch/drover/internal/job"
)

// Limits of what a store said, in bytes.
const (
	maxMessage = 1024
	maxCode    = 128
)

// AppendRow appends one row of a result file to dst: Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode,
// ResultMessage and a newline. The key is URL-encoded but for unreserved characters (RFC 3986) and slashes, a space as
// %20 and never as +, so that a result file is itself a CSV manifest. HTTPStatusCode is empty when no call was made.
// What the store said is cut at 1 KiB and freed of control characters.
func AppendRow(dst []byte, e job.Entry, o job.Outcome) []byte {
	dst = appendField(dst, string(e.Bucket))
	dst = append(dst, ',')
	dst = appendKey(dst, string(e.Key))
	dst = append(dst, ',')
	dst = appendField(dst, string(e.Version))
	dst = append(dst, ',')
	dst = append(dst, o.Status...)
	dst = append(dst, ',')
	dst = appendField(dst, tame(o.Code, maxCode))
	dst = append(dst, ',')
	if o.HTTPStatus != 0 {
		dst = strconv.AppendInt(dst, int64(o.HTTPStatus), 10)
	}
	dst = append(dst, ',')
	dst = appendField(dst, tame(o.Message, maxMessage))
	return append(dst, '\n')
}

// byteClass says what a byte needs.
type byteClass byte

const (
	literalInKey   byteClass = 1 << iota // stands as itself in an encoded key
	literalInField                       // needs no quotes around its field
	plainText                            // printable ASCII: nothing to tame
)

var classes = func() (t [256]byteClass) {
	for i := range t {
		c := byte(i)
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if letter || strings.IndexByte("-_.~/", c) >= 0 {
			t[i] |= literalInKey
		}
		if c > ' ' && c != ',' && c != '"' {
			t[i] |= literalInField
		}
		if c >= ' ' && c < 0x7f {
			t[i] |= plainText
		}
	}
	return t
}()

// all reports whether every byte of s is of a class.
func all(s string, c byteClass) bool {
	for i := range len(s) {
		if classes[s[i]]&c == 0 {
			return false
		}
	}
	return true
}

// appendKey URL-encodes.
func appendKey(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	from := 0
	for i := range len(s) {
		if c := s[i]; classes[c]&literalInKey == 0 {
			dst = append(dst, s[from:i]...)
			dst = append(dst, '%', hex[c>>4], hex[c&15])
			from = i + 1
		}
	}
	return append(dst, s[from:]...)
}

// appendField puts quotes around a value when it needs them. Spaces between words need none.
func appendField(dst []byte, s string) []byte {
	if all(s, literalInField) || s[0] != ' ' && s[len(s)-1] != ' ' && plainWords(s) {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		dst = append(append(dst, s[:i]...), `""`...)
		s = s[i+1:]
	}
	return append(append(dst, s...), '"')
}

func plainWords(s string) bool {
	for i := range len(s) {
		if s[i] != ' ' && classes[s[i]]&literalInField == 0 {
			return false
		}
	}
	return true
}

// tame makes foreign text fit for a report: at most so many bytes of valid UTF-8 on one line, without control
// characters (also not the C1 ones, which some terminals obey).
func tame(s string, most int) string {
	if len(s) <= most && all(s, plainText) {
		return s
	}
	b := make([]byte, 0, min(len(s), most))
	for _, r := range s {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			r = ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			continue
		}
		if len(b)+utf8.RuneLen(r) > most {
			break
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}
