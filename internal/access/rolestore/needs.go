package rolestore

import (
	"context"
	"strings"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// Check makes sure, before anything is touched, that a job's role may do what the job needs: read the manifest, do the
// operation on objects of the source buckets (as the manifest names them) and at the destination, and write the report.
// Its error is AccessDenied and names what is missing, all of it. A role that may work on some objects of a bucket only
// passes: each of the others is a failed task.
func (s *Stores) Check(_ context.Context, spec job.Spec, sources []job.Bucket) error {
	role, err := s.o.Roles.Role(spec.Account, spec.Role)
	if err != nil {
		return err
	}
	var p job.Problems
	regions := []job.Region{s.region(spec.Region)}
	if spec.Report.Enabled && s.region(spec.Report.Region) != regions[0] {
		regions = append(regions, s.region(spec.Report.Region))
	}
	for _, region := range regions {
		if _, ok := role.Provider(region); !ok {
			p.Add(noCredentials(role, region))
		}
	}
	for _, n := range needsOf(role, regions[0], spec, sources) {
		p.Add(role.Check(n.action, n.on))
	}
	return p.Err()
}

func (s *Stores) region(r job.Region) job.Region {
	if r == "" {
		return s.o.Default
	}
	return r
}

// needsOf lists what a job needs (Tencent doc pages 436/32958 and 436/30580).
func needsOf(role *access.Role, region job.Region, spec job.Spec, sources []job.Bucket) []need {
	var needs []need
	if at := spec.Manifest.Location; at.Path == "" {
		needs = append(needs, need{access.GetObject, access.Object(role.Account, region, at.Bucket, at.Key, at.Version)})
	}
	source, target, actionsThere, below := operationNeeds(spec.Operation)
	for _, b := range sources {
		for _, a := range source {
			needs = append(needs, need{a, access.ObjectsBelow(role.Account, region, b, "")})
		}
	}
	for _, a := range actionsThere {
		needs = append(needs, need{a, access.ObjectsBelow(role.Account, region, target, below)})
	}
	if r := spec.Report; r.Enabled && r.Path == "" {
		at := r.Region
		if at == "" {
			at = region
		}
		prefix := strings.Trim(r.Prefix, "/")
		if prefix != "" {
			prefix += "/"
		}
		needs = append(needs,
			need{access.PutObject, access.ObjectsBelow(role.Account, at, r.Bucket, prefix)},
			// What an interrupted attempt left beside the result files is looked for, and removed.
			need{access.ListBucket, access.BucketOf(role.Account, at, r.Bucket, prefix)})
	}
	return needs
}

// operationNeeds gives the actions on the sources, and for a copy those at its target, below a prefix.
func operationNeeds(op job.Operation) (source []access.Action, target job.Bucket, there []access.Action, below string) {
	switch op := op.(type) {
	case *operation.Copy:
		source = []access.Action{access.GetObject}
		if op.Tagging == operation.DirectiveAdd {
			source = append(source, access.GetObjectTagging)
		}
		if op.ACL == operation.DirectiveCopy || op.ACL == operation.DirectiveAdd {
			source = append(source, access.GetObjectACL)
		}
		if op.PrefixReplace && op.PrefixFrom == "" {
			below = op.PrefixTo
		}
		acl := op.ACL != "" || op.CannedACL != "" || len(op.Grants) > 0
		return source, op.TargetBucket, copyActions(len(op.NewTags) > 0, acl), below
	case *operation.Restore:
		source = []access.Action{access.RestoreObject}
	case *operation.Delete:
		source = []access.Action{access.DeleteObject}
	case *operation.PutACL:
		source = []access.Action{access.PutObjectACL}
	case *operation.Tagging:
		source = []access.Action{access.PutObjectTagging}
		if len(op.Tags) == 0 {
			source = []access.Action{access.DeleteObjectTagging}
		}
		if op.Directive == operation.DirectiveAdd {
			source = append(source, access.GetObjectTagging)
		}
	}
	return source, "", nil, ""
}
