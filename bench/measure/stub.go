package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// stub is a running stub store.
type stub struct {
	endpoint    string
	certificate string // file; "" without TLS
	http        *http.Client
	cmd         *exec.Cmd
}

// counts is what the stub counted since it was last asked.
type counts struct {
	Calls      map[string]int64 `json:"calls"`
	Written    keys             `json:"written"`
	Deleted    keys             `json:"deleted"`
	SpanMS     int64            `json:"spanMs"`
	BestSecond int64            `json:"bestSecond"`
}

type keys struct {
	Distinct int64 `json:"distinct"`
	Repeated int64 `json:"repeated"`
}

func (b bench) startStub(ctx context.Context, c setting) (*stub, error) {
	if err := os.MkdirAll(b.work, 0o755); err != nil {
		return nil, err
	}
	s := &stub{http: &http.Client{}}
	args := []string{"-latency", c.latency.String(), "-err", fmt.Sprint(c.err), "-limit", fmt.Sprint(c.limit), "-keys", strconv.Itoa(c.listed)}
	scheme := "http://"
	if c.tls {
		s.certificate = filepath.Join(b.work, "stub.pem")
		args = append(args, "-tls", s.certificate)
		scheme = "https://"
		// The certificate is new with each start; only counts come over this connection.
		s.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	}
	s.cmd = exec.CommandContext(ctx, b.stub, args...)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the stub store: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ok {
		s.stop()
		return nil, errors.Join(errors.New("the stub store did not come up"), err)
	}
	s.endpoint = scheme + addr
	return s, nil
}

func (s *stub) stop() {
	_ = s.cmd.Process.Kill() // it has nothing to lose
	_ = s.cmd.Wait()
}

// take gives the counts and clears them.
func (s *stub) take() (c counts, err error) {
	r, err := s.http.Get(s.endpoint + "/__stats?reset=1")
	if err != nil {
		return c, err
	}
	defer r.Body.Close()
	err = json.NewDecoder(r.Body).Decode(&c)
	s.http.CloseIdleConnections()
	return c, err
}
