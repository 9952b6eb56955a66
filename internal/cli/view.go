package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

// reasonOf says why a job stands where it stands; "" when nothing was said.
func reasonOf(j client.Job) string {
	switch {
	case j.Status == string(job.Suspended) && j.SuspendedCause != "":
		return j.SuspendedCause
	case len(j.Failures) > 0:
		return j.Failures[0].Reason
	}
	return j.StatusReason
}

// done is how many tasks have ended.
func done(p client.Progress) int64 { return p.Succeeded + p.Failed }

// count writes a number with a comma between thousands.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rate writes tasks a second over the time that a job was active.
func rate(p client.Progress) string {
	if p.ActiveSeconds <= 0 {
		return "-"
	}
	return count(int64(float64(done(p))/p.ActiveSeconds)) + "/s"
}

// summary prints how a job stands, for people.
func (s *shell) summary(j client.Job) {
	p := j.Progress
	s.printf("job %s: %s\n", j.ID, j.Status)
	if why := reasonOf(j); why != "" && slices.Contains(explained, job.Status(j.Status)) {
		s.printf("  reason     %s\n", oneLine(why))
	}
	s.printf("  total      %s\n", count(p.Total))
	s.printf("  succeeded  %s\n", count(p.Succeeded))
	s.printf("  failed     %s%s\n", count(p.Failed), byCode(p.ByCode))
	active := time.Duration(p.ActiveSeconds * float64(time.Second)).Round(10 * time.Millisecond)
	s.printf("  rate       %s over %s\n", rate(p), active)
	if where := location(j); where != "" {
		s.printf("  report     %s\n", s.foreign(where))
	}
}

func byCode(codes []client.CodeCount) string {
	var parts []string
	for _, c := range codes {
		parts = append(parts, fmt.Sprintf("%s %s", oneLine(c.Code), count(c.Count)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "  (" + strings.Join(parts, ", ") + ")"
}

// result prints how a job ended, and gives the exit code that it stands for.
func (s *shell) result(j client.Job, asJSON bool) error {
	var err error
	if asJSON {
		err = s.json(j)
	} else {
		s.summary(j)
	}
	return errors.Join(err, ended(job.Status(j.Status), j.Progress.Failed))
}

// details prints all that there is to say about a job.
func (s *shell) details(j client.Job) {
	s.summary(j)
	spec := j.Spec
	s.printf("  operation  %s\n", s.foreign(describe(spec.Operation)))
	if spec.Description != "" {
		s.printf("  about      %s\n", s.foreign(spec.Description))
	}
	m := &spec.Manifest
	if g := spec.Generator; g != nil {
		s.printf("  objects    %s\n", s.foreign("those of bucket "+g.SourceBucket+filterText(g.Filter)))
		m = j.GeneratedManifest
	}
	if m != nil {
		s.printf("  manifest   %s (%s)\n", s.foreign("s3://"+m.Bucket+"/"+m.Key), m.Format)
	}
	if z := j.Sizes; z != nil {
		s.printf("  size       %s, the largest object %s\n", bytesText(z.Bytes), sizeText(z.Largest))
	}
	s.printf("  priority   %d\n", j.Priority)
	if j.Limits != nil {
		s.printf("  limits     %s\n", s.foreign(limitsText(j.Limits)))
	}
	s.printf("  role       %s\n", s.foreign(spec.Role))
	for _, e := range j.Events {
		status := e.To
		if e.From == e.To { // it stayed
			status = "(" + status + ")"
		}
		s.printf("  %s  %s", e.Time.UTC().Format(time.RFC3339), status)
		if e.Actor != "" {
			s.printf(" by %s", s.foreign(e.Actor))
		}
		if e.Reason != "" {
			s.printf(": %s", oneLine(e.Reason))
		}
		s.printf("\n")
	}
	for _, c := range j.Progress.ByCode {
		for _, key := range c.Samples {
			s.printf("  failed by %s: %s\n", oneLine(c.Code), s.foreign(key))
		}
	}
}

// operationName names an operation in a word.
func operationName(o client.Operation) string {
	switch {
	case o.Copy != nil:
		return "copy"
	case o.Restore != nil:
		return "restore"
	case o.Delete != nil:
		return "delete"
	case o.Tagging != nil:
		return "tagging"
	}
	return "-"
}

// describe says what an operation does, beyond its name.
func describe(o client.Operation) string {
	switch {
	case o.Copy != nil:
		return "copy to " + o.Copy.TargetBucket
	case o.Restore != nil:
		return fmt.Sprintf("restore for %d days (%s)", o.Restore.Days, o.Restore.Tier)
	}
	return operationName(o)
}
