package s3control

import (
	"bytes"
	"encoding/xml"
	"reflect"
	"strconv"

	"github.com/drover-batch/drover/internal/api/xmltree"
	"github.com/drover-batch/drover/internal/job"
)

// plusIsPlus stands in the definition of a job whose CSV was written for COS.
const plusIsPlus = "<!-- In the CSV of this API a + in a key is a space; in this job's list it is a plus sign. -->\n"

// Definition writes the CreateJobRequest that makes the same job; false where this protocol has no words for it.
func Definition(s job.Spec) ([]byte, bool) {
	if len(s.Tags) > 0 || !s.Limits.IsZero() { // neither stands in what is written here
		return nil, false
	}
	op := operationNode(s.Operation)
	if op == nil {
		return nil, false
	}
	list := manifestNode(s.Manifest)
	if s.Generator != nil {
		list = generatorNode(s.Generator)
	}
	n := xmltree.Branch("CreateJobRequest",
		xmltree.Leaf("ConfirmationRequired", strconv.FormatBool(s.ConfirmationRequired)),
		xmltree.Branch("Operation", op),
		reportNode(s.Report),
		xmltree.Leaf("ClientRequestToken", s.Token),
		list,
		xmltree.Optional("Description", s.Description),
		xmltree.Leaf("Priority", strconv.Itoa(int(s.Priority))),
		xmltree.Leaf("RoleArn", "arn:aws:iam::"+s.Role.Account+":role/"+s.Role.Name))
	doc := n.Document()
	again, err := decode(doc)
	if err != nil || !reflect.DeepEqual(plain(again), plain(s)) {
		return nil, false
	}
	if s.Manifest.Format == job.FormatCSV && !s.Manifest.PlusSpace {
		doc = bytes.Replace(doc, []byte(xml.Header), []byte(xml.Header+plusIsPlus), 1)
	}
	return doc, true
}

// plain is what a request says of a job. It names no regions: all are the job's. A report's format each protocol has its own name for.
func plain(s job.Spec) job.Spec {
	s.Manifest.PlusSpace, s.Report.Format = false, ""
	for _, r := range []*job.Region{&s.Manifest.Location.Region, &s.Report.Region} {
		if *r == s.Region {
			*r = ""
		}
	}
	return job.Spec{
		Token: s.Token, ConfirmationRequired: s.ConfirmationRequired, Description: s.Description, Manifest: s.Manifest, Generator: s.Generator, Operation: s.Operation,
		Priority: s.Priority, Report: s.Report, Role: job.Role{Account: s.Role.Account, Name: s.Role.Name},
	}
}
