package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// doneSet is the set of rows that are done: all below the mark, and the few above it that ended early. What is in
// flight is sparse, what lies behind is one number, so it does not grow with the manifest. Not safe for concurrent use.
type doneSet struct {
	mark  int64
	above *roaring64.Bitmap
}

func newDoneSet() doneSet { return doneSet{above: roaring64.New()} }

// has reports whether the row is done.
func (d *doneSet) has(row int64) bool {
	return row < d.mark || (!d.above.IsEmpty() && d.above.Contains(uint64(row)))
}

// add marks the row done; false when it was done already.
func (d *doneSet) add(row int64) bool {
	if row < d.mark {
		return false
	}
	if row > d.mark {
		return d.above.CheckedAdd(uint64(row))
	}
	d.mark++
	if d.above.IsEmpty() {
		return true
	}
	it := d.above.Iterator()
	from := d.mark
	for it.HasNext() && it.PeekNext() == uint64(d.mark) {
		it.Next()
		d.mark++
	}
	d.above.RemoveRange(uint64(from), uint64(d.mark))
	return true
}

// hasAll reports whether rows first to first+n-1 are all done.
func (d *doneSet) hasAll(first int64, n int) bool {
	end := first + int64(n)
	if end <= d.mark {
		return true
	}
	if first < d.mark {
		first = d.mark
	}
	for r := first; r < end; r++ {
		if !d.above.Contains(uint64(r)) {
			return false
		}
	}
	return true
}

// count is how many rows are done.
func (d *doneSet) count() int64 { return d.mark + int64(d.above.GetCardinality()) }

func (d *doneSet) bytes() []byte {
	d.above.RunOptimize()
	b, err := d.above.ToBytes()
	if err != nil {
		panic(fmt.Sprintf("encode done rows: %v", err)) // a write to memory: cannot fail
	}
	return b
}

func doneSetFrom(mark int64, b []byte) (doneSet, error) {
	d := doneSet{mark: mark, above: roaring64.New()}
	if len(b) == 0 {
		return d, nil
	}
	// The decoder makes room for as many parts as the first word says; each takes 12 bytes at least. The bytes may come
	// from a bucket, where anybody may have written.
	if len(b) < 8 || binary.LittleEndian.Uint64(b) > uint64(len(b)-8)/12 {
		return d, errors.New("decode done rows: they name more parts than they have")
	}
	if _, err := d.above.ReadFrom(bytes.NewReader(b)); err != nil {
		return d, fmt.Errorf("decode done rows: %w", err)
	}
	if err := d.above.Validate(); err != nil {
		return d, fmt.Errorf("decode done rows: %w", err)
	}
	return d, nil
}
