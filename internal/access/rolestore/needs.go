package rolestore

import (
	"context"
	"slices"
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
	spec = s.withRegions(spec)
	for _, region := range regionsOf(spec) {
		if _, ok := role.Provider(region); !ok {
			p.Add(noCredentials(role, region))
		}
	}
	for _, n := range needsOf(role.Account, spec, sources) {
		p.Add(role.Check(n.Action, n.On))
	}
	return p.Err()
}

// LeastPolicy implements access.Policies: what Check asks for, and what it takes besides to copy large objects by parts,
// to clear up after an interrupted attempt, and to read the report afterwards.
func (s *Stores) LeastPolicy(spec job.Spec, sources []job.Bucket) (access.Policy, error) {
	switch {
	case spec.Generator != nil:
		sources = []job.Bucket{spec.Generator.Source}
	case len(sources) == 0:
		sources = []job.Bucket{"*"}
	}
	spec = s.withRegions(spec)
	rights := needsOf(spec.Account, spec, sources)
	for _, b := range sources {
		rights = append(rights,
			access.Right{Action: access.HeadBucket, On: access.BucketOf(spec.Account, spec.Region, b, "")},
			access.Right{Action: access.HeadObject, On: access.ObjectsBelow(spec.Account, spec.Region, b, "")})
	}
	if c, ok := spec.Operation.(*operation.Copy); ok {
		there := access.ObjectsBelow(spec.Account, c.TargetRegion, c.TargetBucket, below(c))
		rights = append(rights,
			access.Right{Action: access.HeadBucket, On: access.BucketOf(spec.Account, c.TargetRegion, c.TargetBucket, "")},
			access.Right{Action: access.HeadObject, On: there}, access.Right{Action: access.PutObject, On: there})
		if c.Verify == operation.VerifyChecksum {
			rights = append(rights, access.Right{Action: access.GetObject, On: there})
		}
		if c.Tagging == "" || c.Tagging == operation.DirectiveCopy {
			rights = append(rights, access.Right{Action: access.PutObjectTagging, On: there})
			for _, b := range sources {
				rights = append(rights, access.Right{Action: access.GetObjectTagging, On: access.ObjectsBelow(spec.Account, spec.Region, b, "")})
			}
		}
		if c.ACL == operation.DirectiveCopy || c.ACL == operation.DirectiveAdd {
			rights = append(rights, access.Right{Action: access.GetObjectACL, On: there})
		}
	}
	if r := spec.Report; r.Enabled && r.Path == "" {
		at := access.ObjectsBelow(spec.Account, r.Region, r.Bucket, folder(r.Prefix))
		rights = append(rights, access.Right{Action: access.GetObject, On: at}, access.Right{Action: access.DeleteObject, On: at})
	}
	return access.PolicyOf(rights)
}

// withRegions names the regions that a spec leaves to be understood.
func (s *Stores) withRegions(spec job.Spec) job.Spec {
	if spec.Region == "" {
		spec.Region = s.o.Default
	}
	if spec.Report.Region == "" {
		spec.Report.Region = spec.Region
	}
	if c, ok := spec.Operation.(*operation.Copy); ok && c.TargetRegion == "" {
		there := *c
		there.TargetRegion = spec.Region
		spec.Operation = &there
	}
	return spec
}

// regionsOf lists the regions that a job works in, each once.
func regionsOf(spec job.Spec) []job.Region {
	regions := []job.Region{spec.Region}
	if c, ok := spec.Operation.(*operation.Copy); ok && !slices.Contains(regions, c.TargetRegion) {
		regions = append(regions, c.TargetRegion)
	}
	if spec.Report.Enabled && !slices.Contains(regions, spec.Report.Region) {
		regions = append(regions, spec.Report.Region)
	}
	return regions
}

// folder is a report's prefix as the names below it begin.
func folder(prefix string) string {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return prefix
}

// below is what the keys of all copies begin with.
func below(c *operation.Copy) string {
	if c.PrefixReplace && c.PrefixFrom == "" {
		return c.PrefixTo
	}
	return ""
}

// needsOf lists what a job needs (Tencent doc pages 436/32958 and 436/30580). All regions of the spec are named.
func needsOf(a job.Account, spec job.Spec, sources []job.Bucket) []access.Right {
	var rights []access.Right
	if g := spec.Generator; g != nil {
		at := spec.Kept()
		under := access.ObjectsBelow(a, at.Region, at.Bucket, folder(at.Prefix))
		rights = append(rights, access.Right{Action: access.PutObject, On: under}, access.Right{Action: access.GetObject, On: under})
		for _, prefix := range g.Filter.Listings() {
			rights = append(rights, access.Right{Action: access.ListBucket, On: access.BucketOf(a, spec.Region, g.Source, prefix)})
		}
	} else if at := spec.Manifest.Location; at.Path == "" {
		rights = append(rights, access.Right{Action: access.GetObject, On: access.Object(a, spec.Region, at.Bucket, at.Key, at.Version)})
	}
	source, there := operationNeeds(spec.Operation)
	for _, b := range sources {
		for _, action := range source {
			rights = append(rights, access.Right{Action: action, On: access.ObjectsBelow(a, spec.Region, b, "")})
		}
	}
	if c, ok := spec.Operation.(*operation.Copy); ok {
		for _, action := range there {
			rights = append(rights, access.Right{Action: action, On: access.ObjectsBelow(a, c.TargetRegion, c.TargetBucket, below(c))})
		}
	}
	if r := spec.Report; r.Enabled && r.Path == "" {
		under := folder(r.Prefix)
		rights = append(rights,
			access.Right{Action: access.PutObject, On: access.ObjectsBelow(a, r.Region, r.Bucket, under)},
			// What an interrupted attempt left beside the result files is looked for, and removed.
			access.Right{Action: access.ListBucket, On: access.BucketOf(a, r.Region, r.Bucket, under)})
	}
	return rights
}

// operationNeeds gives the actions on the sources, and for a copy those at its target.
func operationNeeds(op job.Operation) (source, there []access.Action) {
	switch op := op.(type) {
	case *operation.Copy:
		source = []access.Action{access.GetObject}
		if op.Tagging == operation.DirectiveAdd {
			source = append(source, access.GetObjectTagging)
		}
		if op.ACL == operation.DirectiveCopy || op.ACL == operation.DirectiveAdd {
			source = append(source, access.GetObjectACL)
		}
		acl := op.ACL != "" || op.CannedACL != "" || len(op.Grants) > 0
		return source, copyActions(len(op.NewTags) > 0, acl)
	case *operation.Restore:
		source = []access.Action{access.RestoreObject}
		if op.Wait {
			source = append(source, access.HeadObject)
		}
	case *operation.Delete:
		source = []access.Action{access.DeleteObject}
	case *operation.PutACL:
		source = []access.Action{access.PutObjectACL}
		if op.Canned == "" && op.Owner.ID == "" {
			source = append(source, access.GetObjectACL) // for the owner
		}
	case *operation.Tagging:
		source = []access.Action{access.PutObjectTagging}
		if len(op.Tags) == 0 {
			source = []access.Action{access.DeleteObjectTagging}
		}
		if op.Directive == operation.DirectiveAdd {
			source = append(source, access.GetObjectTagging)
		}
	}
	return source, nil
}
