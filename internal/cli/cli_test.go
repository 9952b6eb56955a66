package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// drover runs a command line with an empty environment but for env, given as NAME=VALUE.
func drover(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Getenv: func(name string) string {
			for _, e := range env {
				if v, ok := strings.CutPrefix(e, name+"="); ok {
					return v
				}
			}
			return ""
		},
	})
	return code, out.String(), errs.String()
}

func TestWrongUsageIsAnsweredBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want string // on stderr
	}{
		"a command that is none":          {[]string{"serv"}, "unexpected argument serv"},
		"a flag that is none":             {[]string{"version", "--otput", "json"}, `unknown flag --otput, did you mean "--output"?`},
		"a required flag is missing":      {[]string{"run", "copy", "--to", "b"}, "missing flags: --manifest"},
		"days out of range":               {[]string{"run", "restore", "--manifest", "x.csv", "--days", "400"}, "400"},
		"no days":                         {[]string{"run", "restore", "--manifest", "x.csv"}, "--days is missing"},
		"days where there are none":       {[]string{"run", "restore", "--manifest", "x.csv", "--days", "1", "--intelligent-tiering"}, "leave the days out"},
		"a tier that batches have not":    {[]string{"run", "restore", "--manifest", "x.csv", "--days", "1", "--tier", "Expedited"}, "--tier must be one of"},
		"two prefix operations":           {[]string{"run", "copy", "--to", "bbb", "--manifest", "x.csv", "--prefix-add", "a", "--prefix-delete", "b"}, "can't be used together"},
		"a replacement without =":         {[]string{"run", "copy", "--to", "bbb", "--manifest", "x.csv", "--prefix-replace", "a"}, `--prefix-replace: "a" is not A=B`},
		"a tag without =":                 {[]string{"run", "tag", "--manifest", "x.csv", "--set", "team"}, `--set: "team" is not KEY=VALUE`},
		"no store":                        {[]string{"run", "delete", "--manifest", "x.csv"}, "no object store is named"},
		"a manifest of another scheme":    {[]string{"run", "delete", "--endpoint-url", "http://127.0.0.1:1", "--manifest", "ftp://a/b"}, "is neither s3://BUCKET/KEY nor a local path"},
		"a column that is none":           {[]string{"run", "delete", "--endpoint-url", "http://127.0.0.1:1", "--manifest", "x.csv", "--fields", "Bucket,Kee"}, `"Kee"`},
		"an inventory with columns":       {[]string{"run", "delete", "--endpoint-url", "http://127.0.0.1:1", "--manifest", "manifest.json", "--fields", "Bucket,Key"}, "Fields"},
		"a priority that is no number":    {[]string{"job", "priority", "some-job-id", "high"}, "high"},
		"an id that no job can have":      {[]string{"job", "show", "a/b"}, "is no job's id"},
		"a local manifest for a server":   {[]string{"job", "create", "delete", "--manifest", "x.csv"}, "is a local file"},
		"a local report for a server":     {[]string{"job", "create", "delete", "--manifest", "s3://b/x.csv", "--report", "out"}, "is no s3://BUCKET/PREFIX"},
		"a status that is none":           {[]string{"job", "list", "--status", "Done"}, "Done"},
		"the known secret on the network": {[]string{"dev", "--listen", "0.0.0.0:0"}, "listens on loopback addresses only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := drover(t, nil, tc.args...)
			if code != exitUsage || !strings.Contains(stderr, tc.want) || stdout != "" {
				t.Errorf("exit code %d, stdout %q, stderr %q; want exit code %d and %q", code, stdout, stderr, exitUsage, tc.want)
			}
			if !strings.HasPrefix(stderr, "drover: ") {
				t.Errorf("stderr begins with %q", stderr)
			}
		})
	}
}

func TestHelpNamesEveryExitCode(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--help"}, {"run", "copy", "-h"}, {"job", "watch", "--help"}} {
		code, stdout, stderr := drover(t, nil, args...)
		if code != exitOK || stderr != "" {
			t.Errorf("%q: exit code %d, stderr %q", args, code, stderr)
		}
		for _, e := range exitCodes {
			if line := fmt.Sprintf("%3d  %s", e.code, e.text); !strings.Contains(stdout, line) {
				t.Errorf("%q: help does not say %q", args, line)
			}
		}
	}
}

func TestExitCodesAreThoseThatScriptsRelyOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want int
	}{
		"success":             {nil, 0},
		"any error":           {errors.New("x"), 1},
		"usage":               {usagef("", "x"), 2},
		"a wrapped usage":     {fmt.Errorf("y: %w", usagef("", "x")), 2},
		"tasks failed":        {ended(job.Complete, 1), 3},
		"all succeeded":       {ended(job.Complete, 0), 0},
		"no such job":         {job.Errorf(job.NoSuchJob, "x"), 4},
		"no such file":        {fmt.Errorf("y: %w", fs.ErrNotExist), 4},
		"no such object":      {&object.Error{Code: object.CodeNoSuchKey}, 4},
		"a job failed":        {ended(job.Failed, 5), 5},
		"a job was cancelled": {ended(job.Cancelled, 5), 6},
		"with a hint":         {withHint(job.Errorf(job.NoSuchJob, "x"), "y"), 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := codeOf(tc.err); got != tc.want {
				t.Errorf("exit code %d, want %d", got, tc.want)
			}
		})
	}
}

func TestInterruptionHasItsOwnExitCodeAndKeepsTheHint(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	sh := newShell(Env{Stdout: new(bytes.Buffer), Stderr: &errs, Getenv: func(string) string { return "" }}, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := sh.exit(ctx, withHint(ctx.Err(), "again")); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if got, want := errs.String(), "drover: interrupted\nhint: again\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}

func TestForeignTextCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	sh := newShell(Env{Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }}, false)
	sh.fail(errors.New("a key \x1b[2J of\nsomebody"))
	if strings.ContainsAny(errs.String(), "\x1b") || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("stderr %q", errs.String())
	}
	for key, want := range map[string]string{
		"plain/key.txt": "plain/key.txt",
		"東京 2026":       "東京 2026",
		"a\x1b[2Jb":     `"a\x1b[2Jb"`,
		"a\nb":          `"a\nb"`,
		"\xff":          `"\xff"`,
	} {
		if got := sh.foreign(key); got != want {
			t.Errorf("%q is shown as %s, want %s", key, got, want)
		}
	}
}
