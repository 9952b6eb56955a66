package cli

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/drover-batch/drover/internal/config"
)

type workerCmd struct {
	Config string `required:"" placeholder:"FILE" help:"The configuration file; drover config check shows what it says."`
}

// Help says how it starts and ends.
func (c *workerCmd) Help() string {
	return `It works on the jobs of a cluster, or of an outside NATS server, that engine.url names. It needs regions, roles with their
credentials, and the worker's nkey or credential file; no principals, since it answers nobody. Workers come and go while jobs run.

When it takes work, one line goes to stdout: ready and a JSON object with worker, its name. The log goes to stderr. With
listen.addr in the file it serves /healthz, /readyz and /metrics there. SIGTERM or Ctrl-C stops it: object calls in flight end, no
further one starts, what is left goes to other workers at once, and the exit code is 0.`
}

// Run works until ctx ends.
func (c *workerCmd) Run(ctx context.Context, sh *shell) error {
	f, err := config.Load(c.Config, sh.Getenv)
	switch {
	case err != nil:
	case f.Effective.Engine.URL == "":
		err = errWorkerAlone
	case f.Effective.Worker.Off:
		err = errors.New("worker is off: a worker that does not work is of no use")
	default:
		err = f.Verify(ctx)
	}
	if err != nil {
		return configError(err, c.Config)
	}
	e := &f.Effective.Engine
	e.Lead, e.Replicas = false, 0 // the streams are made by who leads
	limitToGroup(sh)
	log := newLogger(sh.Stderr, f.Effective.Log)
	tellRings(log)
	s, err := startServe(ctx, f, log, asWorker)
	if err != nil {
		return interruptedIsFine(err)
	}
	ready := map[string]string{"worker": s.node.name}
	if s.server != nil {
		ready["url"] = s.server.url
	}
	line, err := json.Marshal(ready)
	if err != nil {
		return errors.Join(err, s.close())
	}
	sh.printf("ready %s\n", line)
	return errors.Join(s.wait(ctx), s.close())
}
