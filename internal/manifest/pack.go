package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/flate"
)

// chunkVersion is the first byte of an encoded chunk.
const chunkVersion = 1

// Encode makes a chunk ready to travel: some 20 bytes, and the packed rows where there are any. Changing what it
// writes needs a new version byte: a newer binary reads what an older one has queued.
func (c Chunk) Encode() []byte {
	b := make([]byte, 0, 32+len(c.Packed))
	b = append(b, chunkVersion)
	for _, v := range [...]int64{c.Number, int64(c.File), c.First, int64(c.Rows), c.Offset, c.Length} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return append(b, c.Packed...)
}

// DecodeChunk reads what Encode wrote. The chunk shares b's memory.
func DecodeChunk(b []byte) (Chunk, error) {
	if len(b) == 0 || b[0] != chunkVersion {
		return Chunk{}, errors.New("decode chunk: not of version 1; it was queued by another version of drover")
	}
	rest := b[1:]
	var v [6]int64
	for i := range v {
		u, n := binary.Uvarint(rest)
		if n <= 0 || u > math.MaxInt64 {
			return Chunk{}, fmt.Errorf("decode chunk: number %d of %d is damaged", i+1, len(v))
		}
		v[i] = int64(u)
		rest = rest[n:]
	}
	c := Chunk{Number: v[0], File: int(v[1]), First: v[2], Rows: int(v[3]), Offset: v[4], Length: v[5]}
	if len(rest) > 0 {
		c.Packed = rest
	}
	if v[1] > math.MaxInt32 || v[3] < 1 || v[3] > MaxChunkRows || (c.Length == 0) != (c.Packed != nil) ||
		(c.Packed != nil && c.Offset != 0) {
		return Chunk{}, fmt.Errorf("decode chunk %d: its numbers contradict one another", c.Number)
	}
	return c, nil
}

// A packed row is a byte of flags, then each of: bucket (length, bytes; absent when as in the row before), key (length
// shared with the key before, length and bytes of what follows), version, size, ETag, class (absent when as in the row
// before). The rows of a chunk are deflated together.
const (
	hasBucket = 1 << iota
	hasVersion
	hasSize
	hasETag
	hasClass
	isDeleteMarker
)

// maxPackedRow bounds one packed row before it is deflated.
const maxPackedRow = 1 + 3*(maxName+2) + MaxKey + maxVersion + 3*binary.MaxVarintLen64

// packer packs rows that cannot be read again from the middle of their file. Owned by one goroutine.
type packer struct {
	d      *decoder
	raw    []byte
	last   row // of the row before: bucket, key, class
	out    bytes.Buffer
	writer *flate.Writer
}

// pack reads so many rows and packs them.
func (p *packer) pack(sc *scanner, rows int) ([]byte, error) {
	p.raw = p.raw[:0]
	p.last = row{bucket: p.last.bucket[:0], key: p.last.key[:0], class: p.last.class[:0]}
	var r row
	for range rows {
		rec, err := sc.next()
		if err != nil {
			return nil, err
		}
		if bad := p.d.decode(rec, &r); bad != nil {
			return nil, bad
		}
		p.add(&r)
	}
	p.out.Reset()
	if p.writer == nil {
		var err error
		if p.writer, err = flate.NewWriter(&p.out, flate.BestSpeed); err != nil {
			return nil, err
		}
	} else {
		p.writer.Reset(&p.out)
	}
	if _, err := p.writer.Write(p.raw); err != nil {
		return nil, err
	}
	if err := p.writer.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(p.out.Bytes()), nil
}

func (p *packer) add(r *row) {
	b := p.raw
	at := len(b)
	b = append(b, 0)
	flags := byte(0)
	value := func(flag byte, v []byte) {
		flags |= flag
		b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
	}
	if !bytes.Equal(r.bucket, p.last.bucket) {
		value(hasBucket, r.bucket)
		p.last.bucket = append(p.last.bucket[:0], r.bucket...)
	}
	shared := commonPrefix(r.key, p.last.key)
	b = binary.AppendUvarint(b, uint64(shared))
	value(0, r.key[shared:])
	p.last.key = append(p.last.key[:shared], r.key[shared:]...)
	if len(r.version) > 0 {
		value(hasVersion, r.version)
	}
	if r.size > 0 {
		flags |= hasSize
		b = binary.AppendUvarint(b, uint64(r.size))
	}
	if len(r.etag) > 0 {
		value(hasETag, r.etag)
	}
	if !bytes.Equal(r.class, p.last.class) {
		value(hasClass, r.class)
		p.last.class = append(p.last.class[:0], r.class...)
	}
	if r.deleteMarker {
		flags |= isDeleteMarker
	}
	b[at] = flags
	p.raw = b
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

var errPacked = errors.New("its packed rows are damaged")

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// unpack adds the rows of a packed chunk to b.
func unpack(packed []byte, rows int, b *builder) error {
	fr := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(fr)
	if err := fr.(flate.Resetter).Reset(bytes.NewReader(packed), nil); err != nil {
		return err
	}
	limit := int64(rows) * maxPackedRow
	raw, err := io.ReadAll(io.LimitReader(fr, limit+1))
	if err != nil {
		return fmt.Errorf("%w: %w", errPacked, err)
	}
	if int64(len(raw)) > limit {
		return errPacked
	}
	u := unpacker{raw: raw}
	for range rows {
		if !u.next() {
			return errPacked
		}
		b.add(&u.row)
	}
	if len(u.raw) > 0 {
		return errPacked
	}
	return nil
}

type unpacker struct {
	raw []byte
	row row
	bad bool
}

// next reads one row; false when it is damaged.
func (u *unpacker) next() bool {
	if len(u.raw) == 0 {
		return false
	}
	flags := u.raw[0]
	u.raw = u.raw[1:]
	r := &u.row
	if flags&hasBucket != 0 {
		r.bucket = u.bytes(maxName)
	}
	shared := u.number()
	if u.bad || shared > uint64(len(r.key)) {
		return false
	}
	r.key = append(r.key[:shared], u.bytes(MaxKey-int(shared))...)
	r.version, r.etag, r.size = nil, nil, 0
	if flags&hasVersion != 0 {
		r.version = u.bytes(maxVersion)
	}
	if flags&hasSize != 0 {
		n := u.number()
		u.bad = u.bad || n > math.MaxInt64
		r.size = int64(n)
	}
	if flags&hasETag != 0 {
		r.etag = u.bytes(maxName)
	}
	if flags&hasClass != 0 {
		r.class = u.bytes(maxName)
	}
	r.deleteMarker = flags&isDeleteMarker != 0
	return !u.bad && r.check() == nil
}

func (u *unpacker) number() uint64 {
	v, n := binary.Uvarint(u.raw)
	if n <= 0 {
		u.bad = true
		return 0
	}
	u.raw = u.raw[n:]
	return v
}

func (u *unpacker) bytes(most int) []byte {
	n := u.number()
	if u.bad || n > uint64(min(most, len(u.raw))) {
		u.bad = true
		return nil
	}
	v := u.raw[:n]
	u.raw = u.raw[n:]
	return v
}
