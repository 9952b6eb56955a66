package coscontrol

import (
	"reflect"
	"strconv"

	"github.com/drover-batch/drover/internal/api/xmltree"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// Definition writes the CreateJobRequest that makes the same job; false where this protocol has no words for it.
func Definition(s job.Spec) ([]byte, bool) {
	if len(s.Tags) > 0 || !s.Limits.IsZero() { // neither stands in what is written here
		return nil, false
	}
	if s.Generator != nil {
		return nil, false
	}
	n := xmltree.Branch("CreateJobRequest",
		xmltree.Leaf("ClientRequestToken", s.Token),
		xmltree.Leaf("ConfirmationRequired", strconv.FormatBool(s.ConfirmationRequired)),
		xmltree.Optional("Description", s.Description),
		manifestNode(s), operationNode(s),
		xmltree.Leaf("Priority", strconv.Itoa(int(s.Priority))),
		reportNode(s),
		xmltree.Leaf("RoleArn", roleARN(s.Role)))
	doc := n.Document()
	again, err := decode(doc, s.Account.AppID)
	return doc, err == nil && reflect.DeepEqual(plain(again, s.Region), plain(s, s.Region))
}

// plain is what a request says of a job, with regions named, and the report's format not: each protocol has its own.
func plain(s job.Spec, region job.Region) job.Spec {
	out := job.Spec{
		Token: s.Token, ConfirmationRequired: s.ConfirmationRequired, Description: s.Description, Manifest: s.Manifest, Operation: s.Operation,
		Priority: s.Priority, Report: s.Report, Role: job.Role{Account: s.Role.Account, Name: s.Role.Name},
	}
	named := func(r *job.Region) {
		if *r == "" {
			*r = region
		}
	}
	out.Report.Format = ""
	named(&out.Manifest.Location.Region)
	if out.Report.Enabled {
		named(&out.Report.Region)
	}
	if c, ok := out.Operation.(*operation.Copy); ok {
		same := *c
		named(&same.TargetRegion)
		out.Operation = &same
	}
	return out
}
