package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/drover-batch/drover/internal/job"
)

// pageSegments is how many segments a page takes. The checkpoint is written twice for each segment and may not grow with
// the job: what it would list beyond these lies in pages of its own, which are written once.
const pageSegments = 512

func pageKey(id job.ID, page int) string { return "segs." + string(id) + "." + strconv.Itoa(page) }

// segmentCount is how many segments are committed.
func (c *checkpoint) segmentCount(perPage int) int64 {
	return int64(c.Pages)*int64(perPage) + int64(len(c.Segments))
}

// turnPage moves the oldest committed segments into a page when there are enough of them. The page is a function of the
// checkpoint as stored, so it does no harm that a leader which is one no more writes it too. What it gives back is to be
// stored next.
func (c *collector) turnPage(ctx context.Context) (checkpoint, error) {
	k := c.ckpt
	n := c.e.o.pageSegments
	if len(k.Segments) < n {
		return k, nil
	}
	if _, err := c.e.o.Carrier.Put(ctx, Jobs, pageKey(c.id, k.Pages), encode(k.Segments[:n])); err != nil {
		return k, fmt.Errorf("write page of segments: %w", err)
	}
	k.Segments = append([]segment(nil), k.Segments[n:]...)
	k.Pages++
	return k, nil
}

// segments gives all committed segments of a checkpoint, oldest first.
func (e *Engine) segments(ctx context.Context, id job.ID, k checkpoint) ([]segment, error) {
	all := make([]segment, 0, k.segmentCount(e.o.pageSegments))
	for page := range k.Pages {
		r, err := e.o.Carrier.Get(ctx, Jobs, pageKey(id, page))
		if err != nil {
			return nil, fmt.Errorf("read page of segments: %w", err)
		}
		list, err := decode[[]segment](r)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return append(all, k.Segments...), nil
}

// removePages removes what a finished job has in pages. The checkpoint, which tells how many there are, goes after them.
func (l *leader) removePages(ctx context.Context) error {
	c := l.e.o.Carrier
	r, err := c.Get(ctx, Jobs, ckptKey(l.id))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	k, err := decode[checkpoint](r)
	if err != nil {
		return err
	}
	for page := range k.Pages + 1 { // the last may be written and not yet turned
		if err := c.Delete(ctx, Jobs, pageKey(l.id, page)); err != nil {
			return fmt.Errorf("delete page of segments: %w", err)
		}
	}
	return nil
}
