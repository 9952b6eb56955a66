package main

import (
	"fmt"
	"strings"
)

// goal is one line of what Drover is held to.
type goal struct {
	what       string
	goal, gate float64 // none for the gate: there is no such bound
	atLeast    bool    // bigger is better
	unit       string
	of         func(record) (float64, bool) // false: not measured
}

const none = -1

// goals are the bounds of record; the gate is never to be passed by a release.
var goals = []goal{
	{"CPU of an object: copy over CSV.gz, report and checkpoints on", 10, 15, false, "µs", cpuOf("copy", "drover")},
	{"the same in calls of a bare loop, in the same minutes", 1.7, 2.5, false, "×", func(r record) (float64, bool) {
		n, ok := times("copy", "bare loop")(r)
		return 1 / n, ok
	}},
	{"the same of s5cmd run, times ours", 80, 40, true, "×", times("copy", "s5cmd run")},
	{"the same of rclone copy, times ours", 40, 25, true, "×", times("copy", "rclone copy")},
	{"objects a second, store at 0 ms", 90_000, 60_000, true, "/s", figureOf("copy", "0 ms", "drover", result.throughput)},
	{"CPU of an object over TLS", 12, 17, false, "µs", cpuOf("tls", "drover")},
	{"CPU of a call, the client alone", 7.5, 9, false, "µs", cpuOf("client", "drover's client")},
	{"allocations of a call, the client alone", 1, 1, false, "", func(r record) (float64, bool) { return r.Parts.of("Copy", "allocs/op") }},
	{"CPU of restore, times copy", 1.3, 2, false, "×", times("operations", "drover restore")},
	{"CPU of tagging, times copy", 1.3, 2, false, "×", times("operations", "drover tag")},
	{"CPU of delete, times copy", 1.3, 2, false, "×", times("operations", "drover delete")},
	{"peak memory at 1,000,000 rows, above the idle engine", 40, 64, false, "MB", func(r record) (float64, bool) {
		idle, ok := figureOf("memory", "1 row", "drover", peak)(r)
		full, ok2 := figureOf("memory", "1,000,000 rows", "drover", peak)(r)
		return full - idle, ok && ok2
	}},
	{"growth of peak memory from 1,000,000 to 10,000,000 rows", 0.1, 1, false, "B/row", func(r record) (float64, bool) {
		one, ok := figureOf("long", "1,000,000 rows", "drover", peak)(r)
		ten, ok2 := figureOf("long", "10,000,000 rows", "drover", peak)(r)
		return max(0, ten-one) * (1 << 20) / 9e6, ok && ok2
	}},
	{"CSV rows decoded, one core", 6, 4, true, "M/s", part("Survey/csv", "Mrows/s")},
	{"CSV.gz rows decoded, one core", 1.8, 1.5, true, "M/s", part("Survey/gzip", "Mrows/s")},
	{"four CSV.gz on two cores, times one core", 1.9, none, true, "×", func(r record) (float64, bool) {
		one, ok := r.Parts.of("SurveyFiles/one", "Mrows/s")
		many, ok2 := r.Parts.of("SurveyFiles/two", "Mrows/s")
		return many / one, ok && ok2
	}},
	{"a report row", 350, 500, false, "ns", part("AppendRow/succeeded", "ns/op")},
	{"a report row of a failed object", 350, 500, false, "ns", part("AppendRow/failed", "ns/op")},
	{"share of connections / round trip, 1,024 connections", 95, none, true, "%", figureOf("latency", "1024 connections", "drover", func(r result) float64 {
		return 100 * r.rate() * 0.03 / float64(r.Connections)
	})},
	{"rate at 30 ms, times s5cmd run, each with the connections that suit it best", 5, 5, true, "×", func(r record) (float64, bool) {
		ours, ok := r.best("latency", "drover", result.rate)
		theirs, ok2 := r.best("latency", "s5cmd run", result.rate)
		return ours / theirs, ok && ok2
	}},
	{"slowdown by 5 % of random 503, 30 ms", 1.2, 1.4, false, "×", func(r record) (float64, bool) {
		none, ok := figureOf("errors", "no 503", "drover", wall)(r)
		some, ok2 := figureOf("errors", "5 % of 503", "drover", wall)(r)
		return some / none, ok && ok2
	}},
	{"share of a store capped at 100 a second", 97, 93, true, "%", figureOf("cap", "100 a second", "drover", func(r result) float64 { return r.rate() })},
	{"share of 503 answers there", 5, 15, false, "%", figureOf("cap", "100 a second", "drover", func(r result) float64 { return 100 * r.throttled() })},
	{"objects that drover left out or did twice, in all of these", 0, 0, false, "", faults},
}

