package cli

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/report"
)

type jobReportCmd struct {
	jobArg
	output
	To         string `placeholder:"DIR" help:"Download the result files and their manifest.json into this folder."`
	storeFlags `group:"The store, for --to:"`
}

// Help says what a report is.
func (c *jobReportCmd) Help() string {
	return `Lists the report's result files: succeeded and failed tasks are in separate ones, one row a task, of the columns
Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage. A file of failed tasks is itself a manifest. With
--output json the report's manifest.json is printed as it is.

` + credentialsHelp
}

// Run shows the report, or downloads it.
func (c *jobReportCmd) Run(ctx context.Context, sh *shell) error {
	r, id, err := c.find(ctx, sh)
	if err != nil {
		return err
	}
	manifest, err := r.Report(ctx, id)
	if err != nil {
		return r.explain(err)
	}
	_, bucket, files, err := report.ParseManifest(manifest)
	if err != nil {
		return err
	}
	if c.To != "" {
		return c.download(ctx, sh, bucket, manifest, files)
	}
	if c.json() {
		_, err := fmt.Fprintf(sh.Stdout, "%s\n", manifest)
		return err
	}
	var rows [][]string
	for _, f := range files {
		rows = append(rows, []string{string(f.Status), f.MD5, sh.foreign(place{bucket: bucket, key: f.Name}.String())})
	}
	return sh.table([]string{"STATUS", "MD5", "FILE"}, rows)
}

// download stores manifest.json and results/ below the folder, and checks each file's MD5.
func (c *jobReportCmd) download(ctx context.Context, sh *shell, bucket job.Bucket, manifest []byte, files []report.File) error {
	where, err := c.resolve(sh)
	if err != nil {
		return err
	}
	store, err := where.open(ctx, sh)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := os.MkdirAll(filepath.Join(c.To, "results"), 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	for _, f := range files {
		to := filepath.Join(c.To, "results", path.Base(f.Name))
		if err := fetch(ctx, store, object.Ref{Bucket: bucket, Key: job.Key(f.Name)}, to, f.MD5); err != nil {
			return fmt.Errorf("download %s: %w", place{bucket: bucket, key: f.Name}, err)
		}
		sh.printf("%s\n", to)
	}
	to := filepath.Join(c.To, "manifest.json")
	if err := os.WriteFile(to, manifest, 0o644); err != nil {
		return fmt.Errorf("write the report's manifest: %w", err)
	}
	sh.printf("%s\n", to)
	return nil
}

func fetch(ctx context.Context, store object.Reader, from object.Ref, to, wantMD5 string) (err error) {
	body, _, err := store.Get(ctx, from, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := md5.New()
	if _, err := io.Copy(io.MultiWriter(f, sum), body); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != wantMD5 {
		return fmt.Errorf("the MD5 is %s, and the report's manifest names %s", got, wantMD5)
	}
	return nil
}
