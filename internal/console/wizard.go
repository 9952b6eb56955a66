package console

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// newJob opens the wizard: empty, like an earlier job (clone), or for the objects that failed in one (failed).
func (s *server) newJob(c *call) error {
	f := newForm(s.o.Default, string(job.NewID()))
	values := c.URL.Query()
	from, unsaid := values.Get("clone")+values.Get("failed"), ""
	if from != "" {
		id, err := api.ParseID(from)
		if err != nil {
			return err
		}
		j, err := s.o.Jobs.Job(c.Context(), c.caller, id)
		if err != nil {
			return err
		}
		f.fill(listed(j))
		if !f.says(j.Spec.Operation) {
			unsaid = c.lang.t("This form has no words for all that the job does: %s", visible(operation.Describe(j.Spec.Operation)))
		}
		if values.Has("failed") {
			if err := s.fillFailed(c, f, j); err != nil {
				return err
			}
		}
	}
	w := s.newWizard(c, f, 1)
	w.notice = unsaid
	roles, err := s.roles(c)
	if err != nil {
		return err
	}
	if passable := slices.ContainsFunc(roles, func(r job.Role) bool { return r.ARN == f.Get("role") }); passable {
		f.Set("preview-role", f.Get("role"))
	} else if len(roles) == 1 {
		f.Set("preview-role", roles[0].ARN)
	}
	return w.render(http.StatusOK)
}

// fillFailed makes the failed rows of a job's report the new job's list: a result file is itself a manifest. Only where
// there is one such file; Retry puts several together.
func (s *server) fillFailed(c *call, f form, j job.Job) error {
	if r := j.Spec.Report.Region; r != "" && r != j.Spec.Region {
		return job.Errorf(job.Conflict, "The report of job %s lies in region %s, and a job's list must lie in its own, %s: copy the file of failed tasks there.", j.ID, r, j.Spec.Region)
	}
	files, err := s.o.Jobs.ReportFiles(c.Context(), c.caller, j.ID)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(r job.ReportFile) bool { return r.Status != job.TaskFailed })
	if len(files) == 0 {
		return job.Errorf(job.Conflict, "The report of job %s lists no failed objects.", j.ID)
	}
	if len(files) > 1 {
		return job.Errorf(job.Conflict, "The failed objects of job %s stand in %d files: make a new job of all of them on its page.", j.ID, len(files))
	}
	ignore := job.FieldIgnore
	f.setManifest(job.Manifest{
		Format:   job.FormatCSV,
		Fields:   []job.Field{job.FieldBucket, job.FieldKey, job.FieldVersion, ignore, ignore, ignore, ignore},
		Location: job.Location{Bucket: files[0].Bucket, Key: files[0].Key},
	})
	f.Set("format", "csv")
	return nil
}

// wizard is one request of the wizard.
type wizard struct {
	s       *server
	c       *call
	f       form
	step    int
	errs    map[string]string // by input
	general []string
	notice  string
	preview *preview
	browser *browser
	more    bool // show more empty rows
	role    *roleForm
	done    string // what was done at this step
}

func (s *server) newWizard(c *call, f form, step int) *wizard {
	return &wizard{s: s, c: c, f: f, step: step, errs: map[string]string{}}
}

// wizard takes a posted step: it goes on, back, looks into the list, or creates the job.
func (s *server) wizard(c *call) error {
	step, err := strconv.Atoi(c.PostFormValue("step"))
	if err != nil || step < 1 || step > lastStep {
		return errNoSuchPage
	}
	w := s.newWizard(c, formOf(c.PostForm), step)
	do, arg, _ := strings.Cut(c.PostFormValue("do"), ":")
	switch do {
	case "back":
		w.step = max(step-1, 1)
	case "goto":
		if n, err := strconv.Atoi(arg); err == nil && n >= 1 && n < step {
			w.step = n
		}
	case "preview":
		w.look(true)
	case "browse", "folder":
		w.browse(arg)
	case "pick":
		w.f.Set("manifest-key", arg)
		w.f.Del("manifest-version")
		w.look(true)
	case "rows":
		w.more = true
	case "drop":
		w.f.dropHours(arg)
	case "example": // each page of the step has it
	case "least":
		f := roleFormOf(c.PostForm)
		f.policy = ""
		w.role = &f
	case "create-role":
		if err := w.createRole(); err != nil {
			return err
		}
	case "create":
		done, err := w.create()
		if done || err != nil {
			return err
		}
	default:
		w.next()
	}
	status := http.StatusOK
	if len(w.errs)+len(w.general) > 0 || w.role != nil && len(w.role.errs) > 0 {
		status = http.StatusUnprocessableEntity
	}
	return w.render(status)
}

// next checks the step, and goes on when nothing is wrong with it.
func (w *wizard) next() {
	w.check(w.step)
	if w.step == 1 && len(w.errs) == 0 {
		w.look(false)
	}
	if len(w.errs)+len(w.general) > 0 {
		return
	}
	w.step = min(w.step+1, lastStep)
	if w.step == 3 {
		w.suggest()
	}
}

// suggest fills in what follows from the steps before.
func (w *wizard) suggest() {
	if w.f.Get("role") == "" {
		w.f.Set("role", w.f.Get("preview-role"))
	}
	if w.f.Get("report-bucket") == "" {
		w.f.Set("report-bucket", w.f.text("manifest-bucket"))
	}
}

