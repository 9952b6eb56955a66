// Package apitest has a jobs service in memory, for the tests of the protocols: it keeps the contract of api.Jobs and
// runs nothing. Only tests import it.
package apitest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// Jobs is an api.Jobs in memory. Make it with New.
type Jobs struct {
	// Err, when set, is asked before every call; what it returns is the call's answer.
	Err func(call string) error

	mu      sync.Mutex
	cond    *sync.Cond
	now     func() time.Time
	jobs    []job.Job // oldest first
	reports map[job.ID][]byte
	tags    map[job.ID][]job.Tag // once they were changed
	files   map[job.ID][]reportFile
	work    map[job.ID]job.Work

	revisions map[job.ID]int
}

var _ api.Jobs = (*Jobs)(nil)

// New makes an empty service whose jobs are created at now().
func New(now func() time.Time) *Jobs {
	m := &Jobs{
		now: now, reports: map[job.ID][]byte{}, files: map[job.ID][]reportFile{}, work: map[job.ID]job.Work{},
		tags: map[job.ID][]job.Tag{}, revisions: map[job.ID]int{},
	}
	m.cond = sync.NewCond(&m.mu)
	return m
}

// Set changes a job, as the engine would.
func (m *Jobs) Set(id job.ID, change func(*job.Job)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.jobs {
		if m.jobs[i].ID == id {
			change(&m.jobs[i])
			m.revisions[id]++
		}
	}
	m.cond.Broadcast()
}

// Len counts the jobs of all accounts.
func (m *Jobs) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.jobs)
}

func (m *Jobs) fail(call string) error {
	if m.Err == nil {
		return nil
	}
	return m.Err(call)
}

// find gives the job; the mutex is held.
func (m *Jobs) find(c api.Caller, id job.ID) (*job.Job, error) {
	for i := range m.jobs {
		if m.jobs[i].ID == id && m.jobs[i].Spec.Account == c.Account {
			return &m.jobs[i], nil
		}
	}
	return nil, job.Errorf(job.NoSuchJob, "There is no job %s.", id)
}

// Create makes a job in New, with the ids job-00001, job-00002, ….
func (m *Jobs) Create(_ context.Context, c api.Caller, s job.Spec) (job.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail("Create"); err != nil {
		return job.Job{}, err
	}
	if s.Account != c.Account {
		return job.Job{}, job.Errorf(job.AccessDenied, "The job is of another account.")
	}
	if err := s.Validate(); err != nil {
		return job.Job{}, err
	}
	if err := job.ValidateTags(s.Tags); err != nil {
		return job.Job{}, err
	}
	for _, j := range m.jobs {
		if j.Spec.Token == s.Token && j.Spec.Account == c.Account {
			return job.Job{}, &job.Error{
				Code: job.Duplicate, Job: j.ID, Same: same(j.Spec, s),
				Message: fmt.Sprintf("The token %q was used before: give each request one of its own.", s.Token),
			}
		}
	}
	j := job.Job{
		ID: job.ID(fmt.Sprintf("job-%05d", len(m.jobs)+1)), Spec: s, Status: job.New, Priority: s.Priority, Created: m.now(),
		Events: []job.Event{{Time: m.now(), To: job.New, Actor: c.Principal}},
	}
	m.jobs = append(m.jobs, j)
	m.cond.Broadcast()
	return m.shown(j), nil
}

// same compares two requests, but for how their protocol wrote them.
func same(a, b job.Spec) bool {
	a.Request.Body, b.Request.Body = nil, nil
	return reflect.DeepEqual(a, b)
}

// Job implements api.Jobs.
func (m *Jobs) Job(_ context.Context, c api.Caller, id job.ID) (job.Job, error) {
	return m.look("Job", c, id, func(*job.Job) error { return nil })
}

// look calls f with a job that stays as it is.
func (m *Jobs) look(call string, c api.Caller, id job.ID, f func(*job.Job) error) (job.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail(call); err != nil {
		return job.Job{}, err
	}
	j, err := m.find(c, id)
	if err != nil {
		return job.Job{}, err
	}
	if err := f(j); err != nil {
		return job.Job{}, err
	}
	return m.shown(*j), nil
}

// shown gives a job its revision.
func (m *Jobs) shown(j job.Job) job.Job {
	j.Revision = strconv.Itoa(m.revisions[j.ID])
	return j
}

func (m *Jobs) change(call string, c api.Caller, id job.ID, f func(*job.Job) error) (job.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail(call); err != nil {
		return job.Job{}, err
	}
	j, err := m.find(c, id)
	if err != nil {
		return job.Job{}, err
	}
	if c.IfRevision != "" && c.IfRevision != m.shown(*j).Revision {
		return job.Job{}, job.Errorf(job.Precondition, "Job %s has changed.", id)
	}
	if err := f(j); err != nil {
		return job.Job{}, err
	}
	m.revisions[id]++
	m.cond.Broadcast()
	return m.shown(*j), nil
}

// List implements api.Jobs.
func (m *Jobs) List(_ context.Context, c api.Caller, f api.Filter, p api.Page) ([]job.Job, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail("List"); err != nil {
		return nil, false, err
	}
	all := slices.Clone(m.jobs)
	if p.NewestFirst {
		slices.Reverse(all)
	}
	var found []job.Job
	after := p.After == ""
	for _, j := range all {
		if j.Spec.Account != c.Account {
			continue
		}
		if after && matches(f, j) {
			found = append(found, m.shown(j))
		}
		after = after || j.ID == p.After
	}
	if !after {
		return nil, false, job.FieldErrorf("nextToken", "there is no such job; start the listing anew.")
	}
	if len(found) > p.Max {
		return found[:p.Max], true, nil
	}
	return found, false, nil
}

