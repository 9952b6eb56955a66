package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"

	"github.com/drover-batch/drover/internal/job"
)

// window is how much of a file Cut fetches at a time, in bytes: the caller may take minutes between two chunks, and
// no connection stands open meanwhile.
const window = 1 << 20

func (p *Plan) chunksOf(f *File) int64 {
	n := int64(p.ChunkRows)
	return (f.Rows + n - 1) / n
}

// fileOf is the index of the file that holds a chunk; len(p.Files) behind the last one.
func (p *Plan) fileOf(chunk int64) int {
	return sort.Search(len(p.Files), func(i int) bool { return p.Files[i].FirstChunk+p.chunksOf(&p.Files[i]) > chunk })
}

// ChunkOf is the number of the chunk that holds a row; -1 when there is no such row.
func (p *Plan) ChunkOf(row int64) int64 {
	if row < 0 || row >= p.Rows {
		return -1
	}
	i := sort.Search(len(p.Files), func(i int) bool { return p.Files[i].FirstRow+p.Files[i].Rows > row })
	f := &p.Files[i]
	return f.FirstChunk + (row-f.FirstRow)/int64(p.ChunkRows)
}

// RowsOf is the number of a chunk's first row and how many it has; 0, 0 when there is no such chunk.
func (p *Plan) RowsOf(chunk int64) (first int64, rows int) {
	if chunk < 0 || chunk >= p.Chunks {
		return 0, 0
	}
	f := &p.Files[p.fileOf(chunk)]
	before := (chunk - f.FirstChunk) * int64(p.ChunkRows)
	return f.FirstRow + before, int(min(int64(p.ChunkRows), f.Rows-before))
}

// Cut gives the chunks in order from a cursor on; the zero Cursor is the start. An error ends it: a *Error when a file
// has changed or cannot be read, else the Opener's or the context's.
func (p *Plan) Cut(ctx context.Context, o Opener, from Cursor) iter.Seq2[Cut, error] {
	return func(yield func(Cut, error) bool) {
		for from.Chunk >= 0 && from.Chunk < p.Chunks {
			f := p.fileOf(from.Chunk)
			if err := p.cutFile(ctx, o, f, from, yield); err != nil {
				if err != errStopped {
					yield(Cut{}, err)
				}
				return
			}
			from = Cursor{Chunk: p.Files[f].FirstChunk + p.chunksOf(&p.Files[f])}
		}
	}
}

var errStopped = errors.New("the caller has enough")

func (p *Plan) cutFile(ctx context.Context, o Opener, index int, from Cursor, yield func(Cut, error) bool) error {
	f := &p.Files[index]
	src := &source{ctx: ctx, o: o, file: f, window: min(window, f.Size)}
	defer src.Close()
	sc, err := p.seek(src, from)
	if err != nil {
		return changed(f, err)
	}
	var pk *packer
	if f.Compression != Plain {
		pk = &packer{d: p.decoder()}
	}
	end := f.FirstChunk + p.chunksOf(f)
	for n := from.Chunk; n < end; n++ {
		cut := Cut{Chunk: Chunk{Number: n, File: index}, Next: Cursor{Chunk: n + 1}}
		c := &cut.Chunk
		c.First, c.Rows = p.RowsOf(n)
		if pk == nil {
			c.Offset = sc.off
			err = sc.skip(int64(c.Rows))
			c.Length = sc.off - c.Offset
			if n+1 < end {
				cut.Next.Offset = sc.off
			}
		} else {
			c.Packed, err = pk.pack(sc, c.Rows)
		}
		if err != nil {
			return changed(f, err)
		}
		if !yield(cut, nil) {
			return errStopped
		}
	}
	return nil
}

// seek puts a scanner where the cursor's chunk begins.
func (p *Plan) seek(src *source, from Cursor) (*scanner, error) {
	f := src.file
	before := (from.Chunk - f.FirstChunk) * int64(p.ChunkRows)
	if f.Compression == Plain {
		src.off = f.Header
		if from.Offset > 0 {
			src.off, before = from.Offset, 0
		}
		sc := newScanner(src, src.off)
		return sc, sc.skip(before)
	}
	text, _, err := src.text()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, text, f.Header); err != nil {
		return nil, err
	}
	sc := newScanner(text, f.Header)
	return sc, sc.skip(before)
}

