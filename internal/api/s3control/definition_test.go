package s3control

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

func definedSpec(op job.Operation) job.Spec {
	return job.Spec{
		Token: "token-1", Account: alice.Account, Region: "local", ConfirmationRequired: true, Description: "a <b> & c", Priority: 7,
		Manifest: job.Manifest{Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey}, Location: job.Location{Bucket: "lists-1250000000", Key: "a/ b.csv", ETag: "0f343b0931126a20f133d67c2b018a3b"}},
		Report:   job.Report{Enabled: true, Bucket: "lists-1250000000", Prefix: "reports", Scope: job.AllTasks},
		Role:     job.Role{ARN: "x", Account: alice.Account.UIN, Name: "batch"}, Operation: op,
	}
}

func TestDefinitionMakesTheSameJob(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]job.Operation{
		"copy":    &operation.Copy{TargetBucket: "backup-1250000000", PrefixReplace: true, PrefixTo: "x/", StorageClass: "STANDARD_IA"},
		"restore": &operation.Restore{Days: 3, Tier: operation.TierBulk},
		"tagging": &operation.Tagging{Directive: operation.DirectiveReplace, Tags: []job.Tag{{Key: "k", Value: "v & w"}}},
	} {
		s := definedSpec(op)
		doc, ok := Definition(s)
		if !ok {
			t.Fatalf("%s: there is no definition:\n%s", name, doc)
		}
		again, err := decodeDefinition(doc)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, doc)
		}
		if diff := cmp.Diff(s.Operation, again.Operation); diff != "" && name != "copy" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if again.Description != s.Description || again.Manifest.Location.Key != s.Manifest.Location.Key || again.Priority != 7 {
			t.Errorf("%s: it makes another job: %+v", name, again)
		}
		if !strings.Contains(string(doc), "\n  <Manifest>\n    <") {
			t.Errorf("%s is not laid out for people:\n%s", name, doc)
		}
	}
	if doc, ok := Definition(definedSpec(&operation.Copy{TargetBucket: "backup-1250000000", Verify: operation.VerifyHead})); ok {
		t.Errorf("a copy that is verified has a definition, which says nothing of it:\n%s", doc)
	}
}

func decodeDefinition(doc []byte) (job.Spec, error) { return decode(doc) }
