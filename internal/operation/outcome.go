package operation

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

const (
	maxMessage = 1024 // bytes of an outcome's message
	maxCode    = 64   // bytes of an outcome's error code

	codeInternal = "InternalError"
)

// storeSaid stands between a sentence of our own and the store's.
const storeSaid = " The store said: "

// refusal fails a task by our own judgement; status is 0 when no call was made for it.
type refusal struct {
	code    string
	status  int
	message string
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refusef(code, format string, args ...any) error {
	return &refusal{code: code, message: fmt.Sprintf(format, args...)}
}

// step says what a call was for, where it is not the operation itself.
type step struct {
	doing string // "While …": reading the source's tags
	err   error
}

func (s *step) Error() string { return s.doing + ": " + s.err.Error() }

func (s *step) Unwrap() error { return s.err }

func during(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &step{doing: doing, err: err}
}

// hints are sentences of our own for what a store's error code means to one operation.
type hints map[string]string

// failed turns an error into its task's outcome: the zero one when ctx ended before the task's end could be known.
func (h hints) failed(ctx context.Context, err error) job.Outcome {
	if unknown(ctx, err) {
		return job.Outcome{}
	}
	code, status, text := codeInternal, 0, err.Error()
	if r, ok := errors.AsType[*refusal](err); ok {
		return job.FailedTask(r.code, r.status, job.CleanText(r.message, maxMessage))
	}
	if e, ok := errors.AsType[*object.Error](err); ok {
		if e.Code != "" {
			code = job.CleanText(e.Code, maxCode)
		}
		status, text = e.Status, said(e)
		if hint := h[e.Code]; hint != "" {
			text = hint + storeSaid + text
		}
	}
	if st, ok := errors.AsType[*step](err); ok {
		text = "While " + st.doing + ": " + text
	}
	return job.FailedTask(code, status, job.CleanText(text, maxMessage))
}

// said is a store's own text, or why there is none.
func said(e *object.Error) string {
	switch {
	case e.Message != "":
		return e.Message
	case e.Err != nil:
		return e.Err.Error()
	case e.Status == 0:
		return "No answer came."
	case e.Code == object.CodeNoSuchKey:
		return "The object does not exist."
	case e.Code == object.CodeAccessDenied:
		return "Access denied."
	}
	return fmt.Sprintf("HTTP %d without a message.", e.Status)
}

// unknown reports whether the wait for the store or ctx ended before an answer came that would hold: a call that the driver would have repeated
// has had none.
func unknown(ctx context.Context, err error) bool {
	if errors.Is(err, object.ErrWaitEnded) {
		return true
	}
	if ctx.Err() == nil {
		return false
	}
	if _, ours := errors.AsType[*refusal](err); ours {
		return false
	}
	return errors.Is(err, ctx.Err()) || object.StatusOf(err) == 0 || object.Retryable(err)
}

// marker is the outcome of a row that lists a delete marker, which no operation but delete can work on.
func marker(what string) job.Outcome {
	return job.FailedTask(object.CodeMethodNotAllowed, 405, "The row lists a delete marker, "+what)
}

// ref names the object, or the version, that a row is about.
func ref(e job.Entry) object.Ref {
	return object.Ref{Bucket: e.Bucket, Key: e.Key, Version: e.Version}
}
