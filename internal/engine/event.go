package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// maxEvents bounds the events of a job's record, and those of its state.
const maxEvents = 100

// appendEvent keeps the first ten events and the latest of the others.
func appendEvent(list []job.Event, e job.Event) []job.Event {
	list = append(list[:len(list):len(list)], e)
	if len(list) > maxEvents {
		list = append(list[:10:10], list[11:]...)
	}
	return list
}

// eventsOf are all events of a job by time: moves and recoveries, which the leader writes into the state, and what callers
// changed, which the API writes into the job's record.
func eventsOf(j jobRecord, s stateRecord) []job.Event {
	if len(j.Events) == 0 {
		return s.Events
	}
	all := slices.Concat(s.Events, j.Events)
	slices.SortStableFunc(all, func(a, b job.Event) int { return a.Time.Compare(b.Time) })
	return all
}

// note adds an event that is no move.
func (l *leader) note(ctx context.Context, format string, args ...any) error {
	was := l.st.Events
	l.st.Events = appendEvent(was, job.Event{
		Time: l.e.o.Now(), From: l.st.Status, To: l.st.Status, Actor: system, Reason: job.CleanText(fmt.Sprintf(format, args...), 256),
	})
	if err := l.save(ctx); err != nil {
		l.st.Events = was
		return err
	}
	return nil
}

// lastMove is the event that brought the job to its status.
func (l *leader) lastMove() job.Event {
	for _, e := range slices.Backward(l.st.Events) {
		if e.Moved() {
			return e
		}
	}
	return job.Event{}
}

// changed adds the event that a caller has changed something of the job.
func (s *Service) changed(j *jobRecord, shown job.Status, c job.Caller, format string, args ...any) {
	j.Events = appendEvent(j.Events, job.Event{
		Time: s.e.o.Now(), From: shown, To: shown, Actor: c.Principal, Reason: job.CleanText(fmt.Sprintf(format, args...), 256),
	})
}

// noteRetry adds to a finished job the event that its failed tasks are tried again. The new job is made already and says so
// as well: what goes wrong here is logged only.
func (s *Service) noteRetry(ctx context.Context, c job.Caller, old job.Job, by job.ID) {
	err := s.addRetry(ctx, c, old, by)
	if err != nil && ctx.Err() == nil {
		s.e.log.Warn("write the event of a retry", "job", string(old.ID), "by", string(by), "err", err)
	}
}

func (s *Service) addRetry(ctx context.Context, c job.Caller, old job.Job, by job.ID) error {
	for {
		e, open := s.open(ctx, old.ID)
		r, err := s.e.o.Carrier.Get(ctx, Done, doneKey(old.ID))
		switch {
		case open: // its leader writes the record of the finished job, and may write it twice
			select {
			case <-e.changed:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		case errors.Is(err, ErrNotFound): // deleted since
			return nil
		case err != nil:
			return err
		}
		d, err := decode[doneRecord](r)
		if err != nil {
			return err
		}
		s.changed(&d.Job, d.State.Status, c, "Its %d failed tasks are tried again by job %s.", old.Progress.Failed, by)
		if _, err = s.e.o.Carrier.Update(ctx, Done, doneKey(old.ID), encode(d), r.Rev); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// created is the reason of a job's first event.
func created(s specRecord) string {
	if s.RetryOf != "" {
		return fmt.Sprintf("The job was created to try the failed tasks of job %s again.", s.RetryOf)
	}
	return "The job was created."
}

// limitsSentence says limits in words.
func limitsSentence(l job.Limits) string {
	if l.IsZero() {
		return "The limits on its calls were taken off."
	}
	var parts []string
	for _, p := range []struct {
		set  bool
		text string
	}{
		{l.Rate > 0, fmt.Sprintf("%g calls a second", l.Rate)},
		{l.Bytes > 0, fmt.Sprintf("%d bytes a second", l.Bytes)},
		{l.Calls > 0, fmt.Sprintf("%d calls at a time", l.Calls)},
		{len(l.Hours) > 0, "others at some hours"},
	} {
		if p.set {
			parts = append(parts, p.text)
		}
	}
	return fmt.Sprintf("The limits on its calls were changed to %s.", cmp.Or(strings.Join(parts, ", "), "none"))
}
