package coscontrol

import (
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// copy reads COSPutObjectCopy (Tencent Cloud 436/33786).
func (d *decoder) copy(n *node, path string) *operation.Copy {
	f := d.children(n, path, "AccessControlDirective", "AccessControlGrants", "CannedAccessControlList", "PrefixReplace",
		"ResourcesPrefix", "TargetKeyPrefix", "MetadataDirective", "ModifiedSinceConstraint", "UnModifiedSinceConstraint",
		"NewObjectMetadata", "TaggingDirective", "NewObjectTagging", "StorageClass", "TargetResource")
	c := &operation.Copy{
		PrefixReplace:     d.bool(f["PrefixReplace"], path+".PrefixReplace"),
		StorageClass:      f["StorageClass"].value(),
		ACL:               directive(f["AccessControlDirective"]),
		CannedACL:         f["CannedAccessControlList"].value(),
		Grants:            d.grants(f["AccessControlGrants"], path+".AccessControlGrants"),
		Metadata:          directive(f["MetadataDirective"]),
		Tagging:           directive(f["TaggingDirective"]),
		NewTags:           d.tags(f["NewObjectTagging"], path+".NewObjectTagging"),
		IfModifiedSince:   d.time(f["ModifiedSinceConstraint"], path+".ModifiedSinceConstraint"),
		IfUnmodifiedSince: d.time(f["UnModifiedSinceConstraint"], path+".UnModifiedSinceConstraint"),
	}
	// Without PrefixReplace the prefixes mean nothing.
	if c.PrefixReplace {
		c.PrefixFrom, c.PrefixTo = f["ResourcesPrefix"].raw(), f["TargetKeyPrefix"].raw()
	}
	arn, err := parseBucketARN(path+".TargetResource", f["TargetResource"].value(), d.appID)
	d.fail(err)
	c.TargetRegion, c.TargetBucket = arn.region, arn.bucket
	c.NewMetadata, c.SSE = d.metadata(f["NewObjectMetadata"], path+".NewObjectMetadata")
	return c
}

func (d *decoder) metadata(n *node, path string) (m object.Metadata, sse string) {
	if n.absent() {
		return m, ""
	}
	f := d.children(n, path, "CacheControl", "ContentDisposition", "ContentEncoding", "ContentType", "HttpExpiresDate",
		"SSEAlgorithm", "UserMetadata")
	m = object.Metadata{
		CacheControl:       f["CacheControl"].value(),
		ContentDisposition: f["ContentDisposition"].value(),
		ContentEncoding:    f["ContentEncoding"].value(),
		ContentType:        f["ContentType"].value(),
		Expires:            httpDate(f["HttpExpiresDate"].value()),
	}
	for _, k := range d.members(f["UserMetadata"], path+".UserMetadata", "member") {
		e := d.children(k, path+".UserMetadata.member", "Key", "Value")
		name := strings.TrimPrefix(strings.ToLower(e["Key"].value()), "x-cos-meta-")
		if _, twice := m.User[name]; twice || name == "" {
			d.fail(job.FieldErrorf(path+".UserMetadata", "the name %.64q is empty or stands there twice.", name))
			continue
		}
		if m.User == nil {
			m.User = make(map[string]string)
		}
		m.User[name] = e["Value"].raw()
	}
	return m, f["SSEAlgorithm"].value()
}

func (d *decoder) tags(n *node, path string) []job.Tag {
	var tags []job.Tag
	for _, k := range d.members(n, path, "COSTag") {
		f := d.children(k, path+".COSTag", "Key", "Value")
		tags = append(tags, job.Tag{Key: f["Key"].raw(), Value: f["Value"].raw()})
	}
	return tags
}

func (d *decoder) grants(n *node, path string) []object.Grant {
	var grants []object.Grant
	for _, k := range d.members(n, path, "COSGrant") {
		f := d.children(k, path+".COSGrant", "Grantee", "Permission")
		g := d.children(f["Grantee"], path+".COSGrant.Grantee", "DisplayName", "Identifier", "TypeIdentifier")
		if id, kind := g["Identifier"].value(), g["TypeIdentifier"].value(); id == "" || kind != "ID" {
			d.fail(job.FieldErrorf(path+".COSGrant.Grantee", "needs an Identifier like qcs::cam::uin/100000000001:uin/100000000001 and the TypeIdentifier ID."))
			continue
		}
		grants = append(grants, object.Grant{
			Grantee:    object.Grantee{ID: g["Identifier"].value(), DisplayName: g["DisplayName"].value()},
			Permission: f["Permission"].value(),
		})
	}
	return grants
}
