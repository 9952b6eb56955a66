package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/httpwire"
)

// The public regions, which need no endpoint (Tencent doc page 436/6224; AWS General Reference, Amazon S3 endpoints).
var (
	cosRegions = []string{
		"ap-bangkok", "ap-beijing", "ap-beijing-fsi", "ap-chengdu", "ap-chongqing", "ap-guangzhou", "ap-hongkong", "ap-jakarta",
		"ap-mumbai", "ap-nanjing", "ap-seoul", "ap-shanghai", "ap-shanghai-fsi", "ap-shenzhen-fsi", "ap-singapore", "ap-tokyo",
		"eu-frankfurt", "na-ashburn", "na-siliconvalley", "na-toronto", "sa-saopaulo",
	}
	awsRegions = []string{
		"af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1",
		"ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1",
		"eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1",
		"me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1",
		"us-west-1", "us-west-2",
	}
)

// complete fills in what follows from the rest, and finds all that cannot be.
func (f *File) complete() error {
	c := f.Effective
	var p problems
	if len(c.Regions) == 0 {
		p.addf(f, "regions", "there are none; name at least one store")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Regions)) {
		if c.Regions[name] == nil {
			c.Regions[name] = new(Region) // ap-guangzhou: with nothing behind it
		}
		f.completeRegion(&p, name, c.Regions[name])
	}
	switch {
	case c.DefaultRegion == "" && len(c.Regions) == 1:
		for name := range c.Regions {
			c.DefaultRegion = name
		}
	case c.DefaultRegion == "" && len(c.Regions) > 1:
		p.addf(f, "default_region", "is missing; name the region of jobs that name none")
	case c.Regions[c.DefaultRegion] == nil && len(c.Regions) > 0:
		p.addf(f, "default_region", "%q is none of the regions", c.DefaultRegion)
	}
	f.checkRoles(&p)
	f.checkPrincipals(&p)
	f.checkEngine(&p)
	f.checkRest(&p)
	return errors.Join(p...)
}

// problems collects all that is wrong.
type problems []error

func (p *problems) addf(f *File, key, format string, args ...any) {
	where := f.source(key)
	for parent := key; where == "default" && parent != ""; { // a key that is missing: the line of what it is missing in
		parent = parent[:max(strings.LastIndexAny(parent, ".["), 0)]
		where = f.source(parent)
	}
	if where == "default" {
		where = f.path
	}
	*p = append(*p, fmt.Errorf("%s: %s: %s", where, key, fmt.Sprintf(format, args...)))
}

func (f *File) completeRegion(p *problems, name string, r *Region) {
	key := "regions." + name
	if r.Name == "" {
		r.Name = name
	}
	if r.Provider == "" {
		r.Provider = "s3"
		switch {
		case r.Endpoint == "" && slices.Contains(cosRegions, r.Name):
			r.Provider = "cos"
		case r.Endpoint == "" && slices.Contains(awsRegions, r.Name):
			r.Provider = "aws"
		}
	}
	if r.Dialect == "" {
		r.Dialect = string(httpwire.S3)
		if r.Provider == "cos" {
			r.Dialect = string(httpwire.COS)
		}
	}
	switch {
	case r.Provider != "s3" && r.Provider != "cos" && r.Provider != "aws":
		p.addf(f, key+".provider", "%q is no provider; use s3, cos or aws", r.Provider)
	case r.Dialect != string(httpwire.S3) && r.Dialect != string(httpwire.COS):
		p.addf(f, key+".dialect", "%q is no dialect; use s3 or cos", r.Dialect)
	case r.Endpoint == "" && r.Provider == "s3":
		p.addf(f, key+".endpoint", "is missing; give the store's URL")
	case r.Endpoint == "" && r.Provider == "cos" && !slices.Contains(cosRegions, r.Name):
		p.addf(f, key+".endpoint", "%q is no public region of Tencent COS that is known here; give its URL, as https://cos.%s.myqcloud.com", r.Name, r.Name)
	case r.Endpoint == "" && r.Provider == "aws" && !slices.Contains(awsRegions, r.Name):
		p.addf(f, key+".endpoint", "%q is no public region of AWS that is known here; give its URL, as https://s3.%s.amazonaws.com", r.Name, r.Name)
	default:
		r.Endpoint = publicEndpoint(r)
		if err := f.tryRegion(r); err != nil {
			p.addf(f, key, "%v", err)
		}
	}
	if l := r.Limits; l.Rate < 0 || l.Burst < 0 || l.Bytes < 0 || l.InFlight < 0 {
		p.addf(f, key+".limits", "must not be below 0")
	}
}

// tryRegion finds what a driver would refuse.
func (f *File) tryRegion(r *Region) error {
	o, err := f.wire(r)
	if err != nil {
		return err
	}
	c, err := httpwire.Open(o)
	if err != nil {
		return err
	}
	c.Close()
	return nil
}

// publicEndpoint is the endpoint of a region that names none.
func publicEndpoint(r *Region) string {
	switch {
	case r.Endpoint != "":
		return r.Endpoint
	case r.Provider == "cos" && r.Dialect == string(httpwire.COS):
		return "https://cos." + r.Name + ".myqcloud.com"
	case r.Provider == "cos": // COS's S3 gateway
		return "https://cos." + r.Name + ".myqcloud.com"
	case strings.HasPrefix(r.Name, "cn-"):
		return "https://s3." + r.Name + ".amazonaws.com.cn"
	}
	return "https://s3." + r.Name + ".amazonaws.com"
}

