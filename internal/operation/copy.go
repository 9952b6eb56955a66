package operation

import (
	"context"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Directive says what becomes of an object's ACL, metadata or tags in a copy, in COS's words.
type Directive string

// The directives. "" is the default: Copy for metadata and tags, no ACL header at all for the ACL.
const (
	DirectiveCopy    Directive = "Copy"
	DirectiveReplace Directive = "Replaced"
	DirectiveAdd     Directive = "Add"
)

// Copy copies each object to another bucket, under a key that may get another prefix.
type Copy struct {
	TargetRegion job.Region // "" = not named
	TargetBucket job.Bucket

	// Prefix: COS's PrefixReplace with ResourcesPrefix and TargetKeyPrefix. Add = empty From, delete = empty To.
	PrefixReplace bool
	PrefixFrom    string // at most 1,024 bytes
	PrefixTo      string // at most 1,024 bytes

	StorageClass string // "" = STANDARD by the store's default
	SSE          string // "" or AES256

	ACL       Directive
	CannedACL string // private or public-read
	Grants    []object.Grant

	Metadata    Directive
	NewMetadata object.Metadata

	Tagging Directive
	NewTags []job.Tag

	IfModifiedSince   time.Time
	IfUnmodifiedSince time.Time
}

// Name implements job.Operation.
func (c *Copy) Name() string { return "copy" }

// Validate implements job.Operation.
func (c *Copy) Validate() error { return nil }

// Apply implements Operation.
func (c *Copy) Apply(ctx context.Context, s object.Store, t Task) job.Outcome { return job.Outcome{} }