// changed turns what cannot happen in a file that was surveyed into the statement that it is another one.
func changed(f *File, err error) error {
	if _, ok := errors.AsType[*fault](err); ok || err == io.EOF {
		return fileChanged(f.Name, "its content has changed since the job was prepared")
	}
	return err
}

// Entries gives a chunk's rows: from the file, which must be as it was surveyed, or from the chunk itself. Safe for
// concurrent use.
func (p *Plan) Entries(ctx context.Context, o Opener, c Chunk) ([]job.Entry, error) {
	first, rows := p.RowsOf(c.Number)
	if rows == 0 || first != c.First || rows != c.Rows || p.fileOf(c.Number) != c.File {
		return nil, job.Errorf(job.Internal, "Chunk %d (rows %d to %d of file %d) is not of this job's manifest.",
			c.Number, c.First, c.First+int64(c.Rows), c.File)
	}
	f := &p.Files[c.File]
	if c.Packed != nil {
		b := newBuilder(c.Rows, 8*len(c.Packed))
		if err := unpack(c.Packed, c.Rows, b); err != nil {
			return nil, fmt.Errorf("unpack chunk %d of %s: %w", c.Number, f.Name, err)
		}
		return b.entries(c.First), nil
	}
	if c.Offset < f.Header || c.Length <= 0 || c.Length > f.Size-c.Offset {
		return nil, job.Errorf(job.Internal, "Chunk %d lies outside of its file %s.", c.Number, f.Name)
	}
	src := &source{ctx: ctx, o: o, file: f, off: c.Offset, window: c.Length}
	if err := src.fetch(); err != nil {
		return nil, err
	}
	sc := &scanner{buf: src.buf, end: len(src.buf), err: io.EOF}
	b, d := newBuilder(c.Rows, len(src.buf)), p.decoder()
	var r row
	for range c.Rows {
		rec, err := sc.next()
		if err != nil {
			return nil, changed(f, err)
		}
		if bad := d.decode(rec, &r); bad != nil {
			return nil, changed(f, bad)
		}
		b.add(&r)
	}
	if sc.start != sc.end {
		return nil, changed(f, io.EOF)
	}
	return b.entries(c.First), nil
}

// builder collects rows into entries whose strings share one backing.
type builder struct {
	list []job.Entry
	text []byte
	ends []int32 // in text: of each row's key, version and ETag
}

func newBuilder(rows, text int) *builder {
	return &builder{list: make([]job.Entry, 0, rows), ends: make([]int32, 0, 3*rows), text: make([]byte, 0, text)}
}

func (b *builder) add(r *row) {
	e := job.Entry{Size: r.size, DeleteMarker: r.deleteMarker}
	n := len(b.list)
	if n > 0 {
		e.Bucket, e.Class = b.list[n-1].Bucket, b.list[n-1].Class
	}
	if string(r.bucket) != string(e.Bucket) {
		e.Bucket = job.Bucket(r.bucket)
	}
	if string(r.class) != e.Class {
		e.Class = string(r.class)
	}
	b.list = append(b.list, e)
	for _, v := range [...][]byte{r.key, r.version, r.etag} {
		b.text = append(b.text, v...)
		b.ends = append(b.ends, int32(len(b.text)))
	}
}

// entries numbers from first on.
func (b *builder) entries(first int64) []job.Entry {
	text := string(b.text)
	at := int32(0)
	next := func(i int) string {
		s := text[at:b.ends[i]]
		at = b.ends[i]
		return s
	}
	for i := range b.list {
		e := &b.list[i]
		e.Row = first + int64(i)
		e.Key, e.Version, e.ETag = job.Key(next(3*i)), job.Version(next(3*i+1)), next(3*i+2)
	}
	return b.list
}
