package manifest

import (
	"bytes"
	"io"
)

// MaxLine is the longest row that is read, in bytes without its line end.
const MaxLine = 64 << 10

const blockSize = 256 << 10

var quote = []byte{'"'}

// scanner cuts text into records: lines, or runs of lines where a newline stands in quotes. It reads blocks and hands
// out slices of them, so that nothing is allocated for a row.
type scanner struct {
	r          io.Reader
	buf        []byte
	start, end int
	err        error // of r; io.EOF at the end
	off        int64 // of buf[start] in the text
	line       int64 // where the next record begins, from 1
	at         int64 // where the record returned last began
}

// A fault of a row: which column, and a message. Whoever knows the file makes an Error of it.
type fault struct {
	field   string
	message string
}

var (
	errTooLong  = &fault{"", "the row is longer than 64 KiB, or a quote in it is never closed; each row needs a line of its own"}
	errUnclosed = &fault{"", "a quote is opened and never closed; close it, and write a quote within quotes twice"}
)

func (f *fault) Error() string { return f.message }

// newScanner scans text that begins at byte off of its file.
func newScanner(r io.Reader, off int64) *scanner {
	return &scanner{r: r, buf: make([]byte, blockSize), off: off, line: 1}
}

// next returns the next record that is not blank, without its line end; io.EOF after the last. The slice is the
// caller's to change and is valid until the next call.
func (s *scanner) next() ([]byte, error) {
	for {
		rec, err := s.record()
		if err != nil {
			return nil, err
		}
		if !blank(rec) {
			return rec, nil
		}
	}
}

func blank(rec []byte) bool {
	for _, c := range rec {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// record finds the end of a record by the parity of quotes: a well-formed record holds an even number of them, and of
// a malformed one only the place of the error matters.
func (s *scanner) record() ([]byte, error) {
	s.at = s.line
	seen, quotes, lines := 0, 0, int64(0)
	for {
		data := s.buf[s.start:s.end]
		i := bytes.IndexByte(data[seen:], '\n')
		if i < 0 {
			if len(data) > MaxLine+2 {
				return nil, errTooLong
			}
			if s.err == nil {
				s.fill()
				continue
			}
			quotes += bytes.Count(data[seen:], quote)
			return s.last(quotes)
		}
		quotes += bytes.Count(data[seen:seen+i], quote)
		seen += i + 1
		lines++
		if quotes%2 == 0 {
			s.line += lines
			return s.take(seen)
		}
		if seen > MaxLine+2 {
			return nil, errTooLong
		}
	}
}

// last gives the record that no newline ends.
func (s *scanner) last(quotes int) ([]byte, error) {
	n := s.end - s.start
	switch {
	case s.err != io.EOF:
		return nil, s.err
	case n == 0:
		return nil, io.EOF
	case quotes%2 != 0:
		return nil, errUnclosed
	}
	return s.take(n)
}

func (s *scanner) take(n int) ([]byte, error) {
	rec := s.buf[s.start : s.start+n]
	s.start += n
	s.off += int64(n)
	if n := len(rec); n > 0 && rec[n-1] == '\n' {
		rec = rec[:n-1]
	}
	if n := len(rec); n > 0 && rec[n-1] == '\r' {
		rec = rec[:n-1]
	}
	if len(rec) > MaxLine {
		return nil, errTooLong
	}
	return rec, nil
}

// fill moves what is left to the front and reads behind it.
func (s *scanner) fill() {
	if s.start > 0 {
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.err = err
		if n > 0 || err != nil {
			return
		}
	}
	s.err = io.ErrNoProgress
}

// skipBOM drops a UTF-8 byte order mark at the start of the text.
func (s *scanner) skipBOM() {
	for s.end-s.start < 3 && s.err == nil {
		s.fill()
	}
	if bytes.HasPrefix(s.buf[s.start:s.end], []byte("\xef\xbb\xbf")) {
		s.start += 3
		s.off += 3
	}
}

// skip passes over n records.
func (s *scanner) skip(n int64) error {
	for range n {
		if _, err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// cutField takes the first field off a record, unquoted in place. more is false after the last one.
func cutField(b []byte) (field, rest []byte, more bool, bad *fault) {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	if i < len(b) && b[i] == '"' {
		return cutQuoted(b[i+1:])
	}
	if end := bytes.IndexByte(b, ','); end >= 0 {
		field, rest, more = b[i:end], b[end+1:], true
	} else {
		field = b[i:]
	}
	for n := len(field); n > 0 && (field[n-1] == ' ' || field[n-1] == '\t'); n = len(field) {
		field = field[:n-1]
	}
	if bytes.IndexByte(field, '"') >= 0 {
		return nil, nil, false, &fault{"", "a quote stands within an unquoted value; write it as %22, or quote the whole value"}
	}
	return field, rest, more, nil
}

// cutQuoted is cutField behind the opening quote.
func cutQuoted(b []byte) (field, rest []byte, more bool, bad *fault) {
	n := 0 // of the value so far
	for i := 0; ; {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return nil, nil, false, errUnclosed
		}
		if n != i {
			copy(b[n:], b[i:i+j])
		}
		n += j
		i += j + 1
		if i < len(b) && b[i] == '"' {
			b[n] = '"'
			n++
			i++
			continue
		}
		for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
		switch {
		case i == len(b):
			return b[:n], nil, false, nil
		case b[i] == ',':
			return b[:n], b[i+1:], true, nil
		default:
			return nil, nil, false, &fault{"", "text follows a closing quote; write a quote within quotes twice"}
		}
	}
}

// unescape decodes %XX in place, and + as a space when plus is set. ok is false at a broken escape.
func unescape(b []byte, plus bool) (out []byte, ok bool) {
	i := bytes.IndexByte(b, '%')
	if plus {
		if j := bytes.IndexByte(b, '+'); j >= 0 && (i < 0 || j < i) {
			i = j
		}
	}
	if i < 0 {
		return b, true
	}
	n := i
	for i < len(b) {
		c := b[i]
		switch {
		case c == '%':
			if i+2 >= len(b) || unhex[b[i+1]] < 0 || unhex[b[i+2]] < 0 {
				return b[i:min(i+3, len(b))], false
			}
			c = byte(unhex[b[i+1]])<<4 | byte(unhex[b[i+2]])
			i += 2
		case c == '+' && plus:
			c = ' '
		}
		b[n] = c
		n++
		i++
	}
	return b[:n], true
}

// unhex gives a hex digit's value, -1 for other bytes.
var unhex = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range 10 {
		t['0'+i] = int8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = int8(10+i), int8(10+i)
	}
	return t
}()
