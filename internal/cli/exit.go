package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// The exit codes. Scripts rely on them: they are printed in help and do not change.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitTasksFailed = 3
	exitNotFound    = 4
	exitJobFailed   = 5
	exitCancelled   = 6
	exitInterrupted = 130
)

var exitCodes = []struct {
	code int
	text string
}{
	{exitOK, "ok"},
	{exitError, "error"},
	{exitUsage, "wrong usage"},
	{exitTasksFailed, "the job is Complete, and tasks in it failed"},
	{exitNotFound, "not found"},
	{exitJobFailed, "the job is Failed"},
	{exitCancelled, "the job is Cancelled"},
	{exitInterrupted, "interrupted"},
}

func exitTable() string {
	var b strings.Builder
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.text)
	}
	return b.String()
}

// exitCode is an end that is no error to print: the command has said all there is to say.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// problem is an error with its exit code and, perhaps, what to do about it.
type problem struct {
	code int
	err  error
	hint string
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

func usagef(hint, format string, args ...any) error {
	return &problem{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

// withHint adds a hint to an error and leaves its exit code to codeOf.
func withHint(err error, hint string) error {
	return &problem{code: codeOf(err), err: err, hint: hint}
}

// usageError turns what the parser says into a problem whose hint names the help of the command that was meant.
func usageError(err error) error {
	command := "drover"
	if p, ok := errors.AsType[*kong.ParseError](err); ok && p.Context != nil {
		if node := p.Context.Selected(); node != nil {
			command = node.FullPath()
		}
	}
	return &problem{code: exitUsage, err: err, hint: command + " --help lists what can be given"}
}

// codeOf gives the exit code of an error.
func codeOf(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[exitCode](err); ok {
		return int(e)
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return p.code
	}
	if errors.Is(err, fs.ErrNotExist) || job.CodeOf(err) == job.NoSuchJob {
		return exitNotFound
	}
	switch object.CodeOf(err) {
	case object.CodeNoSuchKey, object.CodeNoSuchBucket, object.CodeNoSuchVersion:
		return exitNotFound
	}
	return exitError
}

// codeOfJob gives the exit code that a finished job's status stands for.
func codeOfJob(status job.Status, failed int64) int {
	switch {
	case status == job.Failed:
		return exitJobFailed
	case status == job.Cancelled:
		return exitCancelled
	case failed > 0:
		return exitTasksFailed
	}
	return exitOK
}

// ended turns a job's end into what a command returns: nil or an exitCode.
func ended(status job.Status, failed int64) error {
	if code := codeOfJob(status, failed); code != exitOK {
		return exitCode(code)
	}
	return nil
}

// exit prints err, if there is something to print, and gives its exit code. Errors that come from ctx having ended are
// interruptions.
func (s *shell) exit(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[exitCode](err); ok {
		return codeOf(err)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = &problem{code: exitInterrupted, err: errors.New("interrupted"), hint: hintOf(err)}
	}
	s.fail(err)
	return codeOf(err)
}

func hintOf(err error) string {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.hint
	}
	return ""
}
