package object

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Ref names an object, or one version of it.
type Ref struct {
	Bucket  job.Bucket
	Key     job.Key
	Version job.Version // "" = the latest
}

// Metadata is what an object carries beside its body. Empty fields are absent.
type Metadata struct {
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	ContentLanguage    string
	ContentType        string
	Expires            string            // as an HTTP date
	User               map[string]string // names in lower case, without x-amz-meta- / x-cos-meta-
}

// RestoreState is where an archived object's restoration stands.
type RestoreState struct {
	Ongoing bool
	Expiry  time.Time // zero while ongoing, and when never restored
}

// Info is what HEAD tells.
type Info struct {
	Size         int64
	ETag         string // without quotes
	Version      job.Version
	LastModified time.Time
	Class        string // STANDARD when the store names none
	ArchiveTier  string // of intelligent tiering, such as ARCHIVE_ACCESS (AWS S3 API, HeadObject); "" = in none
	SSE          string
	Meta         Metadata
	TagCount     int
	Restore      *RestoreState // nil = never asked for
}

// Tag is job.Tag, for short.
type Tag = job.Tag

// Grantee of a grant: an account's id, or a group's URI.
type Grantee struct {
	ID          string
	URI         string
	DisplayName string
}

// Grant gives a grantee one permission: READ, READ_ACP, WRITE_ACP or FULL_CONTROL.
type Grant struct {
	Grantee    Grantee
	Permission string
}

// ACL is an object's access list.
type ACL struct {
	Owner  Grantee
	Grants []Grant
}

// Directive says whether a copy takes something over from its source or is given it anew.
type Directive string

// The directives. "" leaves the header out.
const (
	DirectiveCopy    Directive = "COPY"
	DirectiveReplace Directive = "REPLACE"
)

// Encryption with a key of a key management service, in the words of S3 and COS. A driver sends its store's own.
const (
	SSEKMS    = "aws:kms"
	SSEKMSCOS = "cos/kms"
)

// CopyRequest is one server-side copy.
type CopyRequest struct {
	Source            Ref
	SourceRegion      job.Region // where the source lies; "" = where the client was told that sources lie. COS alone needs it
	Bucket            job.Bucket // destination
	Key               job.Key
	Class             string // "" leaves the header out
	SSE               string // "", AES256 or, in either store's word, SSEKMS or SSEKMSCOS
	SSEKey            string // the key's id for KMS; "" = the account's default key
	MetadataDirective Directive
	Meta              Metadata // for DirectiveReplace
	TaggingDirective  Directive
	Tags              []Tag  // for DirectiveReplace
	CannedACL         string // "" leaves the header out
	Grants            []Grant
	IfModifiedSince   time.Time
	IfUnmodifiedSince time.Time
	IfMatch           string // the source's ETag, without quotes
	Size              int64  // of the source, for bounds on bytes; 0 = not known
}

// CopyResult is the answer to a copy. Its ETag and time are looked at and not kept: nobody needs them of a million objects, and who does
// asks for the copy's Info.
type CopyResult struct {
	Version    job.Version // of the copy
	HTTPStatus int
}

// RestoreRequest asks for a temporary copy of an archived object.
type RestoreRequest struct {
	Ref  Ref
	Days int    // 1–365; 0 leaves the element out, for the archive tiers of intelligent tiering
	Tier string // Standard, Bulk or Expedited
}

// DeleteResult is the answer to a delete.
type DeleteResult struct {
	HTTPStatus   int
	DeleteMarker bool
	Version      job.Version
}

// PutRequest stores a small or streamed object.
type PutRequest struct {
	Bucket job.Bucket
	Key    job.Key
	Body   io.ReadSeeker // read again on a retry
	Size   int64
	Meta   Metadata
	Class  string
	SSE    string // as in CopyRequest
	SSEKey string
	Tags   []Tag

	CannedACL string // "" leaves the header out
	Grants    []Grant
}

// PutResult is the answer to a put.
type PutResult struct {
	ETag    string
	Version job.Version
}

// ListEntry is one row of a listing.
type ListEntry struct {
	Key          job.Key
	Version      job.Version // versions listings only
	IsLatest     bool
	DeleteMarker bool
	Size         int64
	ETag         string
	LastModified time.Time
	Class        string
	Owner        string
}

// ListOptions narrows a listing.
type ListOptions struct {
	Prefix     string
	StartAfter job.Key
	Versions   bool // every version and delete marker, newest first within a key
	PageSize   int  // 0 = 1,000
}

// BucketInfo is what a HEAD of a bucket tells.
type BucketInfo struct {
	Region job.Region // "" when the store does not say
}

// All methods of the interfaces below are safe for concurrent use, retry what is safe to retry, honour ctx, and
// return an *Error for every answer of the store that is no success.

// Reader reads objects.
type Reader interface {
	Head(ctx context.Context, r Ref) (Info, error)
	// Get returns the body from offset on; length < 0 means to the end. The caller closes the body.
	Get(ctx context.Context, r Ref, offset, length int64) (io.ReadCloser, Info, error)
}

// Buckets looks at buckets.
type Buckets interface {
	HeadBucket(ctx context.Context, b job.Bucket) (BucketInfo, error)
}

// Writer stores objects.
type Writer interface {
	Put(ctx context.Context, p PutRequest) (PutResult, error)
}

// Copier copies objects within the store.
type Copier interface {
	Copy(ctx context.Context, c CopyRequest) (CopyResult, error)
}

// Restorer restores archived objects. The status is 202 for an accepted request, 200 when a restored copy's validity
// was set anew.
type Restorer interface {
	Restore(ctx context.Context, r RestoreRequest) (httpStatus int, err error)
}

// Tagger reads and writes an object's tags.
type Tagger interface {
	Tags(ctx context.Context, r Ref) ([]Tag, error)
	PutTags(ctx context.Context, r Ref, tags []Tag) (httpStatus int, err error)
	DeleteTags(ctx context.Context, r Ref) (httpStatus int, err error)
}

// ACLer reads and writes an object's access list.
type ACLer interface {
	ACL(ctx context.Context, r Ref) (ACL, error)
	PutACL(ctx context.Context, r Ref, canned string, acl *ACL) error
}

// Deleter deletes objects and versions.
type Deleter interface {
	Delete(ctx context.Context, r Ref) (DeleteResult, error)
}

// Lister lists a bucket in key order, page by page.
type Lister interface {
	List(ctx context.Context, b job.Bucket, o ListOptions) iter.Seq2[ListEntry, error]
}

// Store is all that a driver offers.
type Store interface {
	Reader
	Buckets
	Writer
	Copier
	Restorer
	Tagger
	ACLer
	Deleter
	Lister
	Multiparter
}
