package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	WaitsFor  *link // the job that runs before it
	Rate      string
	ETA       string
	ActiveFor string
	Chart     *chart
	Work      workView
	Steps     []step
	Failures  []failure  // why the job failed
	Codes     []codeView // failed tasks by code
	AnyFailed bool
	Requested string // restorations asked for, in a job that waits for them; "" = none
	Report    reportView
	Plain     string
	Effects   []string
	Fields    []pair
	Tags      []pair
	Command   string
	APIs      []definitionText
}

// workView is the operator's view of a job: its chunks and the parts of its report.
type workView struct {
	Known                       bool
	Chunks, Rows, Running, Wait string
	Segments                    []segmentView
	MoreSegments                string // how many are not shown; "" = none
}

type segmentView struct{ Number, Rows, Failed, Size string }

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

// shownSamples bounds the keys that are shown of each error code.
const shownSamples = 8

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
	if p.Command, err = command(j.Spec, s.o.Default); err != nil {
		p.Command = ""
	}
	p.APIs = s.definitions(j.Spec)
	tags, err := s.o.Jobs.Tags(c.Context(), c.caller, id)
	if err != nil && job.CodeOf(err) != job.AccessDenied {
		return err
	}
	for _, t := range tags {
		p.Tags = append(p.Tags, pair{Name: visible(t.Key), Value: visible(t.Value)})
	}
	s.render(c, http.StatusOK, "job", p)
	return nil
}

func (s *server) jobPage(c *call, j job.Job) jobPage {
	l, now := c.lang, s.o.Now()
	p := jobPage{
		frame: s.frame(c, l.t("Job %s", string(j.ID)), menuJobs), Job: s.row(c, j), Buttons: l.buttons(j), Self: jobURL(j.ID),
		Live: !j.Status.Final(), Rate: "–", ETA: "–", ActiveFor: "–",
		Steps: l.steps(j, now), Codes: l.codes(j.Progress.ByCode), AnyFailed: j.Progress.Failed > 0,
	}
	p.Crumbs = s.jobCrumbs(c, "")
	if p.Live {
		p.Refresh = 5
	}
	if n := j.Progress.Requested; n > 0 {
		p.Requested = number(n)
	}
	p.Waits, p.WaitsFor = s.waits(c, j)
	p.CLI = "drover job show " + string(j.ID)
	if active := j.Progress.ActiveFor; active > 0 {
		p.ActiveFor = l.span(active)
		rate := j.Progress.Rate // the present one; of a job that does not run, that of the whole
		if j.Status != job.Active {
			rate = float64(j.Progress.Done()) / active.Seconds()
		}
		if rate > 0 {
			p.Rate = l.t("%s/s", number(int64(rate+0.5)))
		}
		if left, ok := j.Progress.Remaining(); ok {
			p.ETA = l.span(left)
		}
	}
	if work, err := s.o.Jobs.Work(c.Context(), c.caller, j.ID); err == nil { // without it the page is less, not wrong
		p.Chart, p.Work = l.chart(work.Pace), l.work(work)
	}
	for _, f := range j.Failures {
		p.Failures = append(p.Failures, failure{visible(f.Code), visible(f.Reason)})
	}
	p.Plain, p.Effects = s.plainWords(c, j.Spec)
	present := listed(j)
	present.Limits = j.Limits
	p.Fields = append(l.list(present), l.settings(present)...)
	p.Report = s.reportOf(c, j)
	return p
}

// mostSegments bounds what is shown of a report's parts: the newest.
const mostSegments = 8

func (l language) work(w job.Work) workView {
	if w.Chunks == 0 {
		return workView{}
	}
	v := workView{
		Known: true, Chunks: number(w.Chunks), Rows: number(int64(w.ChunkRows)), Running: number(int64(w.Running)), Wait: number(int64(w.Waiting)),
	}
	if n := len(w.Segments) - mostSegments; n > 0 {
		v.MoreSegments, w.Segments = number(int64(n)), w.Segments[n:]
	}
	for _, s := range w.Segments {
		var rows, failed, bytes int64
		for _, f := range s.Files {
			rows, bytes = rows+f.Rows, bytes+f.Size
			if f.Status == job.TaskFailed {
				failed += f.Rows
			}
		}
		v.Segments = append(v.Segments, segmentView{number(s.Number), number(rows), number(failed), size(bytes)})
	}
	return v
}

// waits says what a job that does not run waits for, and names the job that runs before it.
func (s *server) waits(c *call, j job.Job) (string, *link) {
	l := c.lang
	switch j.Status {
	case job.Suspended:
		return l.t("The job waits for you: it was prepared, and begins when you confirm it."), nil
	case job.Ready:
		if j.PausedByUser {
			return l.t("The job was paused by a user. Resume lets it go on."), nil
		}
		return l.t("The job waits for its turn: a running job has a higher priority, or as many jobs run as may."), s.before(c, j)
	case job.Paused, job.Pausing:
		if j.PausedByUser {
			return l.t("The job was paused by a user. Resume lets it go on."), nil
		}
		return l.t("The job is on hold while a job of higher priority runs."), s.before(c, j)
	}
	return "", nil
}

