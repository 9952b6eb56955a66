package coscontrol

import (
	"strings"

	"github.com/drover-batch/drover/internal/api/xmltree"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// copy reads COSPutObjectCopy (Tencent Cloud 436/33786).
func (d *decoder) copy(n *xmltree.Node, path string) *operation.Copy {
	f := d.children(n, path, "AccessControlDirective", "AccessControlGrants", "CannedAccessControlList", "PrefixReplace",
		"ResourcesPrefix", "TargetKeyPrefix", "MetadataDirective", "ModifiedSinceConstraint", "UnModifiedSinceConstraint",
		"NewObjectMetadata", "TaggingDirective", "NewObjectTagging", "StorageClass", "TargetResource")
	c := &operation.Copy{
		PrefixReplace:     d.bool(f["PrefixReplace"], path+".PrefixReplace"),
		StorageClass:      f["StorageClass"].Value(),
		ACL:               directive(f["AccessControlDirective"]),
		CannedACL:         f["CannedAccessControlList"].Value(),
		Grants:            d.grants(f["AccessControlGrants"], path+".AccessControlGrants"),
		Metadata:          directive(f["MetadataDirective"]),
		Tagging:           directive(f["TaggingDirective"]),
		NewTags:           d.tags(f["NewObjectTagging"], path+".NewObjectTagging"),
		IfModifiedSince:   d.time(f["ModifiedSinceConstraint"], path+".ModifiedSinceConstraint"),
		IfUnmodifiedSince: d.time(f["UnModifiedSinceConstraint"], path+".UnModifiedSinceConstraint"),
	}
	// Without PrefixReplace the prefixes mean nothing.
	if c.PrefixReplace {
		c.PrefixFrom, c.PrefixTo = f["ResourcesPrefix"].Raw(), f["TargetKeyPrefix"].Raw()
	}
	arn, err := parseBucketARN(path+".TargetResource", f["TargetResource"].Value(), d.appID)
	d.fail(err)
	c.TargetRegion, c.TargetBucket = arn.region, arn.bucket
	c.NewMetadata, c.SSE = d.metadata(f["NewObjectMetadata"], path+".NewObjectMetadata")
	return c
}

func (d *decoder) metadata(n *xmltree.Node, path string) (m object.Metadata, sse string) {
	if n.Absent() {
		return m, ""
	}
	f := d.children(n, path, "CacheControl", "ContentDisposition", "ContentEncoding", "ContentType", "HttpExpiresDate",
		"SSEAlgorithm", "UserMetadata")
	m = object.Metadata{
		CacheControl:       f["CacheControl"].Value(),
		ContentDisposition: f["ContentDisposition"].Value(),
		ContentEncoding:    f["ContentEncoding"].Value(),
		ContentType:        f["ContentType"].Value(),
		Expires:            httpDate(f["HttpExpiresDate"].Value()),
	}
	for _, k := range d.members(f["UserMetadata"], path+".UserMetadata", "member") {
		e := d.children(k, path+".UserMetadata.member", "Key", "Value")
		name := strings.TrimPrefix(strings.ToLower(e["Key"].Value()), "x-cos-meta-")
		if _, twice := m.User[name]; twice || name == "" {
			d.fail(job.FieldErrorf(path+".UserMetadata", "the name %.64q is empty or stands there twice.", name))
			continue
		}
		if m.User == nil {
			m.User = make(map[string]string)
		}
		m.User[name] = e["Value"].Raw()
	}
	return m, f["SSEAlgorithm"].Value()
}

func (d *decoder) tags(n *xmltree.Node, path string) []job.Tag {
	var tags []job.Tag
	for _, k := range d.members(n, path, "COSTag") {
		f := d.children(k, path+".COSTag", "Key", "Value")
		tags = append(tags, job.Tag{Key: f["Key"].Raw(), Value: f["Value"].Raw()})
	}
	return tags
}

func (d *decoder) grants(n *xmltree.Node, path string) []object.Grant {
	var grants []object.Grant
	for _, k := range d.members(n, path, "COSGrant") {
		f := d.children(k, path+".COSGrant", "Grantee", "Permission")
		g := d.children(f["Grantee"], path+".COSGrant.Grantee", "DisplayName", "Identifier", "TypeIdentifier")
		if id, kind := g["Identifier"].Value(), g["TypeIdentifier"].Value(); id == "" || kind != "ID" {
			d.fail(job.FieldErrorf(path+".COSGrant.Grantee", "needs an Identifier like qcs::cam::uin/100000000001:uin/100000000001 and the TypeIdentifier ID."))
			continue
		}
		grants = append(grants, object.Grant{
			Grantee:    object.Grantee{ID: g["Identifier"].Value(), DisplayName: g["DisplayName"].Value()},
			Permission: f["Permission"].Value(),
		})
	}
	return grants
}
