package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// limitsPage is the form that changes the limits of a job or a region.
type limitsPage struct {
	frame
	Heading  string
	OfJob    *jobRow
	OfRegion *regionView
	Says     string // what the limits mean
	Present  string // those that are set
	Limits   limitsForm
	Revision string // of what is shown
	Action   string // URL
	Back     string // URL
	Problem  string

	present job.Limits
	done    string // URL, once they are changed
}

func (s *server) jobLimitsPage(c *call) error {
	p, err := s.limitsOfJob(c)
	if err != nil {
		return err
	}
	s.renderLimits(c, http.StatusOK, p, formOfLimits(p.present), nil)
	return nil
}

// limitsOfJob is the page of a job's limits as they are now: Conflict once it has ended.
func (s *server) limitsOfJob(c *call) (limitsPage, error) {
	l := c.lang
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return limitsPage{}, err
	}
	j, err := s.o.Jobs.Job(c.Context(), c.caller, id)
	if err != nil {
		return limitsPage{}, err
	}
	if !limit.allowed(j) {
		return limitsPage{}, impossible(j)
	}
	row := s.row(c, j)
	p := limitsPage{
		frame: s.frame(c, l.actionText(limit), menuJobs), Heading: l.actionText(limit), OfJob: &row, Action: row.URL + "/" + string(limit), Back: row.URL,
		Says:    l.t("They hold for all workers together, at once. Calls under way end as they would."),
		Present: l.limits(j.Limits), Revision: j.Revision, present: j.Limits, done: row.URL + "?done=" + string(limit),
	}
	p.Crumbs = s.jobCrumbs(c, j.ID)
	p.CLI = limitCommand("drover job limit "+string(j.ID), "limit-", j.Limits)
	return p, nil
}

func (s *server) limitJob(c *call) error {
	return s.changeLimits(c, s.limitsOfJob, func(caller api.Caller, l job.Limits) error {
		_, err := s.o.Jobs.SetLimits(c.Context(), caller, job.ID(c.PathValue("id")), l)
		return err
	})
}

// changeLimits takes a form of limits. look gives the page of what they are of, as it is now. set puts them in force for a
// caller, who names the revision that was shown: whoever was first is not overruled, and the form is shown again with what
// holds now and what was typed.
func (s *server) changeLimits(c *call, look func(*call) (limitsPage, error), set func(api.Caller, job.Limits) error) error {
	p, err := look(c)
	if err != nil {
		return err
	}
	f := form{c.PostForm}
	switch do, arg, _ := strings.Cut(c.PostFormValue("do"), ":"); do {
	case "drop":
		f.dropHours(arg)
		fallthrough
	case "rows":
		p.Revision = c.PostFormValue("revision")
		s.renderLimits(c, http.StatusOK, p, f, nil)
		return nil
	}
	var problems job.Problems
	limits := f.limits(c.lang, &problems)
	problems.Add(limits.Validate()) // beside what is no number, so that all is said at once
	if err = problems.Err(); err == nil {
		caller := c.caller
		caller.IfRevision = c.PostFormValue("revision")
		err = set(caller, limits)
	}
	if err == nil {
		http.Redirect(c.w, c.Request, p.done, http.StatusSeeOther)
		return nil
	}
	switch job.CodeOf(err) {
	case job.Precondition:
		return s.overtaken(c, look)
	case job.InvalidArgument, job.InvalidRequest:
		s.renderLimits(c, statusOf(err), p, f, err)
		return nil
	}
	return err
}

// overtaken shows the form once more to whoever was not the first, with what was typed and what holds now.
func (s *server) overtaken(c *call, look func(*call) (limitsPage, error)) error {
	p, err := look(c)
	if err != nil {
		return err
	}
	p.Problem = c.lang.t("This has changed since the form was opened: above stands what holds now. What you typed is kept below; send it again to put it in its place.")
	s.renderLimits(c, statuses[job.Precondition], p, form{c.PostForm}, nil)
	return nil
}

// renderLimits shows the page with a form's limits, and what is wrong with them.
func (s *server) renderLimits(c *call, status int, p limitsPage, f form, wrong error) {
	errs := map[string]string{}
	if e, ok := errors.AsType[*job.Error](wrong); ok {
		all := e.All
		if len(all) == 0 {
			all = []*job.Error{e}
		}
		for _, one := range all {
			if name, _ := inputOf(one.Field); name != "" {
				errs[name] = strings.TrimSpace(errs[name] + " " + c.lang.blamed(one))
			} else {
				p.Problem = strings.TrimSpace(p.Problem + " " + one.Message)
			}
		}
	}
	p.Limits = c.lang.limitsForm(f, errs, c.PostFormValue("do") == "rows")
	s.render(c, status, "limits", p)
}
