package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Engine sets the engine up: alone in this process, as one node of a cluster, or as a client of a NATS cluster.
type Engine struct {
	Dir        string   `yaml:"dir"`         // its state, on a local disk; required
	Sync       bool     `yaml:"sync"`        // every write reaches the disk before it is answered; default true
	MaxActive  int      `yaml:"max_active"`  // jobs of an account that are Active at a time; default 8
	ChunkRows  int      `yaml:"chunk_rows"`  // rows that travel together; default 1000
	Look       Look     `yaml:"look"`        // how jobs that wait for restorations look at objects
	ReportWait Duration `yaml:"report_wait"` // how long a job waits for its report's place before it fails; default 24h
	SecretsKey Secret   `yaml:"secrets_key"` // 32 bytes in base64 or hexadecimal, for the secrets of principals and roles made at run time; default: none can be made
	MaxStore   Size     `yaml:"max_store"`   // bytes of chunks and results that wait; default: half of the free disk
	Lead       bool     `yaml:"lead"`        // this process may lead jobs; default true

	Cluster Cluster `yaml:"cluster"` // default: this process is alone
	// Of a client: the nodes' client addresses, tls://HOST:PORT, with commas between them.
	URL      string    `yaml:"url"`
	Replicas int       `yaml:"replicas"` // 1, 3 or 5: make the streams on an outside server, with so many copies; default 0: they are there
	TLS      EngineTLS `yaml:"tls"`      // of all connections of the engine; default: none, on loopback addresses only
	// Who a client is; and who drover engine is towards the cluster that this file belongs to. One of the three.
	NKey        string `yaml:"nkey"`        // file with a seed
	Credentials string `yaml:"credentials"` // file with a JWT and its seed, as NATS makes them
	User        string `yaml:"user"`
	Password    Secret `yaml:"password"`
	Inbox       string `yaml:"inbox"` // prefix of the subjects for answers; default _INBOX_ and who the client is
}

// Look says when jobs that wait for restorations look whether objects can be read.
type Look struct {
	First   Duration `yaml:"first"`   // how long after they were asked for; default 5m
	Longest Duration `yaml:"longest"` // up to which the intervals double; default 1h
	Limit   Duration `yaml:"limit"`   // what cannot be read after that has failed; default 168h
}

// Cluster makes this process one of three nodes or more that hold the engine's state together.
type Cluster struct {
	Name   string        `yaml:"name"`   // the same on all nodes
	Node   string        `yaml:"node"`   // this one's, for good
	Listen string        `yaml:"listen"` // HOST:PORT for the other nodes
	Client string        `yaml:"client"` // HOST:PORT for workers and other clients; default: none can come
	Routes []string      `yaml:"routes"` // listen of every node
	Users  []*EngineUser `yaml:"users"`  // who may come to client; default: everybody, on loopback addresses only
}

// EngineUser is somebody who may connect to a cluster.
type EngineUser struct {
	Role     string `yaml:"role"` // api, leader or worker
	NKey     string `yaml:"nkey"` // the public key
	Name     string `yaml:"name"` // without nkey
	Password Secret `yaml:"password"`
}

// EngineTLS names files in PEM. They are read at the start.
type EngineTLS struct {
	CA   string `yaml:"ca"`   // who signed the servers' certificates; of a cluster, the nodes' and no others
	Cert string `yaml:"cert"` // of a node; a client needs none
	Key  string `yaml:"key"`
}

// IsCluster reports whether the engine is one node of a cluster.
func (e *Engine) IsCluster() bool {
	c := e.Cluster
	return c.Name != "" || c.Node != "" || c.Listen != "" || c.Client != "" || len(c.Routes) > 0 || len(c.Users) > 0
}

// URLs gives the addresses of a client's servers.
func (e *Engine) URLs() []string {
	var out []string
	for u := range strings.SplitSeq(e.URL, ",") {
		if u = strings.TrimSpace(u); u != "" {
			out = append(out, u)
		}
	}
	return out
}

// checkEngine finds what cannot be. Whether what is configured is safe the carrier says.
func (f *File) checkEngine(p *problems) {
	e := &f.Effective.Engine
	if e.Dir == "" {
		p.addf(f, "engine.dir", "is missing; name a folder on a local disk")
	}
	if e.URL != "" && e.IsCluster() {
		p.addf(f, "engine.url", "stands beside engine.cluster; a process is a node of a cluster or a client of one")
	}
	if !slices.Contains([]int{0, 1, 3, 5}, e.Replicas) {
		p.addf(f, "engine.replicas", "must be 1, 3 or 5; or 0 where another process makes the streams")
	}
	if e.URL == "" && e.Replicas != 0 {
		p.addf(f, "engine.replicas", "is for engine.url; a single node has one copy and a cluster three")
	}
	if e.Replicas != 0 && e.MaxStore == 0 {
		p.addf(f, "engine.max_store", "is missing; say how many bytes the streams on the outside server may take, as 20GiB")
	}
	if !e.Lead && e.URL == "" && !e.IsCluster() {
		p.addf(f, "engine.lead", "is false, and nobody else is there to lead")
	}
	ways := 0
	for _, s := range []string{e.NKey, e.Credentials, e.User} {
		if s != "" {
			ways++
		}
	}
	if ways > 1 {
		p.addf(f, "engine", "has more than one of nkey, credentials and user")
	}
	if (e.User == "") != (e.Password == "") {
		p.addf(f, "engine.user", "needs both user and password")
	}
	if (e.TLS.Cert == "") != (e.TLS.Key == "") {
		p.addf(f, "engine.tls", "needs both cert and key")
	}
	if t := e.TLS; e.IsCluster() && (t.CA != "" || t.Cert != "") && (t.CA == "" || t.Cert == "") {
		p.addf(f, "engine.tls", "needs ca, cert and key: the nodes of a cluster verify each other")
	}
	for i, u := range e.Cluster.Users {
		key := fmt.Sprintf("engine.cluster.users[%d]", i)
		if u == nil {
			p.addf(f, key, "is empty; give role, and nkey or name and password")
		} else if (u.Name == "") != (u.Password == "") || (u.NKey == "") == (u.Name == "") {
			p.addf(f, key, "needs nkey, or name and password")
		}
	}
	for _, path := range []*string{&e.Dir, &e.TLS.CA, &e.TLS.Cert, &e.TLS.Key, &e.NKey, &e.Credentials} {
		*path = f.at.path(*path)
	}
}

// Size is a number of bytes, written like 500MB or 20GiB.
type Size int64

var units = []struct {
	name string
	size float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalYAML reads 1000000, 500MB, 20GiB.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	text, unit := strings.TrimSpace(n.Value), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v*unit < math.MaxInt64/2) {
		return lineError(n, "%q is no number of bytes; write it like 500MB or 20GiB", n.Value)
	}
	*s = Size(v * unit)
	return nil
}

// MarshalYAML writes bytes.
func (s Size) MarshalYAML() (any, error) { return int64(s), nil }

// UnmarshalYAML reads the section, or the word off. A type with a method of its own is decoded without the check for
// unknown keys, so that is done here.
func (w *Worker) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.Value == "off" {
		w.Off = true
		return nil
	}
	type plain Worker
	if n.Kind == yaml.MappingNode {
		known := fieldNames(plain{})
		for i := 0; i < len(n.Content); i += 2 {
			if !slices.Contains(known, n.Content[i].Value) {
				return lineError(n.Content[i], "the key %s is not known here", n.Content[i].Value)
			}
		}
	}
	return n.Decode((*plain)(w))
}
