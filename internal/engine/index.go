package engine

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// index is what a process knows of all jobs, kept by watching the carrier's records. Safe for concurrent use.
type index struct {
	mu      sync.Mutex
	open    map[job.ID]*entry
	done    *doneIndex
	node    string // our own
	alone   bool   // there is no other
	hold    Hold
	deaf    bool                      // we lead nothing: who else lives is of no interest
	ticks   uint64                    // beats of our own seen
	beats   map[string]beat           // workers
	workers map[string]beat           // the same for sharers, whatever this node is
	nodes   map[string]heard          // those that can lead
	uploads map[job.ID]map[int64]bool // rows with an unfinished copy by parts
	tags    map[job.ID][]byte         // the records of tags that were changed, for those who may have to write them again
	since   time.Time                 // when this index began to watch: beats that ended before are not known
	applied map[Bucket]uint64
	seen    map[Bucket]map[job.ID]bool // what was seen since a watch began, until it has shown all there is
	changed chan struct{}              // closed and replaced at every change
}

// entry is an open job.
type entry struct {
	id       job.ID
	job      jobRecord
	jobRev   uint64
	state    stateRecord
	stateRev uint64
	live     *job.Progress
	meter    meter
	pace     pace
	admitted bool
	// runs says whether rows may be started. It is set as the record is applied, before whoever asked for a pause or a
	// cancel is answered.
	runs    *atomic.Bool
	changed chan struct{}
}

// beat is a worker's sign of life.
type beat struct {
	Jobs []job.ID
	heard
}

func newIndex(node string, alone bool) *index {
	return &index{
		node: node, alone: alone, open: map[job.ID]*entry{}, done: newDoneIndex(), beats: map[string]beat{}, workers: map[string]beat{},
		nodes: map[string]heard{}, uploads: map[job.ID]map[int64]bool{}, tags: map[job.ID][]byte{}, since: time.Now(),
		applied: map[Bucket]uint64{}, seen: map[Bucket]map[job.ID]bool{}, changed: make(chan struct{}),
	}
}

// replay begins a watch. Of a further one nobody tells what is gone since the one before; jobs that are still there stay
// known meanwhile.
func (x *index) replay(b Bucket) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch b {
	case Live:
		clear(x.nodes)
		clear(x.beats)
		clear(x.workers)
		x.ticks, x.since = 0, time.Now()
	case Jobs:
		clear(x.uploads)
		clear(x.tags)
		x.hold = Hold{}
	}
	x.seen[b] = map[job.ID]bool{}
}

// replayed forgets what a watch has not shown.
func (x *index) replayed(b Bucket) {
	x.mu.Lock()
	defer x.mu.Unlock()
	seen := x.seen[b]
	delete(x.seen, b)
	switch b {
	case Jobs:
		for id, e := range x.open {
			if !seen[id] {
				delete(x.open, id)
				x.touch(e)
			}
		}
	case Done:
		for _, d := range x.done.all() {
			if !seen[d.id] {
				x.done.drop(d.id)
			}
		}
	}
	x.broadcast()
}

// apply takes one record of a watch.
func (x *index) apply(b Bucket, r Record) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.applied[b] = max(x.applied[b], r.Rev)
	kind, id, _ := strings.Cut(r.Key, ".")
	if seen := x.seen[b]; seen != nil && (kind == "job" || kind == "done") {
		seen[job.ID(id)] = !r.Deleted
	}
	var err error
	switch kind {
	case "job":
		err = x.applyJob(job.ID(id), r)
	case "state":
		err = x.applyState(job.ID(id), r)
	case "done":
		err = x.applyDone(job.ID(id), r)
	case "progress":
		err = x.applyProgress(job.ID(id), r)
	case "worker":
		err = x.applyBeat(id, r)
	case "mpu":
		x.applyUpload(id, r)
	case "tags":
		x.applyTags(job.ID(id), r)
	case HoldKey:
		err = x.applyHold(r)
	case "node":
		err = x.applyNode(id, r)
	}
	x.broadcast()
	return err
}

