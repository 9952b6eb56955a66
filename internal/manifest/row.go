package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// Limits of a row's values in bytes, decoded. A key's is COS's and S3's.
const (
	MaxKey     = 1024
	maxVersion = 1024
	maxName    = 255 // bucket, ETag, storage class
)

// MaxBuckets is how many source buckets one manifest may name.
const MaxBuckets = 100

// The columns that mean something; all others of an inventory are passed over.
const (
	ColumnIgnore       = Column(job.FieldIgnore)
	ColumnBucket       = Column(job.FieldBucket)
	ColumnKey          = Column(job.FieldKey)
	ColumnVersion      = Column(job.FieldVersion)
	ColumnLatest       = Column("IsLatest")
	ColumnAppID        = Column("Appid")
	ColumnDeleteMarker = Column("IsDeleteMarker")
	ColumnSize         = Column("Size")
	ColumnETag         = Column("ETag")
	ColumnClass        = Column("StorageClass")
)

// kind is what a column's values are.
type kind byte

const (
	ignored kind = iota
	bucket
	key
	version
	appID
	deleteMarker
	size
	etag
	class
)

// kinds of the columns that a format knows; an inventory's names are compared without case.
var kindOf = map[string]kind{
	"bucket": bucket, "key": key, "versionid": version, "appid": appID, "isdeletemarker": deleteMarker,
	"size": size, "etag": etag, "storageclass": class,
}

// row is one row's values, in the scanner's memory.
type row struct {
	bucket, key, version, etag, class []byte
	size                              int64
	deleteMarker                      bool
}

// entry copies a row out.
func (r *row) entry(number int64) job.Entry {
	return job.Entry{
		Row: number, Bucket: job.Bucket(r.bucket), Key: job.Key(r.key), Version: job.Version(r.version),
		DeleteMarker: r.deleteMarker, Size: r.size, ETag: string(r.etag), Class: string(r.class),
	}
}

// decoder turns records into rows by a plan's rules. Owned by one goroutine.
type decoder struct {
	columns   []Column
	kinds     []kind
	plusSpace bool
	appID     []byte // appended to bucket names where the rows carry none
	versions  bool   // the list is of all versions: a row without an id means the null version
	joined    []byte
}

// nullVersion is the id of what was stored while its bucket had no versions. S3 leaves it empty in inventories (AWS S3
// user guide, "Converting empty version ID strings in Amazon S3 Inventory reports to null strings"); the latest version,
// which no id means elsewhere, has a row of its own there.
var nullVersion = []byte("null")

func (p *Plan) decoder() *decoder {
	d := &decoder{columns: p.Columns, plusSpace: p.PlusSpace, appID: []byte(p.AppID), versions: p.Has(ColumnLatest) && p.Has(ColumnVersion)}
	for _, c := range p.Columns {
		d.kinds = append(d.kinds, kindOf[strings.ToLower(string(c))])
	}
	return d
}

// csvColumns checks the fields of a CSV manifest.
func csvColumns(file string, fields []job.Field) ([]Column, error) {
	known := []job.Field{job.FieldIgnore, job.FieldBucket, job.FieldKey, job.FieldVersion}
	columns := make([]Column, 0, len(fields))
	for _, f := range fields {
		if !slices.Contains(known, f) {
			return nil, &Error{
				Code: CodeUnknownColumn, File: file, Field: "Fields",
				Message: quoted([]byte(f)) + " is no column of a CSV manifest; use Bucket, Key, VersionId or Ignore",
			}
		}
		columns = append(columns, Column(f))
	}
	return columns, checkColumns(file, "Fields", columns)
}

// checkColumns sees to it that bucket and key are named, and nothing twice.
func checkColumns(file, field string, columns []Column) error {
	var count [class + 1]int
	for _, c := range columns {
		count[kindOf[strings.ToLower(string(c))]]++
	}
	bad := func(format string, args ...any) error {
		return &Error{Code: CodeUnknownColumn, File: file, Field: field, Message: fmt.Sprintf(format, args...)}
	}
	for name, k := range kindOf {
		if count[k] > 1 {
			return bad("it names the column %s twice; name the one that is not wanted Ignore", name)
		}
	}
	if count[bucket] == 0 || count[key] == 0 {
		return bad("it must name the columns Bucket and Key")
	}
	return nil
}

