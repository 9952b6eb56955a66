package e2e

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/drover-batch/drover/client"
)

// commands are what scripts can do beside testscript's own. Those that talk to the store use the AWS SDK, which knows
// nothing of this project.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits":        exits,
	"drover-dev":   droverDev,
	"stop-dev":     stopDev,
	"setenv":       setenv,
	"rows":         rows,
	"unique-keys":  uniqueKeys,
	"until-status": untilStatus,
	"until-done":   untilDone,
	"until-reason": untilReason,
	"interrupt":    interrupt,
	"exit-code":    exitCode,
	"bucket":       makeBucket,
	"put":          put,
	"fill":         fill,
	"repeat":       repeat,
	"object":       lookAt,
	"count":        countObjects,
}

// exits CODE COMMAND...: the command ends with exactly that code. Its output is for stdout and stderr as after exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// running holds the drover dev of a script.
type running struct {
	dev   *devProcess
	exit  int // of the last interrupt
	serve *serving
}

type runningKey struct{}

// drover-dev [FLAG...]: starts drover dev on free ports, waits for its ready line, and sets READY (the line's JSON),
// DROVER_SERVER, STORE, ROLE and the AWS_* variables. It ends with the script.
func droverDev(ts *testscript.TestScript, neg bool, args []string) {
	here := ts.Value(runningKey{}).(*running)
	if neg || here.dev != nil {
		ts.Fatalf("usage: drover-dev [FLAG...], one at a time")
	}
	d, err := startDev(ts.Getenv("WORK"), args...)
	ts.Check(err)
	here.dev = d
	ts.Defer(func() {
		if here.dev == d {
			ts.Check(d.end(syscall.SIGTERM))
		}
	})
	ts.Setenv("READY", d.ready.text)
	for name, value := range d.environ() {
		ts.Setenv(name, value)
	}
}

// stop-dev TERM|KILL: ends the script's drover dev by that signal and waits for it. After TERM its exit code must be 0.
func stopDev(ts *testscript.TestScript, neg bool, args []string) {
	here := ts.Value(runningKey{}).(*running)
	if neg || len(args) != 1 || here.dev == nil {
		ts.Fatalf("usage: stop-dev TERM|KILL, after drover-dev")
	}
	d := here.dev
	here.dev = nil
	if args[0] == "KILL" {
		_ = d.end(syscall.SIGKILL) // the error is that it was killed
		return
	}
	if err := d.end(syscall.SIGTERM); err != nil {
		ts.Fatalf("drover dev: %v\n%s", err, d.stderr.Bytes())
	}
}

// setenv NAME REGEXP: sets NAME to the first group of REGEXP in what the last command wrote to stdout.
func setenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenv NAME REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("stdout has nothing like %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// rows N FILE...: the files have N lines altogether. A pattern stands for the files that it matches.
func rows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: rows N FILE...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	for _, pattern := range args[1:] {
		files, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		for _, f := range files {
			got += strings.Count(ts.ReadFile(f), "\n")
		}
	}
	if got != want {
		ts.Fatalf("%d rows, want %d", got, want)
	}
}

// unique-keys FILE...: no key stands twice in the second column of the files.
func uniqueKeys(ts *testscript.TestScript, neg bool, args []string) {
	seen := map[string]bool{}
	for _, pattern := range args {
		files, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		for _, f := range files {
			for line := range strings.Lines(ts.ReadFile(f)) {
				fields := strings.SplitN(line, ",", 3)
				if len(fields) < 3 || seen[fields[1]] {
					ts.Fatalf("%s: a short row, or a key twice: %s", f, line)
				}
				seen[fields[1]] = true
			}
		}
	}
}

// watchUntil follows a job's events until the condition holds. A job that ends first fails the script.
func watchUntil(ts *testscript.TestScript, id string, what string, holds func(client.Job) bool) {
	c, err := client.New(client.Options{
		Server:    ts.Getenv("DROVER_SERVER"),
		AccessKey: cmp.Or(ts.Getenv("DROVER_ACCESS_KEY"), "drover-dev"), SecretKey: cmp.Or(ts.Getenv("DROVER_SECRET_KEY"), "drover-dev-secret"),
	})
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if id == "last" {
		for j, err := range c.AllJobs(ctx, client.ListOptions{}) {
			ts.Check(err)
			id = j.ID
		}
	}
	reached := errors.New("reached")
	var last client.Job
	err = c.Watch(ctx, id, func(j client.Job) error {
		last = j
		if holds(j) {
			return reached
		}
		return nil
	})
	if !errors.Is(err, reached) {
		ts.Fatalf("job %s is %s with %d of %d done (%v); it never was %s", id, last.Status,
			last.Progress.Succeeded+last.Progress.Failed, last.Progress.Total, err, what)
	}
}

// until-status JOB STATUS: waits until the job, or last, has that status.
func untilStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: until-status JOB STATUS")
	}
	watchUntil(ts, args[0], args[1], func(j client.Job) bool { return j.Status == args[1] })
}

// until-reason JOB TEXT: waits until the job's status reason has the text in it.
func untilReason(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: until-reason JOB TEXT")
	}
	watchUntil(ts, args[0], args[1], func(j client.Job) bool { return strings.Contains(j.StatusReason, args[1]) })
}

// until-done JOB N: waits until N tasks of the job have ended.
func untilDone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: until-done JOB N")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	watchUntil(ts, args[0], "that far", func(j client.Job) bool { return j.Progress.Succeeded+j.Progress.Failed >= n })
}

// interrupt INT|KILL TEXT COMMAND...: starts the command, sends it the signal when a line of its stderr has the text in
// it, and waits for it. Its stderr goes to the file interrupted.stderr, its exit code for exit-code.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupt INT|KILL TEXT COMMAND...")
	}
	sig := map[string]os.Signal{"INT": os.Interrupt, "KILL": os.Kill}[args[0]]
	cmd := exec.Command(binary, args[3:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HOME"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	errs, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var all strings.Builder
	sent := false
	for lines := bufio.NewScanner(errs); lines.Scan(); {
		fmt.Fprintln(&all, lines.Text())
		if !sent && strings.Contains(lines.Text(), args[1]) {
			ts.Check(cmd.Process.Signal(sig))
			sent = true
		}
	}
	_ = cmd.Wait() // its exit code is looked at by exit-code
	if !sent {
		ts.Fatalf("stderr never had %q in it:\n%s", args[1], all.String())
	}
	ts.Value(runningKey{}).(*running).exit = cmd.ProcessState.ExitCode()
	ts.Check(os.WriteFile(ts.MkAbs("interrupted.stderr"), []byte(all.String()), 0o644))
}

// exit-code N: the last interrupt ended with that exit code.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if got := fmt.Sprint(ts.Value(runningKey{}).(*running).exit); neg || len(args) != 1 || got != args[0] {
		ts.Fatalf("exit code %s, want %q", got, args)
	}
}
