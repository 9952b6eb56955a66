package httpwire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of an answer's head and of what frames its body.
const (
	maxHead     = 64 << 10
	maxFields   = 256
	maxLine     = 4 << 10 // of a chunk's size with its extensions, and of a trailer
	maxInterim  = 16      // answers 1xx before the final one
	maxTrailers = 64
)

// errMalformed is what an answer that is no HTTP/1.1 wraps.
var errMalformed = errors.New("malformed answer")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errMalformed}, args...)...)
}

// head is an answer's status line and headers.
type head struct {
	status int
	header fields
	keep   bool // the connection may serve another request
	old    bool // HTTP/1.0
}

// parseHead reads a head with its closing empty line. It is stricter than it might be (RFC 9112): lines end in CRLF, no
// bare CR or LF, no folded lines, no blanks around names. It turns names to lower case in b, and the header's strings,
// which it appends to f, are parts of b: b must not change as long as they are used.
func parseHead(b []byte, f fields) (head, error) {
	h := head{header: f}
	b, ok := bytes.CutSuffix(b, []byte("\r\n"))
	if !ok {
		return h, malformed("the head has no end")
	}
	line, rest, err := cutLine(b)
	if err != nil {
		return h, err
	}
	minor, status, err := parseStatusLine(view(line))
	if err != nil {
		return h, err
	}
	h.status, h.keep, h.old = status, minor == 1, minor == 0
	for len(rest) > 0 {
		if len(h.header) == maxFields {
			return h, malformed("too many headers")
		}
		if line, rest, err = cutLine(rest); err != nil {
			return h, err
		}
		f, err := parseField(line)
		if err != nil {
			return h, err
		}
		if f.name == "connection" && hasToken(f.value, "close") {
			h.keep = false
		}
		h.header = append(h.header, f)
	}
	return h, nil
}

// cutLine gives the bytes up to the next CRLF and those after it.
func cutLine(b []byte) (line, rest []byte, err error) {
	i := bytes.IndexByte(b, '\r')
	if i < 0 || i+1 == len(b) || b[i+1] != '\n' {
		return nil, nil, malformed("a line does not end in CRLF")
	}
	return b[:i], b[i+2:], nil
}

// parseField reads a header's line, whose name it turns to lower case in place.
func parseField(line []byte) (field, error) {
	i := 0
	for ; i < len(line) && line[i] != ':'; i++ {
		low := lower[line[i]]
		if low == 0 {
			break
		}
		line[i] = low
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		return field{}, malformed("a header has no name, or one with odd bytes")
	}
	value := trim(view(line[i+1:]))
	if !validValue(value) {
		return field{}, malformed("a header has bytes that none may have")
	}
	return field{view(line[:i]), value}, nil
}

// lower gives the bytes of headers' names in lower case, 0 for those that none may have.
var lower = func() (low [256]byte) {
	for c := range 256 {
		switch {
		case 'A' <= c && c <= 'Z':
			low[c] = byte(c) + 'a' - 'A'
		case tokens[c]:
			low[c] = byte(c)
		}
	}
	return low
}()

// trim drops the blanks that may stand around a header's value.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// parseStatusLine reads HTTP/1.1 200 OK.
func parseStatusLine(s string) (minor, status int, err error) {
	rest, ok := strings.CutPrefix(s, "HTTP/1.")
	if !ok || len(rest) < 5 || rest[0] != '0' && rest[0] != '1' || rest[1] != ' ' || !validValue(s) {
		return 0, 0, malformed("the status line is not HTTP/1.1's")
	}
	for _, c := range []byte(rest[2:5]) {
		if c < '0' || c > '9' {
			return 0, 0, malformed("the status is no number")
		}
		status = status*10 + int(c-'0')
	}
	if len(rest) > 5 && rest[5] != ' ' || status < 100 {
		return 0, 0, malformed("the status is not of three digits")
	}
	return int(rest[0] - '0'), status, nil
}

// hasToken looks for a word in a list with commas.
func hasToken(list, word string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(part, " \t"), word) {
			return true
		}
	}
	return false
}

// How a body ends.
const (
	untilClose = -1
	inChunks   = -2
)

// framing says how long the body of an answer to method is: a count of bytes, untilClose or inChunks (RFC 9112, 6.3).
// Answers that could be read in two ways are refused.
func (h *head) framing(method string) (int64, error) {
	length, coded := int64(untilClose), false
	for _, f := range h.header {
		switch f.name {
		case "transfer-encoding":
			if coded || h.old || !strings.EqualFold(f.value, "chunked") {
				return 0, malformed("its transfer encoding is not chunked, or it is HTTP/1.0")
			}
			coded = true
		case "content-length":
			n, err := parseLength(f.value)
			if err != nil || length != untilClose && n != length {
				return 0, malformed("its content length is no length")
			}
			length = n
		}
	}
	switch {
	case method == "HEAD" || h.status == 204 || h.status == 304:
		return 0, nil
	case coded && length != untilClose:
		return 0, malformed("it has a content length and a transfer encoding")
	case coded:
		return inChunks, nil
	}
	return length, nil
}

func parseLength(s string) (int64, error) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, errMalformed
	}
	return strconv.ParseInt(s, 10, 64)
}

// parseChunkSize reads a chunk's first line, without its line end.
func parseChunkSize(line []byte) (int64, error) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	digits = bytes.TrimRight(digits, " \t")
	if len(digits) == 0 || len(digits) > 15 {
		return 0, malformed("a chunk has no size")
	}
	var n int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | int64(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | int64(c|0x20-'a'+10)
		default:
			return 0, malformed("a chunk's size is no number")
		}
	}
	return n, nil
}
