package console

import (
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op   job.Operation
		want string // among the flags; "" = there is no such command
	}{
		{&operation.Copy{TargetBucket: "b", PrefixReplace: true, PrefixFrom: "it's", PrefixTo: "x y"}, `--prefix-replace 'it'\''s=x y'`},
		{&operation.Copy{TargetBucket: "b", PrefixReplace: true, PrefixTo: "$HOME"}, `--prefix-add '$HOME'`},
		{&operation.Copy{TargetBucket: "b", PrefixReplace: true, PrefixFrom: "a/"}, `--prefix-delete a/`},
		{&operation.Copy{TargetBucket: "b", ACL: operation.DirectiveCopy}, `--acl copy`},
		{&operation.Copy{TargetBucket: "b", ACL: operation.DirectiveAdd, CannedACL: "public-read"}, ""},
		{&operation.Copy{TargetBucket: "b", Metadata: operation.DirectiveReplace}, ""},
		{&operation.Copy{TargetBucket: "b\x1b"}, ""},
		{&operation.Restore{Days: 3, Tier: "Bulk"}, `--days 3`},
		{&operation.Delete{}, `drover job create delete`},
		{&operation.Tagging{Tags: []job.Tag{{Key: "a", Value: "b c"}}}, `--set 'a=b c'`},
		{&operation.Tagging{Tags: []job.Tag{}}, ""},
		{&operation.Tagging{Tags: []job.Tag{{Key: "a=b", Value: "c"}}}, ""},
		{&operation.Copy{TargetBucket: "b", Tagging: operation.DirectiveAdd, NewTags: []job.Tag{{Key: "a=b", Value: "c"}}}, ""},
		{&operation.Copy{TargetBucket: "b", PrefixReplace: true, PrefixFrom: "a=b", PrefixTo: "c"}, ""},
		{&operation.Copy{TargetBucket: "b", PrefixReplace: true, PrefixFrom: "a", PrefixTo: "b=c"}, `--prefix-replace a=b=c`},
	} {
		got, err := command(spec(func(s *job.Spec) { s.Operation = c.op }), "ap-chengdu")
		if (err != nil) != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q, %v; want %q in it", c.op, got, err, c.want)
		}
	}
}

// A command that would make another job is worse than none.
func TestNoCommandForWhatTheCommandLineCannotSay(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*job.Spec){
		"another region":               func(s *job.Spec) { s.Region = "ap-beijing" },
		"a manifest in another region": func(s *job.Spec) { s.Manifest.Location.Region = "ap-beijing" },
		"a report in another region":   func(s *job.Spec) { s.Report.Region = "ap-beijing" },
		"a version of the manifest":    func(s *job.Spec) { s.Manifest.Location.Version = "v1" },
		"a plus sign that is a blank":  func(s *job.Spec) { s.Manifest.PlusSpace = true },
		"a list kept in another region": func(s *job.Spec) {
			s.Manifest, s.Generator = job.Manifest{}, &job.Generator{Source: "src", Output: job.Place{Region: "ap-beijing", Bucket: "lists"}}
		},
	} {
		if got, err := command(spec(change), "ap-chengdu"); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	named := func(s *job.Spec) {
		s.Manifest.Location.Region, s.Report.Region = s.Region, s.Region
	}
	if _, err := command(spec(named), "ap-chengdu"); err != nil {
		t.Error("a job that names its region by hand has no command")
	}
}

func TestCommandLineOfAGeneratedList(t *testing.T) {
	t.Parallel()
	size := int64(64)
	got, err := command(spec(func(s *job.Spec) {
		s.Manifest = job.Manifest{}
		s.Generator = &job.Generator{Source: "src", Output: job.Place{Bucket: "lists", Prefix: "p"}, Filter: job.ObjectFilter{
			Prefixes: []string{"a/", "b c"}, LargerThan: &size, CreatedBefore: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), Classes: []string{"ARCHIVE"},
		}}
	}), "ap-chengdu")
	want := []string{
		"--from-bucket src", "--from-prefix a/", "--from-prefix 'b c'", "--from-class ARCHIVE", "--from-created-before 2026-01-31T00:00:00Z",
		"--from-larger-than 64", "--from-list s3://lists/p",
	}
	for _, w := range want {
		if err != nil || !strings.Contains(got, w) {
			t.Errorf("%q, %v; want %q in it", got, err, w)
		}
	}
	if strings.Contains(got, "--manifest") {
		t.Errorf("%q names a manifest", got)
	}
}
