package httpwire

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/sockets"
)

// field is one header: the name in lower case.
type field struct{ name, value string }

// fields are headers.
type fields []field

// get gives a header's value, which may leave the call.
func (f fields) get(name string) string { return strings.Clone(f.peek(name)) }

// peek gives a header's value where it lies, in the call's memory.
func (f fields) peek(name string) string {
	for i := range f {
		if f[i].name == name {
			return f[i].value
		}
	}
	return ""
}

// param is one query parameter, decoded.
type param struct{ name, value string }

// request is one call, ready to be signed and sent any number of times, and its memory.
type request struct {
	asked
	header fields // without host, content-length and what signing adds
	out    fields // all headers of the present attempt but user-agent; content-length only where it is signed
	query  []param

	text   text     // memory of all strings but the caller's
	answer response // to the present attempt
}

// asked is what is new with each call.
type asked struct {
	op     string
	method string
	tls    bool
	bucket job.Bucket
	place  *place // of the bucket
	addr   string // host:port to connect to
	server string // the name that a TLS certificate must be for
	host   string // Host header
	path   string // as sent: percent-encoded
	plain  string // the path decoded, which q-sign signs
	target string // path?query as sent
	wire   []byte // the present attempt as it is sent, but for a streamed body
	built  int    // how much of text belongs to all attempts

	xml   []byte        // a body in memory
	body  io.ReadSeeker // or one to be streamed
	start int64         // where in body it begins
	size  int64
	// within is how many bytes the call has its store move by itself, where that is known.
	within int64

	wholeBucket bool      // the call is to a bucket, not to an object in it
	signed      time.Time // of the present attempt, by the store's clock
	over        sockets.Term
	// check looks at an answer with a good status: some of them hold an error.
	check func(c *Client, rq *request, a *response) *object.Error

	stream bool // leave a good answer's body to the caller
	keeps  bool // what the answer's headers say leaves the call: give it memory of its own
	slow   bool // the answer may come only when the work is done
	unsure bool // an attempt had no answer, and may have been carried out
	// once forbids a repeat after an attempt that may have been carried out.
	once bool
	// settles names error codes that such an attempt explains: they are then a success with this status.
	settles       []string
	settledStatus int

	err *object.Error // why it cannot be sent
}

// reset makes the request ready for another call. Its memory stays, and nothing of what it held can be reached.
func (rq *request) reset() {
	clear(rq.header)
	clear(rq.out)
	clear(rq.query)
	rq.text.reset()
	rq.answer.reset()
	if rq.keeps {
		rq.answer.text = nil // it is the caller's now
	}
	rq.header, rq.out, rq.query = rq.header[:0], rq.out[:0], rq.query[:0]
	rq.asked = asked{}
}

// refuse keeps the first reason why the request cannot be sent.
func (rq *request) refuse(format string, args ...any) {
	if rq.err == nil {
		rq.err = &object.Error{
			Op: rq.op, Code: object.CodeInvalidRequest, Class: object.Permanent,
			Message: fmt.Sprintf(format, args...),
		}
	}
}

// set adds a header. Blanks around the value are dropped, as the wire does not keep them.
func (rq *request) set(name, value string) {
	value = trim(value)
	if !validName(name) {
		rq.refuse("%q cannot be the name of a header: use letters, digits and hyphens.", name)
	}
	if !validValue(value) {
		rq.refuse("The value of header %s has control characters, which no header can carry.", name)
	}
	rq.header = append(rq.header, field{name, value})
}

func (rq *request) param(name, value string) { rq.query = append(rq.query, param{name, value}) }

// setXML gives the request a body with its MD5, which many stores demand with subresources.
func (rq *request) setXML(body []byte) {
	sum := md5.Sum(body)
	rq.xml, rq.size = body, int64(len(body))
	rq.set("content-type", "application/xml")
	at := len(rq.text.b)
	rq.text.b = base64.StdEncoding.AppendEncode(rq.text.b, sum[:])
	rq.set("content-md5", rq.text.since(at))
}

