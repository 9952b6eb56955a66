package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// secrets are what the configurations of all processes name.
var secrets = []string{"CLUSTER_SECRET=" + clusterSecret, "STORE_SECRET=" + storeSecret}

// process is a drover serve or a drover worker in the background.
type process struct {
	t      *testing.T
	name   string
	args   []string
	prefix []string // a command that runs it
	env    []string
	cmd    *exec.Cmd
	log    *os.File
	ready  map[string]string
	lines  chan string // the ready line; closed when the process has ended
}

// start starts it, and does not wait for its ready line.
func (p *process) start() {
	p.t.Helper()
	var err error
	if p.log, err = os.OpenFile(filepath.Join(p.t.ArtifactDir(), p.name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		p.t.Fatal(err)
	}
	args := append(append(slices.Clone(p.prefix), binary), p.args...)
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = append(append(os.Environ(), secrets...), p.env...)
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	lines := make(chan string, 1)
	p.lines = lines
	go func() {
		defer close(lines)
		if s := bufio.NewScanner(out); s.Scan() {
			lines <- s.Text()
		}
		_, _ = out.Read(make([]byte, 1)) // until it has ended
	}()
}

// await waits for the ready line.
func (p *process) await() {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		text, is := strings.CutPrefix(line, "ready ")
		if !ok || !is {
			p.t.Fatalf("%s: no ready line but %q\n%s", p.name, line, p.tail())
		}
		if err := json.Unmarshal([]byte(text), &p.ready); err != nil {
			p.t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		p.t.Fatalf("%s: not ready after two minutes\n%s", p.name, p.tail())
	}
}

// tail gives the end of its log.
func (p *process) tail() []byte {
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		return []byte(err.Error())
	}
	return b[max(0, len(b)-8000):]
}

// end ends it by a signal and gives what it ended with.
func (p *process) end(s syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(s)
	err := p.cmd.Wait()
	p.cmd = nil
	return errorsJoinClose(err, p.log)
}

func errorsJoinClose(err error, f *os.File) error {
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
