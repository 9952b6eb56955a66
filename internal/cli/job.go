package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-batch/drover/internal/api"
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
	Report   jobReportCmd   `cmd:"" help:"Show a job's completion report, or download it."`
}

// jobArg names a job.
type jobArg struct {
	ID string `arg:"" name:"job" help:"The job's id, or last for the newest job."`
	serverFlags
}

// find connects to the server and settles which job is meant.
func (a *jobArg) find(ctx context.Context, sh *shell) (*remote, job.ID, error) {
	r, err := a.connect(sh)
	if err != nil {
		return nil, "", err
	}
	if a.ID != "last" {
		id, err := job.ParseID(a.ID)
		if err != nil {
			return nil, "", &problem{code: exitUsage, err: err, hint: "drover job list shows the jobs there are"}
		}
		return r, id, nil
	}
	jobs, err := r.list(ctx, api.Filter{}, 0)
	if err != nil {
		return nil, "", err
	}
	if len(jobs) == 0 {
		return nil, "", &problem{code: exitNotFound, err: job.Errorf(job.NoSuchJob, "there is no job yet")}
	}
	return r, jobs[len(jobs)-1].ID, nil
}

type jobListCmd struct {
	serverFlags
	output
	Status []string      `placeholder:"STATUS" help:"Only jobs in these statuses, with commas between."`
	Since  time.Duration `placeholder:"TIME" help:"Only jobs created so long ago or later, for example 24h."`
	Limit  int           `default:"100" placeholder:"N" help:"At most so many, the newest; 0 = all."`
}

// Run lists jobs.
func (c *jobListCmd) Run(ctx context.Context, sh *shell) error {
	var filter api.Filter
	for _, s := range c.Status {
		status, err := job.ParseStatus(s)
		if err != nil {
			return &problem{code: exitUsage, err: err}
		}
		filter.Statuses = append(filter.Statuses, status)
	}
	if c.Since > 0 {
		filter.Since = time.Now().Add(-c.Since)
	}
	r, err := c.connect(sh)
	if err != nil {
		return err
	}
	jobs, err := r.list(ctx, filter, c.Limit)
	if err != nil {
		return err
	}
	if c.json() {
		return sh.json(toViews(jobs))
	}
	var rows [][]string
	for _, j := range jobs {
		rows = append(rows, []string{
			string(j.ID), j.Created.UTC().Format(time.DateTime), string(j.Status), j.Spec.Operation.Name(), fmt.Sprint(j.Priority),
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
	j, err := r.job(ctx, id)
	if err != nil {
		return err
	}
	if c.json() {
		return sh.json(toView(j))
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
	j, err := r.watch(ctx, sh, "", id)
	if err != nil {
		return err
	}
	return sh.result(j, c.json())
}

// reasonFlag says why; it stands among the job's events.
type reasonFlag struct {
	Reason string `placeholder:"TEXT" help:"Why; it stands among the job's events."`
}

type jobConfirmCmd struct {
	jobArg
	reasonFlag
}

// Run confirms a job.
func (c *jobConfirmCmd) Run(ctx context.Context, sh *shell) error {
	return c.steer(ctx, sh, (*remote).confirm, c.Reason)
}

type jobPauseCmd struct {
	jobArg
	reasonFlag
}

// Run pauses a job.
func (c *jobPauseCmd) Run(ctx context.Context, sh *shell) error {
	return c.steer(ctx, sh, (*remote).pause, c.Reason)
}

type jobResumeCmd struct {
	jobArg
	reasonFlag
}

// Run resumes a job.
func (c *jobResumeCmd) Run(ctx context.Context, sh *shell) error {
	return c.steer(ctx, sh, (*remote).resume, c.Reason)
}

type jobCancelCmd struct {
	jobArg
	reasonFlag
}

// Run cancels a job.
func (c *jobCancelCmd) Run(ctx context.Context, sh *shell) error {
	return c.steer(ctx, sh, (*remote).cancel, c.Reason)
}

// steer asks for a move of a job and prints the status that the server answers.
func (a *jobArg) steer(ctx context.Context, sh *shell, move func(*remote, context.Context, job.ID, string) (job.Job, error), reason string) error {
	r, id, err := a.find(ctx, sh)
	if err != nil {
		return err
	}
	j, err := move(r, ctx, id, reason)
	if err != nil {
		return err
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
	j, err := r.priority(ctx, id, p)
	if err != nil {
		return err
	}
	sh.printf("%s priority %d\n", j.ID, j.Priority)
	return nil
}