// setBody gives the request a body that is streamed, and reads it once for its MD5.
func (rq *request) setBody(body io.ReadSeeker, size int64) {
	if body == nil {
		body = strings.NewReader("")
	}
	start, err := body.Seek(0, io.SeekCurrent)
	h := md5.New()
	var n int64
	if err == nil {
		n, err = io.Copy(h, body)
	}
	switch {
	case err != nil:
		rq.refuse("The body cannot be read.")
		rq.err.Err = err
	case n != size:
		rq.refuse("The body has %d bytes where %d were announced.", n, size)
	}
	rq.body, rq.start, rq.size = body, start, size
	rq.set("content-md5", base64.StdEncoding.EncodeToString(h.Sum(nil)))
}

// length is the body's, as a header has it.
func (rq *request) length() string {
	at := len(rq.text.b)
	rq.text.b = strconv.AppendInt(rq.text.b, rq.size, 10)
	return rq.text.since(at)
}

// rewind makes the body ready for another attempt.
func (rq *request) rewind() error {
	if rq.body == nil {
		return nil
	}
	_, err := rq.body.Seek(rq.start, io.SeekStart)
	return err
}

// finish sorts the parameters and builds the target. Then the request is ready for its attempts.
func (rq *request) finish() {
	sortParams(rq.query)
	rq.target = rq.path
	if len(rq.query) > 0 {
		at := len(rq.text.b)
		rq.text.b = append(append(rq.text.b, rq.path...), '?')
		rq.text.b = appendQuery(rq.text.b, rq.query)
		rq.target = rq.text.since(at)
	}
	rq.built = len(rq.text.b)
}

func sortParams(query []param) {
	slices.SortFunc(query, func(a, b param) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
}

// appendQuery writes parameters in their order, as SigV4's canonical query does.
func appendQuery(b []byte, query []param) []byte {
	for i, p := range query {
		if i > 0 {
			b = append(b, '&')
		}
		b = appendEscaped(b, p.name, false)
		b = append(b, '=')
		b = appendEscaped(b, p.value, false)
	}
	return b
}

const upperHex = "0123456789ABCDEF"

// appendEscaped percent-encodes all bytes but RFC 3986's unreserved ones, and slashes where they are kept.
func appendEscaped(b []byte, s string, keepSlash bool) []byte {
	plain := 0 // where the bytes begin that are not written yet, and stay as they are
	for i := range len(s) {
		if c := s[i]; !unreserved[c] && (c != '/' || !keepSlash) {
			b = append(b, s[plain:i]...)
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
			plain = i + 1
		}
	}
	return append(b, s[plain:]...)
}

// unreserved are RFC 3986's bytes that are never encoded.
var unreserved = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")

// tokens are the bytes of a header's name, in the lower case that we send.
var tokens = byteSet("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")

func byteSet(s string) (set [256]bool) {
	for i := range len(s) {
		set[s[i]] = true
	}
	return set
}

func validName(s string) bool {
	for i := range len(s) {
		if !tokens[s[i]] {
			return false
		}
	}
	return s != ""
}

// validValue reports whether a header can carry s: no controls but tabs.
func validValue(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if hasControl(word(s, i)) {
			break
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// printable reports whether s has only ASCII's visible characters.
func printable(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if w := word(s, i); w&highBits != 0 || hasControl(w) || hasZero(w^0x20*eachByte) {
			break
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// Eight bytes are looked at as one word: a call has some 1,500 bytes to look at.
const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
)

func word(s string, i int) uint64 {
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// hasZero reports whether a byte of w is zero.
func hasZero(w uint64) bool { return (w-eachByte) & ^w & highBits != 0 }

// hasControl reports whether a byte of w is below 0x20, or 0x7f.
func hasControl(w uint64) bool {
	return (w-0x20*eachByte) & ^w & highBits != 0 || hasZero(w^0x7f*eachByte)
}

// encodeTags writes tags as the tagging header has them: k=v&k2=v2, percent-encoded.
func encodeTags(tags []object.Tag) string {
	query := make([]param, len(tags))
	for i, t := range tags {
		query[i] = param{t.Key, t.Value}
	}
	return string(appendQuery(nil, query))
}
