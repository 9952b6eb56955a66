package localstore

import (
	"net/http"
	"strings"
)

// aclRecord is an access list as stored.
type aclRecord struct {
	Canned string  `json:"canned,omitempty"` // the name it was set by, "" when by grants
	Grants []grant `json:"grants,omitempty"`
}

// grant gives a grantee, an account's id or a group's URI, one permission.
type grant struct {
	ID         string `json:"id,omitempty"`
	URI        string `json:"uri,omitempty"`
	Name       string `json:"name,omitempty"`
	Permission string `json:"perm"`
}

const maxGrants = 100

// The permissions of a grant.
const (
	permRead        = "READ"
	permWrite       = "WRITE"
	permReadACP     = "READ_ACP"
	permWriteACP    = "WRITE_ACP"
	permFullControl = "FULL_CONTROL"
)

// The groups that canned access lists speak of, by dialect (AWS S3 API, canned ACL; Tencent 436/30752).
const (
	s3Groups  = "http://acs.amazonaws.com/groups/global/"
	cosGroups = "http://cam.qcloud.com/groups/global/"
)

// cannedGrants are what a canned list gives beside FULL_CONTROL to the owner.
var cannedGrants = map[string][]struct{ group, permission string }{
	"private":                   nil,
	"default":                   nil,
	"public-read":               {{"AllUsers", permRead}},
	"public-read-write":         {{"AllUsers", permRead}, {"AllUsers", permWrite}},
	"authenticated-read":        {{"AuthenticatedUsers", permRead}},
	"aws-exec-read":             nil,
	"bucket-owner-read":         nil, // there is one account: the owner has it already
	"bucket-owner-full-control": nil,
}

var grantHeaders = map[string]string{
	"grant-read": permRead, "grant-write": permWrite, "grant-read-acp": permReadACP, "grant-write-acp": permWriteACP,
	"grant-full-control": permFullControl,
}

// canned makes the access list of a canned name.
func (s *Store) canned(name string, d dialect) (*aclRecord, error) {
	gs, ok := cannedGrants[name]
	if !ok {
		return nil, errInvalidArgument.because("The canned ACL %q is unknown.", name)
	}
	acl := &aclRecord{Canned: name, Grants: []grant{{ID: s.o.AccessKey, Name: s.o.AccessKey, Permission: permFullControl}}}
	for _, g := range gs {
		acl.Grants = append(acl.Grants, grant{URI: d.groups + g.group, Permission: g.permission})
	}
	return acl, nil
}

// aclFromHeaders reads x-*-acl and x-*-grant-*; nil when the request has none of them.
func (s *Store) aclFromHeaders(h http.Header, d dialect) (*aclRecord, error) {
	name := h.Get(d.prefix + "acl")
	acl := &aclRecord{}
	for _, header := range []string{"grant-full-control", "grant-read", "grant-write", "grant-read-acp", "grant-write-acp"} {
		for _, text := range h.Values(d.prefix + header) {
			gs, err := parseGrantees(text, grantHeaders[header])
			if err != nil {
				return nil, err
			}
			acl.Grants = append(acl.Grants, gs...)
		}
	}
	switch {
	case name != "" && len(acl.Grants) > 0:
		return nil, errInvalidRequest.because("Specifying both Canned ACLs and Header Grants is not allowed.")
	case name != "":
		return s.canned(name, d)
	case len(acl.Grants) == 0:
		return nil, nil
	case len(acl.Grants) > maxGrants:
		return nil, errInvalidArgument.because("An access list holds at most %d grants.", maxGrants)
	}
	return acl, nil
}

// parseGrantees reads `id="a",uri="b"`.
func parseGrantees(text, permission string) ([]grant, error) {
	var out []grant
	for item := range strings.SplitSeq(text, ",") {
		kind, value, ok := strings.Cut(strings.TrimSpace(item), "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		if !ok || value == "" {
			return nil, errInvalidArgument.because("A grantee is written id=\"…\" or uri=\"…\".")
		}
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "id":
			out = append(out, grant{ID: value, Name: value, Permission: permission})
		case "uri":
			out = append(out, grant{URI: value, Permission: permission})
		default:
			return nil, errInvalidArgument.because("A grantee is written id=\"…\" or uri=\"…\".")
		}
	}
	return out, nil
}

// parseACL takes the access list out of a request's body.
func parseACL(x *accessControlPolicyIn) (*aclRecord, error) {
	if len(x.Grants) > maxGrants {
		return nil, errInvalidArgument.because("An access list holds at most %d grants.", maxGrants)
	}
	acl := &aclRecord{}
	for _, g := range x.Grants {
		if g.Grantee.ID == "" && g.Grantee.URI == "" {
			return nil, errMalformedACL
		}
		switch g.Permission {
		case permRead, permWrite, permReadACP, permWriteACP, permFullControl:
		default:
			return nil, errMalformedACL
		}
		name := g.Grantee.DisplayName
		if name == "" {
			name = g.Grantee.ID
		}
		acl.Grants = append(acl.Grants, grant{ID: g.Grantee.ID, URI: g.Grantee.URI, Name: name, Permission: g.Permission})
	}
	return acl, nil
}
