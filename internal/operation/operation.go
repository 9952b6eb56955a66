// Package operation holds what a job can do to an object: one file an operation, with its parameters, their
// validation and Apply. The registry finds an operation by name; a further one is a file of its own and a line there.
package operation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Operation is a job.Operation that can be carried out.
type Operation interface {
	job.Operation
	// Apply does the operation to one entry and says how it ended. It never panics on what a store answers, and
	// returns the zero Outcome only when ctx ended before the outcome was known: that task stays undone.
	Apply(ctx context.Context, s object.Store, t Task) job.Outcome
}

// Task is one entry to be worked on.
type Task struct {
	Entry job.Entry
	// Repeat is set when an earlier attempt may have done the work already: an answer that its own success explains
	// is then no failure.
	Repeat bool

	// The rest is of use for copies.

	// Target is the store that copies go to, where that is another one than the entry's: in another region, at another
	// endpoint or of another dialect. nil = the same.
	Target object.Store
	// SourceRegion is the entry's region, for a Target in another region that reads the entry by itself.
	SourceRegion job.Region
	// Carry is set when Target cannot read the entry by itself: the bytes are then carried from store to store.
	Carry bool
	// SpoolDir takes the parts that are being carried; "" = the system's folder for temporary files.
	SpoolDir string
	// Uploads remembers copies by parts, so that a later attempt can go on with them. nil = none does.
	Uploads Uploads
	Limits  Limits
}

// registry makes an empty operation by name.
var registry = map[string]func() Operation{
	"copy":    func() Operation { return new(Copy) },
	"restore": func() Operation { return new(Restore) },
	"delete":  func() Operation { return new(Delete) },
	"tagging": func() Operation { return new(Tagging) },
	"acl":     func() Operation { return new(PutACL) },
}

// Marshal encodes an operation's parameters for a stored record. Those that Validate accepts come back as they were.
func Marshal(op job.Operation) (name string, params []byte, err error) {
	if _, ok := registry[op.Name()]; !ok {
		return "", nil, fmt.Errorf("unknown operation %q", op.Name())
	}
	params, err = json.Marshal(op)
	return op.Name(), params, err
}

// Unmarshal is Marshal's inverse. A parameter that it does not know is an error: a job must not run without a condition
// that a newer program stored.
func Unmarshal(name string, params []byte) (Operation, error) {
	mk, ok := registry[name]
	if !ok {
		return nil, fmt.Errorf("unknown operation %q", name)
	}
	op := mk()
	d := json.NewDecoder(bytes.NewReader(params))
	d.DisallowUnknownFields()
	if err := d.Decode(op); err != nil {
		return nil, fmt.Errorf("decode parameters of %s: %w", name, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("decode parameters of %s: more follows their end", name)
	}
	return op, nil
}
