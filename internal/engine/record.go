package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
	"github.com/klauspost/compress/zstd"
)

// Keys of the records. One writer each: the API writes job, tags and token, the leader state and plan, the dispatcher
// cursor, the collector ckpt and progress, a worker and a node their own beats.
func jobKey(id job.ID) string      { return "job." + string(id) }
func tagsKey(id job.ID) string     { return "tags." + string(id) }
func stateKey(id job.ID) string    { return "state." + string(id) }
func planKey(id job.ID) string     { return "plan." + string(id) }
func cursorKey(id job.ID) string   { return "cursor." + string(id) }
func ckptKey(id job.ID) string     { return "ckpt." + string(id) }
func doneKey(id job.ID) string     { return "done." + string(id) }
func progressKey(id job.ID) string { return "progress." + string(id) }
func workerKey(id string) string   { return "worker." + id }
func nodeKey(name string) string   { return "node." + name }

func tokenKey(a job.Account, token string) string {
	sum := sha256.Sum256([]byte(token))
	return "token." + hex.EncodeToString([]byte(a.UIN)) + "." + hex.EncodeToString(sum[:])
}

// wish is something that a caller wants of a job.
type wish struct {
	Time   time.Time
	Actor  string
	Reason string
}

// jobRecord is what callers want: written by the API only.
type jobRecord struct {
	ID       job.ID
	Created  time.Time
	Creator  string
	Spec     specRecord
	Priority job.Priority
	Limits   *job.Limits `json:",omitempty"` // once they were changed; until then the spec's
	Confirm  *wish       `json:",omitempty"`
	Cancel   *wish       `json:",omitempty"`
	Pause    *wish       `json:",omitempty"` // nil again once resumed
	Resume   *wish       `json:",omitempty"` // the last resume, for the events
	Events   []job.Event `json:",omitempty"` // of what callers changed beside these
	// Recovered says that the job may have run before this record was made: all others of it were lost.
	Recovered bool `json:",omitempty"`
}

// limits are the present ones.
func (j jobRecord) limits() job.Limits {
	if j.Limits != nil {
		return *j.Limits
	}
	return j.Spec.Limits
}

// stateRecord is what is: written by the job's leader only.
type stateRecord struct {
	Epoch          uint64 // grows with each leader; a leader whose write conflicts is one no more
	Leader         string // the node that leads the job, as long as its beat goes on
	Remade         bool   `json:",omitempty"` // the first record was lost: chunks may have travelled before this one was made
	Status         job.Status
	Since          time.Time
	Reason         string
	SuspendedCause string
	SystemPaused   bool
	Waits          *waiting `json:",omitempty"` // of an Active job
	Suspended      time.Time
	Started        time.Time
	Terminated     time.Time
	ActiveFor      time.Duration
	Total          int64
	Sizes          *job.Sizes   `json:",omitempty"`
	Progress       job.Progress // as of the last final or paused status
	Failures       []job.Failure
	Events         []job.Event
	ReportManifest string
	Generated      *job.Manifest `json:",omitempty"` // the manifest that was made for the job
}

// doneRecord is a finished job.
type doneRecord struct {
	Job   jobRecord
	State stateRecord
	Pace  []job.Sample `json:",omitempty"`
}

// cursorRecord is where dispatch stands. Marks are some chunks already cut and where they begin, so that going back a
// little does not read a large file from its start.
type cursorRecord struct {
	Chunk int64
	Marks []mark
	Look  *round `json:",omitempty"` // in the second phase
	Lost  bool   `json:",omitempty"` // an earlier cursor was: any chunk may have travelled
}

type mark struct{ Chunk, Offset int64 }

// tokenRecord says which job a request token made.
type tokenRecord struct {
	Job  job.ID
	Hash string
}

// tagsRecord is a job's tags once they were changed; until then the spec's hold. A record of its own outlives the job's
// move to the finished ones.
type tagsRecord struct{ Tags []job.Tag }

// specRecord is job.Spec as stored.
type specRecord struct {
	Token                string
	Account              job.Account
	Region               job.Region
	ConfirmationRequired bool
	Description          string
	Manifest             job.Manifest
	Generator            *job.Generator `json:",omitempty"`
	Operation            string
	Parameters           json.RawMessage
	Priority             job.Priority
	Limits               job.Limits `json:",omitzero"`
	Report               job.Report
	Role                 job.Role
	Tags                 []job.Tag `json:",omitempty"`
	Request              job.Request
	RetryOf              job.ID `json:",omitempty"`
}

