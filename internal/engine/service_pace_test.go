package engine

import (
	"testing"
	"time"
)

func TestPaceKeepsTheWholeCourseInFewSamples(t *testing.T) {
	t.Parallel()
	var p pace
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	const seconds = 3 * 24 * 3600
	for i := range int64(seconds) {
		p.add(start.Add(time.Duration(i)*time.Second), 100*i, i)
	}
	all := p.all()
	if len(all) < paceSamples/2 || len(all) > paceSamples+1 {
		t.Errorf("%d samples", len(all))
	}
	if last := all[len(all)-1]; !all[0].Time.Equal(start) || last.Done != 100*(seconds-1) || last.Failed != seconds-1 {
		t.Errorf("from %v to %+v", all[0].Time, last)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Done <= all[i-1].Done || !all[i].Time.After(all[i-1].Time) {
			t.Fatalf("%+v follows %+v", all[i], all[i-1])
		}
	}
}

func TestPaceForgetsWhatIsCountedAnew(t *testing.T) {
	t.Parallel()
	var p pace
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for i, done := range []int64{0, 500, 1000, 400, 900} {
		p.add(start.Add(time.Duration(i)*time.Second), done, 0)
	}
	var got []int64
	for _, s := range p.all() {
		got = append(got, s.Done)
	}
	if len(got) != 3 || got[1] != 400 || got[2] != 900 {
		t.Errorf("%v, want 0 400 900", got)
	}
}
