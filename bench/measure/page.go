package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// shareOf is a figure that only one axis has.
type shareOf struct {
	name string
	of   func(setting, result) float64
}

// page draws RESULTS.md.
func (r record) page() string {
	var s strings.Builder
	s.WriteString(`# Measured

Drawn by ` + "`make bench`" + ` from results.json; how it was taken and how to read it: README.md.

CPU is user and system time of the client process for each object done. Objects a second count the whole life of the process, start and end
included. *Missing* are objects that the store never saw done, *twice* those it saw done again: both by the stub's own counts. Where a client ran
more than once the figures are median (least–most). Client and stub share the machine.

![CPU for each object](chart.svg)
`)
	r.verdicts(&s)
	for _, a := range axes {
		if m, ok := r.Axes[a.name]; ok {
			a.table(&s, m)
		}
	}
	r.Parts.table(&s)
	return s.String()
}

// row is one client in one case.
type row struct {
	c    setting
	turn turn
	runs []result
}

// rows groups the runs in the order of the axis.
func (a axis) rows(m measured) []row {
	var rows []row
	seen := map[[2]string]bool{} // a case may come again in a round, as a client may in a case
	for _, c := range a.cases {
		for _, t := range c.clients {
			at := [2]string{c.name, t.label()}
			if seen[at] {
				continue
			}
			seen[at] = true
			var runs []result
			for _, r := range m.Runs {
				if r.Case == c.name && r.Client == t.label() {
					runs = append(runs, r)
				}
			}
			if len(runs) > 0 {
				rows = append(rows, row{c, t, runs})
			}
		}
	}
	return rows
}

func (a axis) table(s *strings.Builder, m measured) {
	fmt.Fprintf(s, "\n## %s\n\n%s", a.title, m.Machine)
	for _, name := range slices.Sorted(maps.Keys(m.Versions)) {
		fmt.Fprintf(s, "; %s %s", name, m.Versions[name])
	}
	fmt.Fprintf(s, "; load of the machine when runs began: %s.\n", spread(m.Runs, "%.0f", func(r result) float64 { return r.Load }))
	if a.note != "" {
		s.WriteString(a.note + "\n")
	}
	head := []string{"case", "client", "objects", "runs", "CPU µs/object", "objects/s", "wall s", "peak MB", "503", "missing", "twice"}
	if a.share != nil {
		head = append(head, a.share.name)
	}
	if a.ratio {
		head = append(head, "CPU, × the first")
	}
	fmt.Fprintf(s, "\n| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	var first row
	for _, r := range a.rows(m) {
		if r.c.name != first.c.name {
			first = r
		}
		cells := r.cells(a.share)
		if a.ratio {
			cells = append(cells, fmt.Sprintf("%.2f", r.cpu()/first.cpu()))
		}
		fmt.Fprintf(s, "| %s |\n", strings.Join(cells, " | "))
	}
}

func (r row) cells(share *shareOf) []string {
	name := r.turn.label()
	if slices.ContainsFunc(r.runs, func(r result) bool { return r.Cut }) {
		name += " (cut)"
	}
	if exits := r.exits(); exits != "" {
		name += " (exit " + exits + ")"
	}
	cells := []string{
		r.c.name, name, thousands(int64(r.runs[0].Objects)), fmt.Sprint(len(r.runs)),
		spread(r.runs, "%.1f", result.cpu), spread(r.runs, "%.0f", result.throughput),
		spread(r.runs, "%.1f", func(r result) float64 { return float64(r.WallMS) / 1000 }),
		spread(r.runs, "%.0f", func(r result) float64 { return float64(r.PeakKB) / 1024 }),
		spread(r.runs, "%.1f %%", func(r result) float64 { return 100 * r.throttled() }),
		spread(r.runs, "%.0f", func(r result) float64 { return float64(r.missing()) }),
		spread(r.runs, "%.0f", func(r result) float64 { return float64(r.twice()) }),
	}
	if share != nil {
		cells = append(cells, spread(r.runs, "%.0f %%", func(x result) float64 { return 100 * share.of(r.c, x) }))
	}
	return cells
}

// middle is the median of a figure.
func (r row) middle(of func(result) float64) float64 {
	var v []float64
	for _, x := range r.runs {
		v = append(v, of(x))
	}
	slices.Sort(v)
	return median(v)
}

func (r row) cpu() float64 { return r.middle(result.cpu) }

// exits names exit codes that are not 0.
func (r row) exits() string {
	codes := map[int]bool{}
	for _, x := range r.runs {
		if x.Exit != 0 && !x.Cut {
			codes[x.Exit] = true
		}
	}
	return strings.Trim(fmt.Sprint(slices.Sorted(maps.Keys(codes))), "[]")
}

// spread is the median of a figure, and its range where there is one.
func spread(runs []result, format string, of func(result) float64) string {
	var v []float64
	for _, r := range runs {
		v = append(v, of(r))
	}
	slices.Sort(v)
	mid, low, high := fmt.Sprintf(format, median(v)), fmt.Sprintf(format, v[0]), fmt.Sprintf(format, v[len(v)-1])
	if low == high {
		return mid
	}
	return fmt.Sprintf("%s (%s–%s)", mid, strings.TrimSuffix(low, " %"), strings.TrimSuffix(high, " %"))
}

// median wants v sorted and not empty.
func median(v []float64) float64 { return (v[(len(v)-1)/2] + v[len(v)/2]) / 2 }

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
