package engine

import (
	"context"
	"errors"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Errors of a Carrier; drivers wrap them.
var (
	ErrNotFound = errors.New("no such record")
	ErrExists   = errors.New("record exists")
	ErrConflict = errors.New("record was changed by another")
	ErrQueued   = errors.New("chunk is queued already")
	ErrFull     = errors.New("queue is full")
	ErrLost     = errors.New("the records were lost and made again, empty")
)

// Bucket names one of a carrier's stores of records.
type Bucket string

// The stores of records.
const (
	// Jobs holds open jobs: job.<id>, state.<id>, plan.<id>, cursor.<id>, ckpt.<id>, segs.<id>.<page>, mpu.<id>.<row>; and of all jobs
	// tags.<id> and token.<account>.<hash>.
	Jobs Bucket = "JOBS"
	Done Bucket = "DONE" // finished jobs: done.<id>
	// Access holds the principals, roles and limits of regions made at run time; the engine leaves it alone.
	Access Bucket = "ACCESS"
	Live   Bucket = "LIVE" // in memory, gone LiveTTL after the last write: node.<id>, worker.<id>, progress.<id>
)

// LiveTTL is how long a record in Live stays without being written again.
const LiveTTL = 5 * time.Second

// Record is one stored value. Revisions grow with every write to its bucket.
type Record struct {
	Key     string
	Value   []byte
	Rev     uint64
	Deleted bool // in a Watch only
}

// Records stores small values with compare-and-swap. A write that timed out may have happened: implementations read
// back and compare before they report ErrConflict or ErrExists, so that a caller's own lost answer is no conflict.
type Records interface {
	Get(ctx context.Context, b Bucket, key string) (Record, error)                          // ErrNotFound
	Create(ctx context.Context, b Bucket, key string, v []byte) (uint64, error)             // ErrExists
	Update(ctx context.Context, b Bucket, key string, v []byte, rev uint64) (uint64, error) // ErrConflict
	Put(ctx context.Context, b Bucket, key string, v []byte) (uint64, error)                // whatever was there
	Delete(ctx context.Context, b Bucket, key string) error                                 // no error when absent; leaves nothing behind
	// Watch calls f for every present record of the bucket, then once with the zero Record (all present ones were
	// seen), then for changes, in order, until ctx ends or f returns an error. A change that a later one of the same key
	// overtakes before it was given may be left out; each key's last change always comes. Expired Live records come as
	// Deleted. It ends with ErrLost once the bucket was lost as a whole.
	Watch(ctx context.Context, b Bucket, f func(Record) error) error
}

// QueueState is how much of a job's work waits and runs.
type QueueState struct {
	Waiting int // chunks not claimed
	Running int // chunks claimed and not acknowledged
	// Shut is that nothing can be claimed: the queue was not opened, was shut, or somebody has deleted it. What is claimed
	// counts as waiting then.
	Shut bool
}

// Work carries chunks from dispatcher to workers.
type Work interface {
	// Open makes a job's queue ready to be claimed from. Where one process holds the carrier alone, chunks that were
	// claimed before and not acknowledged can be claimed again at once; where others share it, once their terms are over.
	// It is repeatable.
	Open(ctx context.Context, id job.ID) error
	// Shut ends claiming: nothing of the job is handed out from then on. Chunks stay until Purge.
	Shut(ctx context.Context, id job.ID) error
	// Publish queues a chunk; ErrQueued when that chunk waits or runs, ErrFull when the carrier's bound is reached.
	Publish(ctx context.Context, id job.ID, phase int, chunk int64, data []byte) error
	// Claim takes the job's oldest waiting chunk, or nil when none waits or the job's queue is not open. wait 0 does
	// not block.
	Claim(ctx context.Context, id job.ID, wait time.Duration) (Lease, error)
	State(ctx context.Context, id job.ID) (QueueState, error)
	// Queued lists the chunks of a phase that wait or run, in no order.
	Queued(ctx context.Context, id job.ID, phase int) ([]int64, error)
	Purge(ctx context.Context, id job.ID) error
}

// Lease is a claimed chunk. A late Ack of a lease that ran out is accepted: leases guard effort, not truth.
type Lease interface {
	Phase() int
	Chunk() int64
	Data() []byte
	Attempt() int     // from 1; grows with each time the carrier hands the chunk out; may start anew after Open
	Until() time.Time // by the local monotonic clock; nothing may be started past it
	// Extend asks for a further term and moves Until. An error leaves Until as it was.
	Extend(ctx context.Context) error
	Ack(ctx context.Context) error
	// Nak gives the chunk back to be claimed after delay.
	Nak(ctx context.Context, delay time.Duration) error
}

// ResultName names one hand-in of a chunk.
type ResultName struct {
	Job     job.ID
	Phase   int
	Chunk   int64
	Attempt string // unique to one holding of the chunk
	Part    int
}

// Result is one hand-in as stored.
type Result struct {
	Name ResultName
	Seq  uint64
	Data []byte
}

// Results carries outcomes from workers to the collector.
type Results interface {
	// Publish stores a hand-in durably. The same name twice is stored once.
	PublishResult(ctx context.Context, n ResultName, data []byte) error
	// Results calls f for each stored hand-in of the job with Seq > after, in order; when all stored ones were given it
	// waits for further ones, until ctx ends (its error is returned) or f returns an error. f is called with the zero
	// Result whenever it has caught up, and at least every idle while waiting.
	Results(ctx context.Context, id job.ID, after uint64, idle time.Duration, f func(Result) error) error
	// ResultsOf gives the stored hand-ins of one chunk.
	ResultsOf(ctx context.Context, id job.ID, phase int, chunk int64) ([]Result, error)
	// PurgeResults removes those of the job with Seq ≤ upTo; 0 = all. ResultsOf does not give them any more. Results may
	// for a while, where it reads from a node that lags: who has purged asks for what came after.
	PurgeResults(ctx context.Context, id job.ID, upTo uint64) error
}

// Losses counts how often each of a carrier's stores was lost as a whole, as when somebody deleted it.
type Losses struct{ Jobs, Done, Access, Live, Work, Results int }

// since tells which of the losses are new.
func (l Losses) since(before Losses) Losses {
	return Losses{
		l.Jobs - before.Jobs, l.Done - before.Done, l.Access - before.Access, l.Live - before.Live, l.Work - before.Work, l.Results - before.Results,
	}
}

// Guard tells what was lost as a whole, and makes it again, empty, with revisions and sequences above all earlier ones. Who
// uses the carrier has to begin anew then.
type Guard interface {
	// Losses looks now, for some seconds at most, and counts all losses since the carrier was opened.
	Losses(ctx context.Context) Losses
	// AwaitLoss waits until the losses are not the known ones any more. An error is that of ctx, or that of a closed carrier.
	AwaitLoss(ctx context.Context, known Losses) error
}

// Carrier carries what is in flight. It is not the truth: whatever it loses or doubles, jobs end right.
// Safe for concurrent use.
type Carrier interface {
	Records
	Work
	Results
	Guard
	Close() error
}