// before finds the running job of the highest priority; nil when none is above this one.
func (s *server) before(c *call, j job.Job) *link {
	running, _, err := s.newest(c.Context(), c.caller, api.Filter{Statuses: []job.Status{job.Active, job.Completing}}, "", shownRunning)
	if err != nil {
		return nil // it is said that it waits, if not for whom
	}
	var first *job.Job
	for i := range running {
		if one := &running[i]; one.Priority >= j.Priority && (first == nil || one.Priority > first.Priority) {
			first = one
		}
	}
	if first == nil {
		return nil
	}
	name := shortened(first.Spec.Description, 60)
	if name == "" {
		name = string(first.ID)
	}
	return &link{Text: c.lang.t("%s (priority %s)", name, number(int64(first.Priority))), URL: jobURL(first.ID)}
}

// steps makes the timeline out of the events.
func (l language) steps(j job.Job, now time.Time) []step {
	var out []step
	move, since := -1, time.Time{} // the last one
	for _, e := range j.Events {
		st := step{Time: l.moment(e.Time, now), Actor: visible(e.Actor), Reason: visible(e.Reason)}
		if !e.Moved() {
			st.Status = badge{l.t("Note"), "pen", "wait"}
			out = append(out, st)
			continue
		}
		st.Status = l.badge(e.To)
		if move >= 0 {
			out[move].Duration = l.span(e.Time.Sub(since))
		}
		move, since = len(out), e.Time
		out = append(out, st)
	}
	if move >= 0 {
		out[move].Last = true
		if !j.Status.Final() {
			out[move].Duration = l.span(now.Sub(since))
		}
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
		for _, k := range c.Samples[:min(len(c.Samples), shownSamples)] {
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

// listed is a job's spec with the list that was made for it.
func listed(j job.Job) job.Spec {
	s := j.Spec
	if s.Generator != nil {
		s.Manifest = j.Generated
	}
	return s
}

// generated says what a list is made of.
func (l language) generated(g *job.Generator) []pair {
	out := []pair{{l.t("Objects of the bucket"), visible(string(g.Source)), true}}
	texts := func(name string, all []string) {
		if len(all) > 0 {
			out = append(out, pair{name, shortened(strings.Join(all, ", "), 300), true})
		}
	}
	f := g.Filter
	texts(l.t("Keys begin with"), f.Prefixes)
	texts(l.t("Keys end with"), f.Suffixes)
	texts(l.t("Keys have in them"), f.Substrings)
	texts(l.t("Storage Class"), f.Classes)
	for _, b := range []struct {
		name string
		at   time.Time
	}{{l.t("Created after"), f.CreatedAfter}, {l.t("Created before"), f.CreatedBefore}} {
		if !b.at.IsZero() {
			out = append(out, pair{Name: b.name, Value: b.at.UTC().Format(time.RFC3339)})
		}
	}
	if f.LargerThan != nil {
		out = append(out, pair{Name: l.t("Larger than"), Value: size(*f.LargerThan)})
	}
	if f.SmallerThan != nil {
		out = append(out, pair{Name: l.t("Smaller than"), Value: size(*f.SmallerThan)})
	}
	return out
}

// list says which objects a job is about.
func (l language) list(spec job.Spec) []pair {
	m := spec.Manifest
	format := l.t("CSV")
	if m.Format == job.FormatInventory {
		format = l.t("Inventory report")
	}
	out := []pair{{l.t("Job Region"), string(spec.Region), false}}
	if spec.Generator != nil {
		out = append(out, l.generated(spec.Generator)...)
	}
	if m.Location.Key != "" || spec.Generator == nil {
		out = append(out,
			pair{l.t("Inventory Format"), format, false},
			pair{l.t("Inventory Bucket"), visible(string(m.Location.Bucket)), true},
			pair{l.t("Inventory File Path"), visible(string(m.Location.Key)), true})
		if v := m.Location.Version; v != "" {
			out = append(out, pair{l.t("Version of the file"), visible(string(v)), true})
		}
		out = append(out, pair{l.t("ETag"), visible(m.Location.ETag), true})
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
	if m.PlusSpace {
		out = append(out, pair{l.t("A plus sign in a key"), l.t("is a blank"), false})
	}
	return out
}

// settings says as whom a job runs, how fast, and where it reports.
func (l language) settings(spec job.Spec) []pair {
	out := []pair{{l.t("Role"), visible(spec.Role.ARN), true}}
	if !spec.Limits.IsZero() {
		out = append(out, pair{Name: l.t("Limits"), Value: l.limits(spec.Limits)})
	}
	if !spec.Report.Enabled {
		return append(out, pair{l.t("Job Report"), l.t("No"), false})
	}
	scope := l.t("All tasks")
	if spec.Report.Scope == job.FailedTasksOnly {
		scope = l.t("Failed tasks only")
	}
	if r := spec.Report.Region; r != "" && r != spec.Region {
		out = append(out, pair{l.t("Region of the report"), visible(string(r)), false})
	}
	where := string(spec.Report.Bucket) + "/" + spec.Report.Prefix
	return append(out, pair{l.t("Job Report"), visible(where), true}, pair{l.t("Tasks in the report"), scope, false})
}

func cloneURL(id job.ID) string { return base + "/jobs/new?clone=" + url.QueryEscape(string(id)) }
