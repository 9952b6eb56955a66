package rest

import (
	"net/http"
	"strconv"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

func (s *server) fromRegion(r access.Region) client.Region {
	return client.Region{
		Name: string(r.Name), Default: r.Name == s.region, Limits: FromLimits(r.Limits), Configured: FromLimits(r.Configured), FromConfig: r.FromConfig,
		Changed: when(r.Changed), By: r.By, Revision: r.Revision,
	}
}

func (s *server) listRegions(w http.ResponseWriter, c call) error {
	regions, err := s.access.ListRegions(c.Context(), c.caller)
	if err != nil {
		return err
	}
	out := client.Regions{Regions: []client.Region{}}
	for _, r := range regions {
		out.Regions = append(out.Regions, s.fromRegion(r))
	}
	return writeJSON(w, http.StatusOK, out)
}

// setRegionLimits puts limits on all calls to a region in the place of the configuration's.
func (s *server) setRegionLimits(w http.ResponseWriter, c call) error {
	var in client.Limits
	if err := decodeJSON(c.body, &in, false); err != nil {
		return err
	}
	l, err := toLimits(in)
	if err != nil {
		return err
	}
	caller, err := ifMatch(c)
	if err != nil {
		return err
	}
	r, err := s.access.SetRegionLimits(c.Context(), caller, job.Region(c.PathValue("name")), l)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", strconv.Quote(r.Revision))
	return writeJSON(w, http.StatusOK, s.fromRegion(r))
}

// clearRegionLimits puts the configuration's in force again.
func (s *server) clearRegionLimits(w http.ResponseWriter, c call) error {
	caller, err := ifMatch(c)
	if err != nil {
		return err
	}
	r, err := s.access.ClearRegionLimits(c.Context(), caller, job.Region(c.PathValue("name")))
	if err != nil {
		return err
	}
	w.Header().Set("ETag", strconv.Quote(r.Revision))
	return writeJSON(w, http.StatusOK, s.fromRegion(r))
}
