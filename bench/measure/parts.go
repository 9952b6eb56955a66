package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	partsAxis  = "parts"
	partsTitle = "Benchmarks of the parts"
	partsCount = 5 // runs of each
)

// partsPackages are those of the hot path.
var partsPackages = []string{"./internal/manifest", "./internal/object/httpwire", "./internal/operation", "./internal/report"}

// parts are the benchmarks of the parts, measured at one time.
type parts struct {
	Machine string                          `json:"machine"`
	Version string                          `json:"version"`
	Load    float64                         `json:"load"`
	Figures map[string]map[string][]float64 `json:"figures"` // by benchmark and unit, sorted
}

// measureParts runs the benchmarks of the hot path's packages. What go test prints goes to parts.txt, for benchstat.
func (b bench) measureParts(ctx context.Context, dir string) (*parts, error) {
	p := &parts{Machine: machine(), Load: load1()}
	var err error
	if p.Version, err = sources(ctx); err != nil {
		return nil, err
	}
	args := []string{"test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", "300ms", "-count", strconv.Itoa(partsCount)}
	cmd := exec.CommandContext(ctx, "go", append(args, partsPackages...)...)
	cmd.Dir, cmd.Stderr = filepath.Dir(filepath.Dir(b.drover)), os.Stderr // bin/drover's repository
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run the benchmarks of the parts: %w\n%s", err, out)
	}
	fmt.Printf("%s", out)
	p.Figures = readParts(out)
	return p, os.WriteFile(filepath.Join(dir, "parts.txt"), out, 0o644)
}

// readParts reads the lines of go test -bench.
func readParts(out []byte) map[string]map[string][]float64 {
	figures := map[string]map[string][]float64{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of processors
		}
		if figures[name] == nil {
			figures[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				figures[name][f[i+1]] = append(figures[name][f[i+1]], v)
			}
		}
	}
	for _, units := range figures {
		for _, v := range units {
			slices.Sort(v)
		}
	}
	return figures
}

// of is the median of a benchmark's figure; false where there is none.
func (p *parts) of(name, unit string) (float64, bool) {
	if p == nil || len(p.Figures[name][unit]) == 0 {
		return 0, false
	}
	return median(p.Figures[name][unit]), true
}

// partRows are the lines of the table: a benchmark and the unit that tells most of it.
var partRows = []struct{ what, name, unit string }{
	{"CSV, rows decoded", "Survey/csv", "Mrows/s"},
	{"CSV.gz, rows decoded", "Survey/gzip", "Mrows/s"},
	{"CSV.gz, four files of an inventory, one core", "SurveyFiles/one", "Mrows/s"},
	{"the same on two cores", "SurveyFiles/two", "Mrows/s"},
	{"CSV, cut into chunks", "Cut/csv", "ns/row"},
	{"CSV.gz, cut into chunks", "Cut/gzip", "ns/row"},
	{"rows of a chunk that is a reference", "Entries/reference", "ns/row"},
	{"rows of a chunk that is packed", "Entries/packed", "ns/row"},
	{"building a request", "Build", "ns/op"},
	{"SigV4", "Sign/s3", "ns/op"},
	{"q-sign", "Sign/cos", "ns/op"},
	{"scanning an answer", "Scan", "ns/op"},
	{"a call without the kernel's part", "Copy", "ns/op"},
	{"the copy operation without a store", "CopyApply", "ns/op"},
	{"a report row", "AppendRow/succeeded", "ns/op"},
	{"a report row of a failed object", "AppendRow/failed", "ns/op"},
}

func (p *parts) table(s *strings.Builder) {
	if p == nil {
		return
	}
	fmt.Fprintf(s, "\n## %s\n\n%s; drover %s; load of the machine at the beginning: %.0f. %d runs of each; all figures, for benchstat, in parts.txt.\n\n",
		partsTitle, p.Machine, p.Version, p.Load, partsCount)
	s.WriteString("| what | benchmark | median (least–most) | unit | allocs/op |\n|---|---|---|---|---|\n")
	for _, r := range partRows {
		v := p.Figures[r.name][r.unit]
		if len(v) == 0 {
			continue
		}
		allocs := "–"
		if a, ok := p.of(r.name, "allocs/op"); ok {
			allocs = fmt.Sprintf("%.0f", a)
		}
		fmt.Fprintf(s, "| %s | %s | %.4g (%.4g–%.4g) | %s | %s |\n", r.what, r.name, median(v), v[0], v[len(v)-1], r.unit, allocs)
	}
}
