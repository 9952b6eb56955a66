package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Who lives is told by beats in Live, and judged by the watcher's own beats: whoever has not beaten while silentBeats of
// the watcher's own were stored is gone. A carrier that takes no writes for a while, as when its leader was lost, then
// makes nobody look dead, for it took no beat of the watcher's either.
const (
	nodeBeatEvery = time.Second
	silentBeats   = 4
	forgetBeats   = 60 // of one's own, after which a silent one is not kept in mind
)

// nodeRecord is the beat of a process that leads jobs.
type nodeRecord struct {
	Name    string // for people
	Started time.Time
	Disk    Disk
	Left    bool // it has ended, and said so
}

// workerRecord is a worker's beat: the jobs that it may hold chunks of. A worker claims from a job only once a beat that
// names it has been written.
type workerRecord struct {
	Jobs        []job.ID
	Name        string // for people
	Started     time.Time
	Concurrency int
	Chunks      int // held
	Left        bool
}

// heard is a beat as it was last seen.
type heard struct {
	seen time.Time
	tick uint64 // own beats seen before it
	left bool
}

// silent reports whether so many of our own beats were stored since a beat; x.mu is held.
func (x *index) silent(h heard) bool { return x.ticks-h.tick >= silentBeats }

// lives reports whether a node can be leading; x.mu is held. One that was never heard of may be between two beats.
func (x *index) lives(node string) bool {
	if node == "" {
		return false
	}
	h, ok := x.nodes[node]
	if !ok {
		return !x.alone && x.ticks < silentBeats
	}
	return !h.left && !x.silent(h)
}

// applyNode takes a node's beat. That a record expired says nothing: see silentBeats.
func (x *index) applyNode(node string, r Record) error {
	if r.Deleted || x.deaf {
		return nil
	}
	n, err := decode[nodeRecord](r)
	if err != nil {
		return err
	}
	if node == x.node {
		x.ticks++
		x.forgetSilent()
	}
	x.nodes[node] = heard{seen: time.Now(), tick: x.ticks, left: n.Left}
	return nil
}

func (x *index) forgetSilent() {
	old := func(h heard) bool { return x.ticks-h.tick > forgetBeats }
	for n, h := range x.nodes {
		if old(h) {
			delete(x.nodes, n)
		}
	}
	for w, b := range x.beats {
		if old(b.heard) {
			delete(x.beats, w)
		}
	}
}

// applyBeat takes a worker's beat.
func (x *index) applyBeat(worker string, r Record) error {
	if r.Deleted {
		return nil
	}
	w, err := decode[workerRecord](r)
	if err != nil {
		return err
	}
	if x.applySharer(worker, w); x.deaf {
		return nil
	}
	if w.Left {
		delete(x.beats, worker)
		return nil
	}
	x.beats[worker] = beat{Jobs: w.Jobs, heard: heard{seen: time.Now(), tick: x.ticks}}
	return nil
}

// holders reports whether a worker may still hold chunks of a job whose queue was shut: one that lives and names it, or a
// lost one whose leases may still run. Up to then a lost one may have gone on extending them. Among several nodes such a
// one may have been lost before this index began.
func (x *index) holders(id job.ID, lease time.Duration, shut time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.alone && time.Since(x.since) < lease {
		return true
	}
	for _, b := range x.beats {
		lost := x.silent(b.heard) && time.Since(b.seen) > lease && time.Since(shut) > lease
		if !lost && slices.Contains(b.Jobs, id) {
			return true
		}
	}
	return false
}

// beat says every nodeBeatEvery that this node is there to lead. When it ends, others take its jobs over at once.
func (e *Engine) beat(ctx context.Context) error {
	n := nodeRecord{Name: e.o.Name, Started: e.o.Now()}
	for {
		n.Disk = e.diskNow()
		if e.putBeat(ctx, nodeKey(e.node), encode(n)) {
			e.heardAt.Store(time.Now().UnixNano())
		}
		select {
		case <-time.After(nodeBeatEvery):
		case <-ctx.Done():
			n.Left = true
			e.putBeat(context.WithoutCancel(ctx), nodeKey(e.node), encode(n))
			return nil
		}
	}
}

// Heard reports whether this process's beats get through: its carrier takes writes, and the others hear of it. It is true of
// a process that leads no jobs, which has no beat.
func (e *Engine) Heard() bool {
	at := e.heardAt.Load()
	return e.o.NoLead || at == 0 || time.Since(time.Unix(0, at)) < e.o.LeaseTerm
}

// putBeat writes a beat. It waits for a short time only: a later one says the same.
func (e *Engine) putBeat(ctx context.Context, key string, v []byte) bool {
	once, cancel := context.WithTimeout(ctx, nodeBeatEvery)
	defer cancel()
	_, err := e.o.Carrier.Put(once, Live, key, v)
	if err != nil && ctx.Err() == nil {
		e.log.Warn("write heartbeat", "key", key, "err", err)
	}
	return err == nil
}

// Living is who works on a carrier's jobs, by their beats of the last LiveTTL.
type Living struct {
	Nodes   []LiveNode
	Workers []LiveWorker
}

// LiveNode is a process that leads jobs.
type LiveNode struct {
	ID, Name string
	Started  time.Time
	Leads    []job.ID
	Disk     Disk // of its folder, if it has one
}

// LiveWorker is a process that works on chunks.
type LiveWorker struct {
	ID, Name    string
	Started     time.Time
	Concurrency int // object calls at a time
	Chunks      int // held as of its last beat
}

// errAllSeen ends a watch when all present records were seen.
var errAllSeen = errors.New("all present records were seen")

// eachRecord calls f for all present records of a bucket.
func eachRecord(ctx context.Context, c Records, b Bucket, f func(Record) error) error {
	err := c.Watch(ctx, b, func(r Record) error {
		if r.Key == "" {
			return errAllSeen
		}
		if r.Deleted {
			return nil
		}
		return f(r)
	})
	if errors.Is(err, errAllSeen) {
		return nil
	}
	return err
}

// ReadLiving asks a carrier who works on its jobs.
func ReadLiving(ctx context.Context, c Records) (Living, error) {
	var out Living
	leads := map[string][]job.ID{}
	err := eachRecord(ctx, c, Jobs, func(r Record) error {
		id, ok := strings.CutPrefix(r.Key, stateKey(""))
		if !ok {
			return nil
		}
		s, err := decode[stateRecord](r)
		if err == nil && !s.Status.Final() {
			leads[s.Leader] = append(leads[s.Leader], job.ID(id))
		}
		return err
	})
	if err != nil {
		return out, err
	}
	err = eachRecord(ctx, c, Live, func(r Record) error {
		if id, ok := strings.CutPrefix(r.Key, nodeKey("")); ok {
			var n nodeRecord
			if err := json.Unmarshal(r.Value, &n); err != nil || n.Left {
				return nil
			}
			out.Nodes = append(out.Nodes, LiveNode{ID: id, Name: n.Name, Started: n.Started, Leads: leads[id], Disk: n.Disk})
		}
		if id, ok := strings.CutPrefix(r.Key, workerKey("")); ok {
			var w workerRecord
			if err := json.Unmarshal(r.Value, &w); err != nil || w.Left {
				return nil
			}
			out.Workers = append(out.Workers, LiveWorker{
				ID: id, Name: w.Name, Started: w.Started, Concurrency: w.Concurrency, Chunks: w.Chunks,
			})
		}
		return nil
	})
	slices.SortFunc(out.Nodes, func(a, b LiveNode) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(out.Workers, func(a, b LiveWorker) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out, err
}
