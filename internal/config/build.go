package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/access/rolestore"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/credentials"
	"github.com/drover-batch/drover/internal/job"
)

// Regions gives the regions by name.
func (f *File) Regions() (map[job.Region]rolestore.Region, error) {
	out := map[job.Region]rolestore.Region{}
	for name, r := range f.Effective.Regions {
		o, err := f.wire(r)
		if err != nil {
			return nil, wrap("regions."+name, err)
		}
		out[job.Region(name)] = rolestore.Region{
			Wire: o, Rate: r.Limits.Rate, Burst: r.Limits.Burst, Bytes: r.Limits.Bytes, InFlight: r.Limits.InFlight,
			ByBucket: r.Provider == "cos" || r.Provider == "aws",
		}
	}
	return out, nil
}

// Secret follows a reference; "" gives "".
func (f *File) Secret(s Secret) (string, error) {
	if s == "" {
		return "", nil
	}
	return f.at.read(s)
}

// Sealer gives what seals the secrets of principals and roles made at run time; nil when the file names no key.
func (f *File) Sealer() (*access.Sealer, error) {
	key, err := f.Secret(f.Effective.Engine.SecretsKey)
	if err != nil || key == "" {
		return nil, wrap("engine.secrets_key", err)
	}
	s, err := access.NewSealer(key)
	return s, wrap("engine.secrets_key", err)
}

func wrap(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}

// Principals gives the file's principals with their secrets.
func (f *File) Principals() ([]access.Principal, error) {
	var out []access.Principal
	var errs []error
	for i, c := range f.Effective.Principals {
		secret, err := f.at.read(c.SecretKey)
		errs = append(errs, wrap(fmt.Sprintf("principals[%d].secret_key", i), err))
		policy, err := f.policy(&c.Policy)
		errs = append(errs, wrap(fmt.Sprintf("principals[%d].policy", i), err))
		out = append(out, access.Principal{
			AccessKey: c.AccessKey, SecretKey: secret, Account: job.Account{UIN: c.UIN, AppID: c.AppID}, Policy: policy,
			Description: c.Description,
		})
	}
	return out, errors.Join(errs...)
}

// Roles gives the file's roles. Their keys are looked for when they are needed.
func (f *File) Roles(ctx context.Context) ([]access.Role, error) {
	var out []access.Role
	var errs []error
	for i, c := range f.Effective.Roles {
		key := fmt.Sprintf("roles[%d]", i)
		named, err := api.ParseRole("arn", c.ARN)
		errs = append(errs, wrap(key, err))
		policy, err := f.policy(&c.Policy)
		errs = append(errs, wrap(key+".policy", err))
		r := access.Role{
			Account: job.Account{UIN: named.Account, AppID: c.AppID}, Name: named.Name, Description: c.Description, Policy: policy,
			Credentials: map[job.Region]access.Provider{},
		}
		for region, cred := range c.Credentials {
			p, err := f.provider(ctx, region, cred)
			errs = append(errs, wrap(key+".credentials."+region, err))
			r.Credentials[job.Region(region)] = p
		}
		out = append(out, r)
	}
	return out, errors.Join(errs...)
}

// fullAccess is the name of the policy that allows everything.
const fullAccess = "full-access"

// policy reads a policy in any of its three forms.
func (f *File) policy(n *yaml.Node) (access.Policy, error) {
	switch {
	case n.IsZero():
		return access.Policy{}, fmt.Errorf("is missing; give %s, file:PATH, or the policy itself", fullAccess)
	case n.Kind == yaml.ScalarNode && n.Value == fullAccess:
		return access.FullAccess(), nil
	case n.Kind == yaml.ScalarNode:
		path, ok := strings.CutPrefix(n.Value, "file:")
		if !ok {
			return access.Policy{}, fmt.Errorf("must be %s, file:PATH, or the policy itself", fullAccess)
		}
		b, err := os.ReadFile(f.at.path(path))
		if err != nil {
			return access.Policy{}, err
		}
		return access.ParsePolicy(b)
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return access.Policy{}, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return access.Policy{}, fmt.Errorf("has a value that no policy has: %w", err)
	}
	return access.ParsePolicy(b)
}

