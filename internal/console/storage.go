package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/probe"
)

// Region is a configured region, as the console shows it.
type Region struct {
	Name     job.Region
	Endpoint string
	Dialect  string // s3 or cos
}

// Probes are kept in memory, so many for each account, the oldest going first.
const (
	probeTime  = 2 * time.Minute
	keptProbes = 10
)

// probed is what was found of a store, by trying it in a bucket.
type probed struct {
	at     time.Time
	region job.Region
	role   string
	report probe.Report
}

// probes are the latest findings. Safe for concurrent use.
type probes struct {
	mu  sync.Mutex
	of  map[string][]probed // by account
	now map[string]bool     // accounts that are trying a store
}

// begin says whether an account may try a store now; end must follow.
func (p *probes) begin(account string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now[account] {
		return false
	}
	p.now[account] = true
	return true
}

func (p *probes) end(account string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.now, account)
}

func (p *probes) keep(account string, found probed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.DeleteFunc(p.of[account], func(old probed) bool {
		return old.region == found.region && old.report.Bucket == found.report.Bucket
	})
	all = append(all, found)
	p.of[account] = all[max(len(all)-keptProbes, 0):]
}

func (p *probes) all(account string) []probed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.of[account])
}

type storagePage struct {
	frame
	Regions []regionView
	Limits  bool   // they are shown
	Problem string // why they are not
	Roles   []string
	Probe   probeForm
	Found   []foundView // the newest first

	WorksBadge badge
}

type probeForm struct {
	Region, Role choice
	Bucket       input
	Problem      string
}

type foundView struct {
	Region, Bucket, Role string
	At                   moment
	Versioned            bool
	Counts               []pair
	Ignored              bool
	Open                 bool
	Rows                 []capabilityView // what does not work, or is not known
	Works                []string
}

type capabilityView struct {
	Name, Detail, Meaning string
	Verdict               badge
}

// storage shows the configured regions, what their stores were found to do, and the roles that may be passed.
func (s *server) storage(c *call) error {
	return s.renderStorage(c, http.StatusOK, probeForm{})
}

func (s *server) renderStorage(c *call, status int, f probeForm) error {
	l := c.lang
	roles, err := s.roles(c)
	if err != nil {
		return err
	}
	p := storagePage{frame: s.frame(c, l.t("Storage"), menuStorage), Probe: f, WorksBadge: l.verdict(probe.Works)}
	if err := s.showRegions(c, &p); err != nil {
		return err
	}
	var regions, passable []option
	for _, r := range s.o.Regions {
		regions = append(regions, option{Value: string(r.Name), Text: string(r.Name)})
	}
	for _, r := range roles {
		p.Roles = append(p.Roles, r.ARN)
		passable = append(passable, option{Value: r.ARN, Text: visible(r.ARN)})
	}
	region, role := c.PostFormValue("region"), c.PostFormValue("role")
	if region == "" {
		region = string(s.o.Default)
	}
	p.Probe.Region = choice{Name: "region", Label: l.t("Region"), Options: pick(region, regions...)}
	p.Probe.Role = choice{Name: "role", Label: l.t("As the role"), Options: pick(role, passable...)}
	p.Probe.Bucket = input{Name: "bucket", Label: l.t("Bucket"), Hint: l.t("A bucket to try it in. What is in it stays as it is."), Value: c.PostFormValue("bucket"), Type: "text", Error: f.Bucket.Error}
	all := s.probes.all(c.caller.Account.UIN)
	slices.Reverse(all)
	for i, one := range all {
		p.Found = append(p.Found, l.found(one, s.o.Now(), i == 0))
	}
	p.CLI = "drover region list\ndrover doctor --region REGION --bucket BUCKET"
	s.render(c, status, "storage", p)
	return nil
}

func (l language) found(f probed, now time.Time, open bool) foundView {
	r := f.report
	v := foundView{
		Region: string(f.region), Bucket: visible(string(r.Bucket)), Role: visible(f.role), At: l.moment(f.at, now), Versioned: r.Versioned,
		Ignored: r.Count(probe.Ignored) > 0, Open: open,
	}
	for _, verdict := range []probe.Verdict{probe.Works, probe.Ignored, probe.Refused, probe.Unknown} {
		v.Counts = append(v.Counts, pair{Name: l.verdict(verdict).Text, Value: number(int64(r.Count(verdict)))})
	}
	order := map[probe.Verdict]int{probe.Ignored: 0, probe.Refused: 1, probe.Unknown: 2, probe.Works: 3}
	caps := slices.Clone(r.Capabilities)
	slices.SortStableFunc(caps, func(a, b probe.Capability) int { return order[a.Verdict] - order[b.Verdict] })
	for _, one := range caps {
		if one.Verdict == probe.Works {
			v.Works = append(v.Works, visible(one.Name))
			continue
		}
		v.Rows = append(v.Rows, capabilityView{Name: visible(one.Name), Detail: shortened(one.Detail, 300), Meaning: one.Meaning, Verdict: l.verdict(one.Verdict)})
	}
	return v
}

func (l language) verdict(v probe.Verdict) badge {
	switch v {
	case probe.Works:
		return badge{l.t("works"), "check", "good"}
	case probe.Ignored:
		return badge{l.t("ignored"), "alert", "bad"}
	case probe.Refused:
		return badge{l.t("refused"), "stop", "ask"}
	}
	return badge{l.t("unknown"), "hand", "wait"}
}

// probe tries what a store does, as a role that the caller may pass. It takes seconds, and is answered when it is done.
func (s *server) probe(c *call) error {
	l := c.lang
	bucket := job.Bucket(c.PostFormValue("bucket"))
	if err := bucket.Validate(); err != nil {
		return s.renderStorage(c, http.StatusUnprocessableEntity, probeForm{Bucket: input{Error: job.MessageOf(err)}})
	}
	account := c.caller.Account.UIN
	if !s.probes.begin(account) {
		return job.Errorf(job.Conflict, "A store is being tried for this account already: wait until that has ended.")
	}
	defer s.probes.end(account)
	region := job.Region(c.PostFormValue("region"))
	i := slices.IndexFunc(s.o.Regions, func(r Region) bool { return r.Name == region })
	if i < 0 {
		return job.Errorf(job.InvalidArgument, "There is no region %s here.", job.Quote(string(region)))
	}
	store, err := s.as(c, c.PostFormValue("role"), region, string(bucket))
	if err != nil {
		return s.probeProblem(c, err)
	}
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(probeTime + time.Minute)) // else the answer comes late, and not
	ctx, cancel := context.WithTimeout(c.Context(), probeTime)
	defer cancel()
	report, err := probe.Run(ctx, store, bucket, probe.Options{COS: s.o.Regions[i].Dialect == "cos"})
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = &job.Error{Code: job.Unavailable, Message: l.t("The store is too slow to be tried here: drover doctor has no limit of time."), Err: err}
		}
		return s.probeProblem(c, err)
	}
	s.probes.keep(account, probed{at: s.o.Now(), region: region, role: c.PostFormValue("role"), report: report})
	http.Redirect(c.w, c.Request, base+"/storage?done=probe", http.StatusSeeOther)
	return nil
}

func (s *server) probeProblem(c *call, err error) error {
	text := job.MessageOf(err)
	if e, ok := errors.AsType[*object.Error](err); ok && text == "" {
		text = c.lang.t("The store answers %s: %s", visible(e.Code), shortened(e.Message, 200))
	}
	if text == "" {
		return err
	}
	return s.renderStorage(c, http.StatusUnprocessableEntity, probeForm{Problem: text})
}
