package s3control

import (
	"net/http"
	"strings"

	"github.com/drover-batch/drover/internal/api/xmltree"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// directives are S3's words for a copy's metadata.
var directives = map[string]string{"": "", "COPY": string(operation.DirectiveCopy), "REPLACE": string(operation.DirectiveReplace)}

// copy reads S3PutObjectCopy.
func (d *decoder) copy(n *xmltree.Node, path string) *operation.Copy {
	f := d.children(n, path, "AccessControlGrants", "BucketKeyEnabled", "CannedAccessControlList", "ChecksumAlgorithm",
		"MetadataDirective", "ModifiedSinceConstraint", "NewObjectMetadata", "NewObjectTagging", "ObjectLockLegalHoldStatus",
		"ObjectLockMode", "ObjectLockRetainUntilDate", "RedirectLocation", "RequesterPays", "SSEAwsKmsKeyId", "StorageClass",
		"TargetKeyPrefix", "TargetResource", "UnModifiedSinceConstraint")
	d.refuse(f, path, "ChecksumAlgorithm", "ObjectLockLegalHoldStatus", "ObjectLockMode", "ObjectLockRetainUntilDate",
		"RedirectLocation")
	d.refuseTrue(f, path, "BucketKeyEnabled", "RequesterPays")
	c := &operation.Copy{
		StorageClass:      f["StorageClass"].Value(),
		CannedACL:         f["CannedAccessControlList"].Value(),
		Grants:            d.grants(f["AccessControlGrants"], path+".AccessControlGrants"),
		Metadata:          operation.Directive(d.word(f["MetadataDirective"], path+".MetadataDirective", directives)),
		SSEKey:            f["SSEAwsKmsKeyId"].Value(),
		IfModifiedSince:   d.time(f["ModifiedSinceConstraint"], path+".ModifiedSinceConstraint"),
		IfUnmodifiedSince: d.time(f["UnModifiedSinceConstraint"], path+".UnModifiedSinceConstraint"),
	}
	// The prefix names a folder (AWS S3 API: "to copy objects into a folder named Folder1 set it to Folder1").
	if folder := f["TargetKeyPrefix"].Raw(); folder != "" {
		c.PrefixReplace, c.PrefixTo = true, strings.TrimSuffix(folder, "/")+"/"
	}
	// Without the element the copy has its source's tags, with an empty one it has none.
	if tags := f["NewObjectTagging"]; tags != nil {
		c.Tagging, c.NewTags = operation.DirectiveReplace, d.tagSet(tags, path+".NewObjectTagging")
	}
	var err error
	c.TargetBucket, err = parseBucketARN(path+".TargetResource", f["TargetResource"].Value())
	d.fail(err)
	c.NewMetadata, c.SSE = d.metadata(f["NewObjectMetadata"], path+".NewObjectMetadata")
	return c
}

// encryptions are S3's words for how a copy is encrypted.
var encryptions = map[string]string{"": "", "AES256": "AES256", "KMS": object.SSEKMS}

func (d *decoder) metadata(n *xmltree.Node, path string) (m object.Metadata, sse string) {
	f := d.children(n, path, "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentLength",
		"ContentMD5", "ContentType", "HttpExpiresDate", "RequesterCharged", "SSEAlgorithm", "UserMetadata")
	d.refuse(f, path, "ContentLength", "ContentMD5")
	d.refuseTrue(f, path, "RequesterCharged")
	m = object.Metadata{
		CacheControl:       f["CacheControl"].Value(),
		ContentDisposition: f["ContentDisposition"].Value(),
		ContentEncoding:    f["ContentEncoding"].Value(),
		ContentLanguage:    f["ContentLanguage"].Value(),
		ContentType:        f["ContentType"].Value(),
	}
	if t := d.time(f["HttpExpiresDate"], path+".HttpExpiresDate"); !t.IsZero() {
		m.Expires = t.Format(http.TimeFormat)
	}
	for _, k := range d.members(f["UserMetadata"], path+".UserMetadata", "entry") {
		e := d.children(k, path+".UserMetadata.entry", "key", "value")
		name := strings.TrimPrefix(strings.ToLower(e["key"].Value()), "x-amz-meta-")
		if _, twice := m.User[name]; twice || name == "" {
			d.fail(job.FieldErrorf(path+".UserMetadata", "the name %s is empty or stands there twice.", job.Quote(name)))
			continue
		}
		if m.User == nil {
			m.User = make(map[string]string)
		}
		m.User[name] = e["value"].Raw()
	}
	return m, d.word(f["SSEAlgorithm"], path+".SSEAlgorithm", encryptions)
}

func (d *decoder) grants(n *xmltree.Node, path string) []object.Grant {
	var grants []object.Grant
	path += ".member"
	for _, k := range d.members(n, strings.TrimSuffix(path, ".member"), "member") {
		f := d.children(k, path, "Grantee", "Permission")
		e := d.children(f["Grantee"], path+".Grantee", "DisplayName", "Identifier", "TypeIdentifier")
		g := object.Grant{Permission: f["Permission"].Value()}
		id := e["Identifier"].Value()
		switch kind := e["TypeIdentifier"].Value(); {
		case id == "":
			d.fail(job.FieldErrorf(path+".Grantee.Identifier", "is missing or empty; give the id of an account or the URI of a group."))
		case kind == "id":
			g.Grantee = object.Grantee{ID: id, DisplayName: e["DisplayName"].Value()}
		case kind == "uri":
			g.Grantee = object.Grantee{URI: id, DisplayName: e["DisplayName"].Value()}
		default:
			d.fail(job.FieldErrorf(path+".Grantee.TypeIdentifier", "%s is not supported here; use id or uri.", job.Quote(kind)))
		}
		if g.Permission == "WRITE" {
			d.fail(job.FieldErrorf(path+".Permission", "WRITE cannot be granted on an object, only on a bucket; use READ or FULL_CONTROL."))
		}
		grants = append(grants, g)
	}
	return grants
}
