package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
	"unique"

	"github.com/drover-batch/drover/internal/job"
)

// doneEntry is what is kept in memory of a finished job. It does not change once it is in the index.
type doneEntry struct {
	id          job.ID
	uin         unique.Handle[string]
	created     int64 // Unix nanoseconds
	terminated  int64
	status      unique.Handle[job.Status]
	operation   unique.Handle[string]
	description string
	rev         uint64
	summary     []byte // the record, packed; nil = too long to be kept
}

func newDoneEntry(d doneRecord, rev uint64) *doneEntry {
	return &doneEntry{
		id: d.Job.ID, uin: unique.Make(d.Job.Spec.Account.UIN), created: d.Job.Created.UnixNano(),
		terminated: d.State.Terminated.UnixNano(), status: unique.Make(d.State.Status),
		operation: unique.Make(d.Job.Spec.Operation), description: d.Job.Spec.Description,
		rev: rev, summary: summarize(d),
	}
}

func (d *doneEntry) ref() jobRef {
	return jobRef{
		id: d.id, created: d.created, status: d.status.Value(), operation: d.operation.Value(), description: d.description,
		done: d,
	}
}

// doneIndex is the finished jobs: by id, and of each account from the oldest to the newest. It has a lock of its own, so
// that reading through a long list keeps nobody from running jobs. Safe for concurrent use.
type doneIndex struct {
	mu      sync.RWMutex
	byID    map[job.ID]*doneEntry
	account map[string][]*doneEntry
}

func newDoneIndex() *doneIndex {
	return &doneIndex{byID: map[job.ID]*doneEntry{}, account: map[string][]*doneEntry{}}
}

// position is a job's place in listings.
type position struct {
	created int64
	id      job.ID
}

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.created, q.created), cmp.Compare(p.id, q.id))
}

func (d *doneEntry) position() position { return position{d.created, d.id} }

func search(list []*doneEntry, p position) (int, bool) {
	return slices.BinarySearchFunc(list, p, func(d *doneEntry, p position) int { return d.position().compare(p) })
}

func (x *doneIndex) put(d *doneEntry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(d.id)
	x.byID[d.id] = d
	uin := d.uin.Value()
	i, _ := search(x.account[uin], d.position()) // jobs end about in the order in which they began: near the end
	x.account[uin] = slices.Insert(x.account[uin], i, d)
}

func (x *doneIndex) drop(id job.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(id)
}

// remove takes a job out; the lock is held.
func (x *doneIndex) remove(id job.ID) {
	d := x.byID[id]
	if d == nil {
		return
	}
	delete(x.byID, id)
	uin := d.uin.Value()
	list := x.account[uin]
	i, found := search(list, d.position())
	switch {
	case !found:
	case len(list) == 1:
		delete(x.account, uin)
	default:
		x.account[uin] = slices.Delete(list, i, i+1)
	}
}

func (x *doneIndex) get(id job.ID) *doneEntry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byID[id]
}

func (x *doneIndex) all() []*doneEntry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Collect(maps.Values(x.byID))
}

func (x *doneIndex) before(t time.Time) []job.ID {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var out []job.ID
	for id, d := range x.byID {
		if d.terminated < t.UnixNano() {
			out = append(out, id)
		}
	}
	return out
}

// between calls f with an account's finished jobs behind the position (nil = from the start) in the order asked for,
// those created before since left out, until f returns false. f must not call the index.
func (x *doneIndex) between(uin string, from *position, since time.Time, newestFirst bool, f func(*doneEntry) bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	list := x.account[uin]
	if !since.IsZero() {
		i, _ := search(list, position{created: since.UnixNano()})
		list = list[i:]
	}
	if from != nil {
		i, found := search(list, *from)
		switch {
		case newestFirst:
			list = list[:i]
		case found:
			list = list[i+1:]
		default:
			list = list[i:]
		}
	}
	if newestFirst {
		for _, d := range slices.Backward(list) {
			if !f(d) {
				return
			}
		}
		return
	}
	for _, d := range list {
		if !f(d) {
			return
		}
	}
}