func (x *index) broadcast() {
	close(x.changed)
	x.changed = make(chan struct{})
}

func (x *index) touch(e *entry) {
	e.runs.Store(x.open[e.id] == e && e.state.Status == job.Active && e.job.Cancel == nil && e.job.Pause == nil)
	close(e.changed)
	e.changed = make(chan struct{})
}

func (x *index) applyJob(id job.ID, r Record) error {
	e := x.open[id]
	if r.Deleted {
		if e != nil {
			delete(x.open, id)
			x.touch(e)
		}
		return nil
	}
	rec, err := decode[jobRecord](r)
	if err != nil {
		return err
	}
	if e == nil {
		e = &entry{id: id, runs: new(atomic.Bool), changed: make(chan struct{})}
		x.open[id] = e
	}
	e.job, e.jobRev = rec, r.Rev
	x.touch(e)
	return nil
}

func (x *index) applyState(id job.ID, r Record) error {
	e := x.open[id]
	if r.Deleted || e == nil {
		return nil
	}
	s, err := decode[stateRecord](r)
	if err != nil {
		return err
	}
	e.state, e.stateRev = s, r.Rev
	x.touch(e)
	return nil
}

func (x *index) applyDone(id job.ID, r Record) error {
	if r.Deleted {
		x.done.drop(id)
		return nil
	}
	d, err := decode[doneRecord](r)
	if err != nil {
		return err
	}
	x.done.put(newDoneEntry(d, r.Rev))
	return nil
}

func (x *index) applyTags(id job.ID, r Record) {
	switch {
	case x.deaf:
	case r.Deleted:
		delete(x.tags, id)
	default:
		x.tags[id] = r.Value
	}
}

// changedTags gives the records of all tags that were changed.
func (x *index) changedTags() map[job.ID][]byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.tags)
}

func (x *index) applyProgress(id job.ID, r Record) error {
	e := x.open[id]
	if e == nil || r.Deleted {
		return nil
	}
	p, err := decode[job.Progress](r)
	if err != nil {
		return err
	}
	e.live = &p
	now := time.Now()
	e.meter.add(now, p.Done())
	e.pace.add(now, p.Done(), p.Failed)
	x.touch(e)
	return nil
}

