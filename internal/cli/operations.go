package cli

import (
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// The flags of each operation, shared by `run` and `job create`. Each turns itself into the operation and validates it,
// so that a wrong value is a matter of usage and nothing has begun.

type copyFlags struct {
	To            string   `required:"" placeholder:"BUCKET" help:"Bucket that gets the copies."`
	ToRegion      string   `placeholder:"REGION" help:"Region of that bucket, where it is not the job's."`
	PrefixAdd     string   `xor:"prefix" placeholder:"P" help:"Put P before each key."`
	PrefixReplace string   `xor:"prefix" placeholder:"A=B" help:"Replace the prefix A of keys that have it by B."`
	PrefixDelete  string   `xor:"prefix" placeholder:"A" help:"Take the prefix A off keys that have it."`
	StorageClass  string   `placeholder:"CLASS" help:"Storage class of the copies: STANDARD, STANDARD_IA, ARCHIVE, DEEP_ARCHIVE. Default: STANDARD, whatever the source has."`
	SSE           string   `name:"sse" placeholder:"SSE" help:"Encrypt the copies at the server: AES256, aws:kms or cos/kms."`
	SSEKey        string   `name:"sse-key" placeholder:"ID" help:"Key for aws:kms or cos/kms. Default: the account's own."`
	Verify        string   `placeholder:"HOW" help:"Look at each copy: off, head (size, class, metadata, tags) or checksum. Default: off."`
	ACL           string   `name:"acl" placeholder:"ACL" help:"Access to the copies: copy (as the source), private or public-read. Default: the bucket's."`
	GrantMode     string   `default:"add" enum:"add,replace" placeholder:"MODE" help:"What --grant does: add to the source's grants, or replace them."`
	Grant         []string `sep:"none" placeholder:"PERMISSION=ID" help:"Grant READ, READ_ACP, WRITE_ACP or FULL_CONTROL to an account's id or a group's URI. Repeatable."`
	MetadataMode  string   `default:"add" enum:"add,replace" placeholder:"MODE" help:"What --metadata does: add to the source's metadata, or replace it."`
	Metadata      []string `sep:"none" placeholder:"NAME=VALUE" help:"Metadata for the copies; Content-Type, Cache-Control and the like by their name. Repeatable."`
	TagMode       string   `default:"add" enum:"add,replace" placeholder:"MODE" help:"What --tag does: add to the source's tags, or replace them."`
	Tag           []string `sep:"none" placeholder:"KEY=VALUE" help:"Tag for the copies, at most 10. Repeatable."`

	IfModifiedSince   time.Time `placeholder:"TIME" help:"Copy only what was modified after this time (RFC 3339)."`
	IfUnmodifiedSince time.Time `placeholder:"TIME" help:"Copy only what was not modified after this time (RFC 3339)."`
}

func (f *copyFlags) operation() (operation.Operation, error) {
	c := &operation.Copy{
		TargetBucket:      job.Bucket(f.To),
		TargetRegion:      job.Region(f.ToRegion),
		StorageClass:      f.StorageClass,
		SSE:               f.SSE,
		SSEKey:            f.SSEKey,
		Verify:            operation.Verify(f.Verify),
		IfModifiedSince:   f.IfModifiedSince,
		IfUnmodifiedSince: f.IfUnmodifiedSince,
	}
	switch {
	case f.PrefixAdd != "":
		c.PrefixReplace, c.PrefixTo = true, f.PrefixAdd
	case f.PrefixDelete != "":
		c.PrefixReplace, c.PrefixFrom = true, f.PrefixDelete
	case f.PrefixReplace != "":
		from, to, ok := strings.Cut(f.PrefixReplace, "=")
		if !ok {
			return nil, usagef("", "--prefix-replace: %q is not A=B", f.PrefixReplace)
		}
		c.PrefixReplace, c.PrefixFrom, c.PrefixTo = true, from, to
	}
	var err error
	if err = f.access(c); err != nil {
		return nil, err
	}
	if len(f.Metadata) > 0 {
		c.Metadata = directive(f.MetadataMode)
		if c.NewMetadata, err = parseMetadata(f.Metadata); err != nil {
			return nil, err
		}
	}
	if len(f.Tag) > 0 {
		c.Tagging = directive(f.TagMode)
		if c.NewTags, err = parseTags("--tag", f.Tag); err != nil {
			return nil, err
		}
	}
	return valid(c)
}

func (f *copyFlags) access(c *operation.Copy) error {
	for _, g := range f.Grant {
		permission, id, ok := strings.Cut(g, "=")
		if !ok {
			return usagef("", "--grant: %q is not PERMISSION=ID", g)
		}
		grantee := object.Grantee{ID: id}
		if strings.Contains(id, "://") {
			grantee = object.Grantee{URI: id}
		}
		c.Grants = append(c.Grants, object.Grant{Grantee: grantee, Permission: permission})
	}
	if len(c.Grants) > 0 {
		c.ACL = directive(f.GrantMode)
	}
	switch f.ACL {
	case "":
	case "copy":
		c.ACL = operation.DirectiveCopy
	default:
		c.ACL, c.CannedACL = operation.DirectiveReplace, f.ACL
	}
	return nil
}

type restoreFlags struct {
	Days int    `placeholder:"D" help:"How many days the restored copies stay, 1-365. Required, but not with --intelligent-tiering."`
	Tier string `default:"Standard" enum:"Standard,Bulk" placeholder:"TIER" help:"Standard, or Bulk: cheaper and slower."`

	TrustInventory     bool `help:"Fail, without a call, objects that the inventory lists in a class with nothing to restore. Inventories are days old."`
	IntelligentTiering bool `help:"Restore from the archive tiers of intelligent tiering, for good: with no --days."`
	Wait               bool `help:"End when the objects can be read, in place of when the store took the requests: for days, if need be."`
}

func (f *restoreFlags) operation() (operation.Operation, error) {
	if f.Days == 0 && !f.IntelligentTiering {
		return nil, usagef("", "--days is missing: how many days the restored copies stay, 1-365")
	}
	return valid(&operation.Restore{
		Days: f.Days, Tier: f.Tier, TrustInventory: f.TrustInventory, IntelligentTiering: f.IntelligentTiering,
		Wait: f.Wait,
	})
}

type deleteFlags struct{}

func (f *deleteFlags) operation() (operation.Operation, error) { return valid(&operation.Delete{}) }

type tagFlags struct {
	Set  []string `required:"" sep:"none" placeholder:"KEY=VALUE" help:"Tag to set, at most 10. Repeatable."`
	Mode string   `default:"replace" enum:"add,replace" placeholder:"MODE" help:"replace all tags of an object, or add to them."`
}

func (f *tagFlags) operation() (operation.Operation, error) {
	tags, err := parseTags("--set", f.Set)
	if err != nil {
		return nil, err
	}
	return valid(&operation.Tagging{Directive: directive(f.Mode), Tags: tags})
}

// valid makes what is wrong with an operation's parameters a matter of usage.
func valid(op operation.Operation) (operation.Operation, error) {
	if err := op.Validate(); err != nil {
		return nil, &problem{code: exitUsage, err: err}
	}
	return op, nil
}

func directive(mode string) operation.Directive {
	if mode == "replace" {
		return operation.DirectiveReplace
	}
	return operation.DirectiveAdd
}

func parseTags(flag string, pairs []string) ([]job.Tag, error) {
	var tags []job.Tag
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" {
			return nil, usagef("", "%s: %q is not KEY=VALUE", flag, p)
		}
		tags = append(tags, job.Tag{Key: k, Value: v})
	}
	return tags, nil
}

// parseMetadata sorts NAME=VALUE into the headers that every store knows and the user's own.
func parseMetadata(pairs []string) (object.Metadata, error) {
	var m object.Metadata
	standard := map[string]*string{
		"cache-control":       &m.CacheControl,
		"content-disposition": &m.ContentDisposition,
		"content-encoding":    &m.ContentEncoding,
		"content-language":    &m.ContentLanguage,
		"content-type":        &m.ContentType,
		"expires":             &m.Expires,
	}
	for _, p := range pairs {
		name, value, ok := strings.Cut(p, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || name == "" {
			return m, usagef("", "--metadata: %q is not NAME=VALUE", p)
		}
		if field := standard[name]; field != nil {
			*field = value
			continue
		}
		name = strings.TrimPrefix(strings.TrimPrefix(name, "x-amz-meta-"), "x-cos-meta-")
		if m.User == nil {
			m.User = map[string]string{}
		}
		m.User[name] = value
	}
	return m, nil
}
