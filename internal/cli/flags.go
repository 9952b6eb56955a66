package cli

import (
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// manifestFlags name a manifest.
type manifestFlags struct {
	Manifest string `required:"" placeholder:"FILE|s3://BUCKET/KEY" help:"The list of objects: a CSV, or an inventory report's manifest.json."`
	manifestForm
}

func (f *manifestFlags) manifest() (job.Manifest, error) { return f.manifestForm.manifest(f.Manifest) }

// manifestForm says how to read a manifest.
type manifestForm struct {
	ManifestFormat string   `default:"auto" enum:"auto,csv,inventory" placeholder:"FORMAT" help:"csv, inventory, or auto: inventory where the name ends in manifest.json."`
	Fields         []string `placeholder:"FIELD" help:"Columns of a CSV in order, with commas between: Bucket, Key, VersionId, Ignore. Default: Bucket,Key."`
}

func (f *manifestForm) manifest(name string) (job.Manifest, error) {
	at, err := parsePlace("--manifest", name)
	if err != nil {
		return job.Manifest{}, err
	}
	m := job.Manifest{Format: job.FormatCSV, Location: job.Location{Bucket: at.bucket, Key: job.Key(at.key), Path: at.path}}
	if f.ManifestFormat == "inventory" || f.ManifestFormat == "auto" && strings.HasSuffix(name, "manifest.json") {
		m.Format = job.FormatInventory
	}
	for _, name := range f.Fields {
		m.Fields = append(m.Fields, job.Field(strings.TrimSpace(name)))
	}
	if m.Format == job.FormatCSV && len(m.Fields) == 0 {
		m.Fields = []job.Field{job.FieldBucket, job.FieldKey}
	}
	return m, nil
}

// reportFlags say where the completion report goes.
type reportFlags struct {
	Report      string `placeholder:"DIR|s3://BUCKET/PREFIX" help:"Where the completion report goes. Default: no report."`
	ReportScope string `default:"all" enum:"all,failed" placeholder:"SCOPE" help:"Rows of the report: all tasks, or the failed ones."`
}

// report makes the report's settings; local says whether a folder may be named.
func (f *reportFlags) report(local bool) (job.Report, error) {
	if f.Report == "" {
		return job.Report{}, nil
	}
	at, err := parsePlace("--report", f.Report)
	if err != nil {
		return job.Report{}, err
	}
	if at.local() && !local {
		return job.Report{}, usagef("", "--report: %s is no s3://BUCKET/PREFIX: a server's job writes its report to a bucket", f.Report)
	}
	r := job.Report{Enabled: true, Bucket: at.bucket, Prefix: at.key, Path: at.path, Scope: job.AllTasks}
	if f.ReportScope == "failed" {
		r.Scope = job.FailedTasksOnly
	}
	return r, nil
}
