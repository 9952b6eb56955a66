package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
)

type engineCmd struct {
	Keys    engineKeysCmd    `cmd:"" help:"Make certificates, nkeys and configurations for a new cluster."`
	Migrate engineMigrateCmd `cmd:"" help:"Move all jobs to another engine: from a single server to a cluster, or back."`
	Recover engineRecoverCmd `cmd:"" help:"Record jobs again whose data folder was lost, from what lies beside their reports."`
	Status  engineStatusCmd  `cmd:"" help:"Show streams, replicas, leaders, lag, nodes and workers."`
}

// engineFlags name the engine by the configuration of one of its processes.
type engineFlags struct {
	Config  string        `required:"" placeholder:"FILE" help:"The configuration file of a node, a client or a single server."`
	Timeout time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait for the engine to answer."`
}

// inUseHint stands with the refusal of a single server's folder while that server runs.
const inUseHint = "the engine of a single server is in its folder, which belongs to the running server; stop it first, or read its /metrics"

// openEngine opens the configured engine beside those who run it.
func openEngine(ctx context.Context, file string, sh *shell, log *slog.Logger) (*carrier.Carrier, *config.File, error) {
	f, err := config.Load(file, sh.Getenv)
	if err != nil {
		return nil, nil, configError(err, file)
	}
	p, err := besidePlace(f, log)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, nil, configError(err, file)
	}
	c, err := p.open(ctx)
	if err != nil {
		if p.alone() {
			err = withHint(err, inUseHint)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = withHint(fmt.Errorf("the engine does not answer: %w", err), "two of three nodes must run; --timeout gives them longer")
		}
		return nil, nil, err
	}
	return c, f, nil
}

// besidePlace is where a command reaches the engine of a configuration: a node's as its client.
func besidePlace(f *config.File, log *slog.Logger) (enginePlace, error) {
	e := &f.Effective.Engine
	if !e.IsCluster() {
		p, err := newEnginePlace(f, true, log)
		if p.dial != nil {
			p.dial.Replicas = 0
		}
		return p, err
	}
	urls, err := clientAddresses(e.Cluster)
	if err != nil {
		return enginePlace{}, err
	}
	d, err := dialOptions(f, urls, true, log)
	return enginePlace{dial: d}, err
}

