// Package sockets holds TCP connections whose sends and receives go to the kernel together, by io_uring where that is to be had.
// A copy of a small object is one send and one receive, and to enter the kernel for each of them is what a client under full load
// spends most on. Callers see a net.Conn. See ADR 0010.
package sockets

import (
	"errors"
	"sync/atomic"
	"time"
)

// Term reports whether the time in which something may be sent is over.
type Term = func(now time.Time) bool

// answers counts what was received.
var answers atomic.Int64

// Answers is how often something was received, on all connections of this process.
func Answers() int64 { return answers.Load() }

// ErrOver says that nothing was sent of what was posted, as its term was over by then.
var ErrOver = errors.New("the term was over before it was sent")
