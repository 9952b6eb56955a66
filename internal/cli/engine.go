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

	"github.com/drover-batch/drover/client"
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
		if carrier.IsInUse(err) {
			err = withHint(err, inUseHint)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = withHint(fmt.Errorf("the engine does not answer: %w", err), "two of three nodes must run; --timeout gives them longer")
		}
		return nil, f, err
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
	Config string `placeholder:"FILE" help:"The configuration file of a node, a client or a single server. Default: the server is asked."`
	serverFlags
	Timeout time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait for the engine to answer."`
	output
}

// Help says what is shown.
func (c *engineStatusCmd) Help() string {
	return `Of a cluster: how many copies each stream has, which node leads it, and how far the others lag behind. WORK carries chunks, RES
their results, JOBS and DONE the jobs' records, ACCESS principals, roles and limits of regions, LIVE who is there. Nodes are the
processes that lead jobs; workers those that work on them. Exit code 1 when a stream has no leader, or lacks a copy: nothing was heard of
the node that has it for 5 s; and when less than a tenth of a node's disk is left.

With --config it connects as the configuration's engine.nkey, engine.credentials or engine.user. A single server's engine is in its
folder: while that server runs it is asked instead, at --server, DROVER_SERVER or its listen.addr, by a principal with the right
cos:DescribeEngine. Without --config a server is asked at once.`
}

// silentAfter is when a copy that says nothing is one less. They speak every second.
const silentAfter = 5

func silent(p client.EnginePeer) bool { return p.Offline || p.ActiveSeconds > silentAfter }

func isLow(d *client.EngineDisk) bool { return d != nil && engine.Disk(*d).Low() }

// freeText is what is left of the disk, in words.
func freeText(d *client.EngineDisk) string {
	if d == nil {
		return "-"
	}
	return fmt.Sprintf("%d%%", 100*d.Free/d.Size)
}

// Run asks and shows.
func (c *engineStatusCmd) Run(ctx context.Context, sh *shell) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	st, err := c.ask(ctx, sh)
	if err != nil {
		return err
	}
	if c.json() {
		err = sh.json(st)
	} else {
		err = engineView(st).print(sh)
	}
	if err == nil {
		err = engineView(st).fault()
	}
	return err
}

// ask asks the engine itself where a configuration tells how to reach it, and else the server that runs it: the engine of
// a single server is in its folder, which only that server can read while it runs.
func (c *engineStatusCmd) ask(ctx context.Context, sh *shell) (client.Engine, error) {
	if c.Config == "" {
		return c.askServer(ctx, sh)
	}
	k, f, err := openEngine(ctx, c.Config, sh, nil)
	if err == nil {
		st, err := readEngine(ctx, k)
		return st, errors.Join(err, k.Close())
	}
	if f == nil || !carrier.IsInUse(err) {
		return client.Engine{}, err
	}
	if c.Server == "" && sh.Getenv("DROVER_SERVER") == "" {
		c.Server = serverURL(f)
	}
	st, asked := c.askServer(ctx, sh)
	if asked != nil {
		return st, withHint(fmt.Errorf("the engine's folder belongs to a running server, and that one does not tell of it: %w", asked),
			"name it with --server, and set DROVER_ACCESS_KEY and DROVER_SECRET_KEY to those of a principal with the right cos:DescribeEngine; or stop it first")
	}
	return st, nil
}

func (c *engineStatusCmd) askServer(ctx context.Context, sh *shell) (client.Engine, error) {
	server, err := c.connect(sh)
	if err != nil {
		return client.Engine{}, err
	}
	st, err := server.Engine(ctx)
	return st, server.explain(err)
}

// serverURL is where the server of a configuration answers on this machine; "" when only it knows.
func serverURL(f *config.File) string {
	l := f.Effective.Listen
	host, port, err := net.SplitHostPort(l.Addr)
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if l.TLS.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// readEngine asks a carrier.
func readEngine(ctx context.Context, k *carrier.Carrier) (client.Engine, error) {
	st := k.Status(ctx)
	living, err := engine.ReadLiving(ctx, k)
	return toEngine(st, living), err
}

func toEngine(st carrier.Status, l engine.Living) client.Engine {
	out := client.Engine{Cluster: st.Cluster, Server: st.Server, Streams: []client.EngineStream{}, Nodes: []client.EngineNode{}, Workers: []client.EngineWorker{}}
	for _, s := range st.Streams {
		name, _ := strings.CutPrefix(s.Name, "KV_")
		o := client.EngineStream{
			Name: name, Replicas: s.Replicas, Leader: s.Leader, Messages: s.Messages, Bytes: s.Bytes,
			MaxBytes: max(0, s.MaxBytes), Consumers: s.Consumers,
		}
		if s.Err != nil {
			o.Error = s.Err.Error()
		}
		for _, p := range s.Peers {
			o.Peers = append(o.Peers, client.EnginePeer{Name: p.Name, Current: p.Current, Offline: p.Offline, Lag: p.Lag, ActiveSeconds: p.Active.Seconds()})
		}
		out.Streams = append(out.Streams, o)
	}
	for _, n := range l.Nodes {
		jobs := make([]string, len(n.Leads))
		for i, id := range n.Leads {
			jobs[i] = string(id)
		}
		o := client.EngineNode{Name: n.Name, ID: n.ID, Started: n.Started, Jobs: jobs}
		if n.Disk.Size > 0 {
			o.Disk = &client.EngineDisk{Free: n.Disk.Free, Size: n.Disk.Size}
		}
		out.Nodes = append(out.Nodes, o)
	}
	for _, w := range l.Workers {
		out.Workers = append(out.Workers, client.EngineWorker{Name: w.Name, ID: w.ID, Started: w.Started, Concurrency: w.Concurrency, Chunks: w.Chunks})
	}
	return out
}

// engineView shows it to people.
type engineView client.Engine

func (s engineView) print(sh *shell) error {
	var rows [][]string
	for _, st := range s.Streams {
		rows = append(rows, streamRow(st))
	}
	if err := sh.table([]string{"STREAM", "COPIES", "LEADER", "OTHERS", "LAG", "MESSAGES", "BYTES"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, n := range s.Nodes {
		rows = append(rows, []string{sh.foreign(n.Name), strconv.Itoa(len(n.Jobs)), freeText(n.Disk), n.Started.UTC().Format(time.RFC3339), n.ID})
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

func streamRow(s client.EngineStream) []string {
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
		case silent(p):
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
func (s engineView) fault() error {
	var faults []string
	for _, st := range s.Streams {
		switch {
		case st.Error != "":
			faults = append(faults, st.Name+" has no leader")
		case st.Replicas > 1 && st.Leader == "":
			faults = append(faults, st.Name+" has no leader")
		case slices.ContainsFunc(st.Peers, silent):
			faults = append(faults, st.Name+" lacks a copy")
		}
	}
	hint := "a node is down or cut off; jobs go on while two of three run"
	if len(faults) == 0 {
		hint = "make room on that disk, or stop the process and move its engine.dir to a larger one; when nothing is left jobs wait"
	}
	for _, n := range s.Nodes {
		if isLow(n.Disk) {
			faults = append(faults, fmt.Sprintf("the disk of node %s is nearly full: %s are left", n.Name, freeText(n.Disk)))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return withHint(errors.New(strings.Join(faults, ", ")), hint)
}
