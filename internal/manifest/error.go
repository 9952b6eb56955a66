package manifest

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// The codes of an Error. They become a failed job's FailureCode.
const (
	CodeETagMismatch   = "ManifestETagMismatch"   // the stored manifest is not the one that the job names
	CodeUnreadable     = "ManifestUnreadable"     // missing, or not to be read by the role; Err is the store's answer
	CodeInvalidContent = "InvalidManifestContent" // a row, or the inventory's manifest.json, is malformed
	CodeFileChanged    = "ManifestFileChanged"    // a data file is not the one that was listed or surveyed
	CodeEmpty          = "ManifestEmpty"          // no row in it
	CodeUnknownColumn  = "UnknownColumn"          // the columns named for it cannot be used
	CodeTooManyBuckets = "TooManyBuckets"         // more than MaxBuckets source buckets
)

// Error is what is wrong with a manifest, and where.
type Error struct {
	Code    string
	File    string // bucket/key or path of the file
	Row     int64  // line of that file, from 1; 0 when it is about no one line
	Field   string // column, or member of manifest.json; "" when it is about none
	Message string // what is wrong and what to do; no foreign text in it but quoted
	Err     error  // the cause, if one
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Reason() + ": " + e.Err.Error()
	}
	return e.Reason()
}

// Reason is the error for people: place and message, without the cause. It holds no control characters.
func (e *Error) Reason() string {
	var b strings.Builder
	b.WriteString("manifest ")
	b.WriteString(e.File)
	if e.Row > 0 {
		b.WriteString(", line ")
		b.WriteString(strconv.FormatInt(e.Row, 10))
	}
	if e.Field != "" {
		b.WriteString(", ")
		b.WriteString(e.Field)
	}
	b.WriteString(": ")
	b.WriteString(e.Message)
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf gives the code of a manifest's error; "" for other errors.
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// unreadable wraps what an Opener said. The end of a context is no statement about the manifest and passes through.
func unreadable(n Name, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &Error{
		Code: CodeUnreadable, File: n.String(), Err: err,
		Message: "it cannot be read; check that it exists and that the job's role may read it",
	}
}

func fileChanged(n Name, what string) error {
	return &Error{Code: CodeFileChanged, File: n.String(), Message: what + "; make the manifest anew and create a new job with it"}
}

// quoted makes foreign text fit for a message: at most 64 bytes of it, nothing unprintable.
func quoted(b []byte) string {
	const most = 64
	if len(b) > most {
		return strconv.QuoteToASCII(string(b[:most])) + "…"
	}
	return strconv.QuoteToASCII(string(b))
}

// String names the file for messages: bucket/key or the path, nothing unprintable in it.
func (n Name) String() string {
	s := n.Path
	if s == "" {
		s = string(n.Bucket) + "/" + string(n.Key)
	}
	q := strconv.QuoteToGraphic(s)
	return q[1 : len(q)-1]
}
