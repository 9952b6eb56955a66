package console

import (
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// plainWords says in a sentence what a job does to each object, and what about it a person should think of.
func (s *server) plainWords(c *call, spec job.Spec) (sentence string, effects []string) {
	if spec.Operation == nil {
		return "", nil
	}
	l := c.lang
	switch op := spec.Operation.(type) {
	case *operation.Delete:
		effects = append(effects,
			l.t("Deletes objects. In a bucket without versions they are gone for good."))
	case *operation.Restore:
		effects = append(effects, l.t("Restored copies cost storage for as long as they stay; the job ends when all requests were taken, not when the objects can be read."))
	case *operation.Copy:
		effects = append(effects, l.t("Objects of the same key in the destination are overwritten, unless that bucket has versions."))
		if op.StorageClass == "ARCHIVE" || op.StorageClass == "DEEP_ARCHIVE" {
			effects = append(effects, l.t("Archived copies must be restored before they can be read."))
		}
		effects = append(effects, l.t("Archived sources that are not restored will fail."))
	}
	return visible(operation.Describe(spec.Operation)), effects
}

// specJSON is a spec as the JSON API takes it; what cannot be seen in its strings stands as JSON's own escapes.
func (s *server) specJSON(spec job.Spec) (string, error) {
	if s.o.SpecJSON == nil {
		return "", nil
	}
	b, err := s.o.SpecJSON(spec)
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(b), "\n")
	for i, line := range lines {
		lines[i] = visible(line)
	}
	return strings.Join(lines, "\n"), nil
}
