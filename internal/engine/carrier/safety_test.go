package carrier

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

func TestUnsafeClustersAreRefused(t *testing.T) {
	t.Parallel()
	local := []string{"127.0.0.1:7001", "[::1]:7002", "localhost:7003"}
	pool := x509.NewCertPool()
	secure := &tls.Config{ClientCAs: pool}
	user := []User{{Role: RoleWorker, Name: "w", Password: "p"}}
	for _, tt := range []struct {
		name string
		cl   Cluster
		want string // "" = allowed
	}{
		{"all loopback", Cluster{Listen: local[0], Routes: local, Client: "127.0.0.1:7004"}, ""},
		{"a route elsewhere", Cluster{Listen: local[0], Routes: []string{local[1], "10.0.0.1:1"}}, "no TLS"},
		{"all interfaces", Cluster{Listen: ":7001", Routes: local}, "no TLS"},
		{"clients without TLS", Cluster{Listen: local[0], Routes: local, Client: "10.0.0.1:1", Users: user}, "no TLS"},
		{"clients without users", Cluster{Listen: local[0], Routes: local, Client: "10.0.0.1:1", TLS: secure}, "no users"},
		{"TLS and users", Cluster{Listen: "10.0.0.1:2", Routes: local, Client: "10.0.0.1:1", TLS: secure, Users: user}, ""},
		{"TLS that verifies nobody", Cluster{Listen: local[0], Routes: local, TLS: &tls.Config{}}, "authority"},
		{"two nodes", Cluster{Listen: local[0], Routes: local[:2]}, "at least 3"},
		{"no port", Cluster{Listen: "127.0.0.1", Routes: local}, "host:port"},
		{"any port", Cluster{Listen: "127.0.0.1:0", Routes: local}, "host:port"},
		{"a user without password", Cluster{Listen: local[0], Routes: local, Users: []User{{Role: RoleAPI, Name: "a"}}}, "password"},
		{"an unknown role", Cluster{Listen: local[0], Routes: local, Users: []User{{Role: "root", Name: "a", Password: "p"}}}, "role"},
	} {
		tt.cl.Name, tt.cl.Node = "c", "n"
		err := tt.cl.check()
		if tt.want == "" && err != nil || tt.want != "" && (job.CodeOf(err) != job.InvalidRequest || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, o := range []DialOptions{
		{},
		{URLs: []string{"nats://10.0.0.1:4222"}},
		{URLs: []string{"nats://10.0.0.1:4222"}, TLS: &tls.Config{}},
		{URLs: []string{"127.0.0.1:4222", "10.0.0.1:4222"}, NKey: "file"},
		{URLs: []string{"http://127.0.0.1:4222"}},
		{URLs: []string{"nats://u:p@127.0.0.1:4222"}},
		{URLs: []string{"127.0.0.1:4222"}, Replicas: 3},
	} {
		if _, err := Dial(t.Context(), o); job.CodeOf(err) != job.InvalidRequest {
			t.Errorf("dial %v = %v", o.URLs, err)
		}
	}
}

func TestFolderIsOfOneKind(t *testing.T) {
	t.Parallel()
	refused := func(o Options) {
		t.Helper()
		if _, err := Open(t.Context(), o); job.CodeOf(err) != job.InvalidRequest || !strings.Contains(job.MessageOf(err), o.Dir) {
			t.Errorf("open = %v", err)
		}
	}
	all := plan(t)
	alone, err := Open(t.Context(), Options{Dir: all[0].Dir})
	closing(t, alone, err)
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	refused(all[0])
	if err := os.Remove(filepath.Join(all[0].Dir, kindName)); err != nil { // as before folders were marked
		t.Fatal(err)
	}
	refused(all[0])

	if err := os.Mkdir(all[1].Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := markFolder(all[1].Dir, all[1].Cluster); err != nil {
		t.Fatal(err)
	}
	refused(Options{Dir: all[1].Dir})
	other := *all[1].Cluster
	other.Node = "n9"
	refused(Options{Dir: all[1].Dir, Cluster: &other})
	if err := markFolder(all[1].Dir, all[1].Cluster); err != nil {
		t.Error(err)
	}
}

// authority signs certificates for 127.0.0.1.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	a.cert = &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var der []byte
	der, a.key = a.sign(a.cert)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(c *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	by := a.key
	if by == nil {
		by = key // itself
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "drover test"}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

func (a *authority) node() *tls.Config {
	der, key := a.sign(&x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientCAs: a.pool,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
}

// nkeyFile makes an nkey's seed and gives its public key.
func nkeyFile(t *testing.T) (file, public string) {
	t.Helper()
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := kp.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = kp.PublicKey(); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "worker.nk")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, public
}

func TestRolesMayDoTheirWorkAndNoMore(t *testing.T) {
	t.Parallel()
	ca, all := newAuthority(t), plan(t)
	seed, public := nkeyFile(t)
	for i := range all {
		all[i].Cluster.TLS = ca.node()
		all[i].Cluster.Users = []User{{Role: RoleWorker, NKey: public}, {Role: RoleAPI, Name: "api", Password: "secret"}}
	}
	leader := openAll(t, all)[0]
	trust := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: ca.pool}
	ctx := t.Context()
	worker := dial(t, DialOptions{URLs: urls(all), TLS: trust, NKey: seed})
	api := dial(t, DialOptions{URLs: urls(all), TLS: trust, User: "api", Password: "secret"})
	whole(t, worker, 0)
	whole(t, api, 0)
	rolesDoTheirWork(t, leader, worker, api)

	refuse := func(what string, o DialOptions) {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		o.URLs = urls(all)
		if _, err := Dial(ctx, o); err == nil {
			t.Errorf("%s was let in", what)
		}
	}
	stranger, _ := nkeyFile(t)
	refuse("a wrong password", DialOptions{TLS: trust, User: "api", Password: "wrong"})
	refuse("an unknown nkey", DialOptions{TLS: trust, NKey: stranger})
	refuse("nobody", DialOptions{TLS: trust})
	refuse("the node's own name", DialOptions{TLS: trust, User: selfUser, Password: "x"})
	refuse("a client without TLS", DialOptions{User: "api", Password: "secret"})
	refuse("a client that trusts another", DialOptions{TLS: &tls.Config{MinVersion: tls.VersionTLS13}, User: "api", Password: "secret"})
}

// rolesDoTheirWork has a worker and an API do all that they may, beside a leader, and more.
func rolesDoTheirWork(t *testing.T, leader, worker, api *Carrier) {
	t.Helper()
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	denied := func(what string, call func() error) {
		wg.Go(func() { // each is without answer for a while
			if err := call(); job.CodeOf(err) != job.AccessDenied {
				t.Errorf("%s = %v, want it denied", what, err)
			}
		})
	}
	rev, err := api.Create(ctx, engine.Jobs, "job.a", []byte("spec"))
	ok(err)
	_, err = api.Create(ctx, engine.Jobs, "token.1.a", nil)
	ok(err)
	ok(leader.Open(ctx, roundsJob))
	ok(leader.Publish(ctx, roundsJob, 1, 1, []byte("ref")))
	ok(leader.Publish(ctx, roundsJob, 1, 2, []byte("ref")))
	l, err := worker.Claim(ctx, roundsJob, 5*time.Second)
	if err != nil || l == nil {
		t.Fatalf("claim = %v, %v", l, err)
	}
	ok(l.Extend(ctx))
	n := engine.ResultName{Job: roundsJob, Phase: 1, Chunk: l.Chunk(), Attempt: "w"}
	ok(worker.PublishResult(ctx, n, []byte("done")))
	ok(l.Ack(ctx))
	if l, err = worker.Claim(ctx, roundsJob, 5*time.Second); err != nil || l == nil {
		t.Fatalf("claim = %v, %v", l, err)
	}
	ok(leader.Shut(ctx, roundsJob))
	ok(l.Ack(ctx))
	_, err = worker.Put(ctx, engine.Live, "worker.w", []byte("beat"))
	ok(err)
	_, err = worker.Put(ctx, engine.Jobs, "mpu.a.1", []byte("upload"))
	ok(err)
	ok(worker.Delete(ctx, engine.Jobs, "mpu.a.1"))
	for b, key := range map[engine.Bucket]string{engine.Jobs: "tags.a", engine.Done: "done.a", engine.Access: "role.a"} {
		_, err = api.Put(ctx, b, key, []byte("v"))
		ok(err)
		ok(api.Delete(ctx, b, key))
	}
	for _, c := range []*Carrier{worker, api} {
		if rec, err := c.Get(ctx, engine.Jobs, "job.a"); err != nil || rec.Rev != rev {
			t.Errorf("get = %v, %v", rec, err)
		}
		for _, b := range buckets {
			if err := c.Watch(ctx, b, func(r engine.Record) error {
				if r.Key == "" {
					return errAllSeen
				}
				return nil
			}); !errors.Is(err, errAllSeen) {
				t.Errorf("watch %s = %v", b, err)
			}
		}
		if got, err := c.ResultsOf(ctx, roundsJob, 1, n.Chunk); err != nil || len(got) != 1 {
			t.Errorf("results = %v, %v", got, err)
		}
	}
	for _, c := range []*Carrier{worker, api} { // after all that is allowed, for a denial ends what has no answer just then
		denied("update of a leader's record", func() error { _, err := c.Update(ctx, engine.Jobs, "state.a", nil, 1); return err })
		denied("publish", func() error { return c.Publish(ctx, roundsJob, 1, 3, nil) })
		denied("purge", func() error { return c.Purge(ctx, roundsJob) })
		denied("open", func() error { return c.Open(ctx, roundsJob) })
	}
	denied("a worker's update of a job", func() error { _, err := worker.Update(ctx, engine.Jobs, "job.a", nil, rev); return err })
	denied("an API's result", func() error { return api.PublishResult(ctx, n, nil) })
	denied("an API's beat", func() error { _, err := api.Put(ctx, engine.Live, "worker.w", nil); return err })
	wg.Wait()
}

const roundsJob job.ID = "rounds"
