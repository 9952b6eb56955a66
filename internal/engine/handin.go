package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/drover-batch/drover/internal/job"
	"github.com/klauspost/compress/s2"
)

// A hand-in carries outcomes of one chunk from worker to collector: a kind byte and a compressed body. The body is a
// run of rows, each with the report line that the worker has made of it, so that the collector needs no manifest.
const (
	kindRows  = 'r'
	kindFatal = 'f' // the job cannot go on: a JSON job.Failure, uncompressed
)

// handin gathers rows to hand in. The zero value is empty and ready.
type handin struct {
	buf  []byte
	rows int
}

// handinRow is one row of a hand-in. Line and Key alias the decoded message.
type handinRow struct {
	Row        int64
	Failed     bool
	HTTPStatus int
	Code       string // failed rows only
	Key        []byte // failed rows only
	Line       []byte // the report's line, empty when the report does not want it
}

func (h *handin) add(row int64, o job.Outcome, key job.Key, line []byte) {
	failed := o.Status == job.TaskFailed
	b := binary.AppendUvarint(h.buf, uint64(row))
	if failed {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(max(o.HTTPStatus, 0)))
	if failed {
		b = appendString(b, o.Code)
		b = appendString(b, string(key))
	}
	b = binary.AppendUvarint(b, uint64(len(line)))
	h.buf = append(b, line...)
	h.rows++
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// buffers holds the row buffers of chunks that have ended and the scratch of compression: a chunk's rows take some
// 100 KB, and making that anew for each would be most of what the process allocates.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// take gives the message and empties h.
func (h *handin) take() []byte {
	scratch := buffers.Get().(*[]byte)
	defer buffers.Put(scratch)
	*scratch = slices.Grow((*scratch)[:0], s2.MaxEncodedLen(len(h.buf)))
	packed := s2.Encode((*scratch)[:cap(*scratch)], h.buf)
	msg := make([]byte, 1+len(packed))
	msg[0] = kindRows
	copy(msg[1:], packed)
	h.buf, h.rows = h.buf[:0], 0
	return msg
}

// begin takes a buffer for the rows to come, free gives it back.
func (h *handin) begin() { h.buf = (*buffers.Get().(*[]byte))[:0] }

func (h *handin) free() {
	b := h.buf
	h.buf = nil
	buffers.Put(&b)
}

// fatalHandin tells the collector that the job cannot go on.
func fatalHandin(f job.Failure) []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic(fmt.Sprintf("encode failure: %v", err)) // two strings: cannot fail
	}
	return append([]byte{kindFatal}, b...)
}

var errHandin = errors.New("hand-in does not parse")

// readHandin calls f for each row, whose Key and Line are good until f returns; a fatal hand-in is returned as failure.
func readHandin(msg []byte, f func(handinRow)) (*job.Failure, error) {
	if len(msg) == 0 {
		return nil, errHandin
	}
	switch msg[0] {
	case kindFatal:
		var fail job.Failure
		if err := json.Unmarshal(msg[1:], &fail); err != nil {
			return nil, fmt.Errorf("%w: %w", errHandin, err)
		}
		return &fail, nil
	case kindRows:
	default:
		return nil, fmt.Errorf("%w: kind %q", errHandin, msg[0])
	}
	if n, err := s2.DecodedLen(msg[1:]); err != nil || n > 64<<20 {
		return nil, errHandin
	}
	scratch := buffers.Get().(*[]byte)
	defer buffers.Put(scratch)
	b, err := s2.Decode((*scratch)[:cap(*scratch)], msg[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHandin, err)
	}
	if cap(b) > cap(*scratch) {
		*scratch = b
	}
	for len(b) > 0 {
		r, rest, ok := readRow(b)
		if !ok {
			return nil, errHandin
		}
		f(r)
		b = rest
	}
	return nil, nil
}

func readRow(b []byte) (r handinRow, rest []byte, ok bool) {
	row, b, ok := readUvarint(b)
	if !ok || len(b) == 0 || row > 1<<62 {
		return r, nil, false
	}
	r.Row, r.Failed = int64(row), b[0] == 1
	status, b, ok := readUvarint(b[1:])
	if !ok || status > 999 {
		return r, nil, false
	}
	r.HTTPStatus = int(status)
	if r.Failed {
		var code []byte
		if code, b, ok = readBytes(b); !ok {
			return r, nil, false
		}
		r.Code = string(code)
		if r.Key, b, ok = readBytes(b); !ok {
			return r, nil, false
		}
	}
	r.Line, b, ok = readBytes(b)
	return r, b, ok
}

func readUvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

func readBytes(b []byte) ([]byte, []byte, bool) {
	n, b, ok := readUvarint(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
