package e2e

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drover-batch/drover/internal/localstore"
)

// hidden is a store that is reached by one way only: over TLS, with a client's certificate, through a proxy that wants a
// password, under a name that no resolver knows.
type hidden struct {
	t        *testing.T
	dir      string // of ca.pem, client.pem and client.key
	endpoint string
	proxy    string // its URL
	tunnels  atomic.Int64
	open     sync.WaitGroup
}

const hiddenHost = "s3.ap-test.example.test"

func hide(t *testing.T, s *localstore.Store) *hidden {
	t.Helper()
	h := &hidden{t: t, dir: t.TempDir(), endpoint: "https://" + hiddenHost}
	pool, certificate := h.certificates()
	server := httptest.NewUnstartedServer(s)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS13}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	server.StartTLS()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.tunnel(w, r, server.Listener.Addr().String())
	}))
	t.Cleanup(func() { proxy.Close(); server.CloseClientConnections(); server.Close(); h.open.Wait() })
	h.proxy = "http://ann:pass%20word@" + proxy.Listener.Addr().String()
	return h
}

// tunnel answers CONNECT and nothing else.
func (h *hidden) tunnel(w http.ResponseWriter, r *http.Request, to string) {
	host, port, _ := net.SplitHostPort(r.Host)
	name, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
	switch {
	case r.Method != http.MethodConnect || port != "443" || host != hiddenHost && !strings.HasSuffix(host, "."+hiddenHost):
		w.WriteHeader(http.StatusForbidden)
		return
	case name != "ann" || password != "pass word":
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	out, err := net.Dial("tcp", to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	h.tunnels.Add(1)
	w.WriteHeader(http.StatusOK)
	in, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		h.t.Error(err)
		return
	}
	h.open.Go(func() { _, _ = io.Copy(out, rw); out.Close() })
	h.open.Go(func() { _, _ = io.Copy(in, out); in.Close() })
}

// certificates makes an authority, and with it one certificate for the store and one for the client.
func (h *hidden) certificates() (*x509.CertPool, tls.Certificate) {
	h.t.Helper()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ca, err3 := x509.CreateCertificate(rand.Reader, authority, authority, caKey.Public(), caKey)
	both, err4 := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{hiddenHost, "*." + hiddenHost}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, authority, key.Public(), caKey)
	der, err5 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		h.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: ca}, "client.pem": {Type: "CERTIFICATE", Bytes: both}, "client.key": {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(h.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca}))
	return pool, tls.Certificate{Certificate: [][]byte{both}, PrivateKey: key}
}

