package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// record is all that was measured, by axis.
type record struct {
	Axes  map[string]measured `json:"axes"`
	Parts *parts              `json:"parts,omitempty"`
}

// measured is one axis, measured at one time.
type measured struct {
	Machine  string            `json:"machine"`
	Versions map[string]string `json:"versions"`
	Runs     []result          `json:"runs"`
}

func load(name string) (record, error) {
	r := record{Axes: map[string]measured{}}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

// save writes the figures, and the page and the chart that are made of them.
func (r record) save(dir string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "results.json"), append(b, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(r.page()), 0o644),
		os.WriteFile(filepath.Join(dir, "chart.svg"), []byte(r.chart()), 0o644),
	)
}

// machine says what the figures were taken on, and when.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(b) {
			if k, v, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	kernel := runtime.GOOS
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = "Linux " + strings.TrimSpace(string(b))
	}
	return fmt.Sprintf("%d × %s, %s, %s", runtime.NumCPU(), model, kernel, time.Now().UTC().Format("2006-01-02 15:04 UTC"))
}

// load1 is the machine's load over the last minute; what others do on it shows there.
func load1() (l float64) {
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(b), &l)
	}
	return l
}
