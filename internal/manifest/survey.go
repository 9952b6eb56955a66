package manifest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/drover-batch/drover/internal/job"
)

// cutter is the version of the rules by which chunks are cut. A plan of another version is not resumed.
const cutter = 1

// MaxChunkRows bounds a chunk.
const MaxChunkRows = 100_000

// surveyors is how many data files are read at a time: inflating is the wall, and only files in parallel scale.
const surveyors = 4

// Options of Survey and Rows.
type Options struct {
	ChunkRows int   // rows a chunk, 1–100,000; 0 = 1,000
	PlusSpace *bool // whether + in a key is a space; nil = as a CSV manifest says, yes in inventories
	// Resume is an earlier partial plan of the same manifest. Its files that have not changed are not read again.
	Resume *Plan
	// Progress, when not nil, is called after each data file with the plan so far, which it must not keep. Its error
	// ends the survey.
	Progress func(*Plan) error
	// Rows, when not nil, is called with all rows in their order, a chunk at a time or what a data file has left of one, and
	// may keep them. Its error ends the survey. Files are then read one after the other; Resume is left out of account.
	Rows func([]job.Entry) error
}

// Survey reads all of a manifest once, checks every row, and pins it. Its errors about the manifest are of type *Error;
// others are the Opener's (wrapped, when a file could not be opened) or the context's.
func Survey(ctx context.Context, o Opener, m job.Manifest, opt Options) (*Plan, error) {
	p, files, err := begin(ctx, o, m, opt)
	if err != nil {
		return nil, err
	}
	each := func(s surveyed) error {
		if err := p.add(s.file, s.buckets); err != nil || opt.Progress == nil {
			return err
		}
		return opt.Progress(p)
	}
	if opt.Rows != nil {
		err = p.surveyInOrder(ctx, o, files, opt.Rows, each)
	} else {
		var done int
		if done, err = p.resume(ctx, o, opt.Resume, files); err != nil {
			return nil, err
		}
		err = p.survey(ctx, o, files[done:], each)
	}
	if err != nil {
		return nil, err
	}
	if p.Rows == 0 {
		return nil, &Error{Code: CodeEmpty, File: nameOf(m.Location).String(), Message: "it lists no object; there is nothing to do"}
	}
	return p, nil
}

// begin makes a plan without files, and the list of the files to read.
func begin(ctx context.Context, o Opener, m job.Manifest, opt Options) (*Plan, []stated, error) {
	p := &Plan{Cutter: cutter, Format: m.Format, ChunkRows: opt.ChunkRows}
	if p.ChunkRows == 0 {
		p.ChunkRows = 1000
	}
	if p.ChunkRows < 1 || p.ChunkRows > MaxChunkRows {
		return nil, nil, job.FieldErrorf("ChunkRows", "%d is not allowed; use 1 to %d.", opt.ChunkRows, MaxChunkRows)
	}
	var files []stated
	n := nameOf(m.Location)
	switch m.Format {
	case job.FormatCSV:
		columns, err := csvColumns(n.String(), m.Fields)
		if err != nil {
			return nil, nil, err
		}
		p.Columns, p.PlusSpace = columns, m.PlusSpace
		files = []stated{{name: n, etag: m.Location.ETag, size: -1}}
	case job.FormatInventory:
		inv, err := readInventory(ctx, o, m.Location)
		if err != nil {
			return nil, nil, err
		}
		p.Columns, p.AppID, p.PlusSpace, files = inv.columns, inv.appID, true, inv.files
		for i := range files {
			if err := files[i].locate(ctx, o); err != nil {
				return nil, nil, err
			}
		}
	default:
		return nil, nil, job.FieldErrorf("Manifest.Spec.Format", "%q is no manifest format; use %s or %s.",
			string(m.Format), job.FormatCSV, job.FormatInventory)
	}
	if opt.PlusSpace != nil {
		p.PlusSpace = *opt.PlusSpace
	}
	return p, files, nil
}

// resume takes over what an earlier plan knows of files that have not changed, up to the first that has.
func (p *Plan) resume(ctx context.Context, o Opener, old *Plan, files []stated) (int, error) {
	if old == nil || old.Cutter != p.Cutter || old.Format != p.Format || old.ChunkRows != p.ChunkRows ||
		old.PlusSpace != p.PlusSpace || old.AppID != p.AppID || !slices.Equal(old.Columns, p.Columns) {
		return 0, nil
	}
	for i, f := range old.Files {
		if i == len(files) || files[i].check(&f) != nil || f.MD5 != files[i].md5 || f.Name != files[i].name {
			return i, nil
		}
		one := int64(1)
		if f.Size == 0 {
			one = -1 // an empty file has no first byte to ask for
		}
		body, err := openPinned(ctx, o, &f, 0, one)
		if err != nil {
			return i, ctx.Err() // what is wrong with the file its survey will tell
		}
		if err := body.Close(); err != nil {
			return i, err
		}
		buckets := slices.DeleteFunc(slices.Clone(old.Buckets), func(b BucketAt) bool { return b.File != f.Name.String() })
		if err := p.add(f, buckets); err != nil {
			return i, err
		}
	}
	return len(old.Files), nil
}