// drover runs the binary and gives what it wrote to stdout, and its exit code.
func (h *hidden) drover(env []string, args ...string) (stdout, stderr string, code int) {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), binary, args...)
	cmd.Dir, cmd.Env = h.dir, append([]string{"HOME=" + h.dir}, env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if _, ran := errors.AsType[*exec.ExitError](err); err != nil && !ran {
		h.t.Fatal(err)
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

// TestAStoreBehindAProxy reaches a store through a proxy, with each command that talks to stores by itself and with the
// regions of drover serve.
func TestAStoreBehindAProxy(t *testing.T) {
	t.Parallel()
	s, err := localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), AccessKey: matrixAccess, SecretKey: matrixSecret, Region: "ap-test"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sdk := matrixS3(s)
	for _, b := range []string{"data", "target", "batch"} {
		if _, err := sdk.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b}); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []string{"a", "b", "c"} {
		if _, err := sdk.PutObject(t.Context(), &s3.PutObjectInput{Bucket: new("data"), Key: &k, Body: strings.NewReader(k)}); err != nil {
			t.Fatal(err)
		}
	}
	h := hide(t, s)
	keys := []string{"AWS_ACCESS_KEY_ID=" + matrixAccess, "AWS_SECRET_ACCESS_KEY=" + matrixSecret}
	proxied := append([]string{"HTTPS_PROXY=" + h.proxy, "NO_PROXY=elsewhere.test"}, keys...)
	store := []string{"--endpoint-url", h.endpoint, "--region", "ap-test", "--ca-file", "ca.pem", "--client-cert", "client.pem", "--client-key", "client.key", "--min-tls", "1.3"}
	do := func(env []string, args ...string) string {
		t.Helper()
		before := h.tunnels.Load()
		out, problems, code := h.drover(env, append(args, store...)...)
		if code != 0 || h.tunnels.Load() == before {
			t.Fatalf("%v: exit %d, %d tunnels\n%s%s", args, code, h.tunnels.Load()-before, out, problems)
		}
		return strings.TrimSpace(out)
	}
	manifest := do(proxied, "inventory", "create", "--bucket", "data", "--to", "s3://batch/inventory")
	do(proxied, "run", "copy", "--manifest", manifest, "--to", "target", "--prefix-add", "run/")
	do(append([]string{"AWS_CA_BUNDLE=ca.pem"}, keys...), "doctor", "--bucket", "batch", "--proxy", h.proxy)
	if got := listedKeys(t, sdk, "target"); len(got) != 3 {
		t.Errorf("the copies are %q", got)
	}
	// Without one of the pieces there is no way, and the command says so instead of waiting.
	for name, args := range map[string][]string{
		"no proxy":         {"--proxy", "direct"},
		"another password": {"--proxy", strings.Replace(h.proxy, "pass", "fail", 1)},
		"no certificate":   {"--client-cert", "", "--client-key", ""},
		"no authority":     {"--ca-file", ""},
	} {
		all := append(append([]string{"doctor", "--bucket", "batch"}, store...), args...)
		if out, problems, code := h.drover(proxied, all...); code != 1 || strings.Contains(out+problems, "word") {
			t.Errorf("%s: exit %d\n%s%s", name, code, out, problems)
		}
	}
	h.serve(t, manifest, proxied, store)
	if got := listedKeys(t, sdk, "target"); len(got) != 6 {
		t.Errorf("the copies are %q", got)
	}
}

// serve runs a job by a drover serve whose one region is the hidden store.
func (h *hidden) serve(t *testing.T, manifest string, proxied, store []string) {
	t.Helper()
	config := `
engine: {dir: state, sync: false}
listen: {addr: "127.0.0.1:0"}
regions:
  ap-test: {endpoint: "` + h.endpoint + `", proxy: env:STORE_PROXY, tls: {ca: ca.pem, cert: client.pem, key: client.key, min: "1.3"}}
roles:
  - {arn: "qcs::cam::uin/1:roleName/r", policy: full-access, credentials: {"*": {source: env}}}
principals:
  - {access_key: admin, secret_key: env:ADMIN, uin: "1", policy: full-access}
`
	if err := os.WriteFile(filepath.Join(h.dir, "drover.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "serve", "--config", "drover.yaml")
	cmd.Dir = h.dir
	cmd.Env = []string{"HOME=" + h.dir, "STORE_PROXY=" + h.proxy, "ADMIN=admin-secret", "AWS_ACCESS_KEY_ID=" + matrixAccess, "AWS_SECRET_ACCESS_KEY=" + matrixSecret}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	var ready struct{ API string }
	text, _ := strings.CutPrefix(line, "ready ")
	if err := json.Unmarshal([]byte(text), &ready); err != nil {
		t.Fatalf("no ready line: %v\n%s", cmd.Wait(), said.Bytes())
	}
	before := h.tunnels.Load()
	env := append(proxied, "DROVER_SERVER="+ready.API, "DROVER_ACCESS_KEY=admin", "DROVER_SECRET_KEY=admin-secret")
	stdout, stderr, code := h.drover(env, append([]string{
		"job", "create", "copy", "--manifest", manifest, "--to", "target", "--prefix-add", "serve/",
		"--role", "qcs::cam::uin/1:roleName/r", "--start", "--watch",
	}, store...)...)
	if code != 0 || h.tunnels.Load() == before {
		t.Errorf("serve: exit %d\n%s%s\n%s", code, stdout, stderr, said.Bytes())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("serve: %v\n%s", err, said.Bytes())
	}
	if strings.Contains(said.String(), "pass%20word") {
		t.Errorf("the log has the proxy's password:\n%s", said.Bytes())
	}
}
