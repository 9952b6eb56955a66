package config

import (
	"strings"
	"testing"
)

func TestEnginesThatCannotBeAreRefusedWithTheirLine(t *testing.T) {
	t.Parallel()
	const regions = "regions: {local: {endpoint: 'http://h'}}\n"
	cluster := "cluster: {name: c, node: n1, listen: '127.0.0.1:1', routes: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3']}"
	for name, c := range map[string]struct{ engine, want string }{
		"a node and a client":         {"engine: {dir: d, url: 'tls://h:1', " + cluster + "}\n", "d.yaml:2: engine.url: stands beside engine.cluster"},
		"four copies":                 {"engine: {dir: d, url: 'tls://h:1', replicas: 4, max_store: 1GiB}\n", "engine.replicas: must be"},
		"copies of a single node":     {"engine: {dir: d, replicas: 3}\n", "engine.replicas: is for engine.url"},
		"copies without a bound":      {"engine: {dir: d, url: 'tls://h:1', replicas: 3}\n", "engine.max_store: is missing"},
		"nobody to lead":              {"engine: {dir: d, lead: false}\n", "engine.lead"},
		"two ways to say who":         {"engine: {dir: d, url: 'tls://h:1', nkey: a, credentials: b}\n", "more than one of"},
		"a user without a password":   {"engine: {dir: d, url: 'tls://h:1', user: a}\n", "needs both user and password"},
		"a certificate without a key": {"engine: {dir: d, url: 'tls://h:1', tls: {cert: a}}\n", "needs both cert and key"},
		"nodes without certificates":  {"engine: {dir: d, tls: {ca: a}, " + cluster + "}\n", "the nodes of a cluster verify each other"},
		"a user that is nobody":       {"engine: {dir: d, cluster: {users: [{role: api}]}}\n", "users[0]: needs nkey, or name and password"},
		"an empty user":               {"engine: {dir: d, cluster: {users: [~]}}\n", "users[0]: is empty"},
		"a size that is none":         {"engine: {dir: d, max_store: much}\n", "d.yaml:2: \"much\" is no number of bytes"},
		"a negative size":             {"engine: {dir: d, max_store: -1GiB}\n", "no number of bytes"},
		"an unknown worker key":       {"engine: {dir: d}\nworker: {speed: 1}\n", "the key speed is not known here"},
		"an unknown worker word":      {"engine: {dir: d}\nworker: on\n", "d.yaml:3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("d.yaml", []byte(regions+c.engine), env(nil))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestEngineKeys(t *testing.T) {
	t.Parallel()
	f, err := Parse("/etc/d.yaml", []byte(`regions: {local: {endpoint: 'http://h'}}
engine: {dir: d, url: 'tls://a:1, tls://b:1', nkey: w.nk, tls: {ca: ca.pem}, max_store: 1.5GiB}
worker: off
`), env(map[string]string{"DROVER_WORKER_CONCURRENCY": "7", "DROVER_ENGINE_LEAD": "false"}))
	if err != nil {
		t.Fatal(err)
	}
	e, w := f.Effective.Engine, f.Effective.Worker
	if got := e.URLs(); len(got) != 2 || got[1] != "tls://b:1" {
		t.Errorf("urls are %q", got)
	}
	if e.MaxStore != 3<<29 || e.NKey != "/etc/w.nk" || e.TLS.CA != "/etc/ca.pem" || e.Lead || e.IsCluster() {
		t.Errorf("engine is %+v", e)
	}
	if !w.Off || w.Concurrency != 7 {
		t.Errorf("worker is %+v", w)
	}
	if !f.Given("engine.url") || !f.Given("worker.concurrency") || f.Given("listen.addr") {
		t.Error("what is given is not told from defaults")
	}
}
