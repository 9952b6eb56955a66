package object

import (
	"context"
	"io"

	"github.com/drover-batch/drover/internal/job"
)

// The limits of multipart uploads (AWS S3 API, "Amazon S3 multipart upload limits"; Tencent doc page 436/14518).
const (
	MaxParts    = 10_000  // of one object
	MinPartSize = 5 << 20 // bytes, of each part but the last
	MaxPartSize = 5 << 30
	MaxCopySize = 5 << 30 // of an object that one Copy can copy
)

// CodeNoSuchUpload is the answer about an upload that was completed, aborted or never begun.
const CodeNoSuchUpload = "NoSuchUpload"

// CreateMultipartRequest begins an object that is put together from parts. What it carries is told at the beginning.
type CreateMultipartRequest struct {
	Bucket    job.Bucket
	Key       job.Key
	Class     string // "" leaves the header out
	SSE       string // as in CopyRequest
	SSEKey    string
	Meta      Metadata
	Tags      []Tag
	CannedACL string // "" leaves the header out
	Grants    []Grant
}

// Upload names an unfinished object.
type Upload struct {
	Bucket job.Bucket
	Key    job.Key
	ID     string
}

// Part is one stored part of an upload.
type Part struct {
	Number int    // 1 to MaxParts
	ETag   string // without quotes
	Size   int64  // in bytes; ListParts alone tells it
}

// PartCopyRequest makes a range of an object a part.
type PartCopyRequest struct {
	Upload       Upload
	Number       int
	Source       Ref
	SourceRegion job.Region // as in CopyRequest
	Offset       int64
	Length       int64  // at least 1
	IfMatch      string // the source's ETag, without quotes; "" = no condition
}

// PartRequest makes a body a part.
type PartRequest struct {
	Upload Upload
	Number int
	Body   io.ReadSeeker // read again on a retry
	Size   int64
}

// CompleteRequest makes parts an object. They come in the order of their numbers.
type CompleteRequest struct {
	Upload Upload
	Parts  []Part
}

// CompleteResult is the answer to a completion.
type CompleteResult struct {
	// ETag is empty when the answer was lost and the store then said that there is no such upload: whether it was
	// completed or aborted, only a look at the object can tell.
	ETag       string
	Version    job.Version
	HTTPStatus int
}

// Multiparter puts objects together from parts. Each call may be repeated: a part of the same number is replaced.
type Multiparter interface {
	// CreateMultipart gives the new upload's id.
	CreateMultipart(ctx context.Context, r CreateMultipartRequest) (id string, err error)
	// UploadPartCopy gives the part's ETag.
	UploadPartCopy(ctx context.Context, r PartCopyRequest) (etag string, err error)
	// UploadPart gives the part's ETag. The body is sent with its MD5, which the store checks.
	UploadPart(ctx context.Context, r PartRequest) (etag string, err error)
	// ListParts gives all stored parts in the order of their numbers.
	ListParts(ctx context.Context, u Upload) ([]Part, error)
	CompleteMultipart(ctx context.Context, r CompleteRequest) (CompleteResult, error)
	// AbortMultipart drops an upload and its parts.
	AbortMultipart(ctx context.Context, u Upload) error
}
