package cli

import (
	"strings"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

// generatorFlags have the server list a bucket in place of a manifest. All of them begin with --from-.
type generatorFlags struct {
	Bucket        string   `xor:"list" placeholder:"BUCKET" help:"In place of --manifest: list this bucket, as the job's role, while the job is prepared. Objects are taken as they are then. What follows lets some of them through."`
	Prefix        []string `sep:"none" placeholder:"PREFIX" help:"Keys that begin with PREFIX. Repeatable: with any of them, as for the next two."`
	Suffix        []string `sep:"none" placeholder:"SUFFIX" help:"Keys that end with SUFFIX."`
	Substring     []string `sep:"none" placeholder:"TEXT" help:"Keys that have TEXT in them."`
	CreatedAfter  string   `placeholder:"TIME" help:"Objects created after TIME, for example 2026-01-31 (midnight UTC) or 2026-01-31T08:00:00+08:00."`
	CreatedBefore string   `placeholder:"TIME" help:"Objects created before TIME."`
	LargerThan    string   `placeholder:"SIZE" help:"Objects of more than SIZE bytes, for example 64KiB."`
	SmallerThan   string   `placeholder:"SIZE" help:"Objects of less than SIZE bytes."`
	Class         []string `placeholder:"CLASS" help:"Objects of this storage class, for example STANDARD or ARCHIVE. Repeatable."`
	List          string   `placeholder:"s3://BUCKET/PREFIX" help:"Where the list is kept, as an inventory report. Default: beside the completion report."`
}

// generator is what the flags say; nil when they say nothing.
func (f *generatorFlags) generator() (*job.Generator, error) {
	g := &job.Generator{Source: job.Bucket(f.Bucket), Filter: job.ObjectFilter{
		Prefixes: f.Prefix, Suffixes: f.Suffix, Substrings: f.Substring, Classes: f.Class,
	}}
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"--from-created-after", f.CreatedAfter, &g.Filter.CreatedAfter}, {"--from-created-before", f.CreatedBefore, &g.Filter.CreatedBefore}} {
		var err error
		if *t.to, err = parseTime(t.flag, t.text); err != nil {
			return nil, err
		}
	}
	for _, s := range []struct {
		flag, text string
		to         **int64
	}{{"--from-larger-than", f.LargerThan, &g.Filter.LargerThan}, {"--from-smaller-than", f.SmallerThan, &g.Filter.SmallerThan}} {
		if s.text == "" {
			continue
		}
		n, err := parseSize(s.flag, s.text)
		if err != nil {
			return nil, err
		}
		*s.to = &n
	}
	if f.List != "" {
		at, err := parsePlace("--from-list", f.List)
		if err != nil {
			return nil, err
		}
		if at.local() {
			return nil, usagef("write it like s3://bucket/lists", "--from-list: %s is no s3://BUCKET/PREFIX: a server keeps its list in a bucket", f.List)
		}
		g.Output = job.Place{Bucket: at.bucket, Prefix: at.key}
	}
	if g.Source == "" && f.filters() {
		return nil, usagef("name the bucket with --from-bucket", "--from-…: filters are for a bucket that is listed, not for a manifest")
	}
	if g.Source == "" {
		return nil, nil
	}
	return g, nil
}

func (f *generatorFlags) filters() bool {
	return len(f.Prefix)+len(f.Suffix)+len(f.Substring)+len(f.Class) > 0 ||
		f.CreatedAfter+f.CreatedBefore+f.LargerThan+f.SmallerThan+f.List != ""
}

// parseTime reads a day or a time of RFC 3339; "" is none.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("write it like 2026-01-31 or 2026-01-31T08:00:00+08:00", "%s: %q is no time", flag, text)
}

// filterText says which objects a filter lets through, for people; "" when all.
func filterText(f client.ObjectFilter) string {
	var parts []string
	add := func(what string, texts []string) {
		if len(texts) > 0 {
			parts = append(parts, what+" "+strings.Join(texts, " or "))
		}
	}
	add("keys that begin with", f.Prefixes)
	add("keys that end with", f.Suffixes)
	add("keys that have", f.Substrings)
	if t := f.CreatedAfter; !t.IsZero() {
		parts = append(parts, "created after "+t.UTC().Format(time.RFC3339))
	}
	if t := f.CreatedBefore; !t.IsZero() {
		parts = append(parts, "created before "+t.UTC().Format(time.RFC3339))
	}
	if n := f.LargerThan; n != nil {
		parts = append(parts, "larger than "+plural(*n, "byte"))
	}
	if n := f.SmallerThan; n != nil {
		parts = append(parts, "smaller than "+plural(*n, "byte"))
	}
	add("of class", f.Classes)
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