// check compares a pinned file with what is stated of it, but for its content.
func (s *stated) check(f *File) error {
	if err := f.checkETag(s.etag); err != nil {
		return err
	}
	if s.size >= 0 && s.size != f.Size {
		return fileChanged(f.Name, fmt.Sprintf("it is %d bytes long, but manifest.json says %d", f.Size, s.size))
	}
	return nil
}

// add puts a surveyed file behind those that the plan has.
func (p *Plan) add(f File, buckets []BucketAt) error {
	f.FirstRow, f.FirstChunk = p.Rows, p.Chunks
	p.Rows += f.Rows
	p.Chunks += p.chunksOf(&f)
	p.Files = append(p.Files, f)
	for _, b := range buckets {
		if slices.ContainsFunc(p.Buckets, func(have BucketAt) bool { return have.Bucket == b.Bucket }) {
			continue
		}
		if len(p.Buckets) == MaxBuckets {
			return tooManyBuckets(b.File, b.Row)
		}
		p.Buckets = append(p.Buckets, b)
	}
	return nil
}

func tooManyBuckets(file string, row int64) error {
	return &Error{
		Code: CodeTooManyBuckets, File: file, Row: row, Field: string(ColumnBucket),
		Message: fmt.Sprintf("more than %d source buckets are named; split the manifest by bucket", MaxBuckets),
	}
}

// surveyed is what one data file turned out to be.
type surveyed struct {
	file    File
	buckets []BucketAt
	err     error
}

// survey reads the files, several at a time, and calls each with them in their order.
func (p *Plan) survey(ctx context.Context, o Opener, files []stated, each func(surveyed) error) error {
	ctx, cancel := context.WithCancel(ctx)
	rules := *p // the plan grows while files are read
	queue := make(chan chan surveyed, min(surveyors, runtime.GOMAXPROCS(0))-1)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		defer close(queue)
		for _, s := range files {
			c := make(chan surveyed, 1)
			select {
			case queue <- c:
			case <-ctx.Done():
				return
			}
			running.Go(func() { c <- rules.surveyFile(ctx, o, s, nil) })
		}
	})
	for c := range queue {
		s := <-c
		if s.err != nil {
			return s.err
		}
		if err := each(s); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// surveyInOrder reads the files one after the other, and calls tell with their rows and each with what they are.
func (p *Plan) surveyInOrder(ctx context.Context, o Opener, files []stated, tell func([]job.Entry) error, each func(surveyed) error) error {
	for _, s := range files {
		out := p.surveyFile(ctx, o, s, &runs{builder: newBuilder(p.ChunkRows, 64*p.ChunkRows), tell: tell, first: p.Rows})
		if out.err != nil {
			return out.err
		}
		if err := each(out); err != nil {
			return err
		}
	}
	return nil
}

// runs gives a file's rows away, a chunk at a time.
type runs struct {
	*builder
	tell  func([]job.Entry) error
	first int64 // number of the first row that is not given away
}

func (r *runs) add(row *row) error {
	r.builder.add(row)
	if len(r.list) < cap(r.list) {
		return nil
	}
	return r.flush()
}

// flush gives away what is there. The entries are the receiver's then; the rest of the builder is used again.
func (r *runs) flush() error {
	if len(r.list) == 0 {
		return nil
	}
	rows := r.entries(r.first)
	r.first += int64(len(rows))
	r.builder = &builder{list: make([]job.Entry, 0, cap(rows)), text: r.text[:0], ends: r.ends[:0]}
	return r.tell(rows)
}

// surveyFile reads one data file from end to end, and gives its rows away where they are wanted.
func (p *Plan) surveyFile(ctx context.Context, o Opener, s stated, rows *runs) surveyed {
	out := surveyed{}
	f := &out.file
	rd, err := p.open(ctx, o, s, f)
	if err != nil {
		out.err = err
		return out
	}
	defer rd.src.Close()
	if p.Has(ColumnSize) {
		f.Sizes = new(job.Sizes)
	}
	seen := buckets{file: f.Name.String()}
	for {
		err := rd.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = seen.add(rd.row.bucket, rd.sc.at)
		}
		if err == nil && rows != nil {
			err = rows.add(&rd.row)
		}
		if err != nil {
			out.err = err
			return out
		}
		f.Rows++
		if f.Sizes != nil {
			f.Sizes.Add(job.Sizes{Bytes: rd.row.size, Largest: rd.row.size})
		}
	}
	if rows != nil {
		if out.err = rows.flush(); out.err != nil {
			return out
		}
	}
	if rd.src.sum != nil {
		out.err = rd.src.checkMD5(f, s)
	}
	out.buckets = seen.list
	return out
}

