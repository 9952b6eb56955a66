package httpwire

import (
	"errors"
	"io"
	"slices"

	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/sockets"
)

// response is an answer. Its body must be read to its end or closed. What it says is in the request's memory.
type response struct {
	status int
	header fields
	size   int64 // of the body; < 0 = not told
	body   io.ReadCloser
	data   []byte // the body once read
	net    netBody
	copied object.CopyResult // what a copy's answer says

	lent  *sockets.Buffer // all of the answer lies in it
	whole bool            // data is there
	text  []byte          // memory of the header's strings
	mem   []byte          // memory of data
}

// reset forgets the answer and keeps its memory, unless it is much.
func (a *response) reset() {
	if a.status == 0 && len(a.header) == 0 {
		return // it is empty
	}
	clear(a.header)
	if a.lent != nil {
		a.lent.Free()
	}
	b := response{header: a.header[:0], text: a.text[:0], mem: a.mem[:0]}
	if cap(b.mem) > maxKept {
		b.mem = nil
	}
	if cap(b.text) > maxKept {
		b.text = nil
	}
	*a = b
}

// keepHead gives the header memory of its own, which is the caller's where it leaves the call. The connection writes over what it
// read it from.
func (a *response) keepHead(raw []byte, leaves bool) error {
	if leaves {
		a.text = nil
	}
	a.text = append(a.text, raw...)
	h, err := parseHead(a.text, a.header[:0])
	a.header = h.header
	return err
}

// maxData bounds bodies that are kept in memory: a listing of 1,000 keys of 1,024 bytes, encoded, has 4 MiB.
const maxData = 16 << 20

var errTooLong = errors.New("the answer's body is too long")

// read takes the whole body into data.
func (a *response) read() error {
	if a.whole {
		return nil
	}
	defer a.body.Close()
	if a.size > maxData {
		return errTooLong
	}
	if a.size >= 0 {
		a.mem = slices.Grow(a.mem[:0], int(a.size))[:a.size]
		a.data = a.mem
		_, err := io.ReadFull(a.body, a.data)
		return err
	}
	var err error
	if a.data, err = io.ReadAll(io.LimitReader(a.body, maxData+1)); err != nil {
		return err
	}
	if len(a.data) > maxData {
		return errTooLong
	}
	return nil
}
