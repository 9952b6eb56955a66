// Package carriertest holds every sentence of engine.Carrier's contract against an implementation.
package carriertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// LongAckWait is an AckWait that no test outlasts, ShortAckWait one that tests wait for.
const (
	LongAckWait  = 2 * time.Minute
	ShortAckWait = 500 * time.Millisecond
)

// patience bounds waits for something that must happen; it is no measure of time.
const patience = 30 * time.Second

// Open opens an empty carrier that is closed with the test.
type Open func(t *testing.T, ackWait time.Duration) engine.Carrier

// Run runs the suite on carriers that one process holds alone.
func Run(t *testing.T, open Open) {
	run(t, false, func(t *testing.T, tt test) {
		t.Parallel()
		tt.start(t, open, false)
	})
}

// RunShared runs the suite, one test after the other, on carriers of a cluster, where Open leaves chunks with who claimed
// them. open may give the same carrier each time, emptied.
func RunShared(t *testing.T, open Open) {
	run(t, true, func(t *testing.T, tt test) { tt.start(t, open, true) })
}

func run(t *testing.T, shared bool, start func(t *testing.T, tt test)) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"records", recordTests},
		{"work", workTests},
		{"results", resultTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, tt := range group.tests {
				if tt.of == everyCarrier || (tt.of == sharedCarrier) == shared {
					t.Run(tt.name, func(t *testing.T) { start(t, tt) })
				}
			}
		})
	}
}

// kind is which carriers a test is for.
type kind int

const (
	everyCarrier kind = iota
	loneCarrier
	sharedCarrier
)

type test struct {
	name  string
	of    kind
	short bool // needs ShortAckWait
	run   func(t *testing.T, e env)
}

func (tt test) start(t *testing.T, open Open, shared bool) {
	wait := LongAckWait
	if tt.short {
		wait = ShortAckWait
	}
	tt.run(t, env{t: t, ctx: t.Context(), Carrier: open(t, wait), shared: shared})
}

// env is one test's carrier, with calls that must succeed.
type env struct {
	engine.Carrier
	t      *testing.T
	ctx    context.Context
	shared bool
}

const (
	jobA job.ID = "0a4f2b53-6a1c-4cbb-9f7b-0d3c5a1e7f10"
	jobB job.ID = "0a4f2b53-6a1c-4cbb-9f7b-0d3c5a1e7f11"
)

func (e env) ok(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e env) is(err, want error) {
	e.t.Helper()
	if !errors.Is(err, want) {
		e.t.Fatalf("error = %v, want %v", err, want)
	}
}

// many is how many there shall be of something, where on a cluster fewer do: each is written three times, twice.
func (e env) many(alone, shared int) int {
	if e.shared {
		return shared
	}
	return alone
}

func (e env) open(id job.ID) {
	e.t.Helper()
	e.ok(e.Open(e.ctx, id))
}

func (e env) publish(id job.ID, chunks ...int64) {
	e.t.Helper()
	for _, n := range chunks {
		e.ok(e.Publish(e.ctx, id, 1, n, fmt.Appendf(nil, "chunk %d", n)))
	}
}

// claim takes a chunk that must be there.
func (e env) claim(id job.ID) engine.Lease {
	e.t.Helper()
	l, err := e.Claim(e.ctx, id, 0)
	e.ok(err)
	if l == nil {
		e.t.Fatal("no chunk to claim")
	}
	return l
}

// await takes a chunk that must come.
func (e env) await(id job.ID) engine.Lease {
	e.t.Helper()
	l, err := e.Claim(e.ctx, id, patience)
	e.ok(err)
	if l == nil {
		e.t.Fatal("no chunk came")
	}
	return l
}

func (e env) noClaim(id job.ID) {
	e.t.Helper()
	l, err := e.Claim(e.ctx, id, 0)
	e.ok(err)
	if l != nil {
		e.t.Fatalf("claimed chunk %d, want none", l.Chunk())
	}
}

func (e env) state(id job.ID, waiting, running int) {
	e.t.Helper()
	got, err := e.State(e.ctx, id)
	e.ok(err)
	if want := (engine.QueueState{Waiting: waiting, Running: running, Shut: got.Shut}); got != want {
		e.t.Fatalf("state = %+v, want %+v", got, want)
	}
}

// shut checks whether a queue says that nothing can be claimed from it.
func (e env) shut(id job.ID, want bool) {
	e.t.Helper()
	got, err := e.State(e.ctx, id)
	e.ok(err)
	if got.Shut != want {
		e.t.Fatalf("shut is %v, want %v", got.Shut, want)
	}
}

func name(id job.ID, chunk int64, attempt string, part int) engine.ResultName {
	return engine.ResultName{Job: id, Phase: 1, Chunk: chunk, Attempt: attempt, Part: part}
}
