package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/access/rolestore"
	"github.com/drover-batch/drover/internal/config"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object/httpwire"
)

// What drover dev is made of where nothing else is asked for. Scripts rely on these.
const (
	devRegion    = "local"
	devAccessKey = "drover-dev"
	devSecretKey = "drover-dev-secret"
	devUIN       = "100000000001"
	devAppID     = "1250000000"
	devRoleName  = "COSBatch_QcsRole"
	devRoleARN   = "qcs::cam::uin/" + devUIN + ":roleName/" + devRoleName
)

type devCmd struct {
	Data         string        `placeholder:"DIR" help:"Folder for jobs and objects. Default: a temporary one, removed at the end."`
	Listen       string        `default:"127.0.0.1:8600" placeholder:"ADDR" help:"Address of the API. Port 0 takes a free one."`
	StoreListen  string        `default:"127.0.0.1:8601" placeholder:"ADDR" help:"Address of the embedded object store. Port 0 takes a free one."`
	CallLog      string        `placeholder:"FILE" help:"Append a line for each object call that the store saw: time, operation, bucket, key, request id."`
	RestoreDelay time.Duration `placeholder:"TIME" help:"How long a restore takes. Default: 5s Standard, 10s Bulk, 1s Expedited."`
	Concurrency  int           `placeholder:"N" help:"Object calls in flight. Default: 64."`
}

// Help says how to reach what runs.
func (c *devCmd) Help() string {
	return `When all of it answers, one line goes to stdout: ready and a JSON object with api, console, store, region, accessKey,
secretKey, uin, appid and roleArn. SIGTERM or Ctrl-C drains and ends with exit code 0.

The first principal is drover-dev with the secret drover-dev-secret; DROVER_ACCESS_KEY and DROVER_SECRET_KEY set others. drover
principal create and drover role create make more of them. With the default secret, only loopback addresses are listened on.`
}

// Run serves until ctx ends.
func (c *devCmd) Run(ctx context.Context, sh *shell) error {
	level := slog.LevelInfo
	if sh.quiet {
		level = slog.LevelWarn
	}
	limitMemory(sh, devMemory, c.Concurrency)
	o := devOptions{
		data: c.Data, listen: c.Listen, storeListen: c.StoreListen, restoreDelay: c.RestoreDelay, concurrency: c.Concurrency,
		accessKey: devAccessKey, secretKey: devSecretKey,
		logger: slog.New(slog.NewTextHandler(sh.Stderr, &slog.HandlerOptions{Level: level})),
	}
	if secret := sh.Getenv("DROVER_SECRET_KEY"); secret != "" {
		o.secretKey = secret
	}
	if access := sh.Getenv("DROVER_ACCESS_KEY"); access != "" {
		o.accessKey = access
	}
	if c.CallLog != "" {
		f, err := os.OpenFile(c.CallLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("open the call log: %w", err)
		}
		defer f.Close()
		o.callLog = f
	}
	d, err := startDev(ctx, o)
	if err != nil {
		return interruptedIsFine(err)
	}
	line, err := json.Marshal(d.ready)
	if err != nil {
		return errors.Join(err, d.close())
	}
	sh.printf("ready %s\n", line)
	return errors.Join(d.wait(ctx), d.close())
}

