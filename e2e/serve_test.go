package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

func init() {
	commands["drover-serve"] = droverServe
	commands["stop-serve"] = stopServe
	commands["expand"] = expand
	commands["get"] = get
}

// serving is the drover serve of a script.
type serving struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
}

// drover-serve FILE: starts drover serve with that configuration and the script's environment, waits for its ready line,
// and sets DROVER_SERVER. It ends with the script.
func droverServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: drover-serve FILE")
	}
	s := &serving{cmd: exec.Command(binary, "serve", "--config", ts.MkAbs(args[0]))}
	s.cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"HOME", "DEV_SECRET", "ADMIN_SECRET", "OPS_SECRET", "SECRETS_KEY", "METRICS_TOKEN"} {
		s.cmd.Env = append(s.cmd.Env, name+"="+ts.Getenv(name))
	}
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		ts.Fatalf("no ready line: %v, %v\n%s", err, s.cmd.Wait(), s.stderr.Bytes())
	}
	ts.Defer(func() {
		if s.cmd.ProcessState == nil {
			ts.Check(s.end())
		}
	})
	var ready struct{ API string }
	text, _ := strings.CutPrefix(line, "ready ")
	ts.Check(json.Unmarshal([]byte(text), &ready))
	ts.Setenv("DROVER_SERVER", ready.API)
	here := ts.Value(runningKey{}).(*running)
	here.serve = s
}

// end sends SIGTERM and waits; the exit code must be 0.
func (s *serving) end() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("drover serve: %w\n%s", err, s.stderr.Bytes())
	}
	return nil
}

// stop-serve LOG: ends the script's drover serve by SIGTERM and writes its log to that file.
func stopServe(ts *testscript.TestScript, neg bool, args []string) {
	here := ts.Value(runningKey{}).(*running)
	if neg || len(args) != 1 || here.serve == nil {
		ts.Fatalf("usage: stop-serve LOG, after drover-serve")
	}
	ts.Check(here.serve.end())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), here.serve.stderr.Bytes(), 0o644))
	here.serve = nil
}

// expand FILE...: puts the environment's values into the files, for ${NAME}.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// get STATUS PATH FILE [TOKEN]: asks the server, expects that status, and writes the body to the file.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: get STATUS PATH FILE [TOKEN]")
	}
	r, err := http.NewRequest(http.MethodGet, ts.Getenv("DROVER_SERVER")+args[1], nil)
	ts.Check(err)
	if len(args) > 3 {
		r.Header.Set("Authorization", "Bearer "+args[3])
	}
	resp, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if fmt.Sprint(resp.StatusCode) != args[0] {
		ts.Fatalf("%s: %s\n%s", args[1], resp.Status, body)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), body, 0o644))
}
