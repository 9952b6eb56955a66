package job

import "testing"

func TestTheFailureRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		succeeded, failed int64
		want              bool
	}{
		{0, 0, false},
		{0, 999, false},
		{0, 1000, true},
		{500, 500, false},
		{499, 501, true},
		{5_000_000_000, 5_000_000_000, false},
		{5_000_000_000, 5_000_000_001, true},
	} {
		p := Progress{Succeeded: c.succeeded, Failed: c.failed}
		if got := p.FailureRule(); got != c.want {
			t.Errorf("%d succeeded, %d failed: %v, want %v", c.succeeded, c.failed, got, c.want)
		}
	}
}
