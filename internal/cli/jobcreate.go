package cli

import (
	"context"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

type jobCreateCmd struct {
	Copy    jobCreateCopyCmd    `cmd:"" help:"Create a job that copies each object to a bucket."`
	Restore jobCreateRestoreCmd `cmd:"" help:"Create a job that restores each archived object for some days."`
	Delete  jobCreateDeleteCmd  `cmd:"" help:"Create a job that deletes each object, or the version that its row names."`
	Tag     jobCreateTagCmd     `cmd:"" help:"Create a job that sets tags on each object."`
}

type jobCreateCopyCmd struct {
	copyFlags `group:"The operation:"`
	createFlags
}

type jobCreateRestoreCmd struct {
	restoreFlags `group:"The operation:"`
	createFlags
}

type jobCreateDeleteCmd struct {
	deleteFlags `group:"The operation:"`
	createFlags
}

type jobCreateTagCmd struct {
	tagFlags `group:"The operation:"`
	createFlags
}

// Run creates the job.
func (c *jobCreateCopyCmd) Run(ctx context.Context, sh *shell) error {
	return c.create(ctx, sh, c.copyFlags.operation)
}

// Run creates the job.
func (c *jobCreateRestoreCmd) Run(ctx context.Context, sh *shell) error {
	return c.create(ctx, sh, c.restoreFlags.operation)
}

// Run creates the job.
func (c *jobCreateDeleteCmd) Run(ctx context.Context, sh *shell) error {
	return c.create(ctx, sh, c.deleteFlags.operation)
}

// Run creates the job.
func (c *jobCreateTagCmd) Run(ctx context.Context, sh *shell) error {
	return c.create(ctx, sh, c.tagFlags.operation)
}

// Help says where the manifest's ETag comes from.
func (f *createFlags) Help() string {
	return `The job's id is printed. With --confirm, which is the default, the job waits as Suspended until drover job confirm; with
--start it runs at once.

The objects are those of a manifest, or, with --from-bucket, of a bucket that the server lists: a job needs one of the two. The list is
kept, so that it can be read before the job is confirmed, and drover job show names it.

A job is bound to the manifest as it is now by its ETag. Without --manifest-etag it is asked from the store, with the store flags
and credentials below. ` + credentialsHelp
}

// createFlags are the flags of a job of a server.
type createFlags struct {
	serverFlags
	Manifest     string `xor:"list" group:"The manifest:" placeholder:"s3://BUCKET/KEY" help:"The list of objects: a CSV, or an inventory report's manifest.json."`
	manifestForm `group:"The manifest:"`
	ManifestETag string         `name:"manifest-etag" placeholder:"ETAG" help:"ETag of the manifest object. Default: asked from the store."`
	From         generatorFlags `embed:"" prefix:"from-" group:"The objects, without a manifest:"`
	reportFlags  `group:"The report:"`
	storeFlags   `group:"The store:"`
	limitFlags   `embed:"" prefix:"limit-" group:"The limits:"`
	output
	Priority    string `default:"1" placeholder:"N" help:"Priority, 0-2147483647; a larger value runs first."`
	Description string `placeholder:"TEXT" help:"Description, at most 256 bytes."`
	Role        string `placeholder:"ARN" help:"Role that the job runs as. Default: DROVER_ROLE; on a loopback server the role of drover dev."`
	Token       string `placeholder:"TOKEN" help:"Request token: the server makes one job of a token, however often it is asked. Default: a random one."`
	Confirm     bool   `xor:"start" help:"Wait for drover job confirm before the job runs. The default."`
	Start       bool   `xor:"start" help:"Let the job run at once."`
	Watch       bool   `help:"Follow the job to its end; the exit code says how it ended."`
}

func (f *createFlags) create(ctx context.Context, sh *shell, operationOf func() (operation.Operation, error)) error {
	op, err := operationOf()
	if err != nil {
		return err
	}
	spec, err := f.spec(op)
	if err != nil {
		return err
	}
	r, err := f.connect(sh)
	if err != nil {
		return err
	}
	if spec.Role, err = f.role(sh, r); err != nil {
		return err
	}
	if spec.Generator == nil {
		if err := f.pinManifest(ctx, sh, &spec.Manifest.Location); err != nil {
			return err
		}
	}
	j, err := r.CreateJob(ctx, rest.FromSpec(spec))
	if err != nil {
		return r.explain(err)
	}
	return r.made(ctx, sh, j, f.Watch, f.json())
}

// made shows a job that was just made, or follows it to its end.
func (r *remote) made(ctx context.Context, sh *shell, j client.Job, watch, asJSON bool) error {
	switch {
	case watch:
		sh.note("job %s", j.ID)
		j, err := r.follow(ctx, sh, "", j.ID)
		if err != nil {
			return err
		}
		return sh.result(j, asJSON)
	case asJSON:
		return sh.json(j)
	}
	sh.printf("%s\n", j.ID)
	if j.Spec.ConfirmationRequired {
		sh.note("drover job confirm %s lets it run", j.ID)
	}
	return nil
}

// spec makes all of a spec but its role and its manifest's ETag.
func (f *createFlags) spec(op operation.Operation) (job.Spec, error) {
	spec := job.Spec{Token: f.Token, Operation: op, Description: f.Description, ConfirmationRequired: !f.Start}
	if spec.Token == "" {
		spec.Token = string(job.NewID())
	}
	var err error
	if spec.Priority, err = job.ParsePriority(f.Priority); err != nil {
		return spec, &problem{code: exitUsage, err: err}
	}
	if spec.Generator, err = f.From.generator(); err != nil {
		return spec, err
	}
	if spec.Generator == nil {
		if spec.Manifest, err = f.givenManifest(); err != nil {
			return spec, err
		}
	}
	if spec.Limits, err = f.limits(jobLimits); err != nil {
		return spec, err
	}
	if spec.Report, err = f.report(false); err != nil {
		return spec, err
	}
	if spec.Generator != nil && spec.Kept().Bucket == "" {
		return spec, usagef("give --report s3://BUCKET/PREFIX, or --from-list", "the list of --from-bucket has no place where it can be kept")
	}
	return spec, nil
}

// givenManifest is the manifest that the flags name; its ETag may be missing.
func (f *createFlags) givenManifest() (job.Manifest, error) {
	if f.Manifest == "" {
		return job.Manifest{}, usagef("give --manifest s3://BUCKET/KEY, or --from-bucket BUCKET for all that is in a bucket", "no list of objects is named")
	}
	m, err := f.manifest(f.Manifest)
	if err != nil {
		return m, err
	}
	if m.Location.Path != "" {
		return m, usagef("store it first, or use drover run", "--manifest: %s is a local file: a server's job reads its manifest from a bucket", f.Manifest)
	}
	m.Location.ETag = f.ManifestETag
	return m, nil
}

func (f *createFlags) role(sh *shell, r *remote) (job.Role, error) {
	arn := f.Role
	if arn == "" {
		arn = sh.Getenv("DROVER_ROLE")
	}
	if arn == "" && loopback(r.url) {
		arn = devRoleARN
	}
	if arn == "" {
		return job.Role{}, usagef("give --role ARN or set DROVER_ROLE", "no role is named for the job")
	}
	role, err := api.ParseRole("--role", arn)
	if err != nil {
		return role, &problem{code: exitUsage, err: err}
	}
	return role, nil
}

// pinManifest asks the store for the manifest's ETag, where none was given.
func (f *createFlags) pinManifest(ctx context.Context, sh *shell, l *job.Location) error {
	if l.ETag != "" {
		return nil
	}
	where, err := f.resolve(sh)
	if err != nil {
		return withHint(err, "give --endpoint-url of the store that holds the manifest, or --manifest-etag")
	}
	store, err := where.open(ctx, sh)
	if err != nil {
		return err
	}
	defer store.Close()
	return pin(ctx, store, l)
}
