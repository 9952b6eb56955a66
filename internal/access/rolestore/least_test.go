package rolestore

import (
	"context"
	"strings"
	"testing"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

// twoRegions are stores that nobody calls: only policies are asked.
func twoRegions(t *testing.T, role *access.Role) *Stores {
	t.Helper()
	wire := func(name job.Region) Region {
		return Region{Wire: httpwire.Options{Endpoint: "http://127.0.0.1:1", Region: name, Credentials: func(context.Context) (httpwire.Credentials, error) {
			return httpwire.Credentials{}, nil
		}}}
	}
	s, err := New(Options{
		Regions: map[job.Region]Region{"local": wire("local"), "away": wire("away")}, Default: "local", Roles: &one{role},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func specOf(op job.Operation) job.Spec {
	return job.Spec{
		Account: owner, Role: roleName, Operation: op,
		Manifest: job.Manifest{Location: job.Location{Bucket: "lists", Key: "in/list.csv"}},
		Report:   job.Report{Enabled: true, Bucket: "reports", Prefix: "out"},
	}
}

// A role that has the least policy of a job passes the check of that job, with no right to anything else; without any
// one of its statements it does not, unless the statement is for what only some jobs come to.
func TestTheLeastPolicyIsEnoughAndNoMore(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]job.Operation{
		"copy":              &operation.Copy{TargetBucket: "target"},
		"copy below":        &operation.Copy{TargetBucket: "target", PrefixReplace: true, PrefixTo: "2026/"},
		"copy to elsewhere": &operation.Copy{TargetBucket: "target", TargetRegion: "away"},
		"copy with all":     &operation.Copy{TargetBucket: "target", ACL: operation.DirectiveAdd, CannedACL: "private", Tagging: operation.DirectiveAdd, NewTags: []job.Tag{{Key: "a"}}, Verify: operation.VerifyChecksum},
		"restore":           &operation.Restore{Days: 1, Tier: "Bulk"},
		"delete":            &operation.Delete{},
		"an access list":    &operation.PutACL{},
		"a canned list":     &operation.PutACL{Canned: "private"},
		"tags":              &operation.Tagging{Tags: []job.Tag{{Key: "a"}}},
		"tags added":        &operation.Tagging{Directive: operation.DirectiveAdd, Tags: []job.Tag{{Key: "a"}}},
		"tags taken away":   &operation.Tagging{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := roleWith(t, "")
			role.Credentials["away"] = role.Credentials["local"]
			s := twoRegions(t, role)
			spec := specOf(op)
			if err := s.Check(t.Context(), spec, []job.Bucket{"source"}); err == nil {
				t.Fatal("a role without rights passes")
			}
			least, err := s.LeastPolicy(spec, []job.Bucket{"source"})
			if err != nil {
				t.Fatal(err)
			}
			role.Policy = least
			if err := s.Check(t.Context(), spec, []job.Bucket{"source"}); err != nil {
				t.Errorf("%s\n%v", least, err)
			}
			if err := s.Check(t.Context(), spec, []job.Bucket{"other"}); err == nil {
				t.Errorf("%s\nlets it work on another bucket", least)
			}
			elsewhere := spec
			elsewhere.Report.Prefix = "elsewhere"
			if err := s.Check(t.Context(), elsewhere, []job.Bucket{"source"}); err == nil {
				t.Errorf("%s\nlets it report to another place", least)
			}
			if role.Policy, err = s.LeastPolicy(spec, nil); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context(), spec, []job.Bucket{"source", "other"}); err != nil {
				t.Errorf("of any source: %s\n%v", role.Policy, err)
			}
		})
	}
}

// A copy to another region is checked there: the policy names that region, and the role has keys for it.
func TestACopyToAnotherRegionIsCheckedThere(t *testing.T) {
	t.Parallel()
	role := roleWith(t, `{"effect":"allow","action":"*","resource":["qcs::cos:local::*/*","qcs::cos:away::target/*"]}`)
	s := twoRegions(t, role)
	spec := specOf(&operation.Copy{TargetBucket: "target", TargetRegion: "away"})
	err := s.Check(t.Context(), spec, []job.Bucket{"source"})
	if err == nil || !strings.Contains(err.Error(), "no credentials for region away") {
		t.Errorf("without keys: %v", err)
	}
	role.Credentials["away"] = role.Credentials["local"]
	if err := s.Check(t.Context(), spec, []job.Bucket{"source"}); err != nil {
		t.Errorf("with keys: %v", err)
	}
	role.Policy = roleWith(t, `{"effect":"allow","action":"*","resource":["qcs::cos:local::*/*"]}`).Policy
	err = s.Check(t.Context(), spec, []job.Bucket{"source"})
	if err == nil || !strings.Contains(err.Error(), "cos:PutObjectCopy on qcs::cos:away:") && !strings.Contains(err.Error(), `cos:PutObjectCopy on "qcs::cos:away:`) {
		t.Errorf("without the right there: %v", err)
	}
}
