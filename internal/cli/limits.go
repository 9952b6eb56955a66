package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/job"
)

// limitFlags bound calls, of a job by flags that begin with --limit-, or of all to a region.
type limitFlags struct {
	Rate  float64  `placeholder:"N" help:"At most N calls a second to the store. Default: as many as it takes."`
	Bytes string   `placeholder:"SIZE" help:"At most SIZE bytes a second, for example 50MB: of bodies, and of copies whose size is known."`
	Calls int      `placeholder:"N" help:"At most N calls at a time."`
	Hours []string `sep:"none" placeholder:"FROM-TO=LIMITS" help:"Other limits from one time of each day to another, for example 22:00-06:00=unlimited or 08:00-18:00=rate:50,calls:4,bytes:10MB. Repeatable; the first that holds decides."`
	Zone  string   `placeholder:"ZONE" help:"Time zone of the hours, for example UTC or Asia/Shanghai."`
}

// jobLimits is what the flags of a job's limits begin with.
const jobLimits = "--limit-"

// limits are what the flags say, which begin with prefix.
func (f *limitFlags) limits(prefix string) (job.Limits, error) {
	l := job.Limits{Bounds: job.Bounds{Rate: f.Rate, Calls: f.Calls}, Zone: f.Zone}
	var err error
	if l.Bytes, err = parseSize(prefix+"bytes", f.Bytes); err != nil {
		return l, err
	}
	for _, text := range f.Hours {
		h, err := parseHours(prefix+"hours", text)
		if err != nil {
			return l, err
		}
		l.Hours = append(l.Hours, h)
	}
	if err := l.Validate(); err != nil {
		return l, &problem{code: exitUsage, err: err}
	}
	return l, nil
}

// parseHours reads FROM-TO=LIMITS.
func parseHours(flag, text string) (h job.Hours, err error) {
	hours, limits, ok := strings.Cut(text, "=")
	from, to, ok2 := strings.Cut(hours, "-")
	if !ok || !ok2 || limits == "" {
		return h, usagef("write it like 22:00-06:00=unlimited or 08:00-18:00=rate:50,calls:4", "%s: %q is not FROM-TO=LIMITS", flag, text)
	}
	if h.From, err = job.ParseClock(flag, from); err == nil {
		h.To, err = job.ParseClock(flag, to)
	}
	if err != nil {
		return h, &problem{code: exitUsage, err: err}
	}
	if limits == "unlimited" {
		return h, nil
	}
	for part := range strings.SplitSeq(limits, ",") {
		name, value, _ := strings.Cut(part, ":")
		switch name {
		case "rate":
			h.Rate, err = strconv.ParseFloat(value, 64)
		case "calls":
			h.Calls, err = strconv.Atoi(value)
		case "bytes":
			h.Bytes, err = parseSize(flag, value)
		default:
			return h, usagef("use rate:N, bytes:SIZE and calls:N with commas between, or unlimited", "%s: %q is no limit", flag, part)
		}
		if err != nil {
			return h, usagef("", "%s: %q is no number", flag, part)
		}
	}
	return h, nil
}

// sizes are the units of a number of bytes.
var sizes = []struct {
	unit  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

// parseSize reads a number of bytes, as 50MB or 64KiB; "" is 0.
func parseSize(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, s := range sizes {
		number, ok := strings.CutSuffix(text, s.unit)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err == nil && v >= 0 && v*s.bytes < 1<<62 {
			return int64(v * s.bytes), nil
		}
		break
	}
	return 0, usagef("write it like 50MB or 64KiB", "%s: %q is no number of bytes", flag, text)
}

// boundsText says what bounds calls, for people.
func boundsText(b client.Bounds) string {
	var parts []string
	if b.Rate > 0 {
		parts = append(parts, fmt.Sprintf("%g calls a second", b.Rate))
	}
	if b.Bytes > 0 {
		parts = append(parts, count(b.Bytes)+" bytes a second")
	}
	if b.Calls > 0 {
		parts = append(parts, fmt.Sprintf("%d calls at a time", b.Calls))
	}
	if len(parts) == 0 {
		return "unlimited"
	}
	return strings.Join(parts, ", ")
}

// limitsText is boundsText with the hours.
func limitsText(l *client.Limits) string {
	if l == nil {
		return "unlimited"
	}
	text := boundsText(l.Bounds)
	for _, h := range l.Hours {
		text += fmt.Sprintf("; %s-%s %s", h.From, h.To, boundsText(h.Bounds))
	}
	if l.Zone != "" {
		text += " (" + l.Zone + ")"
	}
	return text
}

// limitsBody is what is sent to set limits, none too.
func limitsBody(l *client.Limits) client.Limits {
	if l == nil {
		return client.Limits{}
	}
	return *l
}

type jobLimitCmd struct {
	jobArg
	limitFlags `embed:"" prefix:"limit-" group:"The limits:"`
	Unlimited  bool `help:"Take all limits off."`
}

// Help says what the limits mean.
func (c *jobLimitCmd) Help() string {
	return `The limits take the place of those that the job has, at once and for all workers together, each of which has its share.
Calls under way end as they would. Whatever the limits are, calls adapt to what the store takes.

Example: 20 calls a second by day, and all that the store takes by night:

    drover job limit last --limit-rate 20 --limit-hours 22:00-06:00=unlimited --limit-zone Europe/Berlin`
}

// Run puts other limits on a job.
func (c *jobLimitCmd) Run(ctx context.Context, sh *shell) error {
	l, err := c.limits(jobLimits)
	if err != nil {
		return err
	}
	if c.Unlimited != l.IsZero() {
		return usagef("give --limit-rate, --limit-bytes, --limit-calls or --limit-hours, or else --unlimited", "no limits are given, or limits together with --unlimited")
	}
	r, id, err := c.find(ctx, sh)
	if err != nil {
		return err
	}
	j, err := r.SetLimits(ctx, id, limitsBody(rest.FromLimits(l)))
	if err != nil {
		return r.explain(err)
	}
	sh.printf("%s %s\n", j.ID, limitsText(j.Limits))
	return nil
}
