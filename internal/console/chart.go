package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// chart is a job's throughput over time, drawn in a box of chartWide by chartHigh.
type chart struct {
	Area, Line, Bad string // paths
	Lines           []string
	Top, Middle     string // what the upper and the middle line stand for
	From, To        string
	Label           string
}

const (
	chartWide = 600.0
	chartHigh = 100.0
)

// chart draws samples; nil when there are too few for a line.
func (l language) chart(samples []job.Sample) *chart {
	if len(samples) < 3 {
		return nil
	}
	first, last := samples[0].Time, samples[len(samples)-1].Time
	whole := last.Sub(first).Seconds()
	if whole <= 0 {
		return nil
	}
	rates, bad := make([]float64, 0, len(samples)), make([]float64, 0, len(samples))
	at := make([]float64, 0, len(samples))
	most, anyBad := 0.0, false
	for i := 1; i < len(samples); i++ {
		a, b := samples[i-1], samples[i]
		seconds := b.Time.Sub(a.Time).Seconds()
		if seconds < 0.2 { // the newest comes between two of the even ones
			continue
		}
		rate := float64(max(b.Done-a.Done, 0)) / seconds
		failed := float64(max(b.Failed-a.Failed, 0)) / seconds
		rates, bad = append(rates, rate), append(bad, failed)
		at = append(at, chartWide*b.Time.Sub(first).Seconds()/whole)
		most, anyBad = max(most, rate), anyBad || failed > 0
	}
	if len(rates) < 2 || most == 0 {
		return nil
	}
	at[0] = 0
	top := roundUp(most)
	c := &chart{
		Line: pathOf(at, rates, top), Top: number(int64(top)), Middle: number(int64(top / 2)), From: l.clock(first, last), To: l.clock(last, first),
		Label: l.t("Throughput: at most %s objects/s, in the end %s", number(int64(most+0.5)), number(int64(rates[len(rates)-1]+0.5))),
	}
	c.Area = c.Line + fmt.Sprintf(" L%.1f %.0f L0 %.0f Z", at[len(at)-1], chartHigh, chartHigh)
	if anyBad {
		c.Bad = pathOf(at, bad, top)
	}
	return c
}

func pathOf(at, values []float64, top float64) string {
	var b strings.Builder
	for i, v := range values {
		letter := " L"
		if i == 0 {
			letter = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", letter, at[i], chartHigh-chartHigh*v/top)
	}
	return b.String()
}

// roundUp gives the least of 2, 4, 10, 20, 40, 100, … that is not below f, so that half of it is whole.
func roundUp(f float64) float64 {
	for unit := 1.0; ; unit *= 10 {
		for _, n := range []float64{2, 4, 10} {
			if n*unit >= f {
				return n * unit
			}
		}
	}
}

// clock shows a time of day, with the date when the other end of the chart is on another day.
func (l language) clock(t, other time.Time) string {
	t, other = t.UTC(), other.UTC()
	if t.YearDay() == other.YearDay() && t.Year() == other.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("01-02 15:04")
}