// wire makes the options of a region's driver.
func (f *File) wire(r *Region) (httpwire.Options, error) {
	setting, err := f.at.text(r.Proxy)
	if err != nil {
		return httpwire.Options{}, wrap("proxy", err)
	}
	proxy, err := httpwire.ProxyFor(setting, r.Endpoint, f.at.getenv)
	return httpwire.Options{
		Endpoint: r.Endpoint, Dialect: httpwire.Dialect(r.Dialect), Region: job.Region(r.Name), PathStyle: r.PathStyle,
		Proxy: proxy, CAFile: f.at.path(r.TLS.CA), ClientCert: f.at.path(r.TLS.Cert), ClientKey: f.at.path(r.TLS.Key), MinTLS: r.TLS.Min,
	}, err
}

func (f *File) checkRoles(p *problems) {
	seen := map[string]bool{}
	for i, r := range f.Effective.Roles {
		key := fmt.Sprintf("roles[%d]", i)
		if r == nil {
			p.addf(f, key, "is empty")
			continue
		}
		role, err := api.ParseRole("arn", r.ARN)
		if err != nil {
			p.addf(f, key, "%s", job.MessageOf(err))
		} else if id := role.Account + "/" + role.Name; seen[id] {
			p.addf(f, key+".arn", "%s names a role that stands here already", r.ARN)
		} else {
			seen[id] = true
		}
		if len(r.Credentials) == 0 {
			p.addf(f, key+".credentials", "are missing; give them for a region, or for * (all regions)")
		}
		for _, region := range slices.Sorted(maps.Keys(r.Credentials)) {
			if region != "*" && f.Effective.Regions[region] == nil {
				p.addf(f, key+".credentials."+region, "is none of the regions")
			}
			f.checkCredential(p, key+".credentials."+region, r.Credentials[region])
		}
		if _, err := f.policy(&r.Policy); err != nil {
			p.addf(f, key+".policy", "%v", err)
		}
	}
}

func (f *File) checkCredential(p *problems, key string, c *Credential) {
	switch {
	case c == nil:
		p.addf(f, key, "is empty; give source: static, env, aws, tencent or sts")
	case c.Source == "static" && (c.AccessKey == "" || c.SecretKey == ""):
		p.addf(f, key, "needs access_key and secret_key")
	case c.Source == "sts" && c.RoleARN == "":
		p.addf(f, key, "needs role_arn, the role to assume")
	case c.Source == "sts" && c.Duration != 0 && (c.Duration < Duration(15*time.Minute) || c.Duration > Duration(12*time.Hour)):
		p.addf(f, key+".duration", "must be 15m to 12h")
	case c.Source != "static" && c.Source != "env" && c.Source != "aws" && c.Source != "tencent" && c.Source != "sts":
		p.addf(f, key+".source", "%q is no source of keys; use static, env, aws, tencent or sts", c.Source)
	case c.Source != "static" && (c.AccessKey != "" || c.SecretKey != "" || c.SessionToken != ""):
		p.addf(f, key, "has keys, which source %s does not take", c.Source)
	}
}

func (f *File) checkPrincipals(p *problems) {
	seen := map[string]bool{}
	for i, c := range f.Effective.Principals {
		key := fmt.Sprintf("principals[%d]", i)
		switch {
		case c == nil:
			p.addf(f, key, "is empty")
			continue
		case c.AccessKey == "" || c.SecretKey == "" || c.UIN == "":
			p.addf(f, key, "needs access_key, secret_key and uin")
		case seen[c.AccessKey]:
			p.addf(f, key+".access_key", "%s stands here already", c.AccessKey)
		}
		seen[c.AccessKey] = true
		if _, err := f.policy(&c.Policy); err != nil {
			p.addf(f, key+".policy", "%v", err)
		}
	}
}

func (f *File) checkRest(p *problems) {
	c := f.Effective
	for key, n := range map[string]int{
		"engine.max_active": c.Engine.MaxActive, "engine.chunk_rows": c.Engine.ChunkRows, "worker.concurrency": c.Worker.Concurrency,
	} {
		if n < 1 || n > 1_000_000 {
			p.addf(f, key, "must be 1 to 1000000")
		}
	}
	if l := c.Engine.Look; l.First <= 0 || l.Longest < l.First || l.Limit < l.First {
		p.addf(f, "engine.look", "first must be above 0, longest and limit not below it")
	}
	if c.Limits.Rate < 0 || c.Limits.Burst < 0 || c.Limits.Rate > 0 && c.Limits.Burst == 0 {
		p.addf(f, "limits", "rate must not be below 0, and burst must be at least 1")
	}
	if _, _, err := net.SplitHostPort(c.Listen.Addr); err != nil {
		p.addf(f, "listen.addr", "%q is not HOST:PORT", c.Listen.Addr)
	}
	if (c.Listen.TLS.Cert == "") != (c.Listen.TLS.Key == "") {
		p.addf(f, "listen.tls", "needs both cert and key")
	}
	c.Listen.TLS.Cert, c.Listen.TLS.Key = f.at.path(c.Listen.TLS.Cert), f.at.path(c.Listen.TLS.Key)
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		p.addf(f, "log.level", "%q is no level; use debug, info, warn or error", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		p.addf(f, "log.format", "%q is no format; use text or json", c.Log.Format)
	}
}
