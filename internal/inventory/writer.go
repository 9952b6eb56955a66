package inventory

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// writer fills data files one after another. Owned by one goroutine.
type writer struct {
	dst    object.Writer
	o      Options
	layout layout
	row    []byte
	cur    *spool // nil between files
	files  []dataFile
	rows   int64
	size   int64 // of the objects listed
}

// dataFile is a data file that was stored.
type dataFile struct {
	key  string
	size int64
	md5  string
}

// spool is the data file being filled.
type spool struct {
	temp *os.File
	buf  *bufio.Writer
	gz   *gzip.Writer
	sum  hash.Hash
	rows int64
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "drover-inventory-*.csv.gz")
	if err != nil {
		return nil, fmt.Errorf("make temporary file: %w", err)
	}
	s := &spool{temp: f, sum: md5.New()}
	s.buf = bufio.NewWriterSize(io.MultiWriter(f, s.sum), 64<<10)
	if s.gz, err = gzip.NewWriterLevel(s.buf, gzip.BestSpeed); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close removes the temporary file. What cannot be removed is left to the system's cleaning of its folder.
func (s *spool) close() {
	s.temp.Close()
	os.Remove(s.temp.Name())
}

func (w *writer) discard() {
	if w.cur != nil {
		w.cur.close()
		w.cur = nil
	}
}

// add writes one row.
func (w *writer) add(ctx context.Context, e object.ListEntry) error {
	if w.cur == nil {
		var err error
		if w.cur, err = newSpool(w.o.TempDir); err != nil {
			return err
		}
	}
	w.row = w.appendRow(w.row[:0], e)
	if _, err := w.cur.gz.Write(w.row); err != nil {
		return fmt.Errorf("write temporary file: %w", err)
	}
	w.cur.rows++
	w.rows++
	w.size += e.Size
	if w.cur.rows == w.o.RowsPerFile {
		return w.flush(ctx)
	}
	return nil
}

// appendRow writes the columns of layout.columns, all in quotes.
func (w *writer) appendRow(dst []byte, e object.ListEntry) []byte {
	if !w.layout.full {
		dst = appendQuoted(dst, w.layout.appID)
	}
	dst = appendQuoted(dst, w.layout.bucket)
	dst = appendQuoted(dst, encodeKey(e.Key))
	if w.o.Versions {
		dst = appendQuoted(dst, string(e.Version))
		dst = appendQuoted(dst, truth(e.IsLatest))
		dst = appendQuoted(dst, truth(e.DeleteMarker))
	}
	size, etag := strconv.FormatInt(e.Size, 10), strings.Trim(e.ETag, `"`)
	multipart := truth(strings.Contains(etag, "-"))
	if e.DeleteMarker {
		size, etag, multipart = "", "", ""
	}
	modified := ""
	if !e.LastModified.IsZero() {
		modified = e.LastModified.UTC().Format("2006-01-02T15:04:05Z")
	}
	for _, v := range [...]string{size, modified, etag, e.Class, multipart} {
		dst = appendQuoted(dst, v)
	}
	dst[len(dst)-1] = '\n'
	return dst
}

func appendQuoted(dst []byte, s string) []byte {
	return append(append(append(dst, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"', ',')
}

// encodeKey writes a space as %20 and a plus as %2B, which reads the same whether or not a reader takes + for a space.
func encodeKey(k job.Key) string { return strings.ReplaceAll(url.QueryEscape(string(k)), "+", "%20") }

func truth(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// flush stores the file being filled, if there is one.
func (w *writer) flush(ctx context.Context) error {
	s := w.cur
	if s == nil {
		return nil
	}
	defer w.discard()
	if err := errors.Join(s.gz.Close(), s.buf.Flush()); err != nil {
		return fmt.Errorf("write temporary file: %w", err)
	}
	size, err := s.temp.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = s.temp.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("read temporary file: %w", err)
	}
	sum := hex.EncodeToString(s.sum.Sum(nil))
	f := dataFile{key: w.layout.data + w.name(sum) + ".csv.gz", size: size, md5: sum}
	_, err = w.dst.Put(ctx, object.PutRequest{
		Bucket: w.o.DestBucket, Key: job.Key(f.key), Body: s.temp, Size: size,
		Meta: object.Metadata{ContentType: "application/gzip"},
	})
	if err != nil {
		return fmt.Errorf("store %s/%s: %w", w.o.DestBucket, f.key, err)
	}
	w.files = append(w.files, f)
	return nil
}

// name makes a data file's name of 32 hex digits. Reports of equal content do not share files: an old one can be
// deleted.
func (w *writer) name(sum string) string {
	h := md5.Sum(fmt.Appendf(nil, "%s %d %s", sum, len(w.files), w.o.Now.Format("2006-01-02T15:04:05.999999999Z")))
	return hex.EncodeToString(h[:])
}

// The two layouts of manifest.json. In the newer one all counts are strings.
type (
	newJSON struct {
		SourceAppID       string    `json:"sourceAppid"`
		SourceBucket      string    `json:"sourceBucket"`
		DestinationAppID  string    `json:"destinationAppid"`
		DestinationBucket string    `json:"destinationBucket"`
		FileFormat        string    `json:"fileFormat"`
		ListObjectCount   string    `json:"listObjectCount"`
		ListStorageSize   string    `json:"listStorageSize"`
		FilterObjectCount string    `json:"filterObjectCount"`
		FilterStorageSize string    `json:"filterStorageSize"`
		FileSchema        string    `json:"fileSchema"`
		Files             []newFile `json:"files"`
	}
	newFile struct {
		Key  string `json:"key"`
		Size string `json:"size"`
		MD5  string `json:"md5Checksum"`
	}
	oldJSON struct {
		SourceBucket      string    `json:"sourceBucket"`
		DestinationBucket string    `json:"destinationBucket"`
		FileFormat        string    `json:"fileFormat"`
		FileSchema        string    `json:"fileSchema"`
		Files             []oldFile `json:"files"`
	}
	oldFile struct {
		Key  string `json:"key"`
		Size int64  `json:"size"`
		MD5  string `json:"MD5checksum"`
	}
)

func (w *writer) manifestJSON() ([]byte, error) {
	l := &w.layout
	schema := strings.Join(l.columns, ", ")
	var m any
	if l.full {
		files := make([]oldFile, 0, len(w.files))
		for _, f := range w.files {
			files = append(files, oldFile{f.key, f.size, f.md5})
		}
		m = oldJSON{SourceBucket: l.bucket, DestinationBucket: l.destBucket, FileFormat: "CSV", FileSchema: schema, Files: files}
	} else {
		files := make([]newFile, 0, len(w.files))
		for _, f := range w.files {
			files = append(files, newFile{f.key, strconv.FormatInt(f.size, 10), f.md5})
		}
		count, size := strconv.FormatInt(w.rows, 10), strconv.FormatInt(w.size, 10)
		m = newJSON{
			SourceAppID: l.appID, SourceBucket: l.bucket, DestinationAppID: l.destAppID, DestinationBucket: l.destBucket,
			FileFormat: "CSV", ListObjectCount: count, ListStorageSize: size, FilterObjectCount: count, FilterStorageSize: size,
			FileSchema: schema, Files: files,
		}
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest.json: %w", err)
	}
	return b, nil
}