// header reports whether a record is a line of the columns' names. Under Ignore any name may stand.
func (d *decoder) header(rec []byte) bool {
	rest, more := bytes.Clone(rec), true
	var f []byte
	for _, c := range d.columns {
		if !more {
			return false
		}
		var bad *fault
		if f, rest, more, bad = cutField(rest); bad != nil {
			return false
		}
		if c != ColumnIgnore && !strings.EqualFold(string(f), string(c)) {
			return false
		}
	}
	return !more
}

// decode reads a record into r, changing it in place. r is valid until the scanner's next record.
func (d *decoder) decode(rec []byte, r *row) *fault {
	*r = row{}
	app := d.appID
	rest, more := rec, true
	var f []byte
	for i, k := range d.kinds {
		if !more {
			return &fault{"", fmt.Sprintf("the row has %d of %d columns; each row needs all that are named", i, len(d.kinds))}
		}
		var bad *fault
		if f, rest, more, bad = cutField(rest); bad != nil {
			return &fault{string(d.columns[i]), bad.message}
		}
		switch k {
		case bucket:
			r.bucket = f
		case key:
			var ok bool
			if f, ok = unescape(f, d.plusSpace); !ok {
				return &fault{string(d.columns[i]), "%" + "XX is broken at " + quoted(f) + "; keys are URL-encoded: write a percent sign as %25"}
			}
			r.key = f
		case version:
			r.version = f
		case appID:
			app = f
		case deleteMarker:
			r.deleteMarker = len(f) == 4 && bytes.EqualFold(f, []byte("true"))
		case size:
			var ok bool
			if r.size, ok = parseSize(f); !ok {
				return &fault{string(d.columns[i]), quoted(f) + " is no size in bytes"}
			}
		case etag:
			r.etag = bytes.Trim(f, `"`)
		case class:
			r.class = f
		}
	}
	if more {
		return &fault{"", fmt.Sprintf("the row has more than %d columns; name further ones Ignore, and write a comma in a key as %%2C",
			len(d.kinds))}
	}
	if d.versions && len(r.version) == 0 {
		r.version = nullVersion
	}
	r.bucket = d.join(r.bucket, app)
	return r.check()
}

// check holds a row to the limits.
func (r *row) check() *fault {
	switch {
	case len(r.bucket) == 0:
		return &fault{string(ColumnBucket), "the bucket is empty; name one in each row"}
	case len(r.key) == 0:
		return &fault{string(ColumnKey), "the key is empty; name one in each row"}
	case len(r.bucket) > maxName:
		return &fault{string(ColumnBucket), quoted(r.bucket) + " is longer than a bucket's name can be"}
	case len(r.key) > MaxKey:
		return &fault{string(ColumnKey), fmt.Sprintf("the key is %d bytes long; the limit is %d", len(r.key), MaxKey)}
	case len(r.version) > maxVersion:
		return &fault{string(ColumnVersion), fmt.Sprintf("the version id is %d bytes long; the limit is %d", len(r.version), maxVersion)}
	case len(r.etag) > maxName:
		return &fault{string(ColumnETag), fmt.Sprintf("the ETag is %d bytes long; the limit is %d", len(r.etag), maxName)}
	case len(r.class) > maxName:
		return &fault{string(ColumnClass), fmt.Sprintf("the storage class is %d bytes long; the limit is %d", len(r.class), maxName)}
	}
	return nil
}

// join makes a bucket's full name of an inventory's short one: name-appid, unless it ends so already.
func (d *decoder) join(name, app []byte) []byte {
	if len(app) == 0 || len(name) == 0 || endsWithAppID(name, app) {
		return name
	}
	d.joined = append(append(append(d.joined[:0], name...), '-'), app...)
	return d.joined
}

func endsWithAppID(name, app []byte) bool {
	n := len(name) - len(app)
	return n > 0 && name[n-1] == '-' && bytes.HasSuffix(name, app)
}

// parseSize reads a decimal number; blank is 0 (delete markers have no size).
func parseSize(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	if len(b) > 18 {
		n, err := strconv.ParseInt(string(b), 10, 64)
		return n, err == nil && n >= 0
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