// waitRev waits until a write of the given revision has been seen.
func (x *index) waitRev(ctx context.Context, b Bucket, rev uint64) error {
	for {
		x.mu.Lock()
		ok, ch := x.applied[b] >= rev, x.changed
		x.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// get gives a copy of an open job's entry; its changed channel is closed at the next change.
func (x *index) get(id job.ID) (entry, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.open[id]
	if e == nil {
		return entry{}, false
	}
	return *e, true
}

// runnable gives the jobs that a worker may take work from.
func (x *index) runnable() []candidate {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []candidate
	for _, e := range x.open {
		if e.runs.Load() && !e.state.Waits.asleep() {
			out = append(out, e.candidate())
		}
	}
	return out
}

func (e *entry) candidate() candidate {
	return candidate{ID: e.id, Account: e.job.Spec.Account.UIN, Priority: e.job.Priority, Created: e.job.Created}
}

// reschedule works out anew which jobs may be Active and tells those for whom it changed.
func (x *index) reschedule(perAccount int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var cs []candidate
	free := map[job.ID]bool{}
	for _, e := range x.open {
		if e.state.Status == job.Active && e.state.Waits.idle() && e.job.Cancel == nil && e.job.Pause == nil {
			free[e.id] = true // it holds nobody's place
			continue
		}
		switch e.state.Status {
		case job.Ready, job.Active, job.Paused, job.Pausing:
			if e.job.Cancel == nil && e.job.Pause == nil {
				cs = append(cs, e.candidate())
			}
		}
	}
	ok := admit(cs, perAccount)
	maps.Copy(ok, free)
	if x.hold.Mode != "" {
		clear(ok)
	}
	for id, e := range x.open {
		if e.admitted != ok[id] {
			e.admitted = ok[id]
			x.touch(e)
		}
	}
}

// jobRef points to a job in a listing.
type jobRef struct {
	id          job.ID
	created     int64 // Unix nanoseconds
	status      job.Status
	operation   string
	description string
	done        *doneEntry // nil for an open job
}

func (r jobRef) position() position { return position{r.created, r.id} }

// openRefs gives an account's jobs that are not among the finished ones, in the order of listings.
func (x *index) openRefs(uin string) []jobRef {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []jobRef
	for id, e := range x.open {
		if e.job.Spec.Account.UIN == uin && x.done.get(id) == nil {
			out = append(out, jobRef{
				id: id, created: e.job.Created.UnixNano(), status: shownStatus(e.job, e.state),
				operation: e.job.Spec.Operation, description: e.job.Spec.Description,
			})
		}
	}
	slices.SortFunc(out, func(a, b jobRef) int { return a.position().compare(b.position()) })
	return out
}

// find gives the place in listings of an account's job.
func (x *index) find(uin string, id job.ID) (position, bool) {
	if d := x.done.get(id); d != nil {
		return d.position(), d.uin.Value() == uin
	}
	e, ok := x.get(id)
	return position{e.job.Created.UnixNano(), id}, ok && e.job.Spec.Account.UIN == uin
}

// walk calls f with an account's jobs behind the position (nil = from the start) in the order asked for, until f returns
// false. A job that finishes meanwhile is met once.
func (x *index) walk(uin string, from *position, since time.Time, newestFirst bool, f func(jobRef) bool) {
	open := x.openRefs(uin)
	if newestFirst {
		slices.Reverse(open)
	}
	behind := func(p, q position) bool {
		if newestFirst {
			return p.compare(q) < 0
		}
		return p.compare(q) > 0
	}
	open = slices.DeleteFunc(open, func(r jobRef) bool {
		return from != nil && !behind(r.position(), *from) || !since.IsZero() && r.created < since.UnixNano()
	})
	going := true
	x.done.between(uin, from, since, newestFirst, func(d *doneEntry) bool {
		for going && len(open) > 0 && !behind(open[0].position(), d.position()) {
			if open[0].id != d.id {
				going = f(open[0])
			}
			open = open[1:]
		}
		going = going && f(d.ref())
		return going
	})
	for going && len(open) > 0 {
		going = f(open[0])
		open = open[1:]
	}
}

// wait gives a channel that is closed at the next change of anything.
func (x *index) wait() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.changed
}

// poke wakes whoever waits for a job's changes.
func (x *index) poke(id job.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.open[id]; e != nil {
		x.touch(e)
	}
}

// ledBy lists the open jobs that a node leads or has to take over, because no live node leads them.
func (x *index) ledBy(node string) map[job.ID]bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make(map[job.ID]bool, len(x.open))
	if m := x.hold.Mode; m == HoldFilling || m == HoldMoved {
		return out
	}
	for id, e := range x.open {
		if l := e.state.Leader; l == node || !x.lives(l) {
			out[id] = true
		}
	}
	return out
}

func (x *index) finishedBefore(t time.Time) []job.ID { return x.done.before(t) }

// finished reports whether the job is among the finished ones.
func (x *index) finished(id job.ID) bool { return x.done.get(id) != nil }

// getOpen is get for a job that is not among the finished ones.
func (x *index) getOpen(id job.ID) (entry, bool) {
	if x.finished(id) {
		return entry{}, false
	}
	return x.get(id)
}

// alive reports whether a node can be leading.
func (x *index) alive(node string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lives(node)
}

// openJobs lists the jobs that are not among the finished ones.
func (x *index) openJobs() []entry {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []entry
	for id, e := range x.open {
		if x.done.get(id) == nil {
			out = append(out, *e)
		}
	}
	return out
}

// openOf counts an account's unfinished jobs.
func (x *index) openOf(uin string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, e := range x.open {
		if e.job.Spec.Account.UIN == uin {
			n++
		}
	}
	return n
}
