package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/inventory"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
	"github.com/drover-batch/drover/internal/report"
)

// The demo's buckets.
const (
	demoSource = job.Bucket("media-" + devAppID)
	demoTarget = job.Bucket("backup-" + devAppID)
	demoBatch  = job.Bucket("batch-" + devAppID) // inventories, manifests, reports
)

type demoCmd struct {
	Keep bool `help:"Stay up when the jobs have ended, until Ctrl-C."`
}

// Help says what is shown.
func (c *demoCmd) Help() string {
	return `A bucket of 5,500 objects is made, 500 of them archived; an inventory of the others is taken, and one of these is then
deleted. A job copies what the inventory lists to another bucket, a second job restores the archived objects from a CSV. Both go
through the API as any client's would. The exit code is 0 when the outcomes are the expected ones.`
}

// demo is a running demonstration.
type demo struct {
	sh     *shell
	dev    *dev
	remote *remote
}

// Run shows the whole product once.
func (c *demoCmd) Run(ctx context.Context, sh *shell) (err error) {
	d := &demo{sh: sh}
	d.dev, err = startDev(ctx, devOptions{
		listen: "127.0.0.1:0", storeListen: "127.0.0.1:0", accessKey: devAccessKey, secretKey: devSecretKey,
		restoreDelay: time.Second, logger: slog.New(slog.NewTextHandler(sh.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.dev.close()) }()
	ready := d.dev.ready
	if d.remote, err = newRemote(ready.API, ready.AccessKey, ready.SecretKey); err != nil {
		return err
	}
	copied, restored, err := d.show(ctx)
	if err != nil {
		return err
	}
	if err := d.failedRows(ctx, copied); err != nil {
		return err
	}
	err = d.expect(ctx, copied, restored)
	d.next(c.Keep)
	if c.Keep {
		err = errors.Join(err, d.dev.wait(ctx))
	}
	return err
}

// show does the two jobs.
func (d *demo) show(ctx context.Context) (copied, restored client.Job, err error) {
	for _, bucket := range []job.Bucket{demoSource, demoTarget, demoBatch} {
		if err := makeBucket(ctx, d.dev.ready, bucket); err != nil {
			return copied, restored, err
		}
	}
	objects := demoObjects()
	begin := time.Now()
	if err := putAll(ctx, d.dev.client, demoSource, objects, 48); err != nil {
		return copied, restored, err
	}
	d.sh.note("put %s objects into %s, %d of them archived (%s)", count(int64(len(objects))), demoSource, demoArchived, since(begin))

	list, err := d.inventory(ctx)
	if err != nil {
		return copied, restored, err
	}
	gone := objects[demoLive/2].key
	if _, err := d.dev.client.Delete(ctx, object.Ref{Bucket: demoSource, Key: gone}); err != nil {
		return copied, restored, err
	}
	d.sh.note("deleted %s after that: its copy has to fail", d.sh.foreign(string(gone)))
	copied, err = d.job(ctx, "copy", "reports/copy", list, &operation.Copy{
		TargetBucket: demoTarget, PrefixReplace: true, PrefixTo: "2026/", StorageClass: "STANDARD_IA",
		Metadata: operation.DirectiveAdd, NewMetadata: object.Metadata{User: map[string]string{"copied-by": "drover"}},
		Tagging: operation.DirectiveAdd, NewTags: []job.Tag{{Key: "backup", Value: "2026"}},
	})
	if err != nil {
		return copied, restored, err
	}
	archived, err := d.archived(ctx, objects[demoLive:])
	if err != nil {
		return copied, restored, err
	}
	restored, err = d.job(ctx, "restore", "reports/restore", archived, &operation.Restore{Days: 7, Tier: "Standard"})
	return copied, restored, err
}

// job creates a job through the API, confirms it, follows it to its end and prints what became of it.
func (d *demo) job(ctx context.Context, label, report string, m job.Manifest, op operation.Operation) (client.Job, error) {
	role := job.Role{ARN: devRoleARN, Account: devUIN, Name: devRoleName}
	j, err := d.remote.CreateJob(ctx, rest.FromSpec(job.Spec{
		Token: string(job.NewID()), Manifest: m, Operation: op, Priority: 1, Role: role, Description: "demo: " + label,
		Report: job.Report{Enabled: true, Bucket: demoBatch, Prefix: report, Scope: job.AllTasks}, ConfirmationRequired: true,
	}))
	if err != nil {
		return j, err
	}
	if j, err = d.remote.Confirm(ctx, j.ID, "the demo confirms by itself"); err != nil {
		return j, err
	}
	if j, err = d.remote.follow(ctx, d.sh, label, j.ID); err != nil {
		return j, err
	}
	d.sh.summary(j)
	return j, nil
}

// archived writes a CSV manifest of the archived objects and stores it.
func (d *demo) archived(ctx context.Context, objects []demoObject) (job.Manifest, error) {
	var b bytes.Buffer
	for _, o := range objects {
		fmt.Fprintf(&b, "%s,%s\n", demoSource, escapeKey(o.key))
	}
	const key = "manifests/archived.csv"
	put, err := d.dev.client.Put(ctx, object.PutRequest{
		Bucket: demoBatch, Key: key, Body: bytes.NewReader(b.Bytes()), Size: int64(b.Len()),
		Meta: object.Metadata{ContentType: "text/csv"},
	})
	return job.Manifest{
		Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey},
		Location: job.Location{Bucket: demoBatch, Key: key, ETag: put.ETag},
	}, err
}

// escapeKey encodes a key as manifests have it.
func escapeKey(k job.Key) string { return strings.ReplaceAll(url.QueryEscape(string(k)), "+", "%20") }

// expect compares what happened with what had to happen.
func (d *demo) expect(ctx context.Context, copied, restored client.Job) error {
	gone := []client.CodeCount{{Code: object.CodeNoSuchKey, Count: 1}}
	return errors.Join(
		expectJob("copy", copied, demoLive-1, gone),
		expectJob("restore", restored, demoArchived, nil),
		d.look(ctx),
	)
}

func expectJob(what string, j client.Job, succeeded int64, failed []client.CodeCount) error {
	sameCode := func(a, b client.CodeCount) bool { return a.Code == b.Code && a.Count == b.Count }
	if j.Status == string(job.Complete) && j.Progress.Succeeded == succeeded && slices.EqualFunc(j.Progress.ByCode, failed, sameCode) {
		return nil
	}
	return fmt.Errorf("the %s job had to be Complete with %s succeeded%s", what, count(succeeded), byCode(failed))
}

// look checks one copy and one restored object at the store itself.
func (d *demo) look(ctx context.Context) error {
	objects := demoObjects()
	ref := object.Ref{Bucket: demoTarget, Key: "2026/" + objects[0].key}
	info, err := d.dev.client.Head(ctx, ref)
	if err != nil {
		return fmt.Errorf("look at a copy: %w", err)
	}
	tags, err := d.dev.client.Tags(ctx, ref)
	if err != nil {
		return fmt.Errorf("look at a copy's tags: %w", err)
	}
	if info.Class != "STANDARD_IA" || info.Meta.User["copied-by"] != "drover" || info.Meta.User["number"] != "0" || len(tags) != 2 {
		return fmt.Errorf("a copy has class %s, metadata %v and tags %v", info.Class, info.Meta.User, tags)
	}
	info, err = d.dev.client.Head(ctx, object.Ref{Bucket: demoSource, Key: objects[demoLive].key})
	if err != nil {
		return fmt.Errorf("look at a restored object: %w", err)
	}
	if info.Restore == nil {
		return errors.New("an archived object has not been restored")
	}
	return nil
}

// failedRows prints the failed tasks of a job as its report has them.
func (d *demo) failedRows(ctx context.Context, j client.Job) error {
	manifest, err := d.remote.Report(ctx, j.ID)
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	_, bucket, files, err := report.ParseManifest(manifest)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Status != job.TaskFailed {
			continue
		}
		body, _, err := d.dev.client.Get(ctx, object.Ref{Bucket: bucket, Key: job.Key(f.Name)}, 0, -1)
		if err != nil {
			return fmt.Errorf("read the report: %w", err)
		}
		rows, err := io.ReadAll(io.LimitReader(body, 4<<10))
		if err := errors.Join(err, body.Close()); err != nil {
			return fmt.Errorf("read the report: %w", err)
		}
		d.sh.printf("what the copy job's report says of the object that was deleted:\n  %s\n", oneLine(strings.TrimSpace(string(rows))))
	}
	return nil
}

