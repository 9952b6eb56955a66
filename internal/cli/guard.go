package cli

import (
	"context"
	"io"
	"sync"

	ratelimit "golang.org/x/time/rate"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/telemetry"
)

// guardedJobs is the jobs service as each caller's policy lets it be used. It embeds nothing, so that a call that the
// service gains does not compile before somebody has said which right it needs.
type guardedJobs struct {
	jobs   api.Jobs
	rights *access.Authorizer
	region job.Region // default
}

var _ api.Jobs = (*guardedJobs)(nil)

func (g *guardedJobs) may(c api.Caller, a access.Action, id job.ID) error {
	return g.rights.Allow(c, a, access.JobOf(c.Account, g.region, id))
}

// guarded calls f if the caller may do the action to the job.
func guarded[T any](g *guardedJobs, c api.Caller, a access.Action, id job.ID, f func() (T, error)) (T, error) {
	if err := g.may(c, a, id); err != nil {
		var none T
		return none, err
	}
	return f()
}

func (g *guardedJobs) Create(ctx context.Context, c api.Caller, s job.Spec) (job.Job, error) {
	region := s.Region
	if region == "" {
		region = g.region
	}
	if err := g.rights.MayCreate(c, region, s.Role); err != nil {
		return job.Job{}, err
	}
	return g.jobs.Create(ctx, c, s)
}

func (g *guardedJobs) Job(ctx context.Context, c api.Caller, id job.ID) (job.Job, error) {
	return guarded(g, c, access.DescribeJob, id, func() (job.Job, error) { return g.jobs.Job(ctx, c, id) })
}

func (g *guardedJobs) List(ctx context.Context, c api.Caller, f api.Filter, p api.Page) ([]job.Job, bool, error) {
	if err := g.may(c, access.ListJobs, ""); err != nil {
		return nil, false, err
	}
	return g.jobs.List(ctx, c, f, p)
}

func (g *guardedJobs) SetPriority(ctx context.Context, c api.Caller, id job.ID, p job.Priority) (job.Job, error) {
	return guarded(g, c, access.UpdateJobPriority, id, func() (job.Job, error) { return g.jobs.SetPriority(ctx, c, id, p) })
}

func (g *guardedJobs) SetLimits(ctx context.Context, c api.Caller, id job.ID, l job.Limits) (job.Job, error) {
	return guarded(g, c, access.UpdateJobPriority, id, func() (job.Job, error) { return g.jobs.SetLimits(ctx, c, id, l) })
}

func (g *guardedJobs) Confirm(ctx context.Context, c api.Caller, id job.ID, reason string) (job.Job, error) {
	return guarded(g, c, access.UpdateJobStatus, id, func() (job.Job, error) { return g.jobs.Confirm(ctx, c, id, reason) })
}

func (g *guardedJobs) Cancel(ctx context.Context, c api.Caller, id job.ID, reason string) (job.Job, error) {
	return guarded(g, c, access.UpdateJobStatus, id, func() (job.Job, error) { return g.jobs.Cancel(ctx, c, id, reason) })
}

func (g *guardedJobs) Pause(ctx context.Context, c api.Caller, id job.ID, reason string) (job.Job, error) {
	return guarded(g, c, access.UpdateJobStatus, id, func() (job.Job, error) { return g.jobs.Pause(ctx, c, id, reason) })
}

func (g *guardedJobs) Resume(ctx context.Context, c api.Caller, id job.ID, reason string) (job.Job, error) {
	return guarded(g, c, access.UpdateJobStatus, id, func() (job.Job, error) { return g.jobs.Resume(ctx, c, id, reason) })
}

func (g *guardedJobs) Tags(ctx context.Context, c api.Caller, id job.ID) ([]job.Tag, error) {
	return guarded(g, c, access.GetJobTagging, id, func() ([]job.Tag, error) { return g.jobs.Tags(ctx, c, id) })
}

func (g *guardedJobs) SetTags(ctx context.Context, c api.Caller, id job.ID, tags []job.Tag) error {
	if err := g.may(c, access.PutJobTagging, id); err != nil {
		return err
	}
	return g.jobs.SetTags(ctx, c, id, tags)
}

func (g *guardedJobs) Delete(ctx context.Context, c api.Caller, id job.ID) error {
	if err := g.may(c, access.DeleteJob, id); err != nil {
		return err
	}
	return g.jobs.Delete(ctx, c, id)
}

func (g *guardedJobs) ReportManifest(ctx context.Context, c api.Caller, id job.ID) ([]byte, error) {
	return guarded(g, c, access.DescribeJob, id, func() ([]byte, error) { return g.jobs.ReportManifest(ctx, c, id) })
}

func (g *guardedJobs) ReportFiles(ctx context.Context, c api.Caller, id job.ID) ([]job.ReportFile, error) {
	return guarded(g, c, access.DescribeJob, id, func() ([]job.ReportFile, error) { return g.jobs.ReportFiles(ctx, c, id) })
}

func (g *guardedJobs) ReportFile(ctx context.Context, c api.Caller, id job.ID, name string) (io.ReadCloser, int64, error) {
	if err := g.may(c, access.DescribeJob, id); err != nil {
		return nil, 0, err
	}
	return g.jobs.ReportFile(ctx, c, id, name)
}

// Retry makes a job, so it needs the rights of Create, for the role of the job that is tried again.
func (g *guardedJobs) Retry(ctx context.Context, c api.Caller, id job.ID, r job.Retry) (job.Job, error) {
	old, err := g.Job(ctx, c, id)
	if err != nil {
		return job.Job{}, err
	}
	if err := g.rights.MayCreate(c, old.Spec.Region, old.Spec.Role); err != nil {
		return job.Job{}, err
	}
	return g.jobs.Retry(ctx, c, id, r)
}

func (g *guardedJobs) Counts(ctx context.Context, c api.Caller, f api.Filter) (map[job.Status]int64, error) {
	return guarded(g, c, access.ListJobs, "", func() (map[job.Status]int64, error) { return g.jobs.Counts(ctx, c, f) })
}

func (g *guardedJobs) Work(ctx context.Context, c api.Caller, id job.ID) (job.Work, error) {
	return guarded(g, c, access.DescribeJob, id, func() (job.Work, error) { return g.jobs.Work(ctx, c, id) })
}

func (g *guardedJobs) Watch(ctx context.Context, c api.Caller, id job.ID, f func(job.Job) error) error {
	if err := g.may(c, access.DescribeJob, id); err != nil {
		return err
	}
	return g.jobs.Watch(ctx, c, id, f)
}

// limiter bounds each principal's requests. There are as many buckets as principals that have signed a request.
type limiter struct {
	rate    float64 // a second
	burst   int
	metrics *telemetry.Metrics
	buckets sync.Map // of access key to *ratelimit.Limiter
}

// admit is for access.Verifier.Limited.
func (l *limiter) admit(p access.Principal) error {
	b, ok := l.buckets.Load(p.AccessKey)
	if !ok {
		b, _ = l.buckets.LoadOrStore(p.AccessKey, ratelimit.NewLimiter(ratelimit.Limit(l.rate), l.burst))
	}
	if b.(*ratelimit.Limiter).Allow() {
		return nil
	}
	l.metrics.Limited()
	return job.Errorf(job.Throttled, "The access key makes more than %g requests a second: slow down, and try again.", l.rate)
}
