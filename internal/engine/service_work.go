package engine

import (
	"context"
	"errors"
	"path"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
)

// Work implements the api's Jobs.
func (s *Service) Work(ctx context.Context, c job.Caller, id job.ID) (job.Work, error) {
	j, err := s.Job(ctx, c, id)
	if err != nil {
		return job.Work{}, err
	}
	var w job.Work
	if j.Status.Final() {
		return w, nil
	}
	plan, err := readRecord[manifest.Plan](ctx, s, planKey(id))
	if err != nil {
		return w, err
	}
	ckpt, err := readRecord[checkpoint](ctx, s, ckptKey(id))
	if err != nil {
		return w, err
	}
	queue, err := s.e.o.Carrier.State(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return w, unavailable(err)
	}
	w = job.Work{Chunks: plan.Chunks, ChunkRows: plan.ChunkRows, Waiting: queue.Waiting, Running: queue.Running}
	for _, seg := range ckpt.Segments {
		out := job.Segment{Number: seg.Number}
		for _, f := range seg.Files {
			out.Files = append(out.Files, job.SegmentFile{Name: path.Base(f.Name), Status: f.Status, Size: f.Size, Rows: f.Rows})
		}
		w.Segments = append(w.Segments, out)
	}
	return w, nil
}

// readRecord reads a record of an open job; the zero value when it is not there yet or not any more.
func readRecord[T any](ctx context.Context, s *Service, key string) (T, error) {
	r, err := s.e.o.Carrier.Get(ctx, Jobs, key)
	if errors.Is(err, ErrNotFound) {
		var none T
		return none, nil
	}
	if err != nil {
		var none T
		return none, unavailable(err)
	}
	return decode[T](r)
}
