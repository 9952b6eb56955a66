package operation

import (
	"context"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Mover is an operation that makes an object of each entry.
type Mover interface {
	Operation
	// Destination is the object that Apply makes of an entry. Its error is that of a row whose task fails without a call.
	Destination(e job.Entry) (object.Ref, error)
}

var _ Mover = (*Copy)(nil)

// Rehearsal is an operation that is applied to a list without touching an object: Apply itself runs, on a stage in the
// store's place, which counts the calls and answers them as a store would where all is as the list says. So there is no
// second account of what an operation calls, and what is counted is what the job's tasks will call if no call has to be
// repeated and no task fails otherwise. Owned by one goroutine.
type Rehearsal struct {
	op       Operation
	stage    stage
	store    object.Store // the stage, as the store at hand would show itself
	batcher  Batcher      // nil where tasks are applied one by one
	most     int
	awaited  Awaited // nil where tasks end with their calls
	task     Task
	tasks    []Task
	failures []Failure
}

// Failure is one reason why tasks of a rehearsal failed.
type Failure struct {
	Code    string
	Message string // of the first one
	Count   int64
	First   []job.Entry // the first rows, at most MaxFirst
}

// MaxFirst is how many rows a Failure names.
const MaxFirst = 5

// CallCount is how often a kind of call is made.
type CallCount struct {
	Call  string // in the words of the AWS S3 API: CopyObject
	Count int64
}

// NewRehearsal rehearses an operation for a store. The store itself is not called: it only shows whether it deletes many
// objects by one call.
func NewRehearsal(op Operation, store object.Store, limits Limits) *Rehearsal {
	limits.Parts = 1 // one after the other, so that what is counted does not hang on their order
	r := &Rehearsal{op: op, task: Task{Limits: limits}, most: 1}
	r.store = &r.stage
	if _, ok := store.(object.ManyDeleter); ok {
		r.store = &manyStage{stage: &r.stage}
	}
	if b, ok := op.(Batcher); ok {
		if r.most = max(1, b.Most(r.store)); r.most > 1 {
			r.batcher = b
		}
	}
	if a, ok := op.(Awaited); ok && a.Awaits() {
		r.awaited = a
	}
	if c, ok := op.(*Copy); ok {
		r.stage.modified = c.meetingTime()
	}
	return r
}

// Add applies the operation to a chunk's entries, as many at a time as a worker would.
func (r *Rehearsal) Add(entries []job.Entry) {
	// Nothing here waits, so that the context need not end; it is asked a few times a row.
	ctx := context.Background()
	if r.batcher == nil {
		for i := range entries {
			r.one(ctx, &entries[i])
		}
		return
	}
	for len(entries) > 0 {
		some := entries[:min(r.most, len(entries))]
		entries = entries[len(some):]
		r.tasks = r.tasks[:0]
		for _, e := range some {
			t := r.task
			t.Entry = e
			r.tasks = append(r.tasks, t)
		}
		for i, o := range r.batcher.ApplyAll(ctx, r.store, r.tasks) {
			r.note(&some[i], o)
		}
	}
}

func (r *Rehearsal) one(ctx context.Context, e *job.Entry) {
	r.stage.set(e)
	r.task.Entry = *e
	o := r.op.Apply(ctx, r.store, r.task)
	if r.awaited != nil && o.Status == job.TaskSucceeded {
		_, o = r.awaited.Ready(ctx, r.store, *e)
	}
	r.note(e, o)
}

// note keeps why a task failed. The reasons are few: those of the operation's own judgement, and the stage's.
func (r *Rehearsal) note(e *job.Entry, o job.Outcome) {
	if o.Status != job.TaskFailed {
		return
	}
	for i := range r.failures {
		if f := &r.failures[i]; f.Code == o.Code {
			if f.Count++; len(f.First) < MaxFirst {
				f.First = append(f.First, *e)
			}
			return
		}
	}
	message, _, _ := strings.Cut(o.Message, storeSaid) // it said nothing
	r.failures = append(r.failures, Failure{Code: o.Code, Message: message, Count: 1, First: []job.Entry{*e}})
}

// Calls gives the calls so far by their kind, in no order that means something but always the same.
func (r *Rehearsal) Calls() []CallCount {
	var made []CallCount
	for k, n := range r.stage.calls {
		if n > 0 {
			made = append(made, CallCount{Call: callNames[k], Count: n})
		}
	}
	return made
}

// ByParts is how many objects are copied by parts.
func (r *Rehearsal) ByParts() int64 { return r.stage.calls[callCreateMultipart] }

// Failures gives the reasons why tasks failed, in the order of their first rows.
func (r *Rehearsal) Failures() []Failure { return r.failures }

// Known is what a list tells of its objects.
type Known struct{ Sizes, Classes bool }

// Caveat is something that a rehearsal cannot tell, in a sentence.
type Caveat struct {
	Says string
	More bool // the calls can be more than were counted
}

// Caveats says what the figures leave open, beside calls that have to be repeated and tasks that fail.
func (r *Rehearsal) Caveats(k Known) []Caveat {
	if o, ok := r.op.(interface{ caveats(k Known) []Caveat }); ok {
		return o.caveats(k)
	}
	return nil
}

// meetingTime is a time of modification that meets the copy's conditions.
func (c *Copy) meetingTime() time.Time {
	if c.IfUnmodifiedSince.IsZero() && !c.IfModifiedSince.IsZero() {
		return c.IfModifiedSince.Add(time.Second)
	}
	return c.IfUnmodifiedSince
}

func (c *Copy) caveats(k Known) (says []Caveat) {
	if !k.Sizes {
		says = append(says, Caveat{"The list has no sizes: an object over 5 GiB is copied by parts, with a call for each 128 MiB and some more.", true})
	}
	if !k.Classes {
		says = append(says, Caveat{"The list has no storage classes: copies of archived objects fail.", false})
	}
	if d := c.aclDirective(); d == DirectiveCopy || d == DirectiveAdd {
		says = append(says, Caveat{"Where a source's access list names groups beside accounts, its copy takes GetObjectAcl and PutObjectAcl too.", true})
	}
	if c.Verify == VerifyChecksum {
		says = append(says, Caveat{"Where the ETag of a copy does not prove its bytes, it and its source are read, by two GetObject.", true})
	}
	if !c.IfModifiedSince.IsZero() || !c.IfUnmodifiedSince.IsZero() {
		says = append(says, Caveat{"Which objects meet the times only the store can tell: those that do not are asked for too, and fail.", false})
	}
	return says
}

func (r *Restore) caveats(k Known) (says []Caveat) {
	if !k.Classes {
		says = append(says, Caveat{"The list has no storage classes: objects that are not archived are asked for too, and fail.", false})
	}
	if r.Wait {
		says = append(says, Caveat{"Each object is looked at again and again until it can be read; one HeadObject for each is counted.", true})
	}
	return says
}
