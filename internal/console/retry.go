package console

import (
	"errors"
	"net/http"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// retryPage makes a new job of a job's failed objects.
type retryPage struct {
	frame
	Job         jobRow
	Failed      string
	Plain       string
	Description input
	Priority    input
	Token       string
	Start       bool
	Wizard      string // URL: the failed rows stand in one file, which the wizard can take
	Problem     string
}

func (s *server) askRetry(c *call) error {
	j, err := s.jobOf(c)
	if err != nil {
		return err
	}
	return s.renderRetry(c, http.StatusOK, j, retryPage{
		Token:       string(job.NewID()),
		Description: input{Value: j.Spec.Description}, Priority: input{Value: decimalInt(int64(j.Priority))},
	})
}

func (s *server) jobOf(c *call) (job.Job, error) {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return job.Job{}, err
	}
	return s.o.Jobs.Job(c.Context(), c.caller, id)
}

func (s *server) renderRetry(c *call, status int, j job.Job, p retryPage) error {
	l := c.lang
	p.frame = s.frame(c, l.t("New job from the failed objects"), menuJobs)
	p.Crumbs = s.jobCrumbs(c, j.ID)
	p.Job, p.Failed = s.row(c, j), number(j.Progress.Failed)
	p.Plain, _ = s.plainWords(c, j.Spec)
	p.CLI = "drover job retry " + string(j.ID)
	p.Description.Name, p.Description.Label, p.Description.Type = "description", l.t("Job Description (optional)"), "text"
	p.Priority.Name, p.Priority.Label, p.Priority.Type = "priority", l.t("Job Priority"), "number"
	failed := 0
	for _, f := range s.reportOf(c, j).Files {
		if f.Failed {
			failed++
		}
	}
	if failed == 1 {
		p.Wizard = base + "/jobs/new?failed=" + string(j.ID)
	}
	s.render(c, status, "retry", p)
	return nil
}

func (s *server) retry(c *call) error {
	j, err := s.jobOf(c)
	if err != nil {
		return err
	}
	description, start := c.PostFormValue("description"), c.PostFormValue("start") == "yes"
	confirm := !start
	p := retryPage{
		Token: c.PostFormValue("token"), Description: input{Value: description}, Priority: input{Value: c.PostFormValue("priority")}, Start: start,
	}
	number, err := job.ParsePriority(c.PostFormValue("priority"))
	if err != nil || number == 0 {
		p.Priority.Error = c.lang.t("give a positive whole number, at most 2147483647.")
		return s.renderRetry(c, http.StatusUnprocessableEntity, j, p)
	}
	again, err := s.o.Jobs.Retry(c.Context(), c.caller, j.ID, job.Retry{
		Token: p.Token, ConfirmationRequired: &confirm, Description: &description, Priority: &number,
	})
	e, ours := errors.AsType[*job.Error](err)
	switch {
	case err == nil:
		http.Redirect(c.w, c.Request, jobURL(again.ID)+"?done=created", http.StatusSeeOther)
	case ours && e.Code == job.Duplicate && e.Job != "":
		http.Redirect(c.w, c.Request, jobURL(e.Job)+"?done=duplicate", http.StatusSeeOther)
	case ours && e.Field == "Description":
		p.Description.Error = e.Message
		return s.renderRetry(c, http.StatusUnprocessableEntity, j, p)
	case statusOf(err) == http.StatusBadRequest:
		p.Problem = e.Message
		return s.renderRetry(c, http.StatusUnprocessableEntity, j, p)
	default:
		return err
	}
	return nil
}
