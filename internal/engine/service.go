package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
)

// Service is the jobs service that all entrances call. Safe for concurrent use.
type Service struct{ e *Engine }

// Service gives the engine's jobs service; it answers once the engine is Ready.
func (e *Engine) Service() *Service { return &Service{e} }

// Create implements the api's Jobs.
func (s *Service) Create(ctx context.Context, c job.Caller, spec job.Spec) (job.Job, error) {
	if err := s.e.ix.held().refusal(); err != nil {
		return job.Job{}, err
	}
	spec.Account = c.Account
	if spec.Region == "" {
		spec.Region = s.e.o.Stores.Default()
	}
	if spec.Token == "" {
		spec.Token = string(job.NewID())
	}
	if err := spec.Validate(); err != nil {
		return job.Job{}, err
	}
	rec, err := fromSpec(spec)
	if err != nil {
		return job.Job{}, err
	}
	if err := s.admit(ctx, spec); err != nil {
		// Who sends a request again has not heard of the job that it made: that comes before what would refuse another one.
		if t, exists, tokenErr := s.tokenOf(ctx, rec); tokenErr == nil && exists {
			return job.Job{}, duplicate(t.Job, t.Hash == requestHash(rec))
		}
		return job.Job{}, err
	}
	id, again, err := s.token(ctx, rec)
	if err != nil {
		return job.Job{}, err
	}
	failpoint.Hit(failpoint.TokenWritten)
	j := jobRecord{ID: id, Created: s.e.o.Now().Truncate(time.Millisecond), Creator: c.Principal, Spec: rec, Priority: spec.Priority}
	rev, err := s.e.o.Carrier.Create(ctx, Jobs, jobKey(id), encode(j))
	if errors.Is(err, ErrExists) {
		// The same request came twice at once. Either the other one has finished what this one began, or this one came
		// second.
		if again {
			return job.Job{}, duplicate(id, true)
		}
		return s.Job(ctx, c, id)
	}
	if err != nil {
		return job.Job{}, unavailable(err)
	}
	failpoint.Hit(failpoint.JobWritten)
	if err := s.e.ix.waitRev(ctx, Jobs, rev); err != nil {
		return job.Job{}, unavailable(err)
	}
	made, err := view(j, stateRecord{}, nil)
	made.Revision = revision(rev, 0)
	return made, err
}

// admit says why the account cannot have one more such job.
func (s *Service) admit(ctx context.Context, spec job.Spec) error {
	if _, err := s.e.o.Stores.Store(ctx, spec.Account, spec.Role, spec.Region); err != nil {
		return err
	}
	if n := s.e.ix.openOf(spec.Account.UIN); n >= s.e.o.MaxJobs {
		return job.Errorf(job.TooManyJobs, "The account has %d unfinished jobs, as many as it may have. Wait for some to end, or cancel some.", n)
	}
	return nil
}

// duplicate tells of a token that was used before, and whether the same request used it.
func duplicate(id job.ID, same bool) error {
	return &job.Error{
		Code: job.Duplicate, Field: "ClientRequestToken", Job: id, Same: same,
		Message: fmt.Sprintf("The ClientRequestToken was used before, for job %s. Use a new one for a new job.", id),
	}
}

// revision names a job's records as they are, for job.Job's Revision.
func revision(jobRev, stateRev uint64) string { return fmt.Sprintf("%x-%x", jobRev, stateRev) }

// token claims the request's token for a new job id. The same request that finds the token but no job (a crash came in
// between) gets that id again. Requests are the same when they ask for the same, however their elements are ordered.
func (s *Service) token(ctx context.Context, rec specRecord) (id job.ID, again bool, err error) {
	t := tokenRecord{Job: job.NewID(), Hash: requestHash(rec)}
	_, err = s.e.o.Carrier.Create(ctx, Jobs, tokenKey(rec.Account, rec.Token), encode(t))
	if err == nil {
		return t.Job, false, nil
	}
	if !errors.Is(err, ErrExists) {
		return "", false, unavailable(err)
	}
	old, exists, err := s.tokenOf(ctx, rec)
	if err != nil {
		return "", false, err
	}
	if exists || old.Hash != t.Hash {
		return "", false, duplicate(old.Job, old.Hash == t.Hash)
	}
	return old.Job, true, nil
}

