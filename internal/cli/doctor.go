package cli

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/object/probe"
)

type doctorCmd struct {
	storeFlags `group:"The store:"`
	Bucket     string `required:"" placeholder:"BUCKET" help:"Bucket to try it in. What is in it stays as it is."`
	output
}

// Help says what is done to the bucket.
func (c *doctorCmd) Help() string {
	return `Example:

    drover doctor --endpoint-url http://127.0.0.1:8601 --bucket scratch

Some stores answer a call with success and drop what they do not know; a job on them reports successes that did not happen.
This tries each thing that jobs rely on, some 250 small calls, and reads back what came of it. A verdict is works, ignored
(the dangerous one), refused, or unknown: nothing was learnt.

All is done under the prefix drover-probe-RANDOM/ and removed again. One object of a few bytes is readable by everybody until
then. Objects in archive classes are removed before a public store's minimum term, for which it charges a few bytes.

It ends with 0 when nothing is ignored, and with 1 when something is.

` + credentialsHelp
}

// Run probes the store and prints what was found.
func (c *doctorCmd) Run(ctx context.Context, sh *shell) error {
	where, err := c.resolve(sh)
	if err != nil {
		return err
	}
	where.impatient = true
	bucket := job.Bucket(c.Bucket)
	if err := bucket.Validate(); err != nil {
		return &problem{code: exitUsage, err: err}
	}
	store, err := where.open(ctx, sh)
	if err != nil {
		return err
	}
	defer store.Close()
	sh.note("trying what the store does, in the bucket %s", bucket)
	report, err := probe.Run(ctx, store, bucket, probe.Options{COS: where.dialect == httpwire.COS})
	if err != nil {
		return err
	}
	if err := sh.diagnosis(report, c.json()); err != nil {
		return err
	}
	if report.Count(probe.Ignored) > 0 {
		return exitCode(exitError)
	}
	return nil
}

// diagnosis is a report in JSON.
type diagnosis struct {
	Bucket       string       `json:"bucket"`
	Versioned    bool         `json:"versioned"`
	Capabilities []capability `json:"capabilities"`
}

type capability struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	Detail  string `json:"detail,omitempty"`
	Meaning string `json:"meaning,omitempty"`
}

// diagnosis prints a report: a table, and below it what it means for a job.
func (s *shell) diagnosis(r probe.Report, asJSON bool) error {
	if asJSON {
		d := diagnosis{Bucket: string(r.Bucket), Versioned: r.Versioned}
		for _, c := range r.Capabilities {
			d.Capabilities = append(d.Capabilities, capability{c.Name, string(c.Verdict), c.Detail, c.Meaning})
		}
		return s.json(d)
	}
	var rows [][]string
	for _, c := range r.Capabilities {
		rows = append(rows, []string{c.Name, string(c.Verdict), oneLine(c.Detail)})
	}
	if err := s.table([]string{"CAPABILITY", "VERDICT", "DETAIL"}, rows); err != nil {
		return err
	}
	s.printf("\n%d work, %d are ignored, %d refused, %d unknown\n",
		r.Count(probe.Works), r.Count(probe.Ignored), r.Count(probe.Refused), r.Count(probe.Unknown))
	for _, c := range r.Capabilities {
		if c.Meaning != "" {
			s.printf("%s is %s: %s\n", c.Name, c.Verdict, c.Meaning)
		}
	}
	return nil
}
