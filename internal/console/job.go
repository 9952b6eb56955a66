package console

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

type jobPage struct {
	frame
	Job       jobRow
	Buttons   []button
	Self      string
	Live      bool // it changes by itself
	Waits     string
	Rate      string
	ETA       string
	ActiveFor string
	Steps     []step
	Failures  []failure  // why the job failed
	Codes     []codeView // failed tasks by code
	AnyFailed bool
	Report    reportView
	Plain     string
	Effects   []string
	Fields    []pair
	Command   string
	JSON      string
}

type pair struct {
	Name, Value string
	Mono        bool
}

type failure struct{ Code, Reason string }

// step is one line of the timeline.
type step struct {
	Status   badge
	Time     moment
	Actor    string
	Reason   string
	Duration string // how long the status lasted; "" for the last of a finished job
	Last     bool
}

type codeView struct {
	Code    string
	Count   string
	Width   string
	Means   string
	Samples []string
}

func decimalInt(n int64) string { return strconv.FormatInt(n, 10) }

func (s *server) jobCrumbs(c *call, id job.ID) []link {
	crumbs := []link{{Text: c.lang.t("Batch Operation"), URL: base + "/jobs"}}
	if id != "" {
		crumbs = append(crumbs, link{Text: string(id), URL: jobURL(id)})
	}
	return crumbs
}

func (s *server) showJob(c *call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	j, err := s.o.Jobs.Job(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	p := s.jobPage(c, j)
	if c.poll() {
		s.renderBlock(c, http.StatusOK, "job", "live", p)
		return nil
	}
	if p.Command, err = command(j.Spec); err != nil {
		p.Command = ""
	}
	if p.JSON, err = s.specJSON(j.Spec); err != nil {
		return err
	}
	s.render(c, http.StatusOK, "job", p)
	return nil
}

func (s *server) jobPage(c *call, j job.Job) jobPage {
	l, now := c.lang, s.o.Now()
	p := jobPage{
		frame: s.frame(c, l.t("Job %s", string(j.ID)), menuJobs), Job: s.row(c, j), Buttons: l.buttons(j), Self: jobURL(j.ID),
		Live: !j.Status.Final(), Waits: l.waits(j), Rate: "–", ETA: "–", ActiveFor: "–",
		Steps: l.steps(j, now), Codes: l.codes(j.Progress.ByCode), AnyFailed: j.Progress.Failed > 0,
	}
	p.Crumbs = s.jobCrumbs(c, "")
	if p.Live {
		p.Refresh = 5
	}
	if active := j.Progress.ActiveFor; active > 0 {
		p.ActiveFor = l.span(active)
		if rate := float64(j.Progress.Done()) / active.Seconds(); rate > 0 {
			p.Rate = l.t("%s objects/s", number(int64(rate+0.5)))
			if left := j.Progress.Total - j.Progress.Done(); j.Status == job.Active && left > 0 {
				p.ETA = l.span(time.Duration(float64(left) / rate * float64(time.Second)))
			}
		}
	}
	for _, f := range j.Failures {
		p.Failures = append(p.Failures, failure{visible(f.Code), visible(f.Reason)})
	}
	p.Plain, p.Effects = s.plainWords(c, j.Spec)
	p.Fields = s.definition(c, j.Spec)
	p.Report = s.reportOf(c, j)
	return p
}

// waits says what a job that does not run waits for.
func (l language) waits(j job.Job) string {
	switch j.Status {
	case job.Suspended:
		return l.t("The job waits for you: it was prepared, and begins when you confirm it.")
	case job.Ready:
		return l.t("The job waits for its turn: a running job has a higher priority, or as many jobs run as may.")
	case job.Paused, job.Pausing:
		if j.PausedByUser {
			return l.t("The job was paused by a user. Resume lets it go on.")
		}
		return l.t("The job is on hold while a job of higher priority runs.")
	}
	return ""
}

// steps makes the timeline out of the events.
func (l language) steps(j job.Job, now time.Time) []step {
	var out []step
	for i, e := range j.Events {
		st := step{Status: l.badge(e.To), Time: l.moment(e.Time, now), Actor: visible(e.Actor), Reason: visible(e.Reason), Last: i == len(j.Events)-1}
		switch {
		case !st.Last:
			st.Duration = l.span(j.Events[i+1].Time.Sub(e.Time))
		case !j.Status.Final():
			st.Duration = l.span(now.Sub(e.Time))
		}
		out = append(out, st)
	}
	return out
}

func (l language) codes(by []job.CodeCount) []codeView {
	counts := make([]int64, len(by))
	for i, c := range by {
		counts[i] = c.Count
	}
	wide := widths(counts)
	var out []codeView
	for i, c := range by {
		v := codeView{Code: visible(c.Code), Count: number(c.Count), Width: wide[i], Means: l.codeMeans(c.Code)}
		for _, k := range c.Samples {
			v.Samples = append(v.Samples, shortened(string(k), 200))
		}
		out = append(out, v)
	}
	return out
}

// codeMeans explains the codes that people meet most.
func (l language) codeMeans(code string) string {
	return map[string]string{
		"NoSuchKey":                l.t("The list names an object that is not there: it was deleted after the list was made, or the key is encoded otherwise."),
		"NoSuchBucket":             l.t("The bucket is not there. Check its name and region."),
		"NoSuchVersion":            l.t("The version that the list names is not there."),
		"AccessDenied":             l.t("The job's role may not do this. Give it the right on source and destination."),
		"InvalidObjectState":       l.t("The object is archived, or not archived where it should be. Restore archived objects before they are copied."),
		"RestoreAlreadyInProgress": l.t("A restore of this object is under way already."),
		"ConnectionError":          l.t("The store did not answer, also when asked again."),
	}[code]
}

// definition is a job's spec as a table.
func (s *server) definition(c *call, spec job.Spec) []pair {
	l := c.lang
	m := spec.Manifest
	format := l.t("CSV")
	if m.Format == job.FormatInventory {
		format = l.t("COS inventory report")
	}
	out := []pair{
		{l.t("Job Region"), string(spec.Region), false},
		{l.t("Inventory Format"), format, false},
		{l.t("Inventory Bucket"), visible(string(m.Location.Bucket)), true},
		{l.t("Inventory File Path"), visible(string(m.Location.Key)), true},
		{l.t("ETag"), visible(m.Location.ETag), true},
	}
	if len(m.Fields) > 0 {
		text := ""
		for i, f := range m.Fields {
			if i > 0 {
				text += ", "
			}
			text += string(f)
		}
		out = append(out, pair{l.t("CSV columns"), text, false})
	}
	out = append(out, pair{l.t("Role"), visible(spec.Role.ARN), true})
	if !spec.Report.Enabled {
		return append(out, pair{l.t("Job Report"), l.t("No"), false})
	}
	scope := l.t("All tasks")
	if spec.Report.Scope == job.FailedTasksOnly {
		scope = l.t("Failed tasks only")
	}
	where := string(spec.Report.Bucket) + "/" + spec.Report.Prefix
	return append(out, pair{l.t("Job Report"), visible(where), true}, pair{l.t("Tasks in the report"), scope, false})
}

func cloneURL(id job.ID) string { return base + "/jobs/new?clone=" + url.QueryEscape(string(id)) }
