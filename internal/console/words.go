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
		if op.Wait {
			effects = append(effects, l.t("Restored copies cost storage for as long as they stay; the job ends when all objects can be read, which takes hours or days."))
		} else {
			effects = append(effects, l.t("Restored copies cost storage for as long as they stay; the job ends when all requests were taken, not when the objects can be read."))
		}
	case *operation.Copy:
		effects = append(effects, l.t("Objects of the same key in the destination are overwritten, unless that bucket has versions."))
		if op.StorageClass == "ARCHIVE" || op.StorageClass == "DEEP_ARCHIVE" {
			effects = append(effects, l.t("Archived copies must be restored before they can be read."))
		}
		effects = append(effects, l.t("Archived sources that are not restored will fail."))
	}
	return visible(operation.Describe(spec.Operation)), effects
}

// definitionText is a job's definition in the words of an API.
type definitionText struct {
	Protocol string
	Text     string
}

// definitions writes a spec as the APIs take it; what cannot be seen stands as an escape.
func (s *server) definitions(spec job.Spec) []definitionText {
	var out []definitionText
	for _, p := range s.o.Definitions {
		b, ok := p.Define(spec)
		if !ok {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		for i, line := range lines {
			lines[i] = visible(line)
		}
		out = append(out, definitionText{p.Name, strings.Join(lines, "\n")})
	}
	return out
}