// check finds what is wrong with the inputs of a step, or of all steps when it is 0.
func (w *wizard) check(step int) {
	spec, problems := w.f.spec(w.c.lang, w.c.caller.Account)
	if spec.Manifest.Location.ETag == "" {
		spec.Manifest.Location.ETag = "unknown" // the store is asked for it
	}
	if spec.Token == "" {
		w.general = append(w.general, w.c.lang.t("The form has no request token: begin anew with Create Job."))
	}
	problems.Add(spec.Validate())
	for _, e := range problems {
		if e.Field == "Priority" && w.errs["priority"] != "" {
			continue
		}
		w.blame(e, step)
	}
}

// blame puts a problem beside the input that it is about. Those of other steps than the given one are left out, unless
// that is 0.
func (w *wizard) blame(e *job.Error, step int) {
	name, at := inputOf(e.Field)
	if name == "tags" && w.f.Get("operation") == "tagging" {
		name = "tagging"
	}
	switch {
	case name == "" && e.Field != "ClientRequestToken":
		w.general = append(w.general, e.Message)
	case name != "" && (step == 0 || step == at):
		text := w.c.lang.blamed(e)
		if w.errs[name] != "" {
			text = w.errs[name] + " " + text
		}
		w.errs[name] = text
	}
}

// look opens the list as the preview's role. asked says that a person wants to see it; else a role that may not read it
// is no reason to stop.
func (w *wizard) look(asked bool) {
	arn := w.f.Get("preview-role")
	if arn == "" {
		w.notice = w.c.lang.t("No role was chosen to read the list: it is checked when the job is prepared.")
		if asked {
			w.errs["preview-role"] = w.c.lang.t("Choose a role to read the list as.")
		}
		return
	}
	p, err := w.s.look(w.c, w.f, arn)
	if err == nil {
		w.preview = p
		return
	}
	e, ok := errors.AsType[*job.Error](err)
	if !ok {
		e = &job.Error{Code: job.Internal, Message: w.c.lang.t("The list could not be read."), Err: err}
	}
	switch {
	case e.Field != "":
		w.blame(e, 0)
	case asked || !w.passable(arn):
		w.errs["preview-role"] = e.Message
	default:
		w.f.Del("manifest-etag")
		w.notice = e.Message + " " + w.c.lang.t("It is checked when the job is prepared.")
	}
}

func (w *wizard) passable(arn string) bool {
	roles, err := w.s.roles(w.c)
	return err == nil && slices.ContainsFunc(roles, func(r job.Role) bool { return r.ARN == arn })
}

func (w *wizard) browse(folder string) {
	if w.f.Get("preview-role") == "" {
		w.errs["preview-role"] = w.c.lang.t("Choose a role to read the list as.")
		return
	}
	b, err := w.s.browse(w.c, w.f, folder)
	if err == nil {
		w.browser = b
		return
	}
	e, ok := errors.AsType[*job.Error](err)
	switch {
	case ok && e.Field != "":
		w.blame(e, 0)
	case ok:
		w.errs["preview-role"] = e.Message
	default:
		w.errs["preview-role"] = w.c.lang.t("The bucket could not be listed.")
	}
}

// create makes the job; done says that the request was answered.
func (w *wizard) create() (done bool, err error) {
	if w.check(0); len(w.errs)+len(w.general) > 0 {
		w.toFirstError()
		return false, nil
	}
	if w.f.text("manifest-etag") == "" {
		if _, err := w.s.look(w.c, w.f, w.f.Get("role")); err != nil {
			w.fail(err)
			return false, nil
		}
	}
	spec, _ := w.f.spec(w.c.lang, w.c.caller.Account)
	j, err := w.s.o.Jobs.Create(w.c.Context(), w.c.caller, spec)
	switch {
	case err == nil:
		http.Redirect(w.c.w, w.c.Request, jobURL(j.ID)+"?done=created", http.StatusSeeOther)
		return true, nil
	case job.CodeOf(err) == job.Duplicate:
		return w.again(spec.Token, err)
	case statusOf(err) >= http.StatusInternalServerError:
		return false, err
	}
	w.fail(err)
	return false, nil
}

// again goes to the job that the same form made before.
func (w *wizard) again(token string, cause error) (bool, error) {
	newest, _, err := w.s.newest(w.c.Context(), w.c.caller, api.Filter{}, "", looked)
	if err != nil {
		return false, err
	}
	for _, j := range newest {
		if j.Spec.Token == token {
			http.Redirect(w.c.w, w.c.Request, jobURL(j.ID)+"?done=duplicate", http.StatusSeeOther)
			return true, nil
		}
	}
	return false, cause
}

// fail puts what the service said beside its inputs.
func (w *wizard) fail(err error) {
	e, ok := errors.AsType[*job.Error](err)
	if !ok {
		w.general = append(w.general, w.c.lang.t("The list could not be read."))
		return
	}
	all := e.All
	if len(all) == 0 {
		all = []*job.Error{e}
	}
	for _, one := range all {
		w.blame(one, 0)
	}
	w.toFirstError()
}

func (w *wizard) toFirstError() {
	for step := 1; step <= lastStep; step++ {
		if slices.ContainsFunc(inputs[step], func(name string) bool { return w.errs[name] != "" }) {
			w.step = step
			return
		}
	}
}
