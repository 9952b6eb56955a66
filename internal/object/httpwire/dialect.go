package httpwire

import (
	"strings"

	"github.com/drover-batch/drover/internal/object"
)

// dialect is what differs between the protocols in words; signatures and hosts differ in code.
type dialect struct {
	cos bool

	copySource, metaDirective, tagDirective, tagging    string
	ifModified, ifUnmodified, ifMatch                   string
	class, sse, acl, grant, meta                        string
	version, deleteMarker, restore, tagCount, requestID string
	bucketRegion, token                                 string

	directiveCopy, directiveReplace string
	tierElement                     string // of a restore request, around Tier
	namespace                       string // of request bodies, with a blank before it
}

func newDialect(d Dialect) *dialect {
	p := "x-amz-"
	if d == COS {
		p = "x-cos-"
	}
	w := &dialect{
		cos:        d == COS,
		copySource: p + "copy-source", metaDirective: p + "metadata-directive", tagDirective: p + "tagging-directive",
		tagging: p + "tagging", ifModified: p + "copy-source-if-modified-since",
		ifUnmodified: p + "copy-source-if-unmodified-since", ifMatch: p + "copy-source-if-match",
		class: p + "storage-class", sse: p + "server-side-encryption", acl: p + "acl", grant: p + "grant-",
		meta: p + "meta-", version: p + "version-id", deleteMarker: p + "delete-marker", restore: p + "restore",
		tagCount: p + "tagging-count", requestID: p + "request-id", bucketRegion: p + "bucket-region",
		token:         p + "security-token",
		directiveCopy: "COPY", directiveReplace: "REPLACE", tierElement: "GlacierJobParameters",
		namespace: ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`,
	}
	if w.cos {
		w.directiveCopy, w.directiveReplace, w.tierElement = "Copy", "Replaced", "CASJobParameters"
		w.namespace = ""
	}
	return w
}

func (d *dialect) directive(v object.Directive) string {
	switch v {
	case object.DirectiveCopy:
		return d.directiveCopy
	case object.DirectiveReplace:
		return d.directiveReplace
	}
	return string(v)
}

// permissions maps a grant's permission to the end of its header's name.
var permissions = map[string]string{
	"READ":         "read",
	"READ_ACP":     "read-acp",
	"WRITE_ACP":    "write-acp",
	"FULL_CONTROL": "full-control",
}

// setGrants writes one header a permission: id="…", uri="…".
func (d *dialect) setGrants(rq *request, grants []object.Grant) {
	if len(grants) == 0 {
		return
	}
	values := map[string][]string{}
	for _, g := range grants {
		name, ok := permissions[g.Permission]
		if !ok {
			rq.refuse("A grant's permission must be READ, READ_ACP, WRITE_ACP or FULL_CONTROL, not %q.", g.Permission)
			return
		}
		kind, who := "id", g.Grantee.ID
		if g.Grantee.URI != "" {
			kind, who = "uri", g.Grantee.URI
		}
		if who == "" || strings.ContainsAny(who, `",`) {
			rq.refuse("A grantee must have an ID or a URI without quotes and commas; got %q.", who)
			return
		}
		values[name] = append(values[name], kind+`="`+who+`"`)
	}
	for name, v := range values {
		rq.set(d.grant+name, strings.Join(v, ", "))
	}
}

// setMetadata writes the headers that travel with a body, or with a copy that replaces them.
func (d *dialect) setMetadata(rq *request, m object.Metadata) {
	for _, f := range []field{
		{"cache-control", m.CacheControl},
		{"content-disposition", m.ContentDisposition},
		{"content-encoding", m.ContentEncoding},
		{"content-language", m.ContentLanguage},
		{"content-type", m.ContentType},
		{"expires", m.Expires},
	} {
		if f.value != "" {
			rq.set(f.name, f.value)
		}
	}
	for name, value := range m.User {
		rq.set(rq.text.join(d.meta, strings.ToLower(name)), value)
	}
}
