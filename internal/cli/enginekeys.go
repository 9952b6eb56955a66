package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/engine/carrier"
)

type engineKeysCmd struct {
	Node        []string      `required:"" placeholder:"NAME=HOST" help:"A node's name, and the host name or IP address that the others reach it by. Three at least."`
	Out         string        `required:"" placeholder:"DIR" help:"A new folder for what is made."`
	Cluster     string        `default:"drover" placeholder:"NAME" help:"The cluster's name."`
	Config      string        `placeholder:"FILE" help:"A configuration with regions, roles and principals: what is made goes on with it."`
	State       string        `default:"/var/lib/drover" placeholder:"DIR" help:"The engine's folder on the machines."`
	ClusterPort uint16        `default:"6222" placeholder:"PORT" help:"Port for the other nodes."`
	ClientPort  uint16        `default:"4222" placeholder:"PORT" help:"Port for workers and other clients."`
	Valid       time.Duration `default:"87600h" placeholder:"TIME" help:"How long the certificates are good."`
}

// Help says what is made.
func (c *engineKeysCmd) Help() string {
	return `It makes what three machines need to be a cluster: in the new folder, one folder a node, and worker and api for the machines that
join as clients. Each holds drover.yaml with its engine section, the certificate of the cluster's own authority (ca.pem) and the
keys of that machine alone. Copy each folder to its machine and run drover serve (or drover worker) with its drover.yaml.

ca.key, beside the folders, signs certificates of further nodes: keep it away from the machines. Whoever has it can join the cluster.`
}

// Run makes keys and files.
func (c *engineKeysCmd) Run(_ context.Context, sh *shell) error {
	k, err := c.plan()
	if err != nil {
		return err
	}
	if err := os.Mkdir(c.Out, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return withHint(fmt.Errorf("%s is there already", c.Out), "name a new folder: keys are never written over")
		}
		return err
	}
	if err := k.write(); err != nil {
		return err
	}
	for _, name := range k.order {
		sh.printf("%s\n", filepath.Join(c.Out, name, configName))
	}
	sh.note("copy each folder to its machine; keep %s away from them", filepath.Join(c.Out, "ca.key"))
	return nil
}

const configName = "drover.yaml"

// keyPlan is what a cluster is made of.
type keyPlan struct {
	c       *engineKeysCmd
	base    []byte
	order   []string          // names of the folders
	hosts   map[string]string // of the nodes
	routes  []string
	clients []string
	users   []map[string]string
	seeds   map[carrier.Role][]byte
}

func (c *engineKeysCmd) plan() (*keyPlan, error) {
	k := &keyPlan{c: c, hosts: map[string]string{}, seeds: map[carrier.Role][]byte{}}
	for _, n := range c.Node {
		name, host, ok := strings.Cut(n, "=")
		if !ok || name == "" || host == "" || strings.ContainsAny(name, `/\. `) || name == "worker" || name == "api" {
			return nil, usagef("", "--node: %q is not NAME=HOST, with a name of letters, digits, - and _ that is not worker or api", n)
		}
		if k.hosts[name] != "" {
			return nil, usagef("", "--node: %s stands here twice", name)
		}
		k.order, k.hosts[name] = append(k.order, name), host
		k.routes = append(k.routes, net.JoinHostPort(host, strconv.Itoa(int(c.ClusterPort))))
		k.clients = append(k.clients, "tls://"+net.JoinHostPort(host, strconv.Itoa(int(c.ClientPort))))
	}
	if len(k.order) < 3 {
		return nil, usagef("", "--node: a cluster has at least 3 nodes, so that it outlives one; %d given", len(k.order))
	}
	k.order = append(k.order, "worker", "api")
	if c.Config != "" {
		var err error
		if k.base, err = os.ReadFile(c.Config); err != nil {
			return nil, err
		}
	}
	for _, r := range []carrier.Role{carrier.RoleLeader, carrier.RoleAPI, carrier.RoleWorker} {
		seed, public, err := carrier.NewNKey()
		if err != nil {
			return nil, err
		}
		k.seeds[r] = append(seed, '\n')
		k.users = append(k.users, map[string]string{"role": string(r), "nkey": public})
	}
	return k, nil
}

// write makes all files. Those with secrets are for their owner alone.
func (k *keyPlan) write() error {
	ca, cert, key, err := newAuthority(k.c.Cluster, time.Now().Add(k.c.Valid))
	if err != nil {
		return err
	}
	files := map[string][]byte{"ca.pem": cert, "ca.key": key}
	for i, name := range k.order {
		files[name+"/ca.pem"] = cert
		host, isNode := k.hosts[name]
		var parts []config.Part
		if isNode {
			if files[name+"/node.pem"], files[name+"/node.key"], err = ca.node(name, host); err != nil {
				return err
			}
			files[name+"/leader.nk"] = k.seeds[carrier.RoleLeader]
			parts = k.nodeParts(name, k.routes[i])
		} else {
			files[name+"/"+name+".nk"] = k.seeds[carrier.Role(name)]
			parts = k.clientParts(name)
		}
		text, err := config.Compose(k.base, "engine", parts...)
		if err != nil {
			return fmt.Errorf("%s: %w", k.c.Config, err)
		}
		if name == "api" {
			if text, err = config.Compose(text, "worker", config.Part{Key: "off", Value: true}); err != nil {
				return fmt.Errorf("%s: %w", k.c.Config, err)
			}
		}
		files[name+"/"+configName] = text
	}
	for name, text := range files {
		path := filepath.Join(k.c.Out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// nodeParts is the engine section of a node. Its nkey is for drover engine, which is run beside it.
func (k *keyPlan) nodeParts(name, listen string) []config.Part {
	host := k.hosts[name]
	return []config.Part{
		{Key: "dir", Value: k.c.State},
		{Key: "cluster", Value: clusterSection{
			Name: k.c.Cluster, Node: name, Listen: listen, Client: net.JoinHostPort(host, strconv.Itoa(int(k.c.ClientPort))),
			Routes: k.routes, Users: k.users,
		}},
		{Key: "tls", Value: map[string]string{"ca": "ca.pem", "cert": "node.pem", "key": "node.key"}},
		{Key: "nkey", Value: "leader.nk"},
		{Key: "url"},
	}
}

// clusterSection has the keys in the order that people read them in.
type clusterSection struct {
	Name   string              `yaml:"name"`
	Node   string              `yaml:"node"`
	Listen string              `yaml:"listen"`
	Client string              `yaml:"client"`
	Routes []string            `yaml:"routes"`
	Users  []map[string]string `yaml:"users"`
}

// clientParts is the engine section of a worker, or of a server that answers the API and neither leads nor works.
func (k *keyPlan) clientParts(name string) []config.Part {
	parts := []config.Part{
		{Key: "dir", Value: k.c.State},
		{Key: "url", Value: strings.Join(k.clients, ",")},
		{Key: "tls", Value: map[string]string{"ca": "ca.pem"}},
		{Key: "nkey", Value: name + ".nk"},
		{Key: "cluster"},
	}
	if name == "api" {
		parts = append(parts, config.Part{Key: "lead", Value: false})
	}
	return parts
}
