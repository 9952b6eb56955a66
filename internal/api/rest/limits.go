package rest

import (
	"fmt"
	"net/http"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// setLimits puts other bounds on a job's calls.
func (s *server) setLimits(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
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
	j, err := s.jobs.SetLimits(c.Context(), caller, id, l)
	if err != nil {
		return err
	}
	return writeJob(w, http.StatusOK, j)
}

// toLimits makes the domain's limits; whether they make sense is the service's to say.
func toLimits(in client.Limits) (job.Limits, error) {
	l := job.Limits{Bounds: job.Bounds(in.Bounds), Zone: in.Zone}
	for i, h := range in.Hours {
		out := job.Hours{Bounds: job.Bounds(h.Bounds)}
		var err error
		if out.From, err = job.ParseClock(fmt.Sprintf("limits.hours[%d].from", i), h.From); err != nil {
			return l, err
		}
		if out.To, err = job.ParseClock(fmt.Sprintf("limits.hours[%d].to", i), h.To); err != nil {
			return l, err
		}
		l.Hours = append(l.Hours, out)
	}
	return l, nil
}

// FromLimits makes the JSON form of limits, nil for none.
func FromLimits(l job.Limits) *client.Limits {
	if l.IsZero() {
		return nil
	}
	out := &client.Limits{Bounds: client.Bounds(l.Bounds), Zone: l.Zone}
	for _, h := range l.Hours {
		out.Hours = append(out.Hours, client.Hours{From: job.ClockText(h.From), To: job.ClockText(h.To), Bounds: client.Bounds(h.Bounds)})
	}
	return out
}
