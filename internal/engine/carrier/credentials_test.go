package carrier

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// operator is a NATS server whose users are known by JWTs that its operator's account has signed.
type operator struct {
	t       *testing.T
	account nkeys.KeyPair
	url     string
	trust   *tls.Config
}

// newOperator starts the server, with TLS.
func newOperator(t *testing.T) *operator {
	t.Helper()
	ca := newAuthority(t)
	op, account := keys(t, nkeys.CreateOperator), keys(t, nkeys.CreateAccount)
	claims := jwt.NewOperatorClaims(public(t, op))
	signed := func(c jwt.Claims, by nkeys.KeyPair) string {
		t.Helper()
		text, err := c.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	trusted, err := jwt.DecodeOperatorClaims(signed(claims, op))
	if err != nil {
		t.Fatal(err)
	}
	ac := jwt.NewAccountClaims(public(t, account))
	ac.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: jwt.NoLimit, MemoryStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	known := &server.MemAccResolver{}
	if err := known.Store(public(t, account), signed(ac, op)); err != nil {
		t.Fatal(err)
	}
	system := keys(t, nkeys.CreateAccount)
	if err := known.Store(public(t, system), signed(jwt.NewAccountClaims(public(t, system)), op)); err != nil {
		t.Fatal(err)
	}
	certificate := ca.node()
	certificate.ClientCAs = nil
	s, err := server.NewServer(&server.Options{
		ServerName: "outside", Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, MaxPayload: maxPayload,
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, TLSConfig: certificate, TLSTimeout: 5,
		TrustedOperators: []*jwt.OperatorClaims{trusted}, AccountResolver: known, SystemAccount: public(t, system),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(startLimit) {
		t.Fatal("the NATS server is not ready")
	}
	return &operator{t: t, account: account, url: "tls://" + s.Addr().String(), trust: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: ca.pool}}
}

func keys(t *testing.T, make func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	kp, err := make()
	if err != nil {
		t.Fatal(err)
	}
	return kp
}

func public(t *testing.T, kp nkeys.KeyPair) string {
	t.Helper()
	p, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// credentials makes a user's file, as nsc does, with the permissions of a role. by signs it.
func (o *operator) credentials(r Role, inbox string, by nkeys.KeyPair, expires time.Time) string {
	o.t.Helper()
	user := keys(o.t, nkeys.CreateUser)
	claims := jwt.NewUserClaims(public(o.t, user))
	publish, subscribe := Permissions(r, inbox)
	claims.Permissions.Pub.Allow.Add(publish...)
	claims.Permissions.Sub.Allow.Add(subscribe...)
	if !expires.IsZero() {
		claims.Expires = expires.Unix()
	}
	token, err := claims.Encode(by)
	if err != nil {
		o.t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		o.t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		o.t.Fatal(err)
	}
	file := filepath.Join(o.t.TempDir(), string(r)+".creds")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return file
}

// TestCredentialFilesLetRolesDoTheirWorkAndNoMore has API, leader and worker connect to an outside server with the files
// that NATS makes.
func TestCredentialFilesLetRolesDoTheirWorkAndNoMore(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	connect := func(r Role, inbox string) *Carrier {
		t.Helper()
		d := DialOptions{URLs: []string{o.url}, TLS: o.trust}
		if r == RoleLeader {
			d.Replicas, d.MaxStore = 1, 1<<30
		}
		d.Inbox = inbox
		if inbox == "" {
			inbox = "_INBOX" // the default, with a file
		}
		d.Credentials = o.credentials(r, inbox, o.account, time.Time{})
		return dial(t, d)
	}
	leader := connect(RoleLeader, "")
	rolesDoTheirWork(t, leader, connect(RoleWorker, "_INBOX_w"), connect(RoleAPI, ""))

	refuse := func(what string, d DialOptions) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		d.URLs = []string{o.url}
		if c, err := Dial(ctx, d); err == nil {
			_ = c.Close()
			t.Errorf("%s was let in", what)
		}
	}
	good := o.credentials(RoleWorker, "_INBOX", o.account, time.Time{})
	seed, _ := nkeyFile(t)
	refuse("nobody", DialOptions{TLS: o.trust})
	refuse("an nkey without a JWT", DialOptions{TLS: o.trust, NKey: seed})
	refuse("a file that another account has signed", DialOptions{TLS: o.trust, Credentials: o.credentials(RoleWorker, "_INBOX", keys(t, nkeys.CreateAccount), time.Time{})})
	refuse("a file that has expired", DialOptions{TLS: o.trust, Credentials: o.credentials(RoleWorker, "_INBOX", o.account, time.Now().Add(-time.Minute))})
	refuse("a client without TLS", DialOptions{Credentials: good})
	refuse("a client that trusts another", DialOptions{TLS: &tls.Config{MinVersion: tls.VersionTLS13}, Credentials: good})
	refuse("a file that is not there", DialOptions{TLS: o.trust, Credentials: filepath.Join(t.TempDir(), "none.creds")})
}
