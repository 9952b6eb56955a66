package config

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

const small = `
regions:
  local: {endpoint: "http://127.0.0.1:9000"}
engine: {dir: state}
`

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestTheExampleIsGood(t *testing.T) {
	t.Parallel()
	f, err := Load("../../deploy/drover.example.yaml", env(nil))
	if err != nil {
		t.Fatal(err)
	}
	regions, err := f.Regions()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[job.Region]string{
		"ap-guangzhou": "https://cos.ap-guangzhou.myqcloud.com cos ap-guangzhou",
		"us-east-1":    "https://s3.us-east-1.amazonaws.com s3 us-east-1",
		"ceph":         "https://rgw.example.net:8443 s3 default",
	} {
		w := regions[name].Wire
		if got := fmt.Sprint(w.Endpoint, " ", w.Dialect, " ", w.Region); got != want {
			t.Errorf("region %s: got %s, want %s", name, got, want)
		}
	}
	settings, err := f.Settings()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if s.Key == "engine.sync" && (s.Value != "true" || !strings.Contains(s.Source, "drover.example.yaml:")) {
			t.Errorf("%+v", s)
		}
	}
	// The references lead nowhere here, and each of them is reported.
	err = f.Verify(t.Context())
	for _, want := range []string{"engine.secrets_key", "principals[0].secret_key", "principals[1].secret_key", "roles[0].credentials.ceph", "listen.metrics_token"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Verify says nothing of %s: %v", want, err)
		}
	}
}

func TestDefaultsFileAndEnvironment(t *testing.T) {
	t.Parallel()
	f, err := Parse("/etc/d.yaml", []byte(small+"worker: {concurrency: 9}\nlog:\n  level: warn\n"), env(map[string]string{
		"DROVER_LOG_LEVEL": "debug", "DROVER_LISTEN_ADDR": "127.0.0.1:0", "DROVER_WORKER_DRAIN": "5s", "DROVER_LIMITS_RATE": "2.5",
		"DROVER_ENGINE_SYNC": "false", "DROVER_LISTEN_METRICS_TOKEN": "env:T",
	}))
	if err != nil {
		t.Fatal(err)
	}
	settings, err := f.Settings()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range settings {
		got[s.Key] = s.Value + " " + s.Source
	}
	for key, want := range map[string]string{
		"default_region":         "local default",
		"engine.dir":             "/etc/state /etc/d.yaml:4",
		"engine.max_active":      "8 default",
		"engine.sync":            "false DROVER_ENGINE_SYNC",
		"listen.addr":            "127.0.0.1:0 DROVER_LISTEN_ADDR",
		"listen.metrics_token":   "env:T DROVER_LISTEN_METRICS_TOKEN",
		"limits.rate":            "2.5 DROVER_LIMITS_RATE",
		"log.level":              "debug DROVER_LOG_LEVEL",
		"regions.local.endpoint": "http://127.0.0.1:9000 /etc/d.yaml:3",
		"regions.local.provider": "s3 default",
		"worker.concurrency":     "9 /etc/d.yaml:5",
		"worker.drain":           "5s DROVER_WORKER_DRAIN",
	} {
		if got[key] != want {
			t.Errorf("%s: got %q, want %q", key, got[key], want)
		}
	}
}

func TestEachFaultIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	const role = "roles:\n  - arn: arn:aws:iam::1:role/r\n    policy: full-access\n    credentials:\n"
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":                  {"regions: [", "d.yaml:1"},
		"an unknown key":           {small + "engines: {}\n", "d.yaml:5: the key engines is not known"},
		"an unknown key below":     {small + "log:\n  colour: red\n", "d.yaml:6: the key colour is not known"},
		"a key twice":              {small + "log: {level: info}\nlog: {level: warn}\n", "already defined"},
		"a second document":        {small + "---\nlog: {}\n", "more than one document"},
		"nothing":                  {"", "regions: there are none"},
		"a number that is none":    {small + "worker: {concurrency: many}\n", "d.yaml:5"},
		"a length of time":         {small + "worker: {drain: 30}\n", "no length of time"},
		"no folder":                {"regions: {local: {endpoint: 'http://h'}}\n", "engine.dir: is missing"},
		"no endpoint":              {"engine: {dir: d}\nregions:\n  mine: {provider: s3}\n", "d.yaml:3: regions.mine.endpoint: is missing"},
		"an unknown COS region":    {"engine: {dir: d}\nregions:\n  ap-atlantis: {provider: cos}\n", "no public region of Tencent"},
		"an endpoint with a path":  {"engine: {dir: d}\nregions:\n  mine: {endpoint: 'http://h/p'}\n", "d.yaml:3: regions.mine"},
		"two regions, no default":  {"engine: {dir: d}\nregions: {ap-guangzhou: {}, us-east-1: {}}\n", "default_region: is missing"},
		"a default that is none":   {small + "default_region: other\n", "d.yaml:5: default_region: \"other\" is none"},
		"a role that is none":      {small + "roles:\n  - {arn: r, policy: full-access}\n", "d.yaml:6: roles[0]"},
		"a role without keys":      {small + "roles:\n  - {arn: 'arn:aws:iam::1:role/r', policy: full-access}\n", "credentials: are missing"},
		"one role twice":           {small + role + "      '*': {source: aws}\n  - arn: qcs::cam::uin/1:roleName/r\n    policy: full-access\n    credentials: {'*': {source: aws}}\n", "d.yaml:10: roles[1].arn"},
		"keys for no region":       {small + role + "      far: {source: aws}\n", "credentials.far: is none of the regions"},
		"a source that is none":    {small + role + "      '*': {source: magic}\n", "d.yaml:9: roles[0].credentials.*.source"},
		"sts without a role":       {small + role + "      '*': {source: sts}\n", "needs role_arn"},
		"a secret in the open":     {small + role + "      '*': {source: static, access_key: a, secret_key: hunter2}\n", "by reference"},
		"no policy":                {small + "principals:\n  - {access_key: a, secret_key: 'env:S', uin: '1'}\n", "principals[0].policy: is missing"},
		"a policy that is none":    {small + "principals:\n  - {access_key: a, secret_key: 'env:S', uin: '1', policy: all}\n", "must be full-access"},
		"a policy with conditions": {small + "principals:\n  - {access_key: a, secret_key: 'env:S', uin: '1', policy: {version: '2.0', statement: [{effect: allow, action: '*', resource: '*', condition: {}}]}}\n", "condition"},
		"a principal twice":        {small + "principals:\n  - &a {access_key: a, secret_key: 'env:S', uin: '1', policy: full-access}\n  - *a\n", "stands here already"},
		"a proxy that is none":     {"engine: {dir: d}\nregions:\n  mine: {endpoint: 'http://h', proxy: 'ftp://u:hunter2@p'}\n", "d.yaml:3: regions.mine: the proxy must be"},
		"no file of certificates":  {"engine: {dir: d}\nregions:\n  mine: {endpoint: 'https://h', tls: {ca: none.pem}}\n", "d.yaml:3: regions.mine"},
		"half a certificate":       {"engine: {dir: d}\nregions:\n  mine: {endpoint: 'https://h', tls: {cert: c.pem}}\n", "needs its key"},
		"a version of TLS":         {"engine: {dir: d}\nregions:\n  mine: {endpoint: 'https://h', tls: {min: '1.0'}}\n", "1.2 or 1.3"},
		"half of TLS":              {small + "listen: {tls: {cert: c.pem}}\n", "needs both"},
		"an address that is none":  {small + "listen: {addr: here}\n", "d.yaml:5: listen.addr"},
		"a level that is none":     {small + "log: {level: loud}\n", "d.yaml:5: log.level"},
		"a rate without a burst":   {small + "limits: {burst: 0}\n", "burst must be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("d.yaml", []byte(c.text), env(nil))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}

func TestAVariableThatDoesNotFitIsNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"DROVER_WORKER_CONCURRENCY": "many", "DROVER_ENGINE_SECRETS_KEY": "hunter2"} {
		_, err := Parse("d.yaml", []byte(small), env(map[string]string{name: value}))
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestStaticKeysFollowTheirFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", "one\n")
	write("token", "t1")
	f, err := Parse(filepath.Join(dir, "d.yaml"), []byte(small+`
roles:
  - arn: arn:aws:iam::1:role/r
    policy: full-access
    credentials:
      local: {source: static, access_key: env:ID, secret_key: file:secret, session_token: file:token}
`), env(map[string]string{"ID": "AK"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	roles, err := f.Roles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := roles[0].Credentials["local"](t.Context())
	if want := (access.Keys{AccessKey: "AK", SecretKey: "one", SessionToken: "t1"}); err != nil || keys != want {
		t.Errorf("got %+v, %v", keys, err)
	}
	if roles[0].Account.UIN != "1" || roles[0].Name != "r" {
		t.Errorf("the role is %+v", roles[0])
	}
}

func TestSecretsKey(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for value, good := range map[string]bool{key: true, "short": false} {
		f, err := Parse("d.yaml", []byte("regions: {local: {endpoint: 'http://h'}}\nengine: {dir: d, secrets_key: 'env:K'}\n"), env(map[string]string{"K": value}))
		if err != nil {
			t.Fatal(err)
		}
		if s, err := f.Sealer(); (err == nil && s != nil) != good || err != nil && strings.Contains(err.Error(), value) {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("roles: [null]\nprincipals: [~]\nregions: {x: null}\n"))
	if b, err := os.ReadFile("../../deploy/drover.example.yaml"); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "file:") {
			return // a policy of a file would be read
		}
		file, err := Parse("d.yaml", text, env(nil))
		if err != nil {
			return
		}
		if _, err := file.Settings(); err != nil {
			t.Fatal(err)
		}
		file.Regions()
	})
}
