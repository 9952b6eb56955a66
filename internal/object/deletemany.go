package object

import (
	"context"
	"unicode/utf8"

	"github.com/drover-batch/drover/internal/job"
)

// MaxDeleteMany is how many objects one multi-object delete takes here; stores allow 1,000.
const MaxDeleteMany = 100

// DeleteOutcome is what became of one object of a multi-object delete.
type DeleteOutcome struct {
	Err          error // *Error; nil = deleted
	DeleteMarker bool
	Version      job.Version
}

// ManyDeleter deletes several objects of a bucket by one call. Keys must be such as XML 1.0 can carry and must not
// repeat. ok is false for an object that the answer does not name: nothing is known of it. An error is one of the call
// as a whole; where it is Transient the call may have been carried out.
type ManyDeleter interface {
	DeleteMany(ctx context.Context, b job.Bucket, refs []Ref) (out []DeleteOutcome, ok []bool, err error)
}

// XMLCarries reports whether XML 1.0 can carry s unchanged.
func XMLCarries(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}
