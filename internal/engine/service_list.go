package engine

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/drover-batch/drover/internal/job"
)

// listReaders is how many records of finished jobs a listing reads at a time.
const listReaders = 4

// List implements the api's Jobs.
func (s *Service) List(ctx context.Context, c job.Caller, f job.Filter, p job.Page) ([]job.Job, bool, error) {
	from, err := s.position(c, p)
	if err != nil {
		return nil, false, err
	}
	for {
		refs, more := s.page(c, f, p, from)
		jobs, err := s.read(ctx, c, refs)
		if err != nil {
			return nil, false, err
		}
		// All of a page may have been deleted meanwhile; an empty one with more behind it would look like the end.
		if len(jobs) > 0 || !more {
			return jobs, more, nil
		}
	}
}

// position is what the page goes on behind; nil = it is the first.
func (s *Service) position(c job.Caller, p job.Page) (*position, error) {
	if p.After == "" {
		return nil, nil
	}
	if !p.AfterCreated.IsZero() {
		return &position{p.AfterCreated.UnixNano(), p.After}, nil
	}
	at, ok := s.e.ix.find(c.Account.UIN, p.After)
	if !ok {
		return nil, job.FieldErrorf("nextToken", "there is no job %q to go on after.", p.After)
	}
	return &at, nil
}

func (s *Service) page(c job.Caller, f job.Filter, p job.Page, from *position) (refs []jobRef, more bool) {
	s.e.ix.walk(c.Account.UIN, from, f.Since, p.NewestFirst, func(r jobRef) bool {
		if !f.Matches(r.id, r.status, r.operation, r.description) {
			return true
		}
		if len(refs) == p.Max {
			more = true
			return false
		}
		refs = append(refs, r)
		return true
	})
	return refs, more
}

// read reads jobs; those that were deleted meanwhile are left out.
func (s *Service) read(ctx context.Context, c job.Caller, refs []jobRef) ([]job.Job, error) {
	jobs := make([]job.Job, len(refs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(listReaders)
	for i, r := range refs {
		g.Go(func() error {
			if r.done != nil {
				j, ok, err := r.done.shown()
				if ok || err != nil {
					jobs[i] = j
					return err
				}
			}
			j, err := s.Job(ctx, c, r.id)
			if job.CodeOf(err) == job.NoSuchJob {
				return nil
			}
			jobs[i] = j
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	kept := jobs[:0]
	for _, j := range jobs {
		if j.ID != "" {
			kept = append(kept, listed(j))
		}
	}
	return kept, nil
}

// Counts implements the api's Jobs.
func (s *Service) Counts(_ context.Context, c job.Caller, f job.Filter) (map[job.Status]int64, error) {
	f.Statuses = nil
	n := map[job.Status]int64{}
	s.e.ix.walk(c.Account.UIN, nil, f.Since, false, func(r jobRef) bool {
		if f.Matches(r.id, r.status, r.operation, r.description) {
			n[r.status]++
		}
		return true
	})
	return n, nil
}