// checkMD5 compares the bytes read with what is stated of the file.
func (s *source) checkMD5(f *File, said stated) error {
	f.MD5 = hex.EncodeToString(s.sum.Sum(nil))
	if f.MD5 != said.md5 {
		return fileChanged(f.Name, fmt.Sprintf("its MD5 is %s, but manifest.json says %s", f.MD5, said.md5))
	}
	return nil
}

// reader reads one data file row by row.
type reader struct {
	src *source
	sc  *scanner
	d   *decoder
	rec []byte // the record read last
	row row
	// first is a first record that turned out to be no header.
	first []byte
}

// open opens a data file for the first time, pins it and finds out what it is.
func (p *Plan) open(ctx context.Context, o Opener, s stated, f *File) (*reader, error) {
	f.Name = s.name
	src, err := openSource(ctx, o, f)
	if err != nil {
		return nil, err
	}
	rd := &reader{src: src, d: p.decoder()}
	if err = s.check(f); err == nil {
		if s.md5 != "" {
			src.sum = md5.New()
		}
		err = rd.start(f)
	}
	if err != nil {
		src.Close()
		return nil, err
	}
	return rd, nil
}

// start passes over a byte order mark and a header.
func (rd *reader) start(f *File) error {
	text, compression, err := rd.src.text()
	if err != nil {
		return err
	}
	f.Compression = compression
	rd.sc = newScanner(text, 0)
	rd.sc.skipBOM()
	f.Header = rd.sc.off
	rec, err := rd.sc.next()
	switch {
	case err == io.EOF:
	case err != nil:
		return rd.fault(err)
	case rd.d.header(rec):
		f.Header = rd.sc.off
	default:
		rd.first = rec
	}
	return nil
}

// next reads the next row into rd.row; io.EOF after the last.
func (rd *reader) next() error {
	if err := rd.record(); err != nil {
		return err
	}
	if bad := rd.d.decode(rd.rec, &rd.row); bad != nil {
		return rd.fault(bad)
	}
	return nil
}

// record reads the next record into rd.rec; io.EOF after the last.
func (rd *reader) record() error {
	if rd.rec, rd.first = rd.first, nil; rd.rec != nil {
		return nil
	}
	var err error
	if rd.rec, err = rd.sc.next(); err != nil {
		return rd.fault(err)
	}
	return nil
}

// fault says where in which file a row is wrong.
func (rd *reader) fault(err error) error {
	bad, ok := errors.AsType[*fault](err)
	if !ok {
		return err
	}
	return &Error{Code: CodeInvalidContent, File: rd.src.file.Name.String(), Row: rd.sc.at, Field: bad.field, Message: bad.message}
}

// buckets collects the distinct buckets of a file.
type buckets struct {
	file string
	list []BucketAt
	seen map[job.Bucket]struct{}
	last job.Bucket
}

func (b *buckets) add(name []byte, line int64) error {
	if string(name) == string(b.last) {
		return nil
	}
	if _, ok := b.seen[job.Bucket(name)]; ok {
		b.last = job.Bucket(name)
		return nil
	}
	if len(b.list) == MaxBuckets {
		return tooManyBuckets(b.file, line)
	}
	if b.seen == nil {
		b.seen = map[job.Bucket]struct{}{}
	}
	b.last = job.Bucket(name)
	b.seen[b.last] = struct{}{}
	b.list = append(b.list, BucketAt{Bucket: b.last, File: b.file, Row: line})
	return nil
}

// Rows gives a manifest's entries in order without pinning it, for looking at one. An error ends it.
func Rows(ctx context.Context, o Opener, m job.Manifest, opt Options) iter.Seq2[job.Entry, error] {
	return func(yield func(job.Entry, error) bool) {
		p, files, err := begin(ctx, o, m, opt)
		if err != nil {
			yield(job.Entry{}, err)
			return
		}
		row := int64(0)
		for _, s := range files {
			n, ok := p.rows(ctx, o, s, row, yield)
			if !ok {
				return
			}
			row += n
		}
	}
}

// rows yields the rows of one file and tells how many there were; false when it must not go on.
func (p *Plan) rows(ctx context.Context, o Opener, s stated, first int64, yield func(job.Entry, error) bool) (int64, bool) {
	var f File
	rd, err := p.open(ctx, o, s, &f)
	if err != nil {
		return 0, yield(job.Entry{}, err) && false
	}
	defer rd.src.Close()
	for n := int64(0); ; n++ {
		err := rd.next()
		if err == io.EOF {
			return n, true
		}
		if err != nil {
			return n, yield(job.Entry{}, err) && false
		}
		if !yield(rd.row.entry(first+n), nil) {
			return n, false
		}
	}
}