// next says what to try now.
func (d *demo) next(keep bool) {
	r := d.dev.ready
	if !keep {
		d.sh.printf("next: drover demo --keep leaves all of this up to look at; drover dev starts a server of your own\n")
		return
	}
	d.sh.printf(`everything stays up until Ctrl-C. In another terminal:
  export DROVER_SERVER=%s AWS_ENDPOINT_URL=%s AWS_REGION=%s
  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s
  drover job list
  drover job report last --to ./report
  aws s3 ls s3://%s/ --recursive
`, r.API, r.Store, r.Region, r.AccessKey, r.SecretKey, demoBatch)
}

func since(t time.Time) time.Duration { return time.Since(t).Round(10 * time.Millisecond) }

// inventory takes an inventory of what is not archived: an archived object cannot be copied before it is restored.
func (d *demo) inventory(ctx context.Context) (job.Manifest, error) {
	made, err := inventory.Create(ctx, d.dev.client, d.dev.client, inventory.Options{
		SourceBucket: demoSource, Filter: "library/", DestBucket: demoBatch, Prefix: "inventory", Region: devRegion, AppID: devAppID,
	})
	if err != nil {
		return job.Manifest{}, err
	}
	d.sh.note("took an inventory: %s rows in s3://%s/%s", count(made.Rows), demoBatch, d.sh.foreign(string(made.ManifestKey)))
	return made.Manifest, nil
}

// makeBucket makes a bucket in the embedded store. The object port has no call for it, since no job makes buckets.
func makeBucket(ctx context.Context, r readyLine, bucket job.Bucket) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.Store+"/"+string(bucket), http.NoBody)
	if err != nil {
		return err
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of nothing
	req.Header.Set("X-Amz-Content-Sha256", empty)
	keys := aws.Credentials{AccessKeyID: r.AccessKey, SecretAccessKey: r.SecretKey}
	if err := v4.NewSigner().SignHTTP(ctx, keys, req, empty, "s3", r.Region, time.Now()); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("make bucket %s: %w", bucket, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		return fmt.Errorf("make bucket %s: %s: %s", bucket, answer.Status, text)
	}
	return nil
}