func fromSpec(s job.Spec) (specRecord, error) {
	name, params, err := operation.Marshal(s.Operation)
	if err != nil {
		return specRecord{}, err
	}
	return specRecord{
		Token: s.Token, Account: s.Account, Region: s.Region, ConfirmationRequired: s.ConfirmationRequired,
		Description: s.Description, Manifest: s.Manifest, Generator: s.Generator, Operation: name, Parameters: params,
		Priority: s.Priority, Limits: s.Limits, Report: s.Report, Role: s.Role, Tags: s.Tags, Request: s.Request, RetryOf: s.RetryOf,
	}, nil
}

func (r specRecord) operation() (operation.Operation, error) {
	return operation.Unmarshal(r.Operation, r.Parameters)
}

func (r specRecord) spec() (job.Spec, error) {
	op, err := r.operation()
	if err != nil {
		return job.Spec{}, err
	}
	return job.Spec{
		Token: r.Token, Account: r.Account, Region: r.Region, ConfirmationRequired: r.ConfirmationRequired,
		Description: r.Description, Manifest: r.Manifest, Generator: r.Generator, Operation: op,
		Priority: r.Priority, Limits: r.Limits, Report: r.Report, Role: r.Role, Tags: r.Tags, Request: r.Request, RetryOf: r.RetryOf,
	}, nil
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode record: %v", err)) // our own types: cannot fail
	}
	return b
}

// packFrom is the size from which encodePacked packs.
const packFrom = 64 << 10

// encodePacked is encode for records that may be large: the plan of 20,000 data files takes 8 MB as it is.
func encodePacked(v any) []byte {
	b := encode(v)
	if len(b) < packFrom {
		return b
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(fmt.Sprintf("pack record: %v", err)) // constant options: cannot fail
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

var packed = []byte{0x28, 0xb5, 0x2f, 0xfd} // how zstd begins (RFC 8878); JSON does not

func unpack(b []byte) ([]byte, error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.DecodeAll(b, nil)
}

// decode reads what encode or encodePacked wrote.
func decode[T any](r Record) (T, error) {
	var v T
	if bytes.HasPrefix(r.Value, packed) {
		b, err := unpack(r.Value)
		if err != nil {
			return v, fmt.Errorf("unpack record %s: %w", r.Key, err)
		}
		r.Value = b
	}
	if err := json.Unmarshal(r.Value, &v); err != nil {
		return v, fmt.Errorf("decode record %s: %w", r.Key, err)
	}
	return v, nil
}

// shownStatus is the one function from the records to the status that callers see: what was asked for and is under
// way shows at once.
func shownStatus(j jobRecord, s stateRecord) job.Status {
	switch {
	case s.Status == "":
		if j.Cancel != nil {
			return job.Cancelling
		}
		return job.New
	case s.Status.Final():
		return s.Status
	case j.Cancel != nil && s.Status.CanBecome(job.Cancelling):
		return job.Cancelling
	case s.Status == job.Suspended && j.Confirm != nil:
		return job.Ready
	case s.Status == job.Active && j.Pause != nil:
		return job.Pausing
	}
	return s.Status
}

// view makes the job that callers see.
func view(j jobRecord, s stateRecord, live *job.Progress) (job.Job, error) {
	spec, err := j.Spec.spec()
	if err != nil {
		return job.Job{}, err
	}
	p := s.Progress
	if live != nil && !s.Status.Final() && live.Done() >= p.Done() {
		p = *live
	}
	p.Total = s.Total
	p.ActiveFor = s.ActiveFor
	if s.Status == job.Active {
		p.ActiveFor += time.Since(s.Since)
	}
	var generated job.Manifest
	if s.Generated != nil {
		generated = *s.Generated
	}
	return job.Job{
		ID: j.ID, Spec: spec, Status: shownStatus(j, s), Priority: j.Priority, Limits: j.limits(),
		StatusReason: s.Reason, SuspendedCause: s.SuspendedCause, PausedByUser: j.Pause != nil,
		Progress: p, Sizes: s.Sizes, Failures: s.Failures,
		Created: j.Created, Suspended: s.Suspended, Started: s.Started, Terminated: s.Terminated,
		Events: eventsOf(j, s), ReportManifest: s.ReportManifest, Generated: generated,
	}, nil
}
