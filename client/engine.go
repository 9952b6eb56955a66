package client

import (
	"context"
	"net/http"
	"time"
)

// Engine is what a server's engine says of itself.
type Engine struct {
	Cluster string         `json:"cluster,omitempty"` // absent for a single node
	Server  string         `json:"server"`            // the one that answered
	Streams []EngineStream `json:"streams"`
	Nodes   []EngineNode   `json:"nodes"`
	Workers []EngineWorker `json:"workers"`
}

// EngineStream is a stream of the engine, or one of its stores of records.
type EngineStream struct {
	Name      string       `json:"name"`
	Replicas  int          `json:"replicas"`
	Leader    string       `json:"leader,omitempty"`
	Peers     []EnginePeer `json:"peers,omitempty"` // the other copies
	Messages  uint64       `json:"messages"`
	Bytes     uint64       `json:"bytes"`
	MaxBytes  int64        `json:"maxBytes,omitempty"` // absent = unbounded
	Consumers int          `json:"consumers"`
	Error     string       `json:"error,omitempty"`
}

// EnginePeer is a copy of a stream that does not lead.
type EnginePeer struct {
	Name          string  `json:"name"`
	Current       bool    `json:"current"`
	Offline       bool    `json:"offline,omitempty"`
	Lag           uint64  `json:"lag"` // entries
	ActiveSeconds float64 `json:"activeSeconds"`
}

// EngineNode is a process that leads jobs.
type EngineNode struct {
	Name    string      `json:"name"`
	ID      string      `json:"id"`
	Started time.Time   `json:"started"`
	Jobs    []string    `json:"jobs"`           // that it leads
	Disk    *EngineDisk `json:"disk,omitempty"` // of its folder; absent = it has none
}

// EngineDisk is how much room a disk has, in bytes.
type EngineDisk struct {
	Free int64 `json:"free"`
	Size int64 `json:"size"`
}

// EngineWorker is a process that works on chunks.
type EngineWorker struct {
	Name        string    `json:"name"`
	ID          string    `json:"id"`
	Started     time.Time `json:"started"`
	Concurrency int       `json:"concurrency"` // object calls at a time
	Chunks      int       `json:"chunks"`      // held
}

// Engine asks for the state of the server's engine, whoever's jobs it has.
func (c *Client) Engine(ctx context.Context) (Engine, error) {
	return call[Engine](ctx, c, http.MethodGet, "/engine", nil, nil)
}
