// Package manifest reads lists of objects: the CSV and the inventory report of COS. It streams; nothing in it grows
// with a manifest's length.
//
// Survey opens a manifest for the first time, checks all of it and pins what must not change: the Plan. From then on
// chunk n is a pure function of the Plan and the files that it names. Plan.Cut cuts them in order and can start in the
// middle, reading at most one data file again; Entries gives a chunk's rows to a worker.
package manifest

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Name names a stored file: an object, or a local path where Bucket is "".
type Name struct {
	Bucket  job.Bucket
	Key     job.Key
	Version job.Version
	Path    string
}

// Info describes a stored file.
type Info struct {
	ETag         string // without quotes; "" for local files
	Version      job.Version
	Size         int64
	LastModified time.Time // local files: part of what pins them
}

// Opener opens stored files. A missing file is an error whose job code is InvalidRequest or whose object code says so;
// its text names the file.
type Opener interface {
	// Open returns the body from offset on; length < 0 means to the end. Info is of the whole file.
	Open(ctx context.Context, n Name, offset, length int64) (io.ReadCloser, Info, error)
}

// Compression of a data file, found by its content.
type Compression string

// The compressions.
const (
	Plain Compression = ""
	Gzip  Compression = "gzip"
)

// File is one data file of a Plan.
type File struct {
	Name        Name
	ETag        string
	Size        int64
	MD5         string    // lower-case hex; of the stored bytes, as an inventory states it and Survey checked it; else ""
	ModTime     time.Time // where there is no ETag
	Compression Compression
	Header      int64 // bytes taken by a BOM and a header row, skipped (of the uncompressed text)
	FirstRow    int64
	Rows        int64
	FirstChunk  int64
	Sizes       *job.Sizes // of the rows; nil where they list none, and in plans that were pinned before sizes were counted
}

// Column is one column of the data files.
type Column string

// Plan is a manifest pinned: everything that a chunk's content depends on. Records store it as JSON.
type Plan struct {
	Cutter    int // version of the cutting rules: 1
	Format    job.ManifestFormat
	Columns   []Column
	PlusSpace bool   // + in a key is a space
	AppID     string // appended to an inventory's bucket names where the rows carry none
	ChunkRows int
	Files     []File
	Rows      int64
	Chunks    int64
	// Buckets are the distinct source buckets with the first row that names each; at most 100.
	Buckets []BucketAt
}

// Has reports whether the list has a column.
func (p *Plan) Has(c Column) bool {
	return slices.ContainsFunc(p.Columns, func(has Column) bool { return strings.EqualFold(string(has), string(c)) })
}

// Sizes are those of all rows; nil where they are not known of each file.
func (p *Plan) Sizes() *job.Sizes {
	var all job.Sizes
	for i := range p.Files {
		s := p.Files[i].Sizes
		if s == nil {
			return nil
		}
		all.Add(*s)
	}
	return &all
}

// BucketAt is a source bucket and where it first stands.
type BucketAt struct {
	Bucket job.Bucket
	File   string // for messages
	Row    int64  // line of that file, from 1
}

// Cut is a chunk, and where cutting goes on behind it.
type Cut struct {
	Chunk Chunk
	Next  Cursor
}

// Chunk is a run of consecutive rows of one data file.
type Chunk struct {
	Number int64 // from 0 over the whole manifest
	File   int   // index into Plan.Files
	First  int64 // first row's number in the whole manifest
	Rows   int
	// Where the rows lie in a plain file; both 0 in a compressed one.
	Offset int64
	Length int64
	// Packed holds the rows themselves where the file cannot be read from the middle.
	Packed []byte
}

// Cursor is where cutting goes on: the first chunk not cut, and where its rows begin in a plain file.
type Cursor struct {
	Chunk  int64
	Offset int64 // in the plain file that holds Chunk; 0 = find it by reading that file from its start
}