func peak(r result) float64 { return float64(r.PeakKB) / 1024 }
func wall(r result) float64 { return float64(r.WallMS) }

func part(name, unit string) func(record) (float64, bool) {
	return func(r record) (float64, bool) { return r.Parts.of(name, unit) }
}

// rowOf finds a client's runs.
func (r record) rowOf(axis, setting, client string) (row, bool) {
	for _, a := range axes {
		if a.name != axis {
			continue
		}
		for _, row := range a.rows(r.Axes[axis]) {
			if row.turn.label() == client && (setting == "" || row.c.name == setting) {
				return row, true
			}
		}
	}
	return row{}, false
}

func figureOf(axis, setting, client string, of func(result) float64) func(record) (float64, bool) {
	return func(r record) (float64, bool) {
		row, ok := r.rowOf(axis, setting, client)
		if !ok {
			return 0, false
		}
		return row.middle(of), true
	}
}

// best is a client's greatest median over the cases of an axis.
func (r record) best(axis, client string, of func(result) float64) (most float64, ok bool) {
	for _, a := range axes {
		if a.name != axis {
			continue
		}
		for _, row := range a.rows(r.Axes[axis]) {
			if row.turn.label() == client {
				most, ok = max(most, row.middle(of)), true
			}
		}
	}
	return most, ok
}

func cpuOf(axis, client string) func(record) (float64, bool) {
	return figureOf(axis, "", client, result.cpu)
}

// times is a client's CPU by that of drover's copy in the same axis.
func times(axis, client string) func(record) (float64, bool) {
	return func(r record) (float64, bool) {
		ours, ok := cpuOf(axis, "drover")(r)
		theirs, ok2 := cpuOf(axis, client)(r)
		return theirs / ours, ok && ok2
	}
}

// faults counts what drover left out, did twice or ended badly over, whatever the axis.
func faults(r record) (float64, bool) {
	var n float64
	for _, m := range r.Axes {
		for _, x := range m.Runs {
			if strings.HasPrefix(x.Client, "drover") {
				n += float64(max(0, x.missing()) + x.twice())
				if x.Exit != 0 {
					n++
				}
			}
		}
	}
	return n, len(r.Axes) > 0
}

// verdict says how a figure does.
func (g goal) verdict(v float64) string {
	better := func(bound float64) bool { return v <= bound }
	if g.atLeast {
		better = func(bound float64) bool { return v >= bound }
	}
	switch {
	case better(g.goal):
		return "goal met"
	case g.gate == none:
		return "short of the goal"
	case better(g.gate):
		return "within bounds"
	}
	return "**missed**"
}

// verdicts is the table of goals.
func (r record) verdicts(s *strings.Builder) {
	s.WriteString("\n## What it is held to\n\nMedians of the tables below; each stands for the time at which its axis was measured.\n\n" +
		"| axis | measured | goal | never worse than | |\n|---|---|---|---|---|\n")
	for _, g := range goals {
		measured, verdict := "–", "not measured"
		if v, ok := g.of(r); ok {
			measured, verdict = quantity(v, g.unit), g.verdict(v)
		}
		gate := "–"
		if g.gate != none {
			gate = quantity(g.gate, g.unit)
		}
		fmt.Fprintf(s, "| %s | %s | %s | %s | %s |\n", g.what, measured, quantity(g.goal, g.unit), gate, verdict)
	}
}

func quantity(v float64, unit string) string {
	text := fmt.Sprintf("%.3g", v)
	if v >= 1000 {
		text = thousands(int64(v))
	}
	return strings.TrimSpace(text + " " + unit)
}