// tokenOf reads what a request's token was used for, and whether that job is there.
func (s *Service) tokenOf(ctx context.Context, rec specRecord) (t tokenRecord, exists bool, err error) {
	r, err := s.e.o.Carrier.Get(ctx, Jobs, tokenKey(rec.Account, rec.Token))
	if err != nil {
		return tokenRecord{}, false, unavailable(err)
	}
	if t, err = decode[tokenRecord](r); err != nil {
		return tokenRecord{}, false, err
	}
	if exists, err = s.exists(ctx, t.Job); err != nil {
		return tokenRecord{}, false, unavailable(err)
	}
	return t, exists, nil
}

// requestHash tells whether two requests ask for the same.
func requestHash(rec specRecord) string {
	rec.Request.Body = nil
	sum := sha256.Sum256(encode(rec))
	return hex.EncodeToString(sum[:])
}

func (s *Service) exists(ctx context.Context, id job.ID) (bool, error) {
	for b, key := range map[Bucket]string{Jobs: jobKey(id), Done: doneKey(id)} {
		_, err := s.e.o.Carrier.Get(ctx, b, key)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}

func unavailable(err error) error {
	return &job.Error{Code: job.Unavailable, Message: "The job store does not answer. Try again in a few seconds.", Err: err}
}

func noSuchJob(id job.ID) error {
	return job.Errorf(job.NoSuchJob, "There is no job %s in this account.", id)
}

// Job implements the api's Jobs.
func (s *Service) Job(ctx context.Context, c job.Caller, id job.ID) (job.Job, error) {
	if e, ok := s.open(ctx, id); ok {
		if e.job.Spec.Account.UIN != c.Account.UIN {
			return job.Job{}, noSuchJob(id)
		}
		return e.shown()
	}
	return s.finished(ctx, c, id)
}

// open gives an open job. One that another node has just made may not be in the index yet: the carrier is asked, so that
// who created a job by way of one node finds it by way of any.
func (s *Service) open(ctx context.Context, id job.ID) (entry, bool) {
	e, ok := s.e.ix.getOpen(id)
	if ok || s.e.o.Alone || s.e.ix.finished(id) {
		return e, ok
	}
	if _, err := job.ParseID(string(id)); err != nil {
		return entry{}, false
	}
	r, err := s.e.o.Carrier.Get(ctx, Jobs, jobKey(id))
	if err != nil || s.e.ix.waitRev(ctx, Jobs, r.Rev) != nil {
		return entry{}, false
	}
	return s.e.ix.getOpen(id)
}

func (s *Service) finished(ctx context.Context, c job.Caller, id job.ID) (job.Job, error) {
	if _, err := job.ParseID(string(id)); err != nil {
		return job.Job{}, noSuchJob(id)
	}
	r, err := s.e.o.Carrier.Get(ctx, Done, doneKey(id))
	if errors.Is(err, ErrNotFound) {
		return job.Job{}, noSuchJob(id)
	}
	if err != nil {
		return job.Job{}, unavailable(err)
	}
	d, err := decode[doneRecord](r)
	if err != nil {
		return job.Job{}, err
	}
	if d.Job.Spec.Account.UIN != c.Account.UIN {
		return job.Job{}, noSuchJob(id)
	}
	j, err := view(d.Job, d.State, nil)
	j.Revision = revision(r.Rev, 0)
	return j, err
}

// change changes what is wanted of a job, by compare-and-swap. said is the reason to answer with.
func (s *Service) change(ctx context.Context, c job.Caller, id job.ID, said string, f func(j *jobRecord, shown job.Status) error) (job.Job, error) {
	for {
		e, ok := s.open(ctx, id)
		if !ok || e.job.Spec.Account.UIN != c.Account.UIN {
			j, err := s.finished(ctx, c, id)
			if err != nil {
				return job.Job{}, err
			}
			return job.Job{}, job.Errorf(job.Conflict, "Job %s is %s: it has ended and cannot be changed.", id, j.Status)
		}
		if err := s.e.ix.held().refusal(); err != nil {
			return job.Job{}, err
		}
		shown := shownStatus(e.job, e.state)
		if shown.Final() {
			return job.Job{}, job.Errorf(job.Conflict, "Job %s is %s: it has ended and cannot be changed.", id, shown)
		}
		if is := revision(e.jobRev, e.stateRev); c.IfRevision != "" && c.IfRevision != is {
			return job.Job{}, job.Errorf(job.Precondition, "Job %s has changed: it is %s, revision %s. Look at it again and decide anew.", id, shown, is)
		}
		rec := e.job
		if err := f(&rec, shown); err != nil {
			return job.Job{}, err
		}
		rev, err := s.e.o.Carrier.Update(ctx, Jobs, jobKey(id), encode(rec), e.jobRev)
		if errors.Is(err, ErrConflict) { // somebody was first: look again
			select {
			case <-e.changed:
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return job.Job{}, unavailable(context.Cause(ctx))
			}
			continue
		}
		if err != nil {
			return job.Job{}, unavailable(err)
		}
		if err := s.e.ix.waitRev(ctx, Jobs, rev); err != nil {
			return job.Job{}, unavailable(err)
		}
		e.job, e.jobRev = rec, rev
		j, err := e.shown()
		j.StatusReason = said
		return j, err
	}
}

func (s *Service) wish(c job.Caller, reason string) *wish {
	return &wish{Time: s.e.o.Now(), Actor: c.Principal, Reason: job.CleanText(reason, 256)}
}

// SetPriority implements the api's Jobs.
func (s *Service) SetPriority(ctx context.Context, c job.Caller, id job.ID, p job.Priority) (job.Job, error) {
	if p < 0 {
		return job.Job{}, job.FieldErrorf("priority", "must be 0 to 2147483647.")
	}
	j, err := s.change(ctx, c, id, "", func(j *jobRecord, shown job.Status) error {
		if p != j.Priority {
			s.changed(j, shown, c, "The priority was changed from %d to %d.", j.Priority, p)
		}
		j.Priority = p
		return nil
	})
	if job.CodeOf(err) == job.Conflict {
		return j, job.Errorf(job.NoSuchJob, "Job %s has ended: its priority cannot be changed.", id)
	}
	return j, err
}

// SetLimits implements the api's Jobs.
func (s *Service) SetLimits(ctx context.Context, c job.Caller, id job.ID, l job.Limits) (job.Job, error) {
	if err := l.Validate(); err != nil {
		return job.Job{}, err
	}
	return s.change(ctx, c, id, "", func(j *jobRecord, shown job.Status) error {
		s.changed(j, shown, c, "%s", limitsSentence(l))
		j.Limits = &l
		return nil
	})
}

// Confirm implements the api's Jobs.
func (s *Service) Confirm(ctx context.Context, c job.Caller, id job.ID, reason string) (job.Job, error) {
	j, err := s.change(ctx, c, id, reason, func(j *jobRecord, shown job.Status) error {
		if !j.Spec.ConfirmationRequired || j.Confirm != nil || (shown != job.New && shown != job.Preparing && shown != job.Suspended) {
			return job.Errorf(job.Conflict, "Job %s is %s: only a job that waits for confirmation can be confirmed.", id, shown)
		}
		j.Confirm = s.wish(c, reason)
		return nil
	})
	if err == nil {
		j.Status = job.Ready
	}
	return j, err
}

// Cancel implements the api's Jobs.
func (s *Service) Cancel(ctx context.Context, c job.Caller, id job.ID, reason string) (job.Job, error) {
	return s.change(ctx, c, id, reason, func(j *jobRecord, shown job.Status) error {
		if j.Cancel != nil {
			return nil
		}
		if shown != job.New && !shown.CanBecome(job.Cancelling) {
			return job.Errorf(job.Conflict, "Job %s is %s: it is ending already and cannot be cancelled.", id, shown)
		}
		j.Cancel = s.wish(c, reason)
		return nil
	})
}

// Pause implements the api's Jobs.
func (s *Service) Pause(ctx context.Context, c job.Caller, id job.ID, reason string) (job.Job, error) {
	return s.change(ctx, c, id, reason, func(j *jobRecord, shown job.Status) error {
		switch shown {
		case job.Completing, job.Failing, job.Cancelling:
			return job.Errorf(job.Conflict, "Job %s is %s: it is ending already and cannot be paused.", id, shown)
		}
		if j.Pause == nil {
			j.Pause = s.wish(c, reason)
		}
		return nil
	})
}

// Resume implements the api's Jobs.
func (s *Service) Resume(ctx context.Context, c job.Caller, id job.ID, reason string) (job.Job, error) {
	return s.change(ctx, c, id, reason, func(j *jobRecord, shown job.Status) error {
		if j.Pause == nil {
			return job.Errorf(job.Conflict, "Job %s is %s: it was not paused by a user.", id, shown)
		}
		j.Pause, j.Resume = nil, s.wish(c, reason)
		return nil
	})
}

// Delete implements the api's Jobs.
func (s *Service) Delete(ctx context.Context, c job.Caller, id job.ID) error {
	for {
		e, ok := s.e.ix.get(id)
		if !ok || e.job.Spec.Account.UIN != c.Account.UIN {
			break
		}
		if shown := shownStatus(e.job, e.state); !shown.Final() && !s.e.ix.finished(id) {
			return job.Errorf(job.Conflict, "Job %s is %s: only a job that has ended can be deleted. Cancel it first.", id, shown)
		}
		select { // it is on its way to the finished ones
		case <-e.changed:
		case <-ctx.Done():
			return unavailable(context.Cause(ctx))
		}
	}
	if _, err := s.finished(ctx, c, id); err != nil {
		return err
	}
	if err := s.e.ix.held().refusal(); err != nil {
		return err
	}
	if err := s.e.forget(ctx, id); err != nil {
		return unavailable(err)
	}
	s.e.ix.done.drop(id) // who deleted it lists it no more, however late the news of that comes
	return nil
}

// Tags implements the api's Jobs.
func (s *Service) Tags(ctx context.Context, c job.Caller, id job.ID) ([]job.Tag, error) {
	j, err := s.Job(ctx, c, id)
	if err != nil {
		return nil, err
	}
	r, err := s.e.o.Carrier.Get(ctx, Jobs, tagsKey(id))
	if errors.Is(err, ErrNotFound) {
		return j.Spec.Tags, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	rec, err := decode[tagsRecord](r)
	return rec.Tags, err
}

// SetTags implements the api's Jobs.
func (s *Service) SetTags(ctx context.Context, c job.Caller, id job.ID, tags []job.Tag) error {
	if err := job.ValidateTags(tags); err != nil {
		return err
	}
	if _, err := s.Job(ctx, c, id); err != nil {
		return err
	}
	if err := s.e.ix.held().refusal(); err != nil {
		return err
	}
	if _, err := s.e.o.Carrier.Put(ctx, Jobs, tagsKey(id), encode(tagsRecord{tags})); err != nil {
		return unavailable(err)
	}
	return nil
}

// Watch implements the api's Jobs.
func (s *Service) Watch(ctx context.Context, c job.Caller, id job.ID, f func(job.Job) error) error {
	for {
		e, open := s.open(ctx, id)
		j, err := s.Job(ctx, c, id)
		if err != nil {
			return err
		}
		if err := f(j); err != nil {
			return err
		}
		if j.Status.Final() || !open {
			return nil
		}
		select {
		case <-e.changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
