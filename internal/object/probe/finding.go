package probe

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/drover-batch/drover/internal/object"
)

// finding is why a capability does not work.
type finding struct {
	verdict Verdict
	detail  string
}

func (f *finding) Error() string { return string(f.verdict) + ": " + f.detail }

func ignoredf(format string, args ...any) error {
	return &finding{Ignored, fmt.Sprintf(format, args...)}
}

func unknownf(format string, args ...any) error {
	return &finding{Unknown, fmt.Sprintf(format, args...)}
}

// needs marks an error of a call that only prepares a trial: nothing is learnt then.
func needs(doing string, err error) error {
	if err == nil {
		return nil
	}
	return unknownf("%s: %s", doing, told(err))
}

// looks marks an error of a call that looks at what came of a trial. Where the store was content with the trial and now
// has nothing, or answers with success what cannot be read, it did not do it; of another error nothing is learnt.
func looks(doing string, err error) error {
	switch code := object.CodeOf(err); {
	case code == object.CodeNoSuchKey, code == object.CodeNoSuchVersion, object.StatusOf(err) == http.StatusOK:
		return ignoredf("%s: %s", doing, told(err))
	}
	return needs(doing, err)
}

// findingOf takes an error of a store for a refusal, unless the same call might succeed later.
func findingOf(err error) *finding {
	if f, ok := errors.AsType[*finding](err); ok {
		return f
	}
	if object.StatusOf(err) == 0 || object.Retryable(err) {
		return &finding{Unknown, told(err)}
	}
	return &finding{Refused, told(err)}
}

// told is an error in a few words.
func told(err error) string {
	e, ok := errors.AsType[*object.Error](err)
	if !ok {
		return err.Error()
	}
	text := fmt.Sprintf("HTTP %d %s", e.Status, e.Code)
	if e.Status == 0 {
		text = e.Code
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}
