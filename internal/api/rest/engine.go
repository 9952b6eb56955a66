package rest

import (
	"net/http"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// engine shows the engine's streams, nodes and workers, whoever's jobs they are for.
func (s *server) engine(w http.ResponseWriter, c call) error {
	if s.status == nil {
		return job.Errorf(job.Unavailable, "This server cannot tell of its engine.")
	}
	if err := s.access.Allow(c.caller, access.DescribeEngine, access.RegionOf("")); err != nil {
		return err
	}
	st, err := s.status(c.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, st)
}
