package localstore

import (
	"net/http"
	"slices"
)

// route is one operation: the first whose method, scope, parameter and header are in the request answers it.
type route struct {
	method string
	scope  scope
	param  string // a query parameter in lower case, "" for none
	header string // a header without the dialect's prefix, "" for none
	op     string // as in the call log
	serve  func(*call) error
}

type scope int

const (
	scopeService scope = iota
	scopeBucket
	scopeObject
)

// partRoutes answer requests that name a part of their resource.
var partRoutes = []route{
	{http.MethodGet, scopeBucket, "location", "", "GetBucketLocation", (*call).getLocation},
	{http.MethodGet, scopeBucket, "versioning", "", "GetBucketVersioning", (*call).getVersioning},
	{http.MethodPut, scopeBucket, "versioning", "", "PutBucketVersioning", (*call).putVersioning},
	{http.MethodGet, scopeBucket, "acl", "", "GetBucketAcl", (*call).getBucketACL},
	{http.MethodPut, scopeBucket, "acl", "", "PutBucketAcl", (*call).putBucketACL},
	{http.MethodGet, scopeBucket, "tagging", "", "GetBucketTagging", (*call).getBucketTagging},
	{http.MethodPut, scopeBucket, "tagging", "", "PutBucketTagging", (*call).putBucketTagging},
	{http.MethodDelete, scopeBucket, "tagging", "", "DeleteBucketTagging", (*call).deleteBucketTagging},
	{http.MethodPut, scopeBucket, "intelligent-tiering", "", "PutBucketIntelligentTieringConfiguration", (*call).putTiering},
	{http.MethodGet, scopeBucket, "versions", "", "ListObjectVersions", (*call).listVersions},
	{http.MethodGet, scopeBucket, "uploads", "", "ListMultipartUploads", (*call).listUploads},
	{http.MethodPost, scopeBucket, "delete", "", "DeleteObjects", (*call).deleteObjects},

	{http.MethodGet, scopeObject, "acl", "", "GetObjectAcl", (*call).getACL},
	{http.MethodPut, scopeObject, "acl", "", "PutObjectAcl", (*call).putACL},
	{http.MethodGet, scopeObject, "tagging", "", "GetObjectTagging", (*call).getTagging},
	{http.MethodPut, scopeObject, "tagging", "", "PutObjectTagging", (*call).putTagging},
	{http.MethodDelete, scopeObject, "tagging", "", "DeleteObjectTagging", (*call).deleteTagging},
	{http.MethodPost, scopeObject, "restore", "", "RestoreObject", (*call).restoreObject},
	{http.MethodGet, scopeObject, "attributes", "", "GetObjectAttributes", (*call).getAttributes},
	{http.MethodPost, scopeObject, "uploads", "", "CreateMultipartUpload", (*call).createUpload},
	{http.MethodGet, scopeObject, "uploadid", "", "ListParts", (*call).listParts},
	{http.MethodPut, scopeObject, "uploadid", "Copy-Source", "UploadPartCopy", (*call).uploadPartCopy},
	{http.MethodPut, scopeObject, "uploadid", "", "UploadPart", (*call).uploadPart},
	{http.MethodPost, scopeObject, "uploadid", "", "CompleteMultipartUpload", (*call).completeUpload},
	{http.MethodDelete, scopeObject, "uploadid", "", "AbortMultipartUpload", (*call).abortUpload},
}

// plainRoutes answer requests that name no part of their resource.
var plainRoutes = []route{
	{http.MethodGet, scopeService, "", "", "ListBuckets", (*call).listBuckets},

	{http.MethodPut, scopeBucket, "", "", "CreateBucket", (*call).createBucket},
	{http.MethodHead, scopeBucket, "", "", "HeadBucket", (*call).headBucket},
	{http.MethodDelete, scopeBucket, "", "", "DeleteBucket", (*call).deleteBucket},
	{http.MethodGet, scopeBucket, "", "", "ListObjects", (*call).listObjects},

	{http.MethodPut, scopeObject, "", "Copy-Source", "CopyObject", (*call).copyObject},
	{http.MethodPut, scopeObject, "", "", "PutObject", (*call).putObject},
	{http.MethodGet, scopeObject, "", "", "GetObject", (*call).getObject},
	{http.MethodHead, scopeObject, "", "", "HeadObject", (*call).headObject},
	{http.MethodDelete, scopeObject, "", "", "DeleteObject", (*call).deleteObject},
}

// parts are the parts of a resource that requests may name in their query. One without a route is not offered.
var parts = []string{
	"accelerate", "acl", "analytics", "append", "attributes", "cors", "delete", "domain", "encryption",
	"intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging", "metrics", "notification",
	"object-lock", "origin", "ownershipcontrols", "policy", "policystatus", "publicaccessblock", "referer", "rename",
	"replication", "requestpayment", "restore", "retention", "select", "tagging", "torrent", "uploadid", "uploads",
	"versioning", "versions", "website",
}

// route finds the operation and names it for the log.
func (c *call) route() func(*call) error {
	at := scopeObject
	switch {
	case c.bucket == "":
		at = scopeService
	case c.key == "":
		at = scopeBucket
	}
	table, unknown := plainRoutes, errMethodNotAllowed
	if slices.ContainsFunc(parts, c.has) {
		table, unknown = partRoutes, errNotImplemented
	}
	for _, r := range table {
		if r.method == c.r.Method && r.scope == at && (r.param == "" || c.has(r.param)) && (r.header == "" || c.header(r.header) != "") {
			c.op = r.op
			return r.serve
		}
	}
	if c.r.Method == http.MethodPost {
		unknown = errNotImplemented // a form's upload
	}
	return func(*call) error { return unknown }
}
