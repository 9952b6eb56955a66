package main

import (
	"strings"
	"testing"
)

func TestFiguresOfARun(t *testing.T) {
	t.Parallel()
	r := result{
		Objects: 10, WallMS: 4000, UserUS: 60, SystemUS: 20,
		Stub: counts{Calls: map[string]int64{"copy": 9, "503": 1, "list": 5}, Written: keys{Distinct: 8, Repeated: 1}, SpanMS: 2000},
	}
	for _, tt := range []struct {
		what      string
		got, want float64
	}{
		{"cpu", r.cpu(), 10},
		{"rate", r.rate(), 4},
		{"throughput", r.throughput(), 2},
		{"throttled", r.throttled(), 0.1},
		{"missing", float64(r.missing()), 2},
		{"twice", float64(r.twice()), 1},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %v, want %v", tt.what, tt.got, tt.want)
		}
	}
}

func TestPageAndChartShowEveryClientOnce(t *testing.T) {
	t.Parallel()
	rec := record{Axes: map[string]measured{"copy": {Runs: []result{
		{Case: "0 ms", Client: "drover", Objects: 4, UserUS: 40, Stub: counts{Written: keys{Distinct: 4}}},
		{Case: "0 ms", Client: "s5cmd run", Objects: 4, UserUS: 4000, Exit: 1, Stub: counts{Written: keys{Distinct: 4}}},
		{Case: "0 ms", Client: "drover", Objects: 4, UserUS: 80, Stub: counts{Written: keys{Distinct: 4}}},
	}}}}
	page, chart := rec.page(), rec.chart()
	for _, want := range []string{"| 0 ms | drover | 4 | 2 | 15.0 (10.0–20.0) |", "| s5cmd run (exit 1) | 4 | 1 | 1000.0 |"} {
		if strings.Count(page, want) != 1 {
			t.Errorf("page lacks %q:\n%s", want, page)
		}
	}
	for _, want := range []string{">15.0 µs<", ">1,000 µs<"} {
		if strings.Count(chart, want) != 1 {
			t.Errorf("chart lacks %q:\n%s", want, chart)
		}
	}
}

func TestAxesAreSound(t *testing.T) {
	t.Parallel()
	for _, a := range axes {
		for _, c := range a.cases {
			for _, n := range c.clients {
				if _, ok := clients[n.client]; !ok {
					t.Errorf("axis %s, case %s: no client %q", a.name, c.name, n.client)
				}
			}
		}
	}
}
