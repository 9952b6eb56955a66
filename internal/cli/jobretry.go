package cli

import (
	"context"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

type jobRetryCmd struct {
	jobArg
	output
	Priority    *string `placeholder:"N" help:"Priority, 0-2147483647. Default: the first job's."`
	Description *string `placeholder:"TEXT" help:"Description, at most 256 bytes. Default: the first job's."`
	Token       string  `placeholder:"TOKEN" help:"Request token: the server makes one job of a token, however often it is asked. Default: a random one."`
	Confirm     bool    `xor:"start" help:"Wait for drover job confirm before the job runs. Default: as the first job did."`
	Start       bool    `xor:"start" help:"Let the job run at once."`
	Watch       bool    `help:"Follow the job to its end; the exit code says how it ended."`
}

// Help says what the new job works on.
func (c *jobRetryCmd) Help() string {
	return `The failed tasks are those of the job's completion report, so it must have one, in a bucket. The server makes a manifest of
them beside the report; the new job has the first one's operation, role and report. Its id is printed.`
}

// Run makes the new job.
func (c *jobRetryCmd) Run(ctx context.Context, sh *shell) error {
	again := client.Retry{Token: c.Token, Description: c.Description}
	if c.Priority != nil {
		p, err := job.ParsePriority(*c.Priority)
		if err != nil {
			return &problem{code: exitUsage, err: err}
		}
		n := int32(p)
		again.Priority = &n
	}
	if c.Confirm || c.Start {
		again.ConfirmationRequired = &c.Confirm
	}
	r, id, err := c.find(ctx, sh)
	if err != nil {
		return err
	}
	j, err := r.Retry(ctx, id, again)
	if err != nil {
		return r.explain(err)
	}
	return r.made(ctx, sh, j, c.Watch, c.json())
}
