package cli

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

type jobReportCmd struct {
	jobArg
	output
	To string `placeholder:"DIR" help:"Download the result files and their manifest.json into this folder."`
}

// Help says what a report is.
func (c *jobReportCmd) Help() string {
	return `Lists the report's result files: succeeded and failed tasks are in separate ones, one row a task, of the columns
Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage. A file of failed tasks is itself a manifest. With
--output json the report's manifest.json is printed as it is. The server reads the files, as the job's role.`
}

// Run shows the report, or downloads it.
func (c *jobReportCmd) Run(ctx context.Context, sh *shell) error {
	r, id, err := c.find(ctx, sh)
	if err != nil {
		return err
	}
	if c.To != "" {
		return r.download(ctx, sh, id, c.To)
	}
	if c.json() {
		manifest, err := r.Report(ctx, id)
		if err != nil {
			return r.explain(err)
		}
		_, err = fmt.Fprintf(sh.Stdout, "%s\n", manifest)
		return err
	}
	files, err := r.ReportFiles(ctx, id)
	if err != nil {
		return r.explain(err)
	}
	var rows [][]string
	for _, f := range files {
		rows = append(rows, []string{f.Status, f.MD5, sh.foreign(place{bucket: job.Bucket(f.Bucket), key: f.Key}.String())})
	}
	return sh.table([]string{"STATUS", "MD5", "FILE"}, rows)
}

// download stores manifest.json and results/ below the folder, and checks each file's MD5.
func (r *remote) download(ctx context.Context, sh *shell, id, folder string) error {
	manifest, err := r.Report(ctx, id)
	if err != nil {
		return r.explain(err)
	}
	files, err := r.ReportFiles(ctx, id)
	if err != nil {
		return r.explain(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, "results"), 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	for _, f := range files {
		to := filepath.Join(folder, "results", filepath.Base(f.Name))
		if err := r.fetch(ctx, id, f, to); err != nil {
			return err
		}
		sh.printf("%s\n", to)
	}
	to := filepath.Join(folder, "manifest.json")
	if err := os.WriteFile(to, manifest, 0o644); err != nil {
		return fmt.Errorf("write the report's manifest: %w", err)
	}
	sh.printf("%s\n", to)
	return nil
}

func (r *remote) fetch(ctx context.Context, id string, f client.ReportFile, to string) (err error) {
	body, err := r.ReportFile(ctx, id, f.Name)
	if err != nil {
		return r.explain(err)
	}
	defer body.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	sum := md5.New()
	if _, err := io.Copy(io.MultiWriter(out, sum), body); err != nil {
		return fmt.Errorf("download %s: %w", f.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.MD5 {
		return fmt.Errorf("%s: the MD5 is %s, and the report's manifest names %s", to, got, f.MD5)
	}
	return nil
}
