package manifest

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// maxManifestJSON bounds an inventory's manifest.json: over 100,000 data files.
const maxManifestJSON = 32 << 20

// inventoryJSON is an inventory report's manifest.json (Tencent doc 436/30622; AWS S3 user guide, "Inventory manifest").
// encoding/json matches names without case, so that it reads the MD5checksum of older reports and of S3's too, and their
// full bucket names.
type inventoryJSON struct {
	SourceAppID       string          `json:"sourceAppid"`
	DestinationAppID  string          `json:"destinationAppid"`
	DestinationBucket string          `json:"destinationBucket"`
	FileFormat        string          `json:"fileFormat"`
	FileSchema        string          `json:"fileSchema"`
	Files             []inventoryFile `json:"files"`
}

type inventoryFile struct {
	Key  string      `json:"key"`
	Size *jsonNumber `json:"size"`
	MD5  string      `json:"md5Checksum"`
}

// jsonNumber is a count that newer reports write as a string and older ones as a number.
type jsonNumber int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *jsonNumber) UnmarshalJSON(b []byte) error {
	s := strings.TrimSpace(strings.Trim(string(b), `"`))
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 0 {
		return fmt.Errorf("%s is no size in bytes", quoted(b))
	}
	*n = jsonNumber(v)
	return nil
}

// stated is a data file not yet read, as the job or an inventory's manifest.json states it.
type stated struct {
	name Name
	etag string // "" = not stated
	size int64  // -1 = not stated
	md5  string // lower-case hex; "" = not stated
}

// inventory is what a manifest.json says.
type inventory struct {
	columns []Column
	appID   string // appended to bucket names where the rows carry none
	files   []stated
}

// parseInventory reads a manifest.json that lies at n.
func parseInventory(n Name, b []byte) (*inventory, error) {
	file := n.String()
	bad := func(field, format string, args ...any) error {
		return &Error{Code: CodeInvalidContent, File: file, Field: field, Message: fmt.Sprintf(format, args...)}
	}
	var m inventoryJSON
	if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), &m); err != nil {
		return nil, &Error{
			Code: CodeInvalidContent, File: file, Err: err,
			Message: "it is no manifest.json of an inventory report; name that file, not a data file of it",
		}
	}
	if !strings.EqualFold(m.FileFormat, "CSV") {
		return nil, bad("fileFormat", "%s is not supported; make the inventory as CSV", quoted([]byte(m.FileFormat)))
	}
	inv := &inventory{appID: m.SourceAppID}
	for c := range strings.SplitSeq(m.FileSchema, ",") {
		inv.columns = append(inv.columns, Column(strings.TrimSpace(c)))
	}
	if err := checkColumns(file, "fileSchema", inv.columns); err != nil {
		return nil, err
	}
	in := n.Bucket
	if m.DestinationBucket != "" {
		in = job.Bucket(bucketOfARN(m.DestinationBucket))
		if a := m.DestinationAppID; a != "" && !endsWithAppID([]byte(in), []byte(a)) {
			in += job.Bucket("-" + a)
		}
	}
	for i, f := range m.Files {
		field := fmt.Sprintf("files[%d]", i)
		sum := strings.ToLower(f.MD5)
		if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 16 && len(raw) != 0 {
			return nil, bad(field+".md5Checksum", "%s is no MD5 in hex", quoted([]byte(f.MD5)))
		}
		if f.Key == "" {
			return nil, bad(field+".key", "it is empty; each data file needs its key")
		}
		s := stated{name: Name{Bucket: in, Key: job.Key(f.Key)}, size: -1, md5: sum}
		if f.Size != nil {
			s.size = int64(*f.Size)
		}
		if n.Path != "" {
			if !fs.ValidPath(path.Clean(f.Key)) {
				return nil, bad(field+".key", "%s leads out of the inventory's folder", quoted([]byte(f.Key)))
			}
			s.name = Name{Path: n.Path, Key: job.Key(f.Key)} // found by locate
		}
		inv.files = append(inv.files, s)
	}
	return inv, nil
}

// bucketOfARN gives the bucket of a name like arn:aws:s3:::lists, which S3 writes; any other name stays.
func bucketOfARN(name string) string {
	if parts := strings.SplitN(name, ":", 6); len(parts) == 6 && parts[0] == "arn" && parts[2] == "s3" {
		return parts[5]
	}
	return name
}

// locate finds a local inventory's data file. Its key counts from the bucket's root, which the folders above
// manifest.json repeat when the bucket was downloaded as a whole; else it lies beside manifest.json.
func (s *stated) locate(ctx context.Context, o Opener) error {
	if s.name.Path == "" {
		return nil
	}
	k := path.Clean(string(s.name.Key))
	dir := filepath.Dir(s.name.Path)
	places := []string{filepath.Join(dir, path.Base(k)), filepath.Join(dir, "..", path.Base(k))}
	for range strings.Count(k, "/") + 2 {
		places = append(places, filepath.Join(dir, filepath.FromSlash(k)))
		dir = filepath.Join(dir, "..")
	}
	for _, p := range places {
		body, _, err := o.Open(ctx, Name{Path: p}, 0, 0)
		if err == nil {
			s.name = Name{Path: p}
			return body.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return unreadable(Name{Path: p}, err)
		}
	}
	return &Error{
		Code: CodeUnreadable, File: Name{Path: s.name.Path}.String(), Field: "files", Err: fs.ErrNotExist,
		Message: "its data file " + quoted([]byte(k)) + " lies neither beside it nor under a folder above it; download it too",
	}
}

// readInventory reads the manifest.json that a job names.
func readInventory(ctx context.Context, o Opener, l job.Location) (*inventory, error) {
	f := File{Name: nameOf(l)}
	src, err := openSource(ctx, o, &f)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if err := f.checkETag(l.ETag); err != nil {
		return nil, err
	}
	if f.Size > maxManifestJSON {
		return nil, &Error{
			Code: CodeInvalidContent, File: f.Name.String(),
			Message: fmt.Sprintf("it is %d bytes long, too long for a manifest.json; name that file, not a data file of it", f.Size),
		}
	}
	b, err := io.ReadAll(src)
	if err != nil {
		return nil, err
	}
	return parseInventory(f.Name, b)
}

func nameOf(l job.Location) Name {
	return Name{Bucket: l.Bucket, Key: l.Key, Version: l.Version, Path: l.Path}
}

// checkETag compares a stored manifest with the one that the job names.
func (f *File) checkETag(want string) error {
	want = trimETag(want)
	if want == "" || want == f.ETag {
		return nil
	}
	return &Error{
		Code: CodeETagMismatch, File: f.Name.String(), Field: "ETag",
		Message: fmt.Sprintf("its ETag is %s, but the job names %s; it was replaced: create a new job with the present ETag",
			quoted([]byte(f.ETag)), quoted([]byte(want))),
	}
}
