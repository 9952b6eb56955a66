package carrier

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Status is what a carrier's servers say of themselves.
type Status struct {
	Cluster string // "" for a single node
	Server  string // that this process is connected to
	Streams []StreamStatus
}

// StreamStatus is one stream, or bucket of records.
type StreamStatus struct {
	Name      string
	Memory    bool // not on disk
	Replicas  int  // as configured
	Leader    string
	Peers     []PeerStatus // the other replicas
	Messages  uint64
	Bytes     uint64
	MaxBytes  int64 // -1 is unbounded
	Consumers int   // of WORK: open queues; of the others: readers
	// Err is why nothing is known of the stream, which then has only its name: mostly that it has no leader now.
	Err error
}

// PeerStatus is a replica that does not lead.
type PeerStatus struct {
	Name    string
	Current bool // has all that was agreed on
	Offline bool
	Active  time.Duration // since it was last heard of by the leader
	Lag     uint64        // entries that it lacks
}

// Status asks each stream once, for 2 s at most. What it cannot tell of one stands with that one.
func (c *Carrier) Status(ctx context.Context) Status {
	st := Status{Cluster: c.conn.ConnectedClusterName(), Server: c.conn.ConnectedServerName()}
	all := []jetstream.Stream{c.work, c.results}
	for _, b := range buckets {
		all = append(all, c.records[b])
	}
	st.Streams = make([]StreamStatus, len(all))
	var asking sync.WaitGroup
	for i, s := range all {
		asking.Go(func() { st.Streams[i] = statusOf(ctx, s) })
	}
	asking.Wait()
	return st
}

func statusOf(ctx context.Context, s jetstream.Stream) StreamStatus {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	st := StreamStatus{Name: s.CachedInfo().Config.Name}
	info, err := s.Info(ctx)
	if err != nil {
		st.Err = err
		return st
	}
	st.Memory = info.Config.Storage == jetstream.MemoryStorage
	st.Replicas, st.MaxBytes = info.Config.Replicas, info.Config.MaxBytes
	st.Messages, st.Bytes, st.Consumers = info.State.Msgs, info.State.Bytes, info.State.Consumers
	if cl := info.Cluster; cl != nil {
		st.Leader = cl.Leader
		for _, p := range cl.Replicas {
			st.Peers = append(st.Peers, PeerStatus{Name: p.Name, Current: p.Current, Offline: p.Offline, Active: p.Active, Lag: p.Lag})
		}
	}
	return st
}
