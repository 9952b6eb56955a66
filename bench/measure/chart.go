package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// bar is one client's median CPU for an object.
type bar struct {
	name string
	us   float64
}

// bars are those of the copy axis, least first.
func (r record) bars() []bar {
	var bars []bar
	for _, a := range axes {
		if a.name != "copy" {
			continue
		}
		for _, row := range a.rows(r.Axes[a.name]) {
			bars = append(bars, bar{row.turn.label(), row.cpu()})
		}
	}
	slices.SortFunc(bars, func(a, b bar) int { return int(math.Copysign(1, a.us-b.us)) })
	return bars
}

// chart draws the bars on a log scale from 1 µs to the next power of ten, readable on light and dark pages.
func (r record) chart() string {
	const width, left, right, top, step, thick = 760, 170, 90, 52, 34, 20
	bars := r.bars()
	decades := 1.0
	for _, b := range bars {
		decades = max(decades, math.Ceil(math.Log10(b.us)))
	}
	x := func(us float64) float64 { return left + (width-left-right)*math.Log10(max(us, 1))/decades }
	bottom := top + step*len(bars)
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="CPU of the client for each object copied, in microseconds, on a log scale">
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f } .quiet { fill: #57606a; font-size: 11px } .title { font-weight: 600 }
line { stroke: #d0d7de } rect { fill: #8c959f } rect.ours { fill: #0969da }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9198a1 } line { stroke: #3d444d } rect { fill: #656c76 } rect.ours { fill: #4493f8 } }
</style>
<text class="title" x="12" y="22">CPU of the client for each object copied</text>
<text class="quiet" x="12" y="40">µs, log scale; shorter is better</text>
`, width, bottom+34, width, bottom+34)
	for d := 0; d <= int(decades); d++ {
		us := math.Pow10(d)
		fmt.Fprintf(&s, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text class=\"quiet\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
			x(us), top-4, x(us), bottom, x(us), bottom+16, thousands(int64(us)))
	}
	for i, b := range bars {
		y, class := top+step*i+(step-thick)/2, ""
		if strings.HasPrefix(b.name, "drover") {
			class = ` class="ours"`
		}
		fmt.Fprintf(&s, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text><rect%s x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/><text x=\"%.1f\" y=\"%d\">%s</text>\n",
			left-10, y+15, html.EscapeString(b.name), class, left, y, x(b.us)-left, thick, x(b.us)+8, y+15, figure(b.us))
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func figure(us float64) string {
	if us < 100 {
		return fmt.Sprintf("%.1f µs", us)
	}
	return thousands(int64(math.Round(us))) + " µs"
}
