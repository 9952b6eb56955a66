package console

import (
	"net/http"
	"slices"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

const maxReason = 256 // bytes

type actionPage struct {
	frame
	Job      jobRow
	Action   string
	Heading  string
	Says     string // what will happen
	Effects  []string
	Priority string
	TypeWord string // a word that has to be typed first; "" = none
	Reason   string
	Error    string
	Danger   bool
	Button   string
}

// askAction is the page before an action that cannot be taken back, or needs a value.
func (s *server) askAction(c *call) error {
	j, a, err := s.target(c)
	if err != nil {
		return err
	}
	if !a.allowed(j) {
		return impossible(j)
	}
	s.renderAction(c, http.StatusOK, j, a, "")
	return nil
}

func impossible(j job.Job) error {
	return job.Errorf(job.Conflict, "Job %s is %s: that is not possible now.", j.ID, j.Status)
}

func (s *server) target(c *call) (job.Job, action, error) {
	a := action(c.PathValue("action"))
	if !slices.Contains(actions, a) {
		return job.Job{}, "", errNoSuchPage
	}
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return job.Job{}, "", err
	}
	j, err := s.o.Jobs.Job(c.Context(), c.caller, id)
	return j, a, err
}

func (s *server) renderAction(c *call, status int, j job.Job, a action, problem string) {
	l := c.lang
	p := actionPage{
		frame: s.frame(c, l.actionText(a), menuJobs), Job: s.row(c, j), Action: string(a), Heading: l.actionText(a), Button: l.actionText(a),
		Priority: number(int64(j.Priority)), Reason: c.PostFormValue("reason"), Error: problem, Danger: a == cancel || a == remove,
	}
	p.Priority = c.PostFormValue("priority")
	if p.Priority == "" {
		p.Priority = decimalInt(int64(j.Priority))
	}
	p.Crumbs = s.jobCrumbs(c, j.ID)
	switch a {
	case confirm:
		p.Says = l.t("The job was prepared and waits for you. Confirmed, it begins with its tasks.")
		p.Effects = append(p.Effects, l.t("%s objects are in its list.", number(j.Progress.Total)))
		if z := j.Sizes; z != nil {
			p.Effects = append(p.Effects, l.t("Together they have %s; the largest has %s.", size(z.Bytes), size(z.Largest)))
		}
		if _, effects := s.plainWords(c, j.Spec); len(effects) > 0 {
			p.Effects = append(p.Effects, effects...)
		}
		if j.Spec.Operation.Name() == "delete" {
			p.TypeWord, p.Danger = "delete", true
		}
	case cancel:
		p.Says = l.t("No further task is started. What has been done stays done, and the report tells of it.")
		if left := j.Progress.Total - j.Progress.Done(); left > 0 {
			p.Effects = append(p.Effects, l.t("%s tasks will not be done.", number(left)))
		}
	case priority:
		p.Says = l.t("A job with a larger number runs first. It may put running jobs with a smaller one on hold.")
	case remove:
		p.Says = l.t("The job leaves the list, for good. Objects and the report stay as they are.")
	}
	s.render(c, status, "action", p)
}

// act does what a form asks of a job, and goes back to the job.
func (s *server) act(c *call) error {
	j, a, err := s.target(c)
	if err != nil {
		return err
	}
	if len(c.PostFormValue("reason")) > maxReason {
		s.renderAction(c, http.StatusBadRequest, j, a, c.lang.t("The reason is longer than %s bytes.", number(maxReason)))
		return nil
	}
	if a == confirm && j.Spec.Operation.Name() == "delete" && c.PostFormValue("word") != "delete" {
		s.renderAction(c, http.StatusBadRequest, j, a, c.lang.t("Type the word delete: this job deletes objects."))
		return nil
	}
	err = s.do(c, j.ID, a)
	if code := job.CodeOf(err); err != nil && a == priority && (code == job.InvalidArgument || code == job.InvalidRequest) {
		s.renderAction(c, http.StatusBadRequest, j, a, job.MessageOf(err))
		return nil
	}
	if err != nil {
		return err
	}
	to := jobURL(j.ID) + "?done=" + string(a)
	if a == remove {
		to = base + "/jobs?done=" + string(a)
	}
	http.Redirect(c.w, c.Request, to, http.StatusSeeOther)
	return nil
}

func (s *server) do(c *call, id job.ID, a action) error {
	ctx, reason := c.Context(), c.PostFormValue("reason")
	var err error
	switch a {
	case confirm:
		_, err = s.o.Jobs.Confirm(ctx, c.caller, id, reason)
	case pause:
		_, err = s.o.Jobs.Pause(ctx, c.caller, id, reason)
	case resume:
		_, err = s.o.Jobs.Resume(ctx, c.caller, id, reason)
	case cancel:
		_, err = s.o.Jobs.Cancel(ctx, c.caller, id, reason)
	case priority:
		var p job.Priority
		if p, err = job.ParsePriority(c.PostFormValue("priority")); err == nil {
			_, err = s.o.Jobs.SetPriority(ctx, c.caller, id, p)
		}
	case remove:
		err = s.o.Jobs.Delete(ctx, c.caller, id)
	}
	return err
}

// actOnMany does one thing to each of the jobs that were ticked, and shows which of them it could not be done to.
func (s *server) actOnMany(c *call) error {
	a := action(c.PostFormValue("action"))
	if !slices.Contains([]action{confirm, pause, resume, cancel}, a) {
		return errNoSuchPage
	}
	ids := c.PostForm["id"]
	if len(ids) == 0 {
		return s.jobsPage(c, http.StatusBadRequest, []string{c.lang.t("Tick the jobs first.")})
	}
	var problems []string
	for _, text := range ids[:min(len(ids), pageSize)] {
		if err := s.doOne(c, text, a); err != nil {
			if statusOf(err) >= http.StatusInternalServerError {
				return err
			}
			problems = append(problems, job.MessageOf(err))
		}
	}
	if len(problems) > 0 {
		return s.jobsPage(c, http.StatusConflict, problems)
	}
	http.Redirect(c.w, c.Request, local(c.PostFormValue("back"), base+"/jobs"), http.StatusSeeOther)
	return nil
}

func (s *server) doOne(c *call, text string, a action) error {
	id, err := api.ParseID(text)
	if err != nil {
		return err
	}
	if a == confirm {
		j, err := s.o.Jobs.Job(c.Context(), c.caller, id)
		if err != nil {
			return err
		}
		if j.Spec.Operation.Name() == "delete" {
			return job.Errorf(job.Conflict, "Job %s deletes objects: confirm it on its own page.", id)
		}
	}
	return s.do(c, id, a)
}
