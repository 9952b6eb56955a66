package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

type overviewPage struct {
	frame
	Cards   []card
	Failed  []jobRow
	Running []jobRow
	Alarms  []string
	NoJobs  bool
	Create  string
	Self    string
	Live    bool
}

type card struct {
	Text, Count, URL, Icon, Class string
}

const (
	shownFew     = 5
	lookedFailed = 25 // of the newest failed jobs, those that failed within a day are counted
)

func (s *server) overview(c *call) error {
	ctx, l, now := c.Context(), c.lang, s.o.Now()
	counted, err := s.list(ctx, c.caller, query{tab: tabs[0]})
	if err != nil {
		return err
	}
	counts := counted.counts
	p := overviewPage{
		frame: s.frame(c, l.t("Overview"), menuOverview), NoJobs: counts["all"] == 0, Create: base + "/jobs/new", Self: base + "/", Live: true,
	}
	p.Refresh = 10
	rate, alive, alarms, err := s.pulse(c)
	if err != nil {
		return err
	}
	p.Alarms = alarms
	open := slices.DeleteFunc(job.Statuses(), job.Status.Final)
	running, _, err := s.newest(ctx, c.caller, api.Filter{Statuses: open}, "", shownFew)
	if err != nil {
		return err
	}
	failed, more, err := s.newest(ctx, c.caller, api.Filter{Statuses: []job.Status{job.Failed}}, "", lookedFailed)
	if err != nil {
		return err
	}
	for _, j := range running {
		p.Running = append(p.Running, s.row(c, j))
	}
	for i, j := range failed {
		if now.Sub(j.Terminated) < 24*time.Hour {
			counts["failed24"]++
		}
		if i < shownFew {
			p.Failed = append(p.Failed, s.row(c, j))
		}
	}
	failedText := number(counts["failed24"])
	if more && counts["failed24"] == lookedFailed {
		failedText += "+"
	}
	p.Cards = []card{
		{l.t("Active"), number(counts["active"]), base + "/jobs?tab=active", "play", "busy"},
		{l.t("To confirm"), number(counts["waiting"]), base + "/jobs?tab=waiting", "hand", "ask"},
		{l.t("Queued"), number(counts["queued"]), base + "/jobs?tab=queued", "clock", "wait"},
		{l.t("Failed in 24 h"), failedText, base + "/jobs?tab=failed", "alert", "bad"},
	}
	p.Cards = append(p.Cards, card{l.t("Objects a second"), number(int64(rate + 0.5)), base + "/jobs?tab=active", "gauge", "busy"})
	if alive >= 0 {
		class := "good"
		if alive == 0 {
			class = "bad"
		}
		p.Cards = append(p.Cards, card{l.t("Workers"), number(int64(alive)), base + "/workers", "cpu", class})
	}
	if c.poll() {
		s.renderBlock(c, http.StatusOK, "overview", "live", p)
		return nil
	}
	s.render(c, http.StatusOK, "overview", p)
	return nil
}

// pulse gives the present rate of the account's running jobs, how many workers live, -1 when that is not known, and the
// alarms there are.
func (s *server) pulse(c *call) (rate float64, alive int, alarms []string, err error) {
	running, _, err := s.newest(c.Context(), c.caller, api.Filter{Statuses: []job.Status{job.Active}}, "", 2*lookedFailed)
	if err != nil {
		return 0, 0, nil, err
	}
	for _, j := range running {
		rate += j.Progress.Rate
	}
	if s.o.Living == nil {
		return rate, -1, nil, nil
	}
	living, err := s.o.Living(c.Context())
	if err != nil {
		return rate, -1, nil, nil // the page is less without it, not wrong
	}
	return rate, len(living.Workers), c.lang.alarms(living), nil
}
