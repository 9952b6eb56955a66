package operation

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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

// Copy copies each object to another bucket, under a key that may get another prefix. On the way it can give the copy
// a class, encryption, and other metadata, tags and access rights than its source has.
//
// Objects over 5 GB, more than a store copies in one call, are copied by parts. Applied twice it leaves what applying it
// once leaves, but for a further version in a bucket with versions.
type Copy struct {
	TargetRegion job.Region // "" = not named
	TargetBucket job.Bucket

	// Prefix: COS's PrefixReplace with ResourcesPrefix and TargetKeyPrefix. Add = empty From, delete = empty To. A key
	// that does not begin with From stays as it is. Both are at most 1,024 bytes, and unused without PrefixReplace.
	PrefixReplace bool
	PrefixFrom    string
	PrefixTo      string

	StorageClass string // "" = STANDARD by the store's default; in upper or lower case
	SSE          string // "", AES256, or aws:kms and cos/kms, which mean the same
	SSEKey       string // the key's id for KMS; "" = the account's default key

	// ACL says what the copy's access list is: Copy = the source's, Add = that and what is given, Replaced = what is
	// given. "" is Replaced where a list is given, and else the store's default. At most one of CannedACL (private or
	// public-read) and Grants may be given.
	ACL       Directive
	CannedACL string
	Grants    []object.Grant

	// Metadata does the same for the metadata, system headers included. "" is Replaced where something is given, and
	// else Copy.
	Metadata    Directive
	NewMetadata object.Metadata

	// Tagging does the same for the tags, of which an object has at most 10. Replaced with an empty list that is not
	// nil takes all tags away; with nil it is an error.
	Tagging Directive
	NewTags []job.Tag

	// The copy is made only if the source was modified after, and not after, these times; zero = no condition. Stores
	// compare whole seconds.
	IfModifiedSince   time.Time
	IfUnmodifiedSince time.Time

	Verify Verify // how each copy is looked at after it was made; "" is VerifyOff
}

// Name implements job.Operation.
func (c *Copy) Name() string { return "copy" }

// classes are the storage classes of COS and S3 that a copy can be given.
var classes = []string{
	"STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ARCHIVE", "DEEP_ARCHIVE",
	"MAZ_STANDARD", "MAZ_STANDARD_IA", "MAZ_INTELLIGENT_TIERING", "MAZ_ARCHIVE",
	"GLACIER", "GLACIER_IR", "ONEZONE_IA",
}

// archived reports whether an object of a class has to be restored before it can be read.
func archived(class string) bool {
	return slices.Contains([]string{"ARCHIVE", "DEEP_ARCHIVE", "MAZ_ARCHIVE", "GLACIER"}, strings.ToUpper(class))
}

// Validate implements job.Operation. The fields are named as in COS's request (436/33786).
func (c *Copy) Validate() error {
	var p job.Problems
	if err := c.TargetBucket.Validate(); err != nil {
		p.Addf("TargetResource", "%s", job.MessageOf(err))
	}
	if err := c.TargetRegion.Validate(); err != nil {
		p.Addf("TargetResource", "%s", job.MessageOf(err))
	}
	checkPrefix(&p, "ResourcesPrefix", c.PrefixFrom)
	checkPrefix(&p, "TargetKeyPrefix", c.PrefixTo)
	if c.StorageClass != "" && !slices.Contains(classes, strings.ToUpper(c.StorageClass)) {
		p.Addf("StorageClass", "%s is no storage class; use one of %s.", job.Quote(c.StorageClass), strings.Join(classes, ", "))
	}
	c.checkEncryption(&p)
	c.checkACL(&p)
	checkMetadata(&p, c.NewMetadata)
	c.checkDirective(&p, "MetadataDirective", c.Metadata, !emptyMetadata(c.NewMetadata), true, "metadata")
	checkTags(&p, "NewObjectTagging", c.NewTags)
	c.checkDirective(&p, "TaggingDirective", c.Tagging, len(c.NewTags) > 0, c.NewTags != nil, "tags")
	c.checkTimes(&p)
	if c.Verify != "" && c.Verify != VerifyOff && !c.verifies() {
		p.Addf("Verify", "%s is no way to verify a copy; use off, head or checksum.", job.Quote(string(c.Verify)))
	}
	return p.Err()
}

