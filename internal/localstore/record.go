package localstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// bucketRecord is a bucket as stored. Records in memory are replaced, never changed.
type bucketRecord struct {
	Region     string          `json:"region"`
	Created    time.Time       `json:"created"`
	Versioning string          `json:"versioning,omitempty"` // "", Enabled or Suspended
	ACL        *aclRecord      `json:"acl,omitempty"`
	Tags       []tag           `json:"tags,omitempty"`
	Tiering    []tieringRecord `json:"tiering,omitempty"`
}

// The values of bucketRecord.Versioning beside "".
const (
	versioningEnabled   = "Enabled"
	versioningSuspended = "Suspended"
)

// version is one version of an object, or a delete marker, as stored.
type version struct {
	Key string `json:"-"`
	Seq uint64 `json:"-"` // orders a key's versions; both stand in the row's name

	Null     bool      `json:"null,omitempty"` // the version id is "null"
	Marker   bool      `json:"marker,omitempty"`
	Modified int64     `json:"modified"` // Unix nanoseconds
	Size     int64     `json:"size,omitempty"`
	ETag     string    `json:"etag,omitempty"` // without quotes
	CRC64    uint64    `json:"crc64,omitempty"`
	Sum      *checksum `json:"sum,omitempty"`
	attributes
	Restore  *restoration `json:"restore,omitempty"`
	Segments []segment    `json:"segments,omitempty"`
	Parts    bool         `json:"parts,omitempty"` // made by a multipart upload: a segment is a part
}

// attributes are what a request sets beside the body.
type attributes struct {
	Class string            `json:"class,omitempty"` // "" is STANDARD
	SSE   string            `json:"sse,omitempty"`
	Head  map[string]string `json:"head,omitempty"` // Content-Type, Cache-Control, …
	User  map[string]string `json:"user,omitempty"` // names in lower case, without their prefix
	Tags  []tag             `json:"tags,omitempty"`
	ACL   *aclRecord        `json:"acl,omitempty"` // nil is the default: the owner alone
}

// segment is a run of a body's bytes in one blob.
type segment struct {
	Blob   string `json:"blob"`
	Size   int64  `json:"size"`
	Inline bool   `json:"inline,omitempty"` // in the key-value store, not in a file
	Sum    string `json:"sum,omitempty"`    // of a part, by the version's algorithm
}

type tag struct {
	Key   string `json:"k" xml:"Key"`
	Value string `json:"v" xml:"Value"`
}

// checksum is a body's checksum as a client sent or asked for it.
type checksum struct {
	Algorithm string `json:"alg"` // in lower case, as in the header's name
	Value     string `json:"val"` // base64, with -N for a composite one
	Composite bool   `json:"composite,omitempty"`
}

// uploadRecord is a multipart upload that has not ended.
type uploadRecord struct {
	Initiated int64  `json:"initiated"`
	Algorithm string `json:"alg,omitempty"`
	Composite bool   `json:"composite,omitempty"`
	attributes
}

// partRecord is an uploaded part.
type partRecord struct {
	Number   int       `json:"-"`
	Modified int64     `json:"modified"`
	ETag     string    `json:"etag"`
	CRC64    uint64    `json:"crc64"`
	Sum      *checksum `json:"sum,omitempty"`
	Segment  segment   `json:"segment"`
}

// id is the version id as clients see it.
func (v *version) id() string {
	if v.Null {
		return "null"
	}
	return fmt.Sprintf("%016x", v.Seq)
}

func (v *version) modified() time.Time { return time.Unix(0, v.Modified).UTC() }

func (v *version) quotedETag() string { return strconv.Quote(v.ETag) }

func (v *version) class() string { return className(v.Class) }

// className is a stored class as clients see it.
func className(stored string) string {
	if stored == "" {
		return classStandard
	}
	return stored
}

func encode(record any) []byte {
	b, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("localstore: encode %T: %v", record, err)) // only strings, numbers and times are in it
	}
	return b
}

func decode[T any](b []byte) (*T, error) {
	var record T
	if err := json.Unmarshal(b, &record); err != nil {
		return nil, fmt.Errorf("decode a stored %T: %w", record, err)
	}
	return &record, nil
}
