package object

import (
	"errors"
	"fmt"
	"time"
)

// Class says what may be done about a failed call. The driver sets it; nobody guesses it anew.
type Class int

// The classes.
const (
	Permanent Class = iota // the same call will fail again
	Transient              // the network or the server broke: again after a pause
	Throttle               // the store asks for fewer calls
)

// Codes that programs act on; all others pass through as the store wrote them.
const (
	CodeNoSuchKey          = "NoSuchKey"
	CodeNoSuchBucket       = "NoSuchBucket"
	CodeNoSuchVersion      = "NoSuchVersion"
	CodeAccessDenied       = "AccessDenied"
	CodePreconditionFailed = "PreconditionFailed"
	CodeInvalidObjectState = "InvalidObjectState"
	CodeRestoreInProgress  = "RestoreAlreadyInProgress"
	CodeInvalidRequest     = "InvalidRequest"
	CodeMethodNotAllowed   = "MethodNotAllowed"
	CodeConnection         = "ConnectionError" // ours: no answer came
)

// Error is an answer of a store that is no success, or the lack of an answer (Status 0).
type Error struct {
	Op         string // Copy, Head, …
	Code       string // the store's; made from the status where a HEAD has no body
	Status     int
	Message    string // the store's text: foreign
	RequestID  string
	Class      Class
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s (HTTP %d)", e.Op, e.Code, e.Status)
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf gives the store's error code, "" for other errors.
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// StatusOf gives the HTTP status of the answer, 0 for none.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// Retryable reports whether the same call may succeed later.
func Retryable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Class != Permanent
}
