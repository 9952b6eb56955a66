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
	if j.Status.Final() {
		return s.workDone(ctx, id)
	}
	var w job.Work
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
	w = job.Work{Chunks: plan.Chunks, ChunkRows: plan.ChunkRows, Waiting: queue.Waiting, Running: queue.Running, Pace: s.e.ix.paceOf(id)}
	segs, err := s.e.segments(ctx, id, ckpt)
	if err != nil {
		return w, unavailable(err)
	}
	for _, seg := range segs {
		out := job.Segment{Number: seg.Number}
		for _, f := range seg.Files {
			out.Files = append(out.Files, job.SegmentFile{Name: path.Base(f.Name), Status: f.Status, Size: f.Size, Rows: f.Rows})
		}
		w.Segments = append(w.Segments, out)
	}
	return w, nil
}

// workDone is what is left to tell once a job has ended.
func (s *Service) workDone(ctx context.Context, id job.ID) (job.Work, error) {
	r, err := s.e.o.Carrier.Get(ctx, Done, doneKey(id))
	if errors.Is(err, ErrNotFound) { // it is on its way there
		return job.Work{Pace: s.e.ix.paceOf(id)}, nil
	}
	if err != nil {
		return job.Work{}, unavailable(err)
	}
	d, err := decode[doneRecord](r)
	return job.Work{Pace: d.Pace}, err
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
