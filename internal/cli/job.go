package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

type jobCmd struct {
	Create   jobCreateCmd   `cmd:"" help:"Create a job."`
	List     jobListCmd     `cmd:"" help:"List jobs, oldest first."`
	Show     jobShowCmd     `cmd:"" help:"Show one job."`
	Watch    jobWatchCmd    `cmd:"" help:"Follow a job to its end; the exit code says how it ended."`
	Confirm  jobConfirmCmd  `cmd:"" help:"Let a Suspended job run."`
	Pause    jobPauseCmd    `cmd:"" help:"Pause a job: calls in flight end, no further one starts."`
	Resume   jobResumeCmd   `cmd:"" help:"Resume a paused job."`
	Cancel   jobCancelCmd   `cmd:"" help:"Cancel a job: calls in flight end, no further one starts."`
	Priority jobPriorityCmd `cmd:"" help:"Change a job's priority."`
	Limit    jobLimitCmd    `cmd:"" help:"Change how much a job calls its stores at most."`
	Retry    jobRetryCmd    `cmd:"" help:"Create a job of the failed tasks of one that has ended."`
	Report   jobReportCmd   `cmd:"" help:"Show a job's completion report, or download it."`
}

// jobArg names a job.
type jobArg struct {
	ID string `arg:"" name:"job" help:"The job's id, or last for the newest job."`
	serverFlags
}

// find connects to the server and settles which job is meant.
func (a *jobArg) find(ctx context.Context, sh *shell) (r *remote, id string, err error) {
	if r, err = a.connect(sh); err != nil {
		return nil, "", err
	}
	id, err = r.idOf(ctx, a.ID)
	return r, id, err
}

type jobListCmd struct {
	serverFlags
	output
	Status    []string      `placeholder:"STATUS" help:"Only jobs in these statuses, with commas between."`
	Operation string        `placeholder:"OPERATION" help:"Only jobs of this operation: copy, restore, delete or tagging."`
	Search    string        `placeholder:"TEXT" help:"Only jobs whose id or description has this in it."`
	Since     time.Duration `placeholder:"TIME" help:"Only jobs created so long ago or later, for example 24h."`
	Limit     int           `default:"100" placeholder:"N" help:"At most so many, the newest; 0 for all."`
}

// Run lists jobs.
func (c *jobListCmd) Run(ctx context.Context, sh *shell) error {
	for _, s := range c.Status {
		if _, err := job.ParseStatus(s); err != nil {
			return &problem{code: exitUsage, err: err}
		}
	}
	var since time.Time
	if c.Since > 0 {
		since = time.Now().Add(-c.Since)
	}
	r, err := c.connect(sh)
	if err != nil {
		return err
	}
	jobs, err := r.newest(ctx, client.ListOptions{Statuses: c.Status, Operation: c.Operation, Search: c.Search}, since, c.Limit)
	if err != nil {
		return err
	}
	if c.json() {
		return sh.json(jobs)
	}
	var rows [][]string
	for _, j := range jobs {
		rows = append(rows, []string{
			j.ID, j.Created.UTC().Format(time.DateTime), j.Status, operationName(j.Spec.Operation), fmt.Sprint(j.Priority),
			count(j.Progress.Total), count(j.Progress.Succeeded), count(j.Progress.Failed), sh.foreign(j.Spec.Description),
		})
	}
	return sh.table([]string{"ID", "CREATED", "STATUS", "OPERATION", "PRIORITY", "TOTAL", "SUCCEEDED", "FAILED", "DESCRIPTION"}, rows)
}

type jobShowCmd struct {
	jobArg
	output
}

// Run shows one job.
func (c *jobShowCmd) Run(ctx context.Context, sh *shell) error {
	r, id, err := c.find(ctx, sh)
	if err != nil {
		return err
	}
	j, err := r.Job(ctx, id)
	if err != nil {
		return r.explain(err)
	}
	if c.json() {
		return sh.json(j)
	}
	sh.details(j)
	return nil
}

type jobWatchCmd struct {
	jobArg
	output
}

// Run follows a job to its end.
func (c *jobWatchCmd) Run(ctx context.Context, sh *shell) error {
	r, id, err := c.find(ctx, sh)
	if err != nil {
		return err
	}
	j, err := r.follow(ctx, sh, "", id)
	if err != nil {
		return err
	}
	return sh.result(j, c.json())
}

// reasonFlag says why a job is moved.
type reasonFlag struct {
	Reason string `placeholder:"TEXT" help:"Why; it stands among the job's events."`
}

type jobConfirmCmd struct {
	jobArg
	reasonFlag
}

// Run confirms a job.
func (c *jobConfirmCmd) Run(ctx context.Context, sh *shell) error {
	return c.steer(ctx, sh, (*client.Client).Confirm, c.Reason)
}

type jobPauseCmd struct {
	jobArg
	reasonFlag
}

// Run pauses a job.
func (c *jobPauseCmd) Run(ctx context.Context, sh *shell) error {
	return c.steer(ctx, sh, (*client.Client).Pause, c.Reason)
}

type jobResumeCmd struct {
	jobArg
	reasonFlag
}

// Run resumes a job.
func (c *jobResumeCmd) Run(ctx context.Context, sh *shell) error {
	return c.steer(ctx, sh, (*client.Client).Resume, c.Reason)
}

type jobCancelCmd struct {
	jobArg
	reasonFlag
}

// Run cancels a job.
func (c *jobCancelCmd) Run(ctx context.Context, sh *shell) error {
	return c.steer(ctx, sh, (*client.Client).Cancel, c.Reason)
}

type move func(c *client.Client, ctx context.Context, id, reason string) (client.Job, error)

// steer asks for a move of a job and prints the status that the server answers.
func (a *jobArg) steer(ctx context.Context, sh *shell, m move, reason string) error {
	r, id, err := a.find(ctx, sh)
	if err != nil {
		return err
	}
	j, err := m(r.Client, ctx, id, reason)
	if err != nil {
		return r.explain(err)
	}
	sh.printf("%s %s\n", j.ID, j.Status)
	return nil
}

type jobPriorityCmd struct {
	jobArg
	Priority string `arg:"" help:"The new priority, 0-2147483647; a larger value runs first."`
}

// Run changes a job's priority.
func (c *jobPriorityCmd) Run(ctx context.Context, sh *shell) error {
	p, err := job.ParsePriority(c.Priority)
	if err != nil {
		return &problem{code: exitUsage, err: err}
	}
	r, id, err := c.find(ctx, sh)
	if err != nil {
		return err
	}
	j, err := r.SetPriority(ctx, id, int32(p))
	if err != nil {
		return r.explain(err)
	}
	sh.printf("%s priority %d\n", j.ID, j.Priority)
	return nil
}
