package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

type jobsPage struct {
	frame
	Tabs     []tabView
	Tab      string
	Search   string
	Filters  []choice
	Filtered bool
	Rows     []jobRow
	Next     string // URL of the next page; "" = none
	First    string // URL of the first page, where this is not it
	Self     string // URL of this page
	Live     bool
	Toggle   string // URL of this page with the refresh switched over
	NoJobs   bool
	Actions  []button // for the jobs that are ticked
	Problems []string
	Create   string
}

type tabView struct {
	Text, URL, Count string
	Current          bool
}

type jobRow struct {
	ID          string
	URL         string
	Description string
	Operation   string
	Status      badge
	Bar         bar
	Priority    string
	Created     moment
	Duration    string
	Buttons     []button // those that are allowed
	Clone       string
}

func (s *server) listJobs(c *call) error { return s.jobsPage(c, http.StatusOK, nil) }

// jobsPage shows the list; problems are what the action before did not do.
func (s *server) jobsPage(c *call, status int, problems []string) error {
	values := c.URL.Query()
	if c.Method == http.MethodPost {
		values = url.Values{
			"tab": {c.PostFormValue("tab")}, "search": {c.PostFormValue("search")},
			"operation": {c.PostFormValue("operation")}, "since": {c.PostFormValue("since")},
		}
	}
	q := query{tab: tabs[0], search: values.Get("search"), after: job.ID(values.Get("after"))}
	for _, t := range tabs {
		if t.name == values.Get("tab") {
			q.tab = t
		}
	}
	if _, known := operations[values.Get("operation")]; known {
		q.operation = values.Get("operation")
	}
	if ago := ages[values.Get("since")]; ago > 0 {
		q.since = s.o.Now().Add(-ago)
	}
	l, err := s.list(c.Context(), c.caller, q)
	if err != nil {
		return err
	}
	p := jobsPage{
		frame: s.frame(c, c.lang.t("Batch Operation"), menuJobs), Tab: q.tab.name, Search: q.search, Live: values.Get("live") != "off",
		Problems: problems, Create: base + "/jobs/new", Filters: c.lang.filters(values), Filtered: q.search != "" || q.operation != "" || !q.since.IsZero(),
	}
	p.NoJobs = len(l.jobs) == 0 && !p.Filtered && l.counts["all"] == 0
	p.CLI = jobsCommand(q, values.Get("since"))
	link := func(change url.Values) string {
		v := url.Values{}
		for _, name := range []string{"tab", "search", "operation", "since", "after", "live"} {
			value := values.Get(name)
			if change.Has(name) {
				value = change.Get(name)
			}
			if value != "" && !(name == "tab" && value == tabs[0].name) {
				v.Set(name, value)
			}
		}
		if len(v) == 0 {
			return base + "/jobs"
		}
		return base + "/jobs?" + v.Encode()
	}
	p.Self = link(nil)
	p.Toggle = link(url.Values{"live": {map[bool]string{true: "off"}[p.Live]}})
	if p.Live {
		p.Refresh = 5
	}
	for _, t := range tabs {
		p.Tabs = append(p.Tabs, tabView{
			Text: c.lang.tabText(t.name), Count: number(l.counts[t.name]), Current: t.name == q.tab.name,
			URL: link(url.Values{"tab": {t.name}, "after": {""}}),
		})
	}
	if l.more {
		p.Next = link(url.Values{"after": {string(l.jobs[len(l.jobs)-1].ID)}})
	}
	if q.after != "" {
		p.First = link(url.Values{"after": {""}})
	}
	for _, j := range l.jobs {
		p.Rows = append(p.Rows, s.row(c, j))
	}
	for _, a := range actions[:len(actions)-3] { // a priority and limits need numbers, and a record is deleted from its job's page
		p.Actions = append(p.Actions, button{Action: string(a), Text: c.lang.actionText(a), Danger: a == cancel})
	}
	if c.poll() {
		s.renderBlock(c, status, "jobs", "live", p)
		return nil
	}
	s.render(c, status, "jobs", p)
	return nil
}

// operations are those that the list can be narrowed to.
var operations = map[string]bool{"copy": true, "restore": true, "delete": true, "tagging": true, "acl": true}

// ages are how far back the list can be asked to go.
var ages = map[string]time.Duration{"1h": time.Hour, "24h": 24 * time.Hour, "168h": 7 * 24 * time.Hour, "720h": 30 * 24 * time.Hour}

func (l language) filters(v url.Values) []choice {
	return []choice{
		{Name: "operation", Label: l.t("Operation"), Options: pick(v.Get("operation"),
			option{Value: "", Text: l.t("All operations")}, option{Value: "copy", Text: l.t("Copy")}, option{Value: "restore", Text: l.t("Restore")},
			option{Value: "delete", Text: l.t("Delete")}, option{Value: "tagging", Text: l.t("Tagging")}, option{Value: "acl", Text: l.t("Access list")})},
		{Name: "since", Label: l.t("Created"), Options: pick(v.Get("since"),
			option{Value: "", Text: l.t("At any time")}, option{Value: "1h", Text: l.t("In the last hour")}, option{Value: "24h", Text: l.t("In the last 24 hours")},
			option{Value: "168h", Text: l.t("In the last 7 days")}, option{Value: "720h", Text: l.t("In the last 30 days")})},
	}
}

// jobsCommand lists the same jobs on the command line.
func jobsCommand(q query, since string) string {
	out := "drover job list"
	var names []string
	for _, st := range q.tab.statuses {
		names = append(names, string(st))
	}
	if len(names) > 0 {
		out += " --status " + strings.Join(names, ",")
	}
	if q.operation != "" {
		out += " --operation " + q.operation
	}
	if q.search != "" && visible(q.search) == q.search {
		out += " --search " + quoteArg(q.search)
	}
	if !q.since.IsZero() {
		out += " --since " + since
	}
	return out
}

func (l language) tabText(name string) string {
	return map[string]string{
		"all": l.t("All"), "active": l.t("Active"), "waiting": l.t("To confirm"), "queued": l.t("Queued"), "paused": l.t("Paused"),
		"complete": l.t("Complete"), "failed": l.t("Failed"), "cancelled": l.t("Cancelled"),
	}[name]
}

func (s *server) row(c *call, j job.Job) jobRow {
	now := s.o.Now()
	r := jobRow{
		ID: string(j.ID), URL: jobURL(j.ID), Description: shortened(j.Spec.Description, 120), Operation: c.lang.operationText(j.Spec.Operation),
		Status: c.lang.badge(j.Status), Bar: c.lang.bar(j), Priority: number(int64(j.Priority)), Created: c.lang.moment(j.Created, now),
		Duration: "–", Clone: cloneURL(j.ID),
	}
	if !j.Started.IsZero() {
		end := j.Terminated
		if end.IsZero() {
			end = now
		}
		r.Duration = c.lang.span(end.Sub(j.Started))
	}
	for _, b := range c.lang.buttons(j) {
		if b.Allowed && b.Action != string(remove) {
			r.Buttons = append(r.Buttons, b)
		}
	}
	return r
}

func (l language) operationText(o job.Operation) string {
	if o == nil {
		return "–"
	}
	if text, ok := map[string]string{
		"copy": l.t("Copy"), "restore": l.t("Restore"), "delete": l.t("Delete"), "tagging": l.t("Tagging"), "acl": l.t("Access list"),
	}[o.Name()]; ok {
		return text
	}
	return o.Name()
}
