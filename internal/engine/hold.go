package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Hold is what an engine's jobs are held for while they are moved to another engine. It stands in a record of the
// carrier, so that all its processes obey it.
type Hold struct {
	Mode  HoldMode
	Other string // where jobs go to, or come from, for people
	Time  time.Time
}

// HoldMode says what may still be done.
type HoldMode string

// The modes of a Hold.
const (
	// HoldDraining: jobs come to rest. Those that run are paused by the system; nothing begins, nothing is created.
	HoldDraining HoldMode = "draining"
	// HoldFilling: jobs are coming in. Nobody leads them yet.
	HoldFilling HoldMode = "filling"
	// HoldMoved: the jobs are with another engine, and what is left of them here is not run.
	HoldMoved HoldMode = "moved"
)

// HoldKey is the record of a Hold in Jobs. It is the engine's own and is not moved with its jobs.
const HoldKey = "hold"

const holdReason = "Paused while the jobs are moved to another engine."

// refusal is what callers are told; nil when there is no hold.
func (h Hold) refusal() error {
	switch h.Mode {
	case "":
		return nil
	case HoldMoved:
		return job.Errorf(job.Unavailable, "The jobs of this engine were moved to %s at %s. Use that one.", h.Other, h.Time.UTC().Format(time.RFC3339))
	}
	return job.Errorf(job.Unavailable, "The engine's jobs are being moved to or from %s. Try again in a few minutes.", h.Other)
}

// SetHold holds an engine's jobs.
func SetHold(ctx context.Context, c Records, h Hold) error {
	if _, err := c.Put(ctx, Jobs, HoldKey, encode(h)); err != nil {
		return fmt.Errorf("hold the engine's jobs: %w", err)
	}
	return nil
}

// GetHold tells why jobs are held; the zero Hold when they are not.
func GetHold(ctx context.Context, c Records) (Hold, error) {
	r, err := c.Get(ctx, Jobs, HoldKey)
	if errors.Is(err, ErrNotFound) {
		return Hold{}, nil
	}
	if err != nil {
		return Hold{}, err
	}
	return decode[Hold](r)
}

// EndHold lets jobs go on. Those that the system has paused come back by themselves.
func EndHold(ctx context.Context, c Records) error {
	if err := c.Delete(ctx, Jobs, HoldKey); err != nil {
		return fmt.Errorf("let the engine's jobs go on: %w", err)
	}
	return nil
}

// Restless lists the jobs of a held engine that have not come to rest: something of them may be in flight, or not
// committed. Each is a sentence for people.
func Restless(ctx context.Context, c Records) ([]string, error) {
	var out []string
	err := eachRecord(ctx, c, Jobs, func(r Record) error {
		id, ok := strings.CutPrefix(r.Key, stateKey(""))
		if !ok {
			return nil
		}
		s, err := decode[stateRecord](r)
		if err != nil {
			return err
		}
		switch s.Status {
		case job.Active, job.Pausing, job.Completing, job.Cancelling, job.Failing:
			out = append(out, fmt.Sprintf("Job %s is %s: %s", id, s.Status, s.Reason))
		}
		return nil
	})
	return out, err
}

// OpenJobs counts a carrier's jobs that have not ended.
func OpenJobs(ctx context.Context, c Records) (n int, err error) {
	err = eachRecord(ctx, c, Jobs, func(r Record) error {
		if IsJob(r.Key) {
			n++
		}
		return nil
	})
	return n, err
}

// IsJob reports whether a record of Jobs is the one that makes a job known. All others of the job must be there first.
func IsJob(key string) bool { return strings.HasPrefix(key, jobKey("")) }

// Portable gives a record of Jobs as another carrier is to have it: sequences of results are one carrier's own, and
// results do not travel. A job that came to rest has none pending.
func Portable(key string, value []byte) ([]byte, error) {
	if !strings.HasPrefix(key, ckptKey("")) {
		return value, nil
	}
	k, err := decode[checkpoint](Record{Key: key, Value: value})
	if err != nil {
		return nil, err
	}
	k.Seq, k.Pending = 0, nil
	return encode(k), nil
}

// RemoveJobs removes all records of Jobs but the hold.
func RemoveJobs(ctx context.Context, c Records) error {
	return removeJobs(ctx, c, func(key string) bool { return key != HoldKey })
}

// RemoveOpenJobs removes the records of jobs that have not ended; what finished jobs have there, tags and tokens, stays.
func RemoveOpenJobs(ctx context.Context, c Records) error {
	return removeJobs(ctx, c, func(key string) bool {
		return key != HoldKey && !strings.HasPrefix(key, "tags.") && !strings.HasPrefix(key, "token.")
	})
}

func removeJobs(ctx context.Context, c Records, which func(key string) bool) error {
	var keys []string
	err := eachRecord(ctx, c, Jobs, func(r Record) error {
		if which(r.Key) {
			keys = append(keys, r.Key)
		}
		return nil
	})
	for i := 0; err == nil && i < len(keys); i++ {
		err = c.Delete(ctx, Jobs, keys[i])
	}
	if err != nil {
		return fmt.Errorf("remove the moved jobs: %w", err)
	}
	return nil
}

// applyHold takes the record.
func (x *index) applyHold(r Record) error {
	h := Hold{}
	if !r.Deleted {
		var err error
		if h, err = decode[Hold](r); err != nil {
			return err
		}
	}
	x.hold = h
	for _, e := range x.open {
		x.touch(e)
	}
	return nil
}

// held gives the hold there is.
func (x *index) held() Hold {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.hold
}
