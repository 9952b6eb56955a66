package job

import (
	"errors"
	"fmt"
)

// Code classes an error for the renderers of the protocols, which turn it into their own word and HTTP status.
type Code string

// The codes. A protocol's renderer maps each of them.
const (
	InvalidArgument  Code = "InvalidArgument"  // a field's value is not allowed
	InvalidRequest   Code = "InvalidRequest"   // the request as a whole cannot be carried out
	MalformedXML     Code = "MalformedXML"     // the body does not parse, or a required part is missing
	NoSuchJob        Code = "NoSuchJob"        // no job of that id in the account
	Conflict         Code = "Conflict"         // the job's status does not allow it
	Duplicate        Code = "Duplicate"        // the request token was used before
	AccessDenied     Code = "AccessDenied"     // the caller or the role may not
	TooManyJobs      Code = "TooManyJobs"      // the account's quota
	Throttled        Code = "Throttled"        // try again later
	Unavailable      Code = "Unavailable"      // a part of the system does not answer
	Internal         Code = "Internal"         // ours
	NoSuchPrincipal  Code = "NoSuchPrincipal"  // an access key nobody has
	BadSignature     Code = "BadSignature"     // the signature does not match
	RequestExpired   Code = "RequestExpired"   // outside of the signature's time
	BadDigest        Code = "BadDigest"        // Content-MD5 differs from the body
	MethodNotAllowed Code = "MethodNotAllowed" // no such call at this path
)

// Error is an error with a code for programs and a sentence for people. Err is the cause, for the log only.
type Error struct {
	Code    Code
	Message string // a full sentence: what, where, what to do next
	Field   string // the field of the spec it is about, if one
	Err     error
	// Job is the job that the token made, with the code Duplicate. Same says that it was made by this very request.
	Job  ID
	Same bool
	// All holds every problem that was found, the first being this error's own, when there is more than one. Message
	// then has all their sentences.
	All []*Error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error. A %w verb makes its operand the cause and stays out of nothing: keep causes for the log by
// setting Err instead where the text is foreign.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// FieldErrorf is Errorf with InvalidArgument and the field's name.
func FieldErrorf(field, format string, args ...any) error {
	return &Error{Code: InvalidArgument, Field: field, Message: field + ": " + fmt.Sprintf(format, args...)}
}

// CodeOf gives an error's code; Internal when it has none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// MessageOf gives what may be shown of an error; "" when only the log may have it.
func MessageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return ""
}
