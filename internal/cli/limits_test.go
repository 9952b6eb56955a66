package cli

import (
	"testing"

	"github.com/drover-batch/drover/internal/api/rest"
)

func TestLimitFlagsAreReadAndShown(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]limitFlags{
		"unlimited":          {},
		"0.5 calls a second": {LimitRate: 0.5},
		"10 calls a second, 50,000,000 bytes a second, 3 calls at a time": {LimitRate: 10, LimitBytes: "50MB", LimitCalls: 3},
		"65,536 bytes a second": {LimitBytes: "64KiB"},
		"20 calls a second; 22:00-06:00 unlimited (Asia/Shanghai)":                             {LimitRate: 20, LimitHours: []string{"22:00-06:00=unlimited"}, LimitZone: "Asia/Shanghai"},
		"unlimited; 08:00-18:00 50 calls a second, 10 bytes a second, 4 calls at a time (UTC)": {LimitHours: []string{"08:00-18:00=rate:50,calls:4,bytes:10"}, LimitZone: "UTC"},
	} {
		l, err := f.limits()
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if got := limitsText(rest.FromLimits(l)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWrongLimitFlagsAreAMatterOfUsage(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]limitFlags{
		"a negative rate":      {LimitRate: -1},
		"no number of bytes":   {LimitBytes: "much"},
		"an unknown unit":      {LimitBytes: "5XB"},
		"no hours":             {LimitHours: []string{"always"}, LimitZone: "UTC"},
		"hours without limits": {LimitHours: []string{"22:00-06:00"}, LimitZone: "UTC"},
		"no time of the day":   {LimitHours: []string{"22-06=unlimited"}, LimitZone: "UTC"},
		"an unknown limit":     {LimitHours: []string{"22:00-06:00=speed:1"}, LimitZone: "UTC"},
		"no number":            {LimitHours: []string{"22:00-06:00=rate:fast"}, LimitZone: "UTC"},
		"hours without a zone": {LimitHours: []string{"22:00-06:00=unlimited"}},
		"an unknown zone":      {LimitHours: []string{"22:00-06:00=unlimited"}, LimitZone: "Mars"},
	} {
		l, err := f.limits()
		if p, ok := err.(*problem); !ok || p.code != exitUsage {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}
