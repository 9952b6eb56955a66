package cli

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/credentials"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/object/window"
)

// storeFlags say which object store a command talks to, for commands that do so themselves.
type storeFlags struct {
	EndpointURL string `name:"endpoint-url" placeholder:"URL" help:"The store's URL. Default: AWS_ENDPOINT_URL, else the public endpoint of --region."`
	Region      string `placeholder:"REGION" help:"The store's region. Default: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1 where --endpoint-url is given."`
	Dialect     string `default:"s3" enum:"s3,cos" placeholder:"DIALECT" help:"The store's protocol: s3, or cos for Tencent COS."`
	Profile     string `placeholder:"NAME" help:"The profile of the AWS configuration that has the store's keys."`
	Proxy       string `placeholder:"URL" help:"The proxy to the store, or direct. Default: HTTPS_PROXY (for http URLs HTTP_PROXY), NO_PROXY."`
	CAFile      string `placeholder:"FILE" help:"Certificates in PEM to trust beside the system's. Default: AWS_CA_BUNDLE."`
	ClientCert  string `placeholder:"FILE" help:"The certificate, in PEM, that shows the store who is calling."`
	ClientKey   string `placeholder:"FILE" help:"The key of --client-cert, in PEM."`
	MinTLS      string `name:"min-tls" default:"1.2" enum:"1.2,1.3" placeholder:"VERSION" help:"The lowest version of TLS: 1.2 or 1.3."`
}

// credentialsHelp stands in the help of the commands that use storeFlags.
const credentialsHelp = `Credentials are taken from --profile; without it from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN), for
COS too; on a loopback endpoint they are else those of drover dev. Then comes, with --dialect cos, the chain of Tencent Cloud
(TENCENTCLOUD_SECRET_ID and so on, web identity, file, instance), and without it that of AWS (profiles, web identity, container,
instance). Temporary keys are renewed before they expire.`

// endpoint is a resolved storeFlags.
type endpoint struct {
	url     string
	region  job.Region
	dialect httpwire.Dialect
	profile string
	wire    httpwire.Options // how to reach it

	impatient bool // a store that does not answer is an error, and is not waited for
}

// resolve fills in what the environment and the public stores say.
func (f storeFlags) resolve(sh *shell) (endpoint, error) {
	e := endpoint{url: f.EndpointURL, region: job.Region(f.Region), dialect: httpwire.Dialect(f.Dialect)}
	if e.url == "" {
		e.url = sh.Getenv("AWS_ENDPOINT_URL")
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if e.region == "" {
			e.region = job.Region(sh.Getenv(name))
		}
	}
	if e.url == "" && e.region == "" {
		return e, usagef("give --endpoint-url URL, or --region REGION for the public store of that region",
			"no object store is named")
	}
	if e.region == "" {
		e.region = "us-east-1"
	}
	if e.url == "" && e.dialect == httpwire.S3 {
		e.url = fmt.Sprintf("https://s3.%s.amazonaws.com", e.region)
	}
	proxy, err := httpwire.ProxyFor(f.Proxy, e.url, sh.Getenv)
	if err != nil {
		return e, usagef("", "--proxy: %v", err)
	}
	e.profile = f.Profile
	e.wire = httpwire.Options{
		Proxy: proxy, CAFile: cmp.Or(f.CAFile, sh.Getenv("AWS_CA_BUNDLE")), ClientCert: f.ClientCert, ClientKey: f.ClientKey, MinTLS: f.MinTLS,
	}
	return e, nil
}

// open makes the driver. It calls nothing yet.
func (e endpoint) open(ctx context.Context, sh *shell) (*httpwire.Client, error) {
	credentials, err := e.credentials(ctx, sh)
	if err != nil {
		return nil, err
	}
	o := e.wire
	o.Endpoint, o.Dialect, o.Region, o.Credentials = e.url, e.dialect, e.region, credentials
	o.Load = window.NewSet(e.byBucket(), window.Bounds{}, nil)
	o.UserAgent = "drover/" + buildVersion().Version
	if !e.impatient {
		o.Breaker = httpwire.NewBreaker(nil)
	}
	client, err := httpwire.Open(o)
	if err != nil {
		return nil, &problem{code: exitUsage, err: err}
	}
	return client, nil
}

// byBucket reports whether the store counts calls by bucket, as the public ones do.
func (e endpoint) byBucket() bool {
	return e.dialect == httpwire.COS || strings.HasSuffix(hostOf(e.url), ".amazonaws.com")
}

func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

type credentialsFunc func(context.Context) (httpwire.Credentials, error)

func (e endpoint) credentials(ctx context.Context, sh *shell) (credentialsFunc, error) {
	if key := sh.Getenv("AWS_ACCESS_KEY_ID"); key != "" && e.profile == "" {
		return static(key, sh.Getenv("AWS_SECRET_ACCESS_KEY"), sh.Getenv("AWS_SESSION_TOKEN")), nil
	}
	if loopback(e.url) && e.profile == "" {
		return static(devAccessKey, devSecretKey, ""), nil
	}
	if e.dialect == httpwire.COS && e.profile == "" {
		return keysOf(credentials.Tencent("", sh.Getenv), "set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY"), nil
	}
	chain, err := credentials.AWS(ctx, string(e.region), e.profile)
	if err != nil {
		return nil, err
	}
	return keysOf(chain, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), nil
}

func static(access, secret, token string) credentialsFunc {
	c := httpwire.Credentials{AccessKey: access, SecretKey: secret, SessionToken: token}
	return func(context.Context) (httpwire.Credentials, error) { return c, nil }
}

// keysOf asks a provider, which keeps what it found and renews it in time.
func keysOf(p access.Provider, hint string) credentialsFunc {
	return func(ctx context.Context) (httpwire.Credentials, error) {
		k, err := p(ctx)
		if err != nil {
			return httpwire.Credentials{}, withHint(fmt.Errorf("find credentials for the store: %w", err), hint)
		}
		return httpwire.Credentials{AccessKey: k.AccessKey, SecretKey: k.SecretKey, SessionToken: k.SessionToken}, nil
	}
}

// loopback reports whether a URL's host can only be this machine.
func loopback(rawURL string) bool {
	return loopbackHost(hostOf(rawURL))
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// oneStore is the engine's view of the stores where there is one store, in one region, and jobs run as whoever started the
// process.
type oneStore struct {
	store  object.Store
	region job.Region
}

var _ engine.Stores = oneStore{}

// Store gives the one store; region "" means its region too.
func (o oneStore) Store(_ context.Context, _ job.Account, _ job.Role, region job.Region) (object.Store, error) {
	if region != "" && region != o.region {
		return nil, job.Errorf(job.InvalidArgument, "There is no region %s here; use %s.", job.Quote(string(region)), o.region)
	}
	return o.store, nil
}

// Default is the one region.
func (o oneStore) Default() job.Region { return o.region }
