package e2e

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/engine/carrier"
)

// TestOutsideNATS runs a job on a NATS server of its own with TLS, where server, API and worker are processes that have
// the permissions of their roles and no more: one leads, one answers the API and neither leads nor works, one works.
func TestOutsideNATS(t *testing.T) {
	t.Parallel()
	c := &cluster{t: t, dir: t.TempDir(), store: newSecretServer(t)}
	t.Cleanup(c.close)
	base := c.process("base", "", "engine: {dir: x}\nworker: {concurrency: 16}\nlisten: {addr: '127.0.0.1:0'}\n").args[2]
	keys := filepath.Join(c.dir, "keys")
	c.drover(&process{}, "engine", "keys", "--out", keys, "--config", base, "--state", "state",
		"--node", "n1=127.0.0.1", "--node", "n2=127.0.0.2", "--node", "n3=127.0.0.3")
	url := startNATS(t, filepath.Join(keys, "n1"))

	leader := filepath.Join(keys, "n1", "drover.yaml")
	text, err := os.ReadFile(leader)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []config.Part{
		{Key: "cluster"},
		{Key: "url", Value: url},
		{Key: "replicas", Value: 1},
		{Key: "max_store", Value: "1GiB"},
		{Key: "tls", Value: map[string]string{"ca": "ca.pem"}},
	} {
		if text, err = config.Compose(text, "engine", p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(leader, text, 0o600); err != nil {
		t.Fatal(err)
	}
	at := []string{"DROVER_ENGINE_URL=" + url}
	lead := &process{t: t, name: "leader", args: []string{"serve", "--config", leader}, env: []string{"DROVER_WORKER_OFF=true"}}
	api := &process{t: t, name: "api", args: []string{"serve", "--config", filepath.Join(keys, "api", "drover.yaml")}, env: at}
	c.nodes = []*process{api, lead}
	c.workers = []*process{{t: t, name: "worker", args: []string{"worker", "--config", filepath.Join(keys, "worker", "drover.yaml")}, env: at}}
	c.startAll()
	// The worker keeps to what the API has set, which it learns with its own permissions alone.
	const rate = 600
	c.drover(api, "region", "limit", "local", "--rate", strconv.Itoa(rate))
	const rows = 3000
	j := c.copyJob(rows)
	j.ends("an outside NATS server with TLS and nkeys")
	if took, least := j.callsTook(), (rows-rate/10)*time.Second/rate; took < least {
		t.Errorf("%d calls at %d a second took %v, less than %v", rows, rate, took, least)
	}
	if out := c.drover(lead, "region", "list"); !strings.Contains(out, "local\t600 calls a second\tserver\t") {
		t.Errorf("region list at the other server: %s", out)
	}
	c.drover(api, "region", "limit", "local", "--clear")

	// What the API alone may do, through the process that has its permissions.
	id := c.drover(api, "job", "create", "tag", "--manifest", "s3://batch/list.csv", "--set", "a=b")
	c.drover(api, "job", "priority", id, "7")
	c.drover(api, "job", "cancel", id)
	if out := c.drover(api, "job", "list"); !strings.Contains(out, id) {
		t.Errorf("job list: %s", out)
	}
	if out := c.drover(api, "engine", "status", "--config", leader); !strings.Contains(out, "WORK\t1\t") {
		t.Errorf("engine status: %s", out)
	}
	if err := c.workers[0].end(syscall.SIGTERM); err != nil {
		t.Errorf("worker: %v", err)
	}
	for _, p := range []*process{api, lead, c.workers[0]} {
		log, err := os.ReadFile(filepath.Join(t.ArtifactDir(), p.name+".log"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(string(log)), "permission") {
			t.Errorf("%s was denied something:\n%s", p.name, log)
		}
	}
}

// startNATS starts a server with the certificate and the users of a node's folder, and gives its URL.
func startNATS(t *testing.T, node string) string {
	t.Helper()
	f, err := config.Load(filepath.Join(node, "drover.yaml"), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	e := f.Effective.Engine
	pair, err := tls.LoadX509KeyPair(e.TLS.Cert, e.TLS.Key)
	if err != nil {
		t.Fatal(err)
	}
	o := &natsserver.Options{
		ServerName: "outside", Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, MaxPayload: 8 << 20,
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, TLSTimeout: 5,
	}
	for _, u := range e.Cluster.Users {
		publish, subscribe := carrier.Permissions(carrier.Role(u.Role), "_INBOX_"+u.NKey)
		o.Nkeys = append(o.Nkeys, &natsserver.NkeyUser{Nkey: u.NKey, Permissions: &natsserver.Permissions{
			Publish: &natsserver.SubjectPermission{Allow: publish}, Subscribe: &natsserver.SubjectPermission{Allow: subscribe},
		}})
	}
	s, err := natsserver.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	return fmt.Sprintf("tls://%s", s.Addr())
}