func (c *Copy) checkEncryption(p *job.Problems) {
	const field = "NewObjectMetadata.SSEAlgorithm"
	kms := c.SSE == object.SSEKMS || c.SSE == object.SSEKMSCOS
	switch {
	case c.SSE != "" && c.SSE != "AES256" && !kms:
		p.Addf(field, "%s is no encryption that a copy can be given; use AES256, aws:kms or cos/kms, or leave it out.", job.Quote(c.SSE))
	case c.SSEKey != "" && !kms:
		p.Addf("NewObjectMetadata.SSEKey", "is given without an encryption that takes a key; use aws:kms or cos/kms.")
	case !headerValue(c.SSEKey) || len(c.SSEKey) > maxUserMetadata:
		p.Addf("NewObjectMetadata.SSEKey", "is no id of a key; give it as the key management service names it.")
	}
}

func checkPrefix(p *job.Problems, field, prefix string) {
	switch {
	case len(prefix) > job.MaxKey:
		p.Addf(field, "is %d bytes long; at most %d are allowed.", len(prefix), job.MaxKey)
	case !utf8.ValidString(prefix):
		p.Addf(field, "holds bytes that are no UTF-8; give the prefix as text.")
	}
}

func (c *Copy) checkACL(p *job.Problems) {
	if c.CannedACL != "" && c.CannedACL != aclPrivate && c.CannedACL != aclPublicRead {
		p.Addf("CannedAccessControlList", "%s is no list that a copy can be given; use private or public-read.", job.Quote(c.CannedACL))
	}
	checkGrants(p, "AccessControlGrants", c.Grants)
	if c.CannedACL != "" && len(c.Grants) > 0 {
		p.Addf("AccessControlGrants", "are given together with CannedAccessControlList; give one of them.")
	}
	given := c.CannedACL != "" || len(c.Grants) > 0
	c.checkDirective(p, "AccessControlDirective", c.ACL, given, false, "a canned list or grants")
}

// checkDirective checks a directive against what is given with it. clears says that Replaced makes sense without.
func (c *Copy) checkDirective(p *job.Problems, field string, d Directive, given, clears bool, what string) {
	switch {
	case d == "":
	case d != DirectiveCopy && d != DirectiveReplace && d != DirectiveAdd:
		p.Addf(field, "%s is no directive; use Copy, Replaced or Add.", job.Quote(string(d)))
	case d == DirectiveCopy && given:
		p.Addf(field, "is Copy, which takes all from the source, but %s are given as well; use Replaced or Add, or leave them out.", what)
	case d == DirectiveReplace && !given && !clears:
		p.Addf(field, "is Replaced, but nothing is given; give %s, or use Copy.", what)
	case d == DirectiveAdd && !given && (field != "MetadataDirective" || c.SSE == ""):
		// COS's clients give the encryption as a part of the metadata: adding that alone is no mistake.
		p.Addf(field, "is Add, but nothing is given; give %s, or use Copy.", what)
	}
}

func (c *Copy) checkTimes(p *job.Problems) {
	for _, at := range []struct {
		field string
		time  time.Time
	}{{"ModifiedSinceConstraint", c.IfModifiedSince}, {"UnModifiedSinceConstraint", c.IfUnmodifiedSince}} {
		if y := at.time.UTC().Year(); !at.time.IsZero() && (y < 1970 || y > 9999) {
			p.Addf(at.field, "lies in the year %d; give a time from 1970 to 9999.", y)
			return
		}
	}
	if !c.IfModifiedSince.IsZero() && !c.IfUnmodifiedSince.IsZero() && !c.IfModifiedSince.Before(c.IfUnmodifiedSince) {
		p.Addf("ModifiedSinceConstraint", "is not before UnModifiedSinceConstraint, so that no object can meet both; change one of them.")
	}
}
