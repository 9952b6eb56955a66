package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// devProcess is a drover dev in the background.
type devProcess struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ready  readyLine
}

// readyLine is what drover dev prints when it answers.
type readyLine struct {
	API, Store, Region, AccessKey, SecretKey, RoleARN, UIN, AppID string

	text string // the JSON as it came
}

// startDev starts drover dev on free ports, in a folder of the caller's, and waits for its ready line. The caller ends it.
func startDev(dir string, flags ...string) (*devProcess, error) {
	d := &devProcess{}
	d.cmd = exec.Command(binary, append([]string{"dev", "--listen", "127.0.0.1:0", "--store-listen", "127.0.0.1:0"}, flags...)...)
	d.cmd.Dir = dir
	d.cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	d.cmd.Stderr = &d.stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("no ready line: %w, %w\n%s", err, d.cmd.Wait(), d.stderr.Bytes())
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if ok {
		d.ready.text = text
		err = json.Unmarshal([]byte(text), &d.ready)
	}
	if !ok || err != nil {
		return nil, fmt.Errorf("not a ready line: %q (%w); ended: %w", line, err, d.end(os.Kill))
	}
	return d, nil
}

// environ is how commands reach it: the CLI's variables, and the AWS SDK's for its store.
func (d *devProcess) environ() map[string]string {
	return map[string]string{
		"DROVER_SERVER": d.ready.API, "STORE": d.ready.Store, "ROLE": d.ready.RoleARN,
		"AWS_ENDPOINT_URL": d.ready.Store, "AWS_REGION": d.ready.Region,
		"AWS_ACCESS_KEY_ID": d.ready.AccessKey, "AWS_SECRET_ACCESS_KEY": d.ready.SecretKey,
	}
}

// end sends a signal and waits for the process.
func (d *devProcess) end(sig os.Signal) error {
	if err := d.cmd.Process.Signal(sig); err != nil {
		return err
	}
	return d.cmd.Wait()
}