// clientAddresses gives this node's address for clients and, since it may be this node that is down, those that the others
// have if they use the same port.
func clientAddresses(c config.Cluster) ([]string, error) {
	if c.Client == "" {
		return nil, errors.New("engine.cluster.client is missing: it is the address that commands and workers connect to")
	}
	host, port, err := net.SplitHostPort(c.Client)
	if err != nil {
		return nil, fmt.Errorf("engine.cluster.client: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	out := []string{net.JoinHostPort(host, port)}
	for _, r := range c.Routes {
		if h, _, err := net.SplitHostPort(r); err == nil && !loopbackHost(h) && r != c.Listen {
			out = append(out, net.JoinHostPort(h, port))
		}
	}
	return out, nil
}

type engineStatusCmd struct {
	engineFlags
	output
}

// Help says what is shown.
func (c *engineStatusCmd) Help() string {
	return `Of a cluster: how many copies each stream has, which node leads it, and how far the others lag behind. WORK carries chunks, RES
their results, JOBS and DONE the jobs' records, ACCESS principals, roles and limits of regions, LIVE who is there. Nodes are the
processes that lead jobs; workers those that work on them. Exit code 1 when a stream has no leader, or lacks a copy: nothing was heard of
the node that has it for 5 s; and when less than a tenth of a node's disk is left.

It connects as the configuration's engine.nkey, engine.credentials or engine.user.`
}

// engineStatus is the answer in JSON.
type engineStatus struct {
	Cluster string         `json:"cluster,omitempty"` // absent for a single node
	Server  string         `json:"server"`            // the one that answered
	Streams []streamStatus `json:"streams"`
	Nodes   []nodeStatus   `json:"nodes"`
	Workers []workerStatus `json:"workers"`
}

type streamStatus struct {
	Name      string       `json:"name"`
	Replicas  int          `json:"replicas"`
	Leader    string       `json:"leader,omitempty"`
	Peers     []peerStatus `json:"peers,omitempty"` // the other copies
	Messages  uint64       `json:"messages"`
	Bytes     uint64       `json:"bytes"`
	MaxBytes  int64        `json:"maxBytes,omitempty"` // absent = unbounded
	Consumers int          `json:"consumers"`
	Error     string       `json:"error,omitempty"`
}

type peerStatus struct {
	Name          string  `json:"name"`
	Current       bool    `json:"current"`
	Offline       bool    `json:"offline,omitempty"`
	Lag           uint64  `json:"lag"` // entries
	ActiveSeconds float64 `json:"activeSeconds"`
}

// silentAfter is when a copy that says nothing is one less. They speak every second.
const silentAfter = 5

func (p peerStatus) silent() bool { return p.Offline || p.ActiveSeconds > silentAfter }

type nodeStatus struct {
	Name    string      `json:"name"`
	ID      string      `json:"id"`
	Started time.Time   `json:"started"`
	Jobs    []string    `json:"jobs"`           // that it leads
	Disk    *diskStatus `json:"disk,omitempty"` // of its folder; absent = it has none
}

type diskStatus struct {
	Free int64 `json:"free"` // bytes
	Size int64 `json:"size"`
}

func (d *diskStatus) low() bool { return d != nil && engine.Disk(*d).Low() }

// free is what is left of the disk, in words.
func (d *diskStatus) free() string {
	if d == nil {
		return "-"
	}
	return fmt.Sprintf("%d%%", 100*d.Free/d.Size)
}

type workerStatus struct {
	Name        string    `json:"name"`
	ID          string    `json:"id"`
	Started     time.Time `json:"started"`
	Concurrency int       `json:"concurrency"`
	Chunks      int       `json:"chunks"`
}

// Run asks and shows.
func (c *engineStatusCmd) Run(ctx context.Context, sh *shell) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	k, _, err := openEngine(ctx, c.Config, sh, nil)
	if err != nil {
		return err
	}
	st := k.Status(ctx)
	living, err := engine.ReadLiving(ctx, k)
	if err = errors.Join(err, k.Close()); err != nil {
		return err
	}
	out := toEngineStatus(st, living)
	if c.json() {
		err = sh.json(out)
	} else {
		err = out.print(sh)
	}
	if err == nil {
		err = out.fault()
	}
	return err
}

func toEngineStatus(st carrier.Status, l engine.Living) engineStatus {
	out := engineStatus{Cluster: st.Cluster, Server: st.Server, Nodes: []nodeStatus{}, Workers: []workerStatus{}}
	for _, s := range st.Streams {
		name, _ := strings.CutPrefix(s.Name, "KV_")
		o := streamStatus{
			Name: name, Replicas: s.Replicas, Leader: s.Leader, Messages: s.Messages, Bytes: s.Bytes,
			MaxBytes: max(0, s.MaxBytes), Consumers: s.Consumers,
		}
		if s.Err != nil {
			o.Error = s.Err.Error()
		}
		for _, p := range s.Peers {
			o.Peers = append(o.Peers, peerStatus{Name: p.Name, Current: p.Current, Offline: p.Offline, Lag: p.Lag, ActiveSeconds: p.Active.Seconds()})
		}
		out.Streams = append(out.Streams, o)
	}
	for _, n := range l.Nodes {
		jobs := make([]string, len(n.Leads))
		for i, id := range n.Leads {
			jobs[i] = string(id)
		}
		o := nodeStatus{Name: n.Name, ID: n.ID, Started: n.Started, Jobs: jobs}
		if n.Disk.Size > 0 {
			o.Disk = &diskStatus{Free: n.Disk.Free, Size: n.Disk.Size}
		}
		out.Nodes = append(out.Nodes, o)
	}
	for _, w := range l.Workers {
		out.Workers = append(out.Workers, workerStatus{Name: w.Name, ID: w.ID, Started: w.Started, Concurrency: w.Concurrency, Chunks: w.Chunks})
	}
	return out
}

func (s engineStatus) print(sh *shell) error {
	var rows [][]string
	for _, st := range s.Streams {
		rows = append(rows, st.row())
	}
	if err := sh.table([]string{"STREAM", "COPIES", "LEADER", "OTHERS", "LAG", "MESSAGES", "BYTES"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, n := range s.Nodes {
		rows = append(rows, []string{sh.foreign(n.Name), strconv.Itoa(len(n.Jobs)), n.Disk.free(), n.Started.UTC().Format(time.RFC3339), n.ID})
	}
	sh.printf("\n")
	if err := sh.table([]string{"NODE", "JOBS", "DISK FREE", "STARTED", "ID"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, w := range s.Workers {
		rows = append(rows, []string{
			sh.foreign(w.Name), strconv.Itoa(w.Concurrency), strconv.Itoa(w.Chunks), w.Started.UTC().Format(time.RFC3339), w.ID,
		})
	}
	sh.printf("\n")
	return sh.table([]string{"WORKER", "CONCURRENCY", "CHUNKS", "STARTED", "ID"}, rows)
}

func (s streamStatus) row() []string {
	if s.Error != "" {
		return []string{s.Name, "?", "none", oneLine(s.Error), "", "", ""}
	}
	leader, lag := s.Leader, uint64(0)
	if leader == "" {
		leader = "-"
	}
	var others []string
	for _, p := range s.Peers {
		state := p.Name
		switch {
		case p.silent():
			state += " (silent)"
		case !p.Current:
			state += " (behind)"
		}
		others = append(others, state)
		lag = max(lag, p.Lag)
	}
	slices.Sort(others)
	return []string{
		s.Name, strconv.Itoa(s.Replicas), leader, strings.Join(others, " "), strconv.FormatUint(lag, 10),
		strconv.FormatUint(s.Messages, 10), strconv.FormatUint(s.Bytes, 10),
	}
}

// fault says what is not as it should be.
func (s engineStatus) fault() error {
	var faults []string
	for _, st := range s.Streams {
		switch {
		case st.Error != "":
			faults = append(faults, st.Name+" has no leader")
		case st.Replicas > 1 && st.Leader == "":
			faults = append(faults, st.Name+" has no leader")
		case slices.ContainsFunc(st.Peers, peerStatus.silent):
			faults = append(faults, st.Name+" lacks a copy")
		}
	}
	hint := "a node is down or cut off; jobs go on while two of three run"
	if len(faults) == 0 {
		hint = "make room on that disk, or stop the process and move its engine.dir to a larger one; when nothing is left jobs wait"
	}
	for _, n := range s.Nodes {
		if n.Disk.low() {
			faults = append(faults, fmt.Sprintf("the disk of node %s is nearly full: %s are left", n.Name, n.Disk.free()))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return withHint(errors.New(strings.Join(faults, ", ")), hint)
}
