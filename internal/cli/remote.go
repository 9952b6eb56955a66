package cli

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

const defaultServer = "http://127.0.0.1:8600"

// serverFlags say which server a command talks to.
type serverFlags struct {
	Server string `placeholder:"URL" help:"The server's URL. Default: DROVER_SERVER, else http://127.0.0.1:8600."`
}

// remote is a server's jobs.
type remote struct {
	*client.Client
	url string
}

// connect finds the server and the keys to sign with. It calls nothing yet.
func (f *serverFlags) connect(sh *shell) (*remote, error) {
	url, access, secret, err := f.keys(sh)
	if err != nil {
		return nil, err
	}
	return newRemote(url, access, secret)
}

// keys settles the server's URL and the keys to sign requests to it with.
func (f *serverFlags) keys(sh *shell) (url, access, secret string, err error) {
	url = f.Server
	if url == "" {
		url = sh.Getenv("DROVER_SERVER")
	}
	if url == "" {
		url = defaultServer
	}
	access, secret = sh.Getenv("DROVER_ACCESS_KEY"), sh.Getenv("DROVER_SECRET_KEY")
	if access == "" && loopback(url) {
		access = devAccessKey
	}
	if secret == "" && loopback(url) {
		secret = devSecretKey
	}
	if access == "" || secret == "" {
		return "", "", "", usagef("set DROVER_ACCESS_KEY and DROVER_SECRET_KEY", "there are no keys to sign requests to %s with", url)
	}
	return url, access, secret, nil
}

func newRemote(url, access, secret string) (*remote, error) {
	c, err := client.New(client.Options{Server: url, AccessKey: access, SecretKey: secret})
	if err != nil {
		return nil, &problem{code: exitUsage, err: err}
	}
	return &remote{c, url}, nil
}

// newest lists the newest jobs that fit, oldest first; 0 = all.
func (r *remote) newest(ctx context.Context, o client.ListOptions, since time.Time, limit int) ([]client.Job, error) {
	jobs := []client.Job{}
	o.NewestFirst, o.Limit = true, pageSize
	if limit > 0 {
		o.Limit = min(limit, pageSize)
	}
	for j, err := range r.AllJobs(ctx, o) {
		if err != nil {
			return nil, r.explain(err)
		}
		if j.Created.Before(since) {
			break
		}
		jobs = append(jobs, j)
		if len(jobs) == limit {
			break
		}
	}
	slices.Reverse(jobs)
	return jobs, nil
}

// pageSize is how many jobs are asked for at a time.
const pageSize = 1000

// follow shows a job's progress until it has ended.
func (r *remote) follow(ctx context.Context, sh *shell, label, id string) (client.Job, error) {
	var last client.Job
	bar := newProgress(sh, label)
	defer bar.end()
	err := r.Watch(ctx, id, func(j client.Job) error {
		last = j
		bar.update(j)
		return nil
	})
	return last, r.explain(err)
}

// explain gives an answer of the server its exit code, and a failed connection a hint.
func (r *remote) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok:
		return withHint(err, "is a server running at "+r.url+"? drover dev starts one; --server or DROVER_SERVER names another")
	case e.Status == http.StatusNotFound:
		return &problem{code: exitNotFound, err: e, hint: "drover job list shows the jobs there are"}
	case e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized:
		return withHint(e, "DROVER_ACCESS_KEY and DROVER_SECRET_KEY are the keys that requests are signed with")
	}
	return e
}

// idOf settles which job is meant; last is the newest one.
func (r *remote) idOf(ctx context.Context, arg string) (string, error) {
	if arg != "last" {
		if _, err := job.ParseID(arg); err != nil {
			return "", &problem{code: exitUsage, err: err, hint: "drover job list shows the jobs there are"}
		}
		return arg, nil
	}
	jobs, err := r.newest(ctx, client.ListOptions{}, time.Time{}, 1)
	if err != nil {
		return "", err
	}
	if len(jobs) == 0 {
		return "", &problem{code: exitNotFound, err: errors.New("there is no job yet"), hint: "drover job create makes one"}
	}
	return jobs[0].ID, nil
}

// location is where a job's report manifest lies; "" when there is none.
func location(j client.Job) string {
	if j.ReportManifest == "" || j.Spec.Report.Bucket == "" {
		return j.ReportManifest
	}
	return "s3://" + j.Spec.Report.Bucket + "/" + strings.TrimPrefix(j.ReportManifest, "/")
}
