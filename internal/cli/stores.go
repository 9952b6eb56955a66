package cli

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

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
}

// credentialsHelp stands in the help of the commands that use storeFlags.
const credentialsHelp = `Credentials are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN), for COS
too; without them from the AWS credential chain; on a loopback endpoint, they are those of drover dev.`

// endpoint is a resolved storeFlags.
type endpoint struct {
	url     string
	region  job.Region
	dialect httpwire.Dialect
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
	return e, nil
}

// open makes the driver. It calls nothing yet.
func (e endpoint) open(ctx context.Context, sh *shell) (*httpwire.Client, error) {
	credentials, err := e.credentials(ctx, sh)
	if err != nil {
		return nil, err
	}
	client, err := httpwire.Open(httpwire.Options{
		Endpoint: e.url, Dialect: e.dialect, Region: e.region, Credentials: credentials,
		UserAgent: "drover/" + buildVersion().Version, Breaker: httpwire.NewBreaker(nil),
		Load: window.NewSet(e.byBucket(), window.Bounds{}, nil),
	})
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
	if key := sh.Getenv("AWS_ACCESS_KEY_ID"); key != "" {
		return static(key, sh.Getenv("AWS_SECRET_ACCESS_KEY"), sh.Getenv("AWS_SESSION_TOKEN")), nil
	}
	if loopback(e.url) {
		return static(devAccessKey, devSecretKey, ""), nil
	}
	config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(string(e.region)))
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	return chain(config.Credentials), nil
}

func static(access, secret, token string) credentialsFunc {
	c := httpwire.Credentials{AccessKey: access, SecretKey: secret, SessionToken: token}
	return func(context.Context) (httpwire.Credentials, error) { return c, nil }
}

// chain asks a provider of the SDK, which keeps what it found.
func chain(p aws.CredentialsProvider) credentialsFunc {
	return func(ctx context.Context) (httpwire.Credentials, error) {
		c, err := p.Retrieve(ctx)
		if err != nil {
			return httpwire.Credentials{}, withHint(fmt.Errorf("find credentials for the store: %w", err),
				"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
		}
		return httpwire.Credentials{AccessKey: c.AccessKeyID, SecretKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
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
