package cli

import (
	"testing"

	"github.com/drover-batch/drover/internal/api/rest"
)

func TestLimitFlagsAreReadAndShown(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]limitFlags{
		"unlimited":          {},
		"0.5 calls a second": {Rate: 0.5},
		"10 calls a second, 50,000,000 bytes a second, 3 calls at a time": {Rate: 10, Bytes: "50MB", Calls: 3},
		"65,536 bytes a second": {Bytes: "64KiB"},
		"20 calls a second; 22:00-06:00 unlimited (Asia/Shanghai)":                             {Rate: 20, Hours: []string{"22:00-06:00=unlimited"}, Zone: "Asia/Shanghai"},
		"unlimited; 08:00-18:00 50 calls a second, 10 bytes a second, 4 calls at a time (UTC)": {Hours: []string{"08:00-18:00=rate:50,calls:4,bytes:10"}, Zone: "UTC"},
	} {
		l, err := f.limits(jobLimits)
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
		"a negative rate":      {Rate: -1},
		"no number of bytes":   {Bytes: "much"},
		"an unknown unit":      {Bytes: "5XB"},
		"no hours":             {Hours: []string{"always"}, Zone: "UTC"},
		"hours without limits": {Hours: []string{"22:00-06:00"}, Zone: "UTC"},
		"no time of the day":   {Hours: []string{"22-06=unlimited"}, Zone: "UTC"},
		"an unknown limit":     {Hours: []string{"22:00-06:00=speed:1"}, Zone: "UTC"},
		"no number":            {Hours: []string{"22:00-06:00=rate:fast"}, Zone: "UTC"},
		"hours without a zone": {Hours: []string{"22:00-06:00=unlimited"}},
		"an unknown zone":      {Hours: []string{"22:00-06:00=unlimited"}, Zone: "Mars"},
	} {
		l, err := f.limits(jobLimits)
		if p, ok := err.(*problem); !ok || p.code != exitUsage {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}