func matches(f api.Filter, j job.Job) bool {
	return !j.Created.Before(f.Since) && f.Matches(j.ID, j.Status, j.Spec.Operation.Name(), j.Spec.Description)
}

// Counts implements api.Jobs.
func (m *Jobs) Counts(_ context.Context, c api.Caller, f api.Filter) (map[job.Status]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f.Statuses = nil
	n := map[job.Status]int64{}
	for _, j := range m.jobs {
		if j.Spec.Account == c.Account && matches(f, j) {
			n[j.Status]++
		}
	}
	return n, m.fail("Counts")
}

// SetPriority implements api.Jobs.
func (m *Jobs) SetPriority(_ context.Context, c api.Caller, id job.ID, p job.Priority) (job.Job, error) {
	return m.change("SetPriority", c, id, func(j *job.Job) error {
		if j.Status.Final() {
			return job.Errorf(job.NoSuchJob, "Job %s has ended.", id)
		}
		j.Priority = p
		return nil
	})
}

// SetLimits implements api.Jobs.
func (m *Jobs) SetLimits(_ context.Context, c api.Caller, id job.ID, l job.Limits) (job.Job, error) {
	if err := l.Validate(); err != nil {
		return job.Job{}, err
	}
	return m.change("SetLimits", c, id, func(j *job.Job) error {
		if j.Status.Final() {
			return job.Errorf(job.Conflict, "Job %s has ended.", id)
		}
		j.Limits = l
		return nil
	})
}

func (m *Jobs) move(call string, c api.Caller, id job.ID, reason string, to job.Status, from ...job.Status) (job.Job, error) {
	return m.change(call, c, id, func(j *job.Job) error {
		if !slices.Contains(from, j.Status) {
			return job.Errorf(job.Conflict, "Job %s is %s.", id, j.Status)
		}
		j.Events = append(j.Events, job.Event{Time: m.now(), From: j.Status, To: to, Actor: c.Principal, Reason: reason})
		j.Status, j.StatusReason = to, reason
		return nil
	})
}

// Confirm implements api.Jobs.
func (m *Jobs) Confirm(_ context.Context, c api.Caller, id job.ID, reason string) (job.Job, error) {
	return m.move("Confirm", c, id, reason, job.Ready, job.New, job.Preparing, job.Suspended)
}

// Cancel implements api.Jobs.
func (m *Jobs) Cancel(_ context.Context, c api.Caller, id job.ID, reason string) (job.Job, error) {
	return m.move("Cancel", c, id, reason, job.Cancelling, job.New, job.Preparing, job.Suspended, job.Ready, job.Active, job.Pausing, job.Paused)
}

// Pause implements api.Jobs.
func (m *Jobs) Pause(_ context.Context, c api.Caller, id job.ID, reason string) (job.Job, error) {
	return m.move("Pause", c, id, reason, job.Pausing, job.Ready, job.Active)
}

// Resume implements api.Jobs.
func (m *Jobs) Resume(_ context.Context, c api.Caller, id job.ID, reason string) (job.Job, error) {
	return m.move("Resume", c, id, reason, job.Active, job.Pausing, job.Paused)
}

// Delete implements api.Jobs.
func (m *Jobs) Delete(_ context.Context, c api.Caller, id job.ID) error {
	_, err := m.change("Delete", c, id, func(j *job.Job) error {
		if !j.Status.Final() {
			return job.Errorf(job.Conflict, "Job %s is %s: cancel it first.", id, j.Status)
		}
		j.Spec.Account = job.Account{}
		return nil
	})
	return err
}

// Tags implements api.Jobs.
func (m *Jobs) Tags(_ context.Context, c api.Caller, id job.ID) ([]job.Tag, error) {
	var tags []job.Tag
	_, err := m.change("Tags", c, id, func(j *job.Job) error {
		var changed bool
		if tags, changed = m.tags[id]; !changed {
			tags = j.Spec.Tags
		}
		return nil
	})
	return tags, err
}

// SetTags implements api.Jobs.
func (m *Jobs) SetTags(_ context.Context, c api.Caller, id job.ID, tags []job.Tag) error {
	if err := job.ValidateTags(tags); err != nil {
		return err
	}
	_, err := m.change("SetTags", c, id, func(*job.Job) error {
		m.tags[id] = tags
		return nil
	})
	return err
}

// Watch implements api.Jobs; every change counts, also one that leaves the job as it was.
func (m *Jobs) Watch(ctx context.Context, c api.Caller, id job.ID, f func(job.Job) error) error {
	defer context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.cond.Broadcast()
	})()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail("Watch"); err != nil {
		return err
	}
	for {
		j, err := m.find(c, id)
		if err != nil {
			return err
		}
		seen := m.shown(*j)
		m.mu.Unlock()
		err = f(seen)
		m.mu.Lock()
		if err != nil || seen.Status.Final() {
			return err
		}
		for {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if j, err = m.find(c, id); err != nil {
				return err
			}
			if j.Status != seen.Status || j.Priority != seen.Priority || j.Progress.Done() != seen.Progress.Done() {
				break
			}
			m.cond.Wait()
		}
	}
}
