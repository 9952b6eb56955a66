package cli

import (
	"context"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api/rest"
)

type regionCmd struct {
	List  regionListCmd  `cmd:"" help:"List the server's regions and the limits on the calls to them."`
	Limit regionLimitCmd `cmd:"" help:"Change the limits on all calls to a region, also while jobs run."`
}

type regionListCmd struct {
	serverFlags
	output
}

// Help says whose limits they are.
func (c *regionListCmd) Help() string {
	return `Limits from the config are each process's own; those from the server were set by drover region limit, and all workers share them.`
}

// Run lists regions.
func (c *regionListCmd) Run(ctx context.Context, sh *shell) error {
	server, err := c.connect(sh)
	if err != nil {
		return err
	}
	regions, err := server.Regions(ctx)
	if err != nil {
		return server.explain(err)
	}
	if c.json() {
		return sh.json(regions)
	}
	var rows [][]string
	for _, r := range regions {
		changed := ""
		if r.Changed != nil {
			changed = r.Changed.Format(time.RFC3339)
		}
		rows = append(rows, []string{r.Name, limitsText(r.Limits), madeBy(r.FromConfig), changed, sh.foreign(r.By)})
	}
	return sh.table([]string{"NAME", "LIMITS", "FROM", "CHANGED", "BY"}, rows)
}

type regionLimitCmd struct {
	serverFlags
	Name       string `arg:"" help:"The region's name; drover region list has them."`
	limitFlags `group:"The limits:"`
	Unlimited  bool `help:"Take all limits off, also those of the configuration."`
	Clear      bool `help:"Go back to the limits of the configuration."`
}

// Help says what the limits mean.
func (c *regionLimitCmd) Help() string {
	return `The limits take the place of those that the region has, the configuration's too, at once and for all jobs of all accounts. All live
workers share them; calls under way end as they would. They are kept until they are cleared, over restarts too. A job's own limits
hold beside them, and whatever they are, calls adapt to what the store takes.

Example: 200 calls a second by day, and all that the store takes by night:

    drover region limit ap-guangzhou --rate 200 --hours 22:00-06:00=unlimited --zone Asia/Shanghai`
}

// Run puts other limits on a region.
func (c *regionLimitCmd) Run(ctx context.Context, sh *shell) error {
	l, err := c.limits("--")
	if err != nil {
		return err
	}
	given := 0
	for _, g := range []bool{!l.IsZero(), c.Unlimited, c.Clear} {
		if g {
			given++
		}
	}
	if given != 1 {
		return usagef("give --rate, --bytes, --calls or --hours, or else --unlimited or --clear", "no limits are given, or limits together with --unlimited or --clear")
	}
	server, err := c.connect(sh)
	if err != nil {
		return err
	}
	var r client.Region
	if c.Clear {
		r, err = server.ClearRegionLimits(ctx, c.Name)
	} else {
		r, err = server.SetRegionLimits(ctx, c.Name, limitsBody(rest.FromLimits(l)))
	}
	if err != nil {
		return server.explain(err)
	}
	sh.printf("%s %s\n", r.Name, limitsText(r.Limits))
	return nil
}
