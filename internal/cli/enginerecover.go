package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/access/rolestore"
	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/report"
)

type engineRecoverCmd struct {
	engineFlags
	From   string `arg:"" placeholder:"s3://BUCKET/PREFIX" help:"Where the reports lie: the bucket and the prefix that the jobs were made with."`
	Role   string `required:"" placeholder:"NAME" help:"Role of the configuration that may list and read there."`
	Region string `placeholder:"REGION" help:"Region of that bucket. Default: the configuration's default."`
	DryRun bool   `help:"Only say what would be recorded."`
	output
}

// Help says what is found again and what is not.
func (c *engineRecoverCmd) Help() string {
	return `Run it while the server is stopped, on its new and empty folder. Each job that has a job.json there and no report's manifest.json
yet is recorded again. When the server starts, the job reads its manifest, takes from commits/ which tasks have ended, and goes on
with the others; what had ended and was not committed runs again, which operations bear. The role of a job needs the right to read
its report's place for this.

Not found again: jobs without a report, which have to be made anew; a change of priority, a pause, changed tags; finished jobs (their
reports are whole). Whoever can write there can put a job.json there too: look at what --dry-run says before.`
}

// recoveredJob is one line of the answer.
type recoveredJob struct {
	ID        string    `json:"id"`
	State     string    `json:"state"` // recovered, known or ended
	Account   string    `json:"account"`
	Role      string    `json:"role"`
	Operation string    `json:"operation"`
	Created   time.Time `json:"created"`
}

// Run records the jobs again.
func (c *engineRecoverCmd) Run(ctx context.Context, sh *shell) error {
	from, err := parsePlace("PREFIX", c.From)
	if err != nil {
		return err
	}
	open, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	carrier, f, err := openEngine(open, c.Config, sh, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, carrier.Close()) }()
	sink, closed, err := c.sink(ctx, f, from)
	if err != nil {
		return err
	}
	defer closed()
	var found []recoveredJob
	err = engine.Recover(ctx, carrier, sink, from.key, func(r engine.Recovered) bool {
		found = append(found, recoveredJob{
			ID: string(r.ID), State: r.State, Account: r.Account.UIN, Role: r.Role.ARN, Operation: r.Operation, Created: r.Created,
		})
		return !c.DryRun
	})
	if err != nil {
		return err
	}
	if c.json() {
		return sh.json(found)
	}
	return c.table(sh, found)
}

func (c *engineRecoverCmd) table(sh *shell, found []recoveredJob) error {
	for _, j := range found {
		sh.printf("%s\t%s\t%s\t%s\t%s\n", j.ID, j.State, j.Operation, j.Account, j.Role)
	}
	switch {
	case len(found) == 0:
		sh.note("no job.json lies under %s", c.From)
	case c.DryRun:
		sh.note("nothing was recorded: --dry-run")
	}
	return nil
}

// sink opens the reports' place: a bucket as a role of the configuration, or a local folder.
func (c *engineRecoverCmd) sink(ctx context.Context, f *config.File, from place) (report.Sink, func(), error) {
	if from.local() {
		d, err := report.NewDir(from.path)
		if err != nil {
			return nil, nil, err
		}
		return d, func() { _ = d.Close() }, nil // nothing was written
	}
	roles, err := f.Roles(ctx)
	if err != nil {
		return nil, nil, err
	}
	book, err := access.NewBook(access.BookOptions{Roles: roles})
	if err != nil {
		return nil, nil, err
	}
	regions, err := f.Regions()
	if err != nil {
		return nil, nil, err
	}
	region := job.Region(f.Effective.DefaultRegion)
	if c.Region != "" {
		region = job.Region(c.Region)
	}
	stores, err := rolestore.New(rolestore.Options{Regions: regions, Default: region, Roles: book})
	if err != nil {
		return nil, nil, err
	}
	for _, r := range roles {
		if r.Name != c.Role {
			continue
		}
		store, err := stores.Store(ctx, r.Account, job.Role{Account: r.Account.UIN, Name: r.Name}, region)
		if err != nil {
			stores.Close()
			return nil, nil, err
		}
		return engine.BucketSink(store, from.bucket), stores.Close, nil
	}
	stores.Close()
	return nil, nil, fmt.Errorf("the configuration has no role %s", job.Quote(c.Role))
}
