package console

import (
	"net/http"
	"net/url"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// regionView is a region of the configuration, with what bounds the calls to it where that may be seen.
type regionView struct {
	Name, Endpoint, Dialect string
	Default                 bool

	InForce    string   // the bounds of this hour
	Hours      []string // all limits, where they go by the clock
	Configured string
	FromConfig bool
	None       bool // nothing bounds the calls, and nobody has said that nothing should
	By         string
	Changed    moment
	Change     string // URL; "" = the caller may not
	Clear      string // URL
}

// showRegions puts the regions on the storage page, with their limits for those who may list them.
func (s *server) showRegions(c *call, p *storagePage) error {
	limits := map[job.Region]access.Region{}
	if s.o.Access != nil {
		regions, err := s.o.Access.ListRegions(c.Context(), c.caller)
		if err != nil && !s.shown(err, &p.Problem) {
			return err
		}
		for _, r := range regions {
			limits[r.Name] = r
		}
	}
	p.Limits = len(limits) > 0
	for _, r := range s.o.Regions {
		v := s.limitsOf(c, limits[r.Name])
		v.Name, v.Endpoint, v.Dialect, v.Default = string(r.Name), visible(r.Endpoint), r.Dialect, r.Name == s.o.Default
		p.Regions = append(p.Regions, v)
	}
	return nil
}

// limitsOf shows what bounds the calls to a region.
func (s *server) limitsOf(c *call, r access.Region) regionView {
	l, now := c.lang, s.o.Now()
	v := regionView{
		Name: string(r.Name), InForce: l.bounds(r.Limits.At(now)), Configured: l.limits(r.Configured), FromConfig: r.FromConfig,
		None: r.FromConfig && r.Limits.IsZero(), By: visible(r.By), Changed: l.moment(r.Changed, now),
	}
	if len(r.Limits.Hours) > 0 {
		v.Hours = append(l.hours(r.Limits), l.t("at other hours: %s", l.bounds(r.Limits.Bounds)))
	}
	if r.Name != "" && s.mayLimit(c, r.Name) == nil {
		v.Change, v.Clear = regionURL(r.Name)+"/limits", regionURL(r.Name)+"/clear"
	}
	return v
}

func (s *server) mayLimit(c *call, name job.Region) error {
	return s.o.Access.Allow(c.caller, access.UpdateRegionLimits, access.RegionOf(name))
}

func regionURL(name job.Region) string {
	return base + "/storage/regions/" + url.PathEscape(string(name))
}

func (s *server) regionLimitsPage(c *call) error {
	p, err := s.limitsOfRegion(c)
	if err != nil {
		return err
	}
	s.renderLimits(c, http.StatusOK, p, formOfLimits(p.present), nil)
	return nil
}

// limitsOfRegion is the page of a region's limits as they are now.
func (s *server) limitsOfRegion(c *call) (limitsPage, error) {
	if s.o.Access == nil {
		return limitsPage{}, errNoSuchPage
	}
	name, l := job.Region(c.PathValue("region")), c.lang
	if err := s.mayLimit(c, name); err != nil {
		return limitsPage{}, err
	}
	regions, err := s.o.Access.ListRegions(c.Context(), c.caller)
	if err != nil {
		return limitsPage{}, err
	}
	for _, r := range regions {
		if r.Name != name {
			continue
		}
		v := s.limitsOf(c, r)
		p := limitsPage{
			frame: s.frame(c, l.t("Limits of the region %s", string(name)), menuStorage), Heading: l.t("Limits of the region %s", string(name)), OfRegion: &v,
			Says:    l.t("They bound all calls to the region, of all accounts and all workers together, at once and until they are changed. They take the place of the configuration's, also where they leave something open. A job's own limits hold beside them."),
			Present: l.limits(r.Limits), Revision: r.Revision, Action: v.Change, Back: base + "/storage",
			present: r.Limits, done: base + "/storage?done=region-limits",
		}
		p.Crumbs = []link{{Text: l.t("Storage"), URL: base + "/storage"}}
		p.CLI = limitCommand("drover region limit "+quoteArg(string(name)), "", r.Limits)
		return p, nil
	}
	return limitsPage{}, errNoSuchPage
}

func (s *server) limitRegion(c *call) error {
	return s.changeLimits(c, s.limitsOfRegion, func(caller api.Caller, l job.Limits) error {
		_, err := s.o.Access.SetRegionLimits(c.Context(), caller, job.Region(c.PathValue("region")), l)
		return err
	})
}

// clearRegion puts the configuration's limits in force again.
func (s *server) clearRegion(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	caller := c.caller
	caller.IfRevision = c.PostFormValue("revision")
	_, err := s.o.Access.ClearRegionLimits(c.Context(), caller, job.Region(c.PathValue("region")))
	if job.CodeOf(err) == job.Precondition {
		return s.overtaken(c, s.limitsOfRegion)
	}
	if err == nil {
		http.Redirect(c.w, c.Request, base+"/storage?done=region-cleared", http.StatusSeeOther)
	}
	return err
}