// keyAge is how long static keys are kept before their references are followed again, so that a file may be replaced.
const keyAge = time.Minute

// provider makes what gives a credential's keys.
func (f *File) provider(ctx context.Context, region string, c *Credential) (access.Provider, error) {
	switch c.Source {
	case "static":
		return again(func() (access.Keys, error) { return f.staticKeys(c) }), nil
	case "env":
		return again(f.envKeys), nil
	}
	if c.Source == "tencent" {
		return credentials.Tencent(c.Endpoint, f.at.getenv), nil
	}
	if c.Region != "" {
		region = c.Region
	} else if region == "*" || strings.HasPrefix(c.RoleARN, "qcs:") {
		region = ""
	}
	if c.Source == "aws" {
		return credentials.AWS(ctx, region, "")
	}
	return credentials.Assume(ctx, credentials.Role{
		ARN: c.RoleARN, SessionName: c.SessionName, ExternalID: c.ExternalID, Duration: time.Duration(c.Duration),
		Endpoint: c.Endpoint, Region: region,
	}, f.at.getenv)
}

func (f *File) staticKeys(c *Credential) (access.Keys, error) {
	accessKey, err := f.at.text(c.AccessKey)
	if err != nil {
		return access.Keys{}, wrap("access_key", err)
	}
	secret, err := f.at.read(c.SecretKey)
	if err != nil {
		return access.Keys{}, wrap("secret_key", err)
	}
	token, err := f.Secret(c.SessionToken)
	return access.Keys{AccessKey: accessKey, SecretKey: secret, SessionToken: token}, wrap("session_token", err)
}

// envKeys takes the variables of AWS's tools, or those of Tencent's.
func (f *File) envKeys() (access.Keys, error) {
	for _, names := range [][3]string{
		{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"},
		{"TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN"},
	} {
		k := access.Keys{AccessKey: f.at.getenv(names[0]), SecretKey: f.at.getenv(names[1]), SessionToken: f.at.getenv(names[2])}
		if k.AccessKey != "" && k.SecretKey != "" {
			return k, nil
		}
	}
	return access.Keys{}, errors.New("neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY are set")
}

// again asks anew once what it was told is old. While asking fails, what was good last stays.
func again(ask func() (access.Keys, error)) access.Provider {
	var mu sync.Mutex
	var keys access.Keys
	var asked time.Time
	return func(context.Context) (access.Keys, error) {
		mu.Lock()
		defer mu.Unlock()
		if !asked.IsZero() && time.Since(asked) < keyAge {
			return keys, nil
		}
		k, err := ask()
		if err != nil && asked.IsZero() {
			return k, err
		}
		if err == nil {
			keys = k
		}
		asked = time.Now()
		return keys, nil
	}
}

// Verify follows every reference once, so that a missing secret shows before a job needs it. It makes no call.
func (f *File) Verify(ctx context.Context) error {
	_, err := f.Sealer()
	errs := []error{err}
	_, err = f.Principals()
	errs = append(errs, err)
	_, err = f.Roles(ctx)
	errs = append(errs, err)
	_, err = f.Secret(f.Effective.Listen.MetricsToken)
	errs = append(errs, wrap("listen.metrics_token", err))
	for i, r := range f.Effective.Roles {
		for region, c := range r.Credentials {
			switch c.Source {
			case "static":
				_, err = f.staticKeys(c)
			case "env":
				_, err = f.envKeys()
			default:
				continue
			}
			errs = append(errs, wrap(fmt.Sprintf("roles[%d].credentials.%s", i, region), err))
		}
	}
	return errors.Join(errs...)
}
