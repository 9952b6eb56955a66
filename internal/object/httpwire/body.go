package httpwire

import (
	"bytes"
	"errors"
	"io"
)

// netBody is an answer's body on its connection, which goes back to the pool when all of it was read.
type netBody struct {
	c     *conn
	left  int64 // as head.framing says it; in chunks: of the present chunk in chunk
	chunk int64
	open  bool // a chunk's end is still to be read
	keep  bool
	err   error
}

func (b *netBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := b.read(p)
	switch {
	case err == io.EOF:
		b.finish()
	case err != nil:
		err = b.fail(err)
	case b.left == 0:
		b.finish()
	}
	return n, err
}

// read gives some of the body; io.EOF after its end.
func (b *netBody) read(p []byte) (int, error) {
	if b.left == inChunks {
		if err := b.nextChunk(); err != nil {
			return 0, err
		}
		n, err := b.some(p, b.chunk)
		b.chunk -= int64(n)
		return n, unexpected(err)
	}
	if b.left == untilClose {
		return b.some(p, int64(len(p)))
	}
	n, err := b.some(p, b.left)
	b.left -= int64(n)
	return n, unexpected(err)
}

// some reads up to limit bytes, past the buffer where it is empty.
func (b *netBody) some(p []byte, limit int64) (int, error) {
	c := b.c
	if int64(len(p)) > limit {
		p = p[:limit]
	}
	if c.r == c.n && len(p) < len(c.buf) {
		if err := c.bound(c.w.t.IO); err != nil {
			return 0, err
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	if c.r < c.n {
		n := copy(p, c.buf[c.r:c.n])
		c.r += n
		return n, nil
	}
	if err := c.bound(c.w.t.IO); err != nil {
		return 0, err
	}
	n, err := c.nc.Read(p)
	if n > 0 {
		err = nil
	}
	return n, err
}

// nextChunk reads up to the next byte of the body; io.EOF after the last chunk and the trailers, which are dropped.
func (b *netBody) nextChunk() error {
	for b.chunk == 0 {
		if b.open {
			line, err := b.c.readLine()
			if err != nil {
				return err
			}
			if len(line) != 0 {
				return malformed("a chunk is longer than its size")
			}
			b.open = false
		}
		line, err := b.c.readLine()
		if err != nil {
			return err
		}
		if b.chunk, err = parseChunkSize(line); err != nil {
			return err
		}
		if b.chunk == 0 {
			return b.trailers()
		}
		b.open = true
	}
	return nil
}

func (b *netBody) trailers() error {
	for range maxTrailers {
		line, err := b.c.readLine()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return io.EOF
		}
		if _, err := parseField(line); err != nil {
			return err
		}
	}
	return malformed("too many trailers")
}

// finish gives the connection back.
func (b *netBody) finish() {
	b.err = io.EOF
	c := b.c
	if c.end() && b.keep && c.r == c.n {
		c.w.put(c)
	} else {
		c.drop()
	}
	b.c = nil
}

// fail gives the connection up.
func (b *netBody) fail(err error) error {
	if cause := b.c.ctx.Err(); cause != nil {
		err = cause
	}
	b.c.end()
	b.c.drop()
	b.c, b.err = nil, err
	return err
}

// Close gives up a connection whose body was not read to its end.
func (b *netBody) Close() error {
	if b.c != nil {
		_ = b.fail(errors.New("the body was closed"))
	}
	return nil
}

// readLine gives a line without its CRLF, good until the next read.
func (c *conn) readLine() ([]byte, error) {
	for {
		if i := bytes.IndexByte(c.buf[c.r:c.n], '\n'); i >= 0 {
			line := c.buf[c.r : c.r+i]
			c.r += i + 1
			line, ok := bytes.CutSuffix(line, []byte("\r"))
			if !ok {
				return nil, malformed("a line ends without CR")
			}
			return line, nil
		}
		if c.n-c.r > maxLine {
			return nil, malformed("a line is too long")
		}
		if err := c.more(); err != nil {
			return nil, err
		}
	}
}

// more is fill within a body.
func (c *conn) more() error {
	if err := c.bound(c.w.t.IO); err != nil {
		return err
	}
	return unexpected(c.fill())
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
