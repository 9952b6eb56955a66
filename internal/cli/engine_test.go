package cli

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnsafeEnginesAreRefused holds config check, and the start, to connections that nobody can read or join.
func TestUnsafeEnginesAreRefused(t *testing.T) {
	t.Parallel()
	const regions = "regions: {local: {endpoint: 'http://h'}}\n"
	for name, tc := range map[string]struct{ command, engine, want string }{
		"two nodes": {
			"serve", "{dir: d, cluster: {name: c, node: a, listen: '127.0.0.1:1', routes: ['127.0.0.1:1', '127.0.0.1:2']}}", "a cluster has at least 3 nodes",
		},
		"nodes without TLS": {
			"serve", "{dir: d, cluster: {name: c, node: a, listen: '10.0.0.1:1', routes: ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1']}}",
			"drover engine keys makes certificates",
		},
		"clients without TLS": {
			"serve", "{dir: d, cluster: {name: c, node: a, listen: '127.0.0.1:1', client: ':4222', routes: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3']}}",
			"no TLS is configured",
		},
		"a node without a name": {
			"serve", "{dir: d, cluster: {name: c, listen: '127.0.0.1:1', routes: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3']}}", "node is",
		},
		"a worker without TLS":      {"worker", "{dir: d, url: 'nats://10.0.0.1:4222', user: u, password: 'env:P'}", "not a loopback address"},
		"a worker that is nobody":   {"worker", "{dir: d, url: 'tls://10.0.0.1:4222'}", "an nkey, a credential file or a user"},
		"a password in the address": {"worker", "{dir: d, url: 'nats://u:p@127.0.0.1:4222'}", "without user or password"},
		"a worker of nobody":        {"worker", "{dir: d}", "engine.url is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "d.yaml")
			if err := os.WriteFile(file, []byte(regions+"engine: "+tc.engine+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, errs := drover(t, []string{"P=x"}, tc.command, "--config", file)
			if code != exitError || !strings.Contains(errs, tc.want) {
				t.Errorf("%s: %d, %s", tc.command, code, errs)
			}
			if tc.want == "engine.url is missing" {
				return // which is right for drover serve
			}
			for _, flag := range []string{"--secrets", "--no-secrets"} {
				code, _, errs = drover(t, []string{"P=x"}, "config", "check", flag, "--config", file)
				if code != exitError || !strings.Contains(errs, tc.want) {
					t.Errorf("config check %s: %d, %s", flag, code, errs)
				}
			}
		})
	}
}

func TestEngineKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	base, out := filepath.Join(dir, "base.yaml"), filepath.Join(dir, "keys")
	if err := os.WriteFile(base, []byte("# ours\nregions: {local: {endpoint: 'http://h'}} # the store\nworker: {concurrency: 8}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := []string{"engine", "keys", "--out", out, "--config", base, "--node", "a=10.0.0.1", "--node", "b=b.example.net", "--node", "c=10.0.0.3"}
	if code, _, errs := drover(t, nil, keys[:len(keys)-2]...); code != exitUsage || !strings.Contains(errs, "at least 3 nodes") {
		t.Errorf("two nodes: %d, %s", code, errs)
	}
	if code, _, errs := drover(t, nil, keys...); code != exitOK {
		t.Fatalf("%d, %s", code, errs)
	}
	if code, _, errs := drover(t, nil, keys...); code != exitError || !strings.Contains(errs, "never written over") {
		t.Errorf("a second time: %d, %s", code, errs)
	}
	for _, name := range []string{"a", "b", "c", "worker", "api"} {
		file := filepath.Join(out, name, "drover.yaml")
		code, shown, errs := drover(t, nil, "config", "check", "--config", file)
		if code != exitOK || !strings.Contains(shown, "regions.local.endpoint\thttp://h\t") || !strings.Contains(shown, "worker.concurrency\t8\t") {
			t.Errorf("%s: %d, %s%s", name, code, shown, errs)
		}
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "# ours") {
			t.Errorf("%s lost its comments: %v\n%s", name, err, text)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(read("ca.pem"))
	block, _ := pem.Decode(read("b/node.pem"))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"b.example.net", "localhost", "127.0.0.1"} {
		o := x509.VerifyOptions{Roots: pool, DNSName: host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if _, err := cert.Verify(o); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, secret := range []string{"ca.key", "a/leader.nk"} {
		if _, err := os.Stat(filepath.Join(out, "worker", filepath.Base(secret))); err == nil {
			t.Errorf("%s lies with the worker", secret)
		}
	}
}
