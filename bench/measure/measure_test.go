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

func TestGoals(t *testing.T) {
	t.Parallel()
	run := func(client string, us int64) result {
		return result{Case: "0 ms", Client: client, Objects: 1, UserUS: us, WallMS: 1000, Stub: counts{Written: keys{Distinct: 1}}}
	}
	rec := record{
		Axes: map[string]measured{"copy": {Runs: []result{run("drover", 12), run("s5cmd run", 1200), run("rclone copy", 240)}}},
		Parts: &parts{Figures: readParts([]byte("BenchmarkSurvey/csv-2   3  21.5 ns/op  5.0 Mrows/s  0 allocs/op\n" +
			"BenchmarkSurvey/csv-2   3  21.5 ns/op  7.0 Mrows/s  0 allocs/op\nBenchmarkAppendRow/succeeded  3  600.0 ns/op\nPASS\n"))},
	}
	var s strings.Builder
	rec.verdicts(&s)
	rec.Parts.table(&s)
	for _, want := range []string{
		"report and checkpoints on | 12 µs | 10 µs | 15 µs | within bounds |",
		"s5cmd run, times ours | 100 × | 80 × | 40 × | goal met |",
		"rclone copy, times ours | 20 × | 40 × | 25 × | **missed** |",
		"CSV rows decoded, one core | 6 M/s | 6 M/s | 4 M/s | goal met |",
		"a report row | 600 ns | 350 ns | 500 ns | **missed** |",
		"over TLS | – | 12 µs | 17 µs | not measured |",
		"left out or did twice, in all of these | 0 | 0 | 0 | goal met |",
		"| Survey/csv | 6 (5–7) | Mrows/s | 0 |",
	} {
		if strings.Count(s.String(), want) != 1 {
			t.Errorf("lacks %q:\n%s", want, s.String())
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
