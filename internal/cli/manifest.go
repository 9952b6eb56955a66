package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
)

type manifestCmd struct {
	Lint  manifestLintCmd  `cmd:"" help:"Say all that is wrong or doubtful in a manifest."`
	Count manifestCountCmd `cmd:"" help:"Check all of a manifest and count its rows."`
	Head  manifestHeadCmd  `cmd:"" help:"Show the first rows of a manifest, as a job reads them."`
}

// manifestArg is the manifest that a command looks into.
type manifestArg struct {
	File       string   `arg:"" name:"manifest" placeholder:"FILE|s3://BUCKET/KEY" help:"A CSV, or an inventory report's manifest.json: a local file or s3://BUCKET/KEY."`
	Format     string   `name:"manifest-format" default:"auto" enum:"auto,csv,inventory" placeholder:"FORMAT" help:"csv, inventory, or auto: inventory where the name ends in manifest.json."`
	Fields     []string `placeholder:"FIELD" help:"Columns of a CSV in order, with commas between: Bucket, Key, VersionId, Ignore. Default: Bucket,Key."`
	storeFlags `group:"The store:"`
	output
}

// open gives the manifest and what opens its files. A stored manifest is pinned as it is now.
func (a *manifestArg) open(ctx context.Context, sh *shell) (job.Manifest, manifest.Opener, error) {
	flags := manifestFlags{Manifest: a.File, manifestForm: manifestForm{ManifestFormat: a.Format, Fields: a.Fields}}
	m, err := flags.manifest()
	if err != nil || m.Location.Path != "" {
		return m, manifest.Local{}, err
	}
	where, err := a.resolve(sh)
	if err != nil {
		return m, nil, err
	}
	store, err := where.open(ctx, sh)
	if err != nil {
		return m, nil, err
	}
	return m, storeFiles{store}, pin(ctx, store, &m.Location)
}

// storeFiles opens manifest files in a store.
type storeFiles struct{ store object.Reader }

// Open implements manifest.Opener.
func (s storeFiles) Open(ctx context.Context, n manifest.Name, offset, length int64) (io.ReadCloser, manifest.Info, error) {
	body, info, err := s.store.Get(ctx, object.Ref{Bucket: n.Bucket, Key: n.Key, Version: n.Version}, offset, length)
	if err != nil {
		return nil, manifest.Info{}, fmt.Errorf("read %s: %w", n, err)
	}
	return body, manifest.Info{
		ETag: info.ETag, Version: info.Version, Size: info.Size, LastModified: info.LastModified,
	}, nil
}

type manifestCountCmd struct {
	manifestArg
}

// Help says what is checked.
func (c *manifestCountCmd) Help() string {
	return `Every row is read and checked: columns, percent escapes, key lengths; of an inventory, the MD5 and size of every data file
too. What is wrong is named with its file, row and field, and the exit code is 1.

` + credentialsHelp
}

type manifestCount struct {
	Rows    int64    `json:"rows"`
	Files   int      `json:"files"`
	Bytes   int64    `json:"bytes"` // as stored
	Chunks  int64    `json:"chunks"`
	Buckets []string `json:"buckets"`
}

// Run surveys the manifest.
func (c *manifestCountCmd) Run(ctx context.Context, sh *shell) error {
	m, files, err := c.open(ctx, sh)
	if err != nil {
		return err
	}
	plan, err := manifest.Survey(ctx, files, m, manifest.Options{})
	if err != nil {
		return err
	}
	n := manifestCount{Rows: plan.Rows, Files: len(plan.Files), Chunks: plan.Chunks}
	for _, f := range plan.Files {
		n.Bytes += f.Size
	}
	for _, b := range plan.Buckets {
		n.Buckets = append(n.Buckets, string(b.Bucket))
	}
	if c.json() {
		return sh.json(n)
	}
	if !sh.outTTY {
		sh.printf("%d\n", n.Rows)
		return nil
	}
	sh.printf("%s in %s of %s\n", plural(n.Rows, "row"), plural(int64(n.Files), "file"), plural(n.Bytes, "byte"))
	for _, b := range n.Buckets {
		sh.printf("  of bucket %s\n", sh.foreign(b))
	}
	return nil
}

type manifestHeadCmd struct {
	manifestArg
	Lines int64 `short:"n" default:"10" placeholder:"N" help:"How many rows."`
}

type manifestRow struct {
	Row          int64  `json:"row"`
	Bucket       string `json:"bucket"`
	Key          string `json:"key"`
	Version      string `json:"versionId,omitempty"`
	DeleteMarker bool   `json:"deleteMarker,omitempty"`
	Size         int64  `json:"size,omitempty"`
	ETag         string `json:"etag,omitempty"`
	Class        string `json:"storageClass,omitempty"`
}

func fromEntry(e job.Entry) manifestRow {
	return manifestRow{
		Row: e.Row, Bucket: string(e.Bucket), Key: string(e.Key), Version: string(e.Version),
		DeleteMarker: e.DeleteMarker, Size: e.Size, ETag: e.ETag, Class: e.Class,
	}
}

// Run reads as many rows as are asked for, and no more.
func (c *manifestHeadCmd) Run(ctx context.Context, sh *shell) error {
	m, files, err := c.open(ctx, sh)
	if err != nil {
		return err
	}
	rows := []manifestRow{}
	if c.Lines > 0 {
		for e, err := range manifest.Rows(ctx, files, m, manifest.Options{}) {
			if err != nil {
				return err
			}
			rows = append(rows, fromEntry(e))
			if int64(len(rows)) == c.Lines {
				break
			}
		}
	}
	if c.json() {
		return sh.json(rows)
	}
	var table [][]string
	for _, r := range rows {
		table = append(table, []string{
			strconv.FormatInt(r.Row, 10), sh.foreign(r.Bucket), sh.foreign(r.Key), sh.foreign(r.Version),
		})
	}
	return sh.table([]string{"ROW", "BUCKET", "KEY", "VERSION"}, table)
}
