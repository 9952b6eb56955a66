package operation

import (
	"context"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// cannedLists are the canned lists that an object can be given in place (AWS S3 API, "Canned ACL"). One that lets others
// write is not among them: a right to write means nothing on an object.
var cannedLists = []string{
	aclPrivate, aclPublicRead, aclAuthenticatedRead, "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control",
}

// PutACL puts an access list in place of each object's own (AWS S3 API, S3PutObjectAcl). Exactly one of Canned and Grants
// is given. What the owner may do stands in the list only when a grant says so.
type PutACL struct {
	Canned string
	Grants []object.Grant // 1–100
	// Owner is the owner that the list names; a store refuses another than the object's. Without an ID each object's own
	// is read first.
	Owner object.Grantee
}

// Name implements job.Operation.
func (a *PutACL) Name() string { return "acl" }

// Validate implements job.Operation. The fields are named as in S3's request.
func (a *PutACL) Validate() error {
	const field = "AccessControlPolicy"
	var p job.Problems
	switch {
	case a.Canned == "" && len(a.Grants) == 0:
		p.Addf(field, "gives nothing; give a canned list or grants. To take all rights from others give the canned list private.")
	case a.Canned != "" && len(a.Grants) > 0:
		p.Addf(field, "has a canned list and grants; give one of them.")
	case a.Canned != "" && !slices.Contains(cannedLists, a.Canned):
		p.Addf(field+".CannedAccessControlList", "%s is no list that an object can be given; use one of %s.", job.Quote(a.Canned), strings.Join(cannedLists, ", "))
	}
	checkGrants(&p, field+".AccessControlList.Grants", a.Grants)
	if !headerValue(a.Owner.ID + a.Owner.DisplayName) {
		p.Addf(field+".AccessControlList.Owner", "holds control characters or bytes that are no UTF-8; give the id as the store answers it.")
	}
	return p.Err()
}

// Apply implements Operation. Applied twice it leaves what applying it once leaves.
func (a *PutACL) Apply(ctx context.Context, s object.Store, t Task) job.Outcome {
	if t.Entry.DeleteMarker {
		return marker("which has no access list.")
	}
	if ctx.Err() != nil {
		return job.Outcome{}
	}
	if err := a.put(ctx, s, ref(t.Entry)); err != nil {
		return hints(nil).failed(ctx, err)
	}
	return job.Succeeded(200, "")
}

func (a *PutACL) put(ctx context.Context, s object.ACLer, r object.Ref) error {
	if a.Canned != "" {
		return s.PutACL(ctx, r, a.Canned, nil)
	}
	list := object.ACL{Owner: a.Owner, Grants: a.Grants}
	if list.Owner.ID == "" {
		old, err := s.ACL(ctx, r)
		if err != nil {
			return during("reading the object's access list for its owner", err)
		}
		list.Owner = old.Owner
	}
	return s.PutACL(ctx, r, "", &list)
}

func (a *PutACL) describe() string {
	given := count(len(a.Grants), "grant")
	if a.Canned != "" {
		given = "the list " + a.Canned
	}
	return "Gives each object " + given + " in place of its access rights."
}