// interruptedIsFine makes a server's being told to stop, even while it starts, no failure.
func interruptedIsFine(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

type devOptions struct {
	data         string // "" = a temporary folder
	listen       string
	storeListen  string
	accessKey    string
	secretKey    string
	restoreDelay time.Duration
	callLog      io.Writer // nil = none
	concurrency  int
	logger       *slog.Logger
}

// devLook looks at restorations about as often as the embedded store ends them.
func devLook(delay time.Duration) config.Look {
	if delay <= 0 {
		delay = 5 * time.Second
	}
	first := min(max(delay/4, 100*time.Millisecond), 5*time.Minute)
	return config.Look{First: config.Duration(first), Longest: config.Duration(max(first, min(delay, time.Hour)))}
}

// readyLine is what dev prints when it answers, and how demo finds itself.
type readyLine struct {
	API       string `json:"api"`
	Console   string `json:"console"`
	Store     string `json:"store"`
	Region    string `json:"region"`
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
	UIN       string `json:"uin"`
	AppID     string `json:"appid"`
	RoleARN   string `json:"roleArn"`
}

// dev is a running drover dev.
type dev struct {
	ready   readyLine
	store   *localstore.Store
	client  *httpwire.Client // of the store
	serving *serving
	remove  string // a temporary folder, removed at the end
}

// startDev starts all parts, the entrance last. What it started it closes again when a later part does not start.
func startDev(ctx context.Context, o devOptions) (d *dev, err error) {
	if err := o.checkSecret(); err != nil {
		return nil, err
	}
	d = &dev{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if o.data == "" {
		if o.data, err = os.MkdirTemp("", "drover-"); err != nil {
			return d, fmt.Errorf("make a temporary folder: %w", err)
		}
		d.remove = o.data
	}
	d.store, err = localstore.Open(ctx, localstore.Options{
		Dir: filepath.Join(o.data, "store"), Listen: o.storeListen, Region: devRegion,
		AccessKey: o.accessKey, SecretKey: o.secretKey, RestoreDelay: o.restoreDelay, CallLog: o.callLog,
	})
	if err != nil {
		return d, fmt.Errorf("start the embedded store: %w", err)
	}
	d.client, err = httpwire.Open(httpwire.Options{
		Endpoint: d.store.URL(), Region: devRegion, Credentials: static(o.accessKey, o.secretKey, ""),
		Breaker: httpwire.NewBreaker(nil),
	})
	if err != nil {
		return d, err
	}
	sealer, err := localSealer(filepath.Join(o.data, secretsKeyFile))
	if err != nil {
		return d, err
	}
	account := job.Account{UIN: devUIN, AppID: devAppID}
	keys := access.Keys{AccessKey: o.accessKey, SecretKey: o.secretKey}
	d.serving, err = startServing(ctx, servingOptions{
		node: nodeOptions{dir: filepath.Join(o.data, "engine"), sync: true, concurrency: o.concurrency, look: devLook(o.restoreDelay)},
		book: access.BookOptions{
			Principals: []access.Principal{{AccessKey: o.accessKey, SecretKey: o.secretKey, Account: account, Policy: access.FullAccess()}},
			Roles: []access.Role{{
				Account: account, Name: devRoleName, Policy: access.FullAccess(),
				Credentials: map[job.Region]access.Provider{
					access.AnyRegion: func(context.Context) (access.Keys, error) { return keys, nil },
				},
			}},
			Sealer: sealer,
		},
		regions: map[job.Region]rolestore.Region{devRegion: {Wire: httpwire.Options{Endpoint: d.store.URL(), Region: devRegion, Breaker: httpwire.NewBreaker(nil)}}},
		region:  devRegion, listen: o.listen, logger: o.logger,
	})
	if err != nil {
		return d, err
	}
	d.ready = readyLine{
		API: d.serving.server.url, Console: d.serving.server.url + "/console/", Store: d.store.URL(), Region: devRegion,
		AccessKey: o.accessKey, SecretKey: o.secretKey, UIN: devUIN, AppID: devAppID, RoleARN: devRoleARN,
	}
	return d, nil
}

// checkSecret keeps the secret that everybody knows off the network.
func (o devOptions) checkSecret() error {
	if o.secretKey != devSecretKey {
		return nil
	}
	for flag, addr := range map[string]string{"--listen": o.listen, "--store-listen": o.storeListen} {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return usagef("", "%s: %q is not HOST:PORT", flag, addr)
		}
		if !loopbackHost(host) {
			return usagef("set DROVER_SECRET_KEY to a secret of your own, or listen on 127.0.0.1",
				"%s: with the default secret, drover dev listens on loopback addresses only, not on %q", flag, host)
		}
	}
	return nil
}

// secretsKeyFile holds, below dev's folder, the key that secrets made at run time are encrypted with.
const secretsKeyFile = "secrets.key"

// localSealer reads the key of a file, and makes one when there is none.
func localSealer(path string) (*access.Sealer, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = []byte(access.NewSealerKey() + "\n")
		err = os.WriteFile(path, key, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("keep a key for secrets: %w", err)
	}
	s, err := access.NewSealer(string(key))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// wait blocks until ctx ends, which is no error, or a part has stopped by itself.
func (d *dev) wait(ctx context.Context) error { return d.serving.wait(ctx) }

// close stops the entrance, drains the engine, and closes the store, in this order.
func (d *dev) close() error {
	var errs []error
	if d.serving != nil {
		errs = append(errs, d.serving.close())
	}
	if d.client != nil {
		d.client.Close()
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.remove != "" {
		errs = append(errs, os.RemoveAll(d.remove))
	}
	return errors.Join(errs...)
}
