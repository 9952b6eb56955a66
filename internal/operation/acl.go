package operation

import (
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// The words of access lists, in COS and in the AWS S3 API.
const (
	aclPrivate           = "private"
	aclPublicRead        = "public-read"
	aclAuthenticatedRead = "authenticated-read"

	permRead        = "READ"
	permWrite       = "WRITE"
	permReadACP     = "READ_ACP"
	permWriteACP    = "WRITE_ACP"
	permFullControl = "FULL_CONTROL"

	maxGrants = 100

	groupsCOS          = "http://cam.qcloud.com/groups/global/"
	groupsS3           = "http://acs.amazonaws.com/groups/global/"
	allUsers           = "AllUsers"
	authenticatedUsers = "AuthenticatedUsers"
	anyoneCOS          = "qcs::cam::anyone:anyone" // COS's id for everybody in the lists that it answers
)

// checkGrants checks a list that the request has in the given field.
func checkGrants(p *job.Problems, field string, grants []object.Grant) {
	if len(grants) > maxGrants {
		p.Addf(field, "has %d grants; an object has at most %d.", len(grants), maxGrants)
		return
	}
	for _, g := range grants {
		who := g.Grantee.ID + g.Grantee.URI
		switch {
		case who == "":
			p.Addf(field+".Identifier", "is empty; name the account like qcs::cam::uin/100000000001:uin/100000000001.")
		case !headerValue(who+g.Grantee.DisplayName) || strings.ContainsAny(who, `",`):
			p.Addf(field+".Identifier", "%s names no account; write it like qcs::cam::uin/100000000001:uin/100000000001.", job.Quote(who))
		case g.Permission == permWrite:
			p.Addf(field+".Permission", "WRITE cannot be granted on an object, only on a bucket; use READ or FULL_CONTROL.")
		case !slices.Contains([]string{permRead, permReadACP, permWriteACP, permFullControl}, g.Permission):
			p.Addf(field+".Permission", "%s is no permission; use READ, READ_ACP, WRITE_ACP or FULL_CONTROL.", job.Quote(g.Permission))
		default:
			continue
		}
		return
	}
}

// groupOf names the group that a grantee is, in either store's words; "" for an account.
func groupOf(g object.Grantee) string {
	if g.ID == anyoneCOS {
		return allUsers
	}
	for _, groups := range []string{groupsCOS, groupsS3} {
		if name, ok := strings.CutPrefix(g.URI, groups); ok {
			return name
		}
	}
	return g.URI
}

// sameGrantee leaves the display name out: a store may not give it back.
func sameGrantee(a, b object.Grantee) bool {
	if group := groupOf(a); group != "" {
		return group == groupOf(b)
	}
	return a.ID == b.ID && groupOf(b) == ""
}

// carried gives those grants of a source's list that a copy can have: a WRITE in the list of an object means nothing.
func carried(a object.ACL) []object.Grant {
	return slices.DeleteFunc(slices.Clone(a.Grants), func(g object.Grant) bool { return g.Permission == permWrite })
}

func mergeGrants(old, added []object.Grant) []object.Grant {
	merged := slices.Clone(old)
	for _, g := range added {
		if !slices.ContainsFunc(merged, func(m object.Grant) bool { return m.Permission == g.Permission && sameGrantee(m.Grantee, g.Grantee) }) {
			merged = append(merged, g)
		}
	}
	return merged
}

// cannedGrants says what a canned list adds to the owner's own right. The group's URI is the one of the store that
// wrote owner: a COS id begins with qcs.
func cannedGrants(canned string, owner object.Grantee) []object.Grant {
	if canned != aclPublicRead {
		return nil
	}
	groups := groupsS3
	if strings.HasPrefix(owner.ID, "qcs:") {
		groups = groupsCOS
	}
	return []object.Grant{{Grantee: object.Grantee{URI: groups + allUsers}, Permission: permRead}}
}

// cannedFor finds the canned list that means the same: a store that allows no other lists still takes these, and they
// hold for the copy's own owner.
func cannedFor(owner object.Grantee, grants []object.Grant) (string, bool) {
	others := slices.DeleteFunc(slices.Clone(grants), func(g object.Grant) bool {
		return owner.ID != "" && g.Grantee.ID == owner.ID && g.Permission == permFullControl
	})
	switch {
	case len(others) == 0:
		return aclPrivate, true
	case len(others) > 1 || others[0].Permission != permRead:
		return "", false
	}
	switch groupOf(others[0].Grantee) {
	case allUsers:
		return aclPublicRead, true
	case authenticatedUsers:
		return aclAuthenticatedRead, true
	}
	return "", false
}

// inHeaders reports whether grants can travel in a request's headers: every store takes accounts there, not every
// store takes groups.
func inHeaders(grants []object.Grant) bool {
	return !slices.ContainsFunc(grants, func(g object.Grant) bool { return groupOf(g.Grantee) != "" })
}
