// Package config reads the one configuration file: YAML whose unknown keys are refused with their line, with overrides
// from the environment, and with secrets by reference only (env:NAME or file:PATH). It makes of it what the rest of the
// program is built from: regions, principals, and roles with their credentials.
package config

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is the file. Every field says its default.
type Config struct {
	DefaultRegion string             `yaml:"default_region"` // of jobs that name none; default: the only region
	Regions       map[string]*Region `yaml:"regions"`
	Roles         []*Role            `yaml:"roles"`
	Principals    []*Principal       `yaml:"principals"`
	Engine        Engine             `yaml:"engine"`
	Listen        Listen             `yaml:"listen"`
	Worker        Worker             `yaml:"worker"`
	Limits        Limits             `yaml:"limits"`
	Log           Log                `yaml:"log"`
}

// Region is a store endpoint.
type Region struct {
	Provider  string       `yaml:"provider"`   // s3, cos or aws; default: cos or aws for their public regions' names, else s3
	Endpoint  string       `yaml:"endpoint"`   // URL; default: the public one of cos and aws
	Dialect   string       `yaml:"dialect"`    // s3 or cos; default: cos for provider cos, else s3
	Name      string       `yaml:"name"`       // the region's name in signatures and hosts; default: the key it stands under
	PathStyle bool         `yaml:"path_style"` // the bucket stands in the path; default: false
	Proxy     string       `yaml:"proxy"`      // URL, or env:NAME or file:PATH of one with a password, or direct; default: HTTPS_PROXY and NO_PROXY
	TLS       RegionTLS    `yaml:"tls"`
	Limits    RegionLimits `yaml:"limits"`
}

// RegionTLS says how to meet a store over TLS. Its certificate is always verified.
type RegionTLS struct {
	CA   string `yaml:"ca"`   // PEM file of certificates to trust beside the system's; default: the system's alone
	Cert string `yaml:"cert"` // PEM files that show the store who is calling; default: none
	Key  string `yaml:"key"`
	Min  string `yaml:"min"` // lowest version, 1.2 or 1.3; default 1.2
}

// RegionLimits bound the calls to a region by this process.
type RegionLimits struct {
	Rate     float64 `yaml:"rate"`      // calls a second; default 0, unbounded
	Burst    int     `yaml:"burst"`     // default: one second's calls
	Bytes    int64   `yaml:"bytes"`     // bytes a second, of bodies and of copies whose size is known; default 0, unbounded
	InFlight int     `yaml:"in_flight"` // calls at a time; default 0, bounded by worker.concurrency alone
}

// Role is a role that jobs can run as.
type Role struct {
	ARN         string                 `yaml:"arn"`   // qcs::cam::uin/<UIN>:roleName/<name> or arn:aws:iam::<UIN>:role/<name>
	AppID       string                 `yaml:"appid"` // of the role's account; default: none
	Description string                 `yaml:"description"`
	Credentials map[string]*Credential `yaml:"credentials"` // by region; "*" stands for all others
	Policy      yaml.Node              `yaml:"policy"`      // full-access, file:PATH (JSON), or the policy itself
}

// Credential says where a role's keys for a region come from.
type Credential struct {
	Source       string `yaml:"source"`        // static, env, aws, tencent or sts
	AccessKey    string `yaml:"access_key"`    // static: the key, or env:NAME or file:PATH
	SecretKey    Secret `yaml:"secret_key"`    // static
	SessionToken Secret `yaml:"session_token"` // static: of temporary keys
	// sts: the role to assume, of AWS (arn:…) or of Tencent Cloud (qcs:…), with keys from the chain of either.
	RoleARN     string   `yaml:"role_arn"`
	ExternalID  string   `yaml:"external_id"`
	SessionName string   `yaml:"session_name"` // default: drover
	Duration    Duration `yaml:"duration"`     // 15m to 12h; default 1h
	Region      string   `yaml:"region"`       // of STS, for aws and sts; default: the region the keys are for (AWS), ap-guangzhou (Tencent Cloud)
	Endpoint    string   `yaml:"endpoint"`     // of STS, for sts and tencent; default: the provider's
}

// Principal is a caller.
type Principal struct {
	AccessKey   string    `yaml:"access_key"`
	SecretKey   Secret    `yaml:"secret_key"`
	UIN         string    `yaml:"uin"` // also the AWS-style account id
	AppID       string    `yaml:"appid"`
	Description string    `yaml:"description"`
	Policy      yaml.Node `yaml:"policy"` // as a role's
}

// Listen says where the API answers.
type Listen struct {
	Addr         string `yaml:"addr"`          // default 127.0.0.1:8600
	TLS          TLS    `yaml:"tls"`           // default: plain HTTP
	MetricsToken Secret `yaml:"metrics_token"` // bearer token of /metrics; default: loopback addresses only
}

// TLS names certificate files in PEM. They are read again when they change.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Worker bounds the work of this process. "worker: off" is short for off: true.
type Worker struct {
	Off         bool     `yaml:"off"`         // this process works on no objects, and leaves them to others; default false
	Concurrency int      `yaml:"concurrency"` // object calls in flight; default 64
	Drain       Duration `yaml:"drain"`       // what calls in flight get at the end; default 30s
}

// Limits bound each principal's requests.
type Limits struct {
	Rate  float64 `yaml:"rate"`  // requests a second; default 1000; 0 = unbounded
	Burst int     `yaml:"burst"` // default 2000
}

// Log sets the log up, which goes to stderr.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error; default info
	Format string `yaml:"format"` // text or json; default text
}

// Duration is a time.Duration in Go's spelling, such as 30s.
type Duration time.Duration

// UnmarshalYAML reads 30s, 15m, 1h30m.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v < 0 {
		return lineError(n, "%q is no length of time; write it like 30s or 1h", n.Value)
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes what UnmarshalYAML reads.
func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// defaults is the configuration of an empty file.
func defaults() *Config {
	return &Config{
		Engine: Engine{
			Sync: true, Lead: true, MaxActive: 8, ChunkRows: 1000,
			ReportWait: Duration(24 * time.Hour),
			Look:       Look{First: Duration(5 * time.Minute), Longest: Duration(time.Hour), Limit: Duration(7 * 24 * time.Hour)},
		},
		Listen: Listen{Addr: "127.0.0.1:8600"},
		Worker: Worker{Concurrency: 64, Drain: Duration(30 * time.Second)},
		Limits: Limits{Rate: 1000, Burst: 2000},
		Log:    Log{Level: "info", Format: "text"},
	}
}
