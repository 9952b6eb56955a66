package cli

import (
	"context"
	"time"

	"github.com/drover-batch/drover/internal/inventory"
	"github.com/drover-batch/drover/internal/job"
)

type inventoryCmd struct {
	Create inventoryCreateCmd `cmd:"" help:"List a bucket and write an inventory report of it, in COS's format."`
}

type inventoryCreateCmd struct {
	Bucket      string `required:"" placeholder:"BUCKET" help:"The bucket to list."`
	Prefix      string `placeholder:"P" help:"Only keys that begin with P."`
	Versions    bool   `help:"Every version and delete marker, not only the current objects."`
	To          string `required:"" placeholder:"s3://BUCKET/PREFIX" help:"Where the report goes."`
	RowsPerFile int64  `default:"1000000" placeholder:"N" help:"Rows of a data file."`
	storeFlags  `group:"The store:"`
	output
}

// Help says what comes of it.
func (c *inventoryCreateCmd) Help() string {
	return `The report's manifest.json is written last, so where one lies its report is whole; its place is printed, and is what
--manifest takes.

` + credentialsHelp
}

// Run lists the bucket and writes the report.
func (c *inventoryCreateCmd) Run(ctx context.Context, sh *shell) error {
	to, err := parsePlace("--to", c.To)
	if err != nil {
		return err
	}
	if to.local() {
		return usagef("", "--to: %s is no s3://BUCKET/PREFIX", c.To)
	}
	where, err := c.resolve(sh)
	if err != nil {
		return err
	}
	store, err := where.open(ctx, sh)
	if err != nil {
		return err
	}
	defer store.Close()
	made, err := inventory.Create(ctx, store, store, inventory.Options{
		SourceBucket: job.Bucket(c.Bucket), DestBucket: to.bucket, Prefix: to.key, Filter: c.Prefix, Versions: c.Versions,
		Region: where.region, RowsPerFile: c.RowsPerFile, Now: time.Now(),
	})
	if err != nil {
		return err
	}
	at := place{bucket: to.bucket, key: string(made.ManifestKey)}.String()
	if c.json() {
		return sh.json(struct {
			Manifest string `json:"manifest"`
			ETag     string `json:"etag"`
			Rows     int64  `json:"rows"`
			Files    int    `json:"files"`
		}{at, made.ETag, made.Rows, made.Files})
	}
	sh.printf("%s\n", at)
	sh.note("%s in %s", plural(made.Rows, "row"), plural(int64(made.Files), "file"))
	return nil
}
