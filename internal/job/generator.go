package job

import (
	"slices"
	"strings"
	"time"
)

// Generator makes a job's manifest: while the job is prepared its source is listed as the job's role, and what the filter
// lets through is kept as an inventory report, which is then the job's list. Objects are taken as they are when they are
// listed; of a bucket with versions the latest one is meant, as it is when its turn comes.
type Generator struct {
	Source Bucket
	Filter ObjectFilter
	Output Place // where the inventory is kept; zero = beside the completion report
}

// Place is where something is written: a bucket and what its keys begin with.
type Place struct {
	Region Region // "" = the job's
	Bucket Bucket
	Prefix string
}

// ObjectFilter lets objects through that fit all that is set in it (AWS S3 API, JobManifestGeneratorFilter). The zero
// value lets everything through.
type ObjectFilter struct {
	Prefixes      []string // the key begins with one of them
	Suffixes      []string // the key ends with one of them
	Substrings    []string // the key has one of them in it
	CreatedAfter  time.Time
	CreatedBefore time.Time
	LargerThan    *int64   // bytes; nil = any size
	SmallerThan   *int64   // bytes
	Classes       []string // storage classes, in capitals
}

// The limits of a filter.
const (
	maxFilterTexts = 100
	maxFilterText  = MaxKey // bytes
)

// Lets reports whether an object fits.
func (f ObjectFilter) Lets(k Key, size int64, created time.Time, class string) bool {
	if class == "" {
		class = "STANDARD"
	}
	any := func(texts []string, has func(s, part string) bool) bool {
		return len(texts) == 0 || slices.ContainsFunc(texts, func(t string) bool { return has(string(k), t) })
	}
	return any(f.Prefixes, strings.HasPrefix) && any(f.Suffixes, strings.HasSuffix) && any(f.Substrings, strings.Contains) &&
		(f.CreatedAfter.IsZero() || created.After(f.CreatedAfter)) &&
		(f.CreatedBefore.IsZero() || created.Before(f.CreatedBefore)) &&
		(f.LargerThan == nil || size > *f.LargerThan) &&
		(f.SmallerThan == nil || size < *f.SmallerThan) &&
		(len(f.Classes) == 0 || slices.Contains(f.Classes, strings.ToUpper(class)))
}

// Listings gives the prefixes to list so that each key that may fit is listed once, in order.
func (f ObjectFilter) Listings() []string {
	var out []string
	for _, p := range slices.Sorted(slices.Values(f.Prefixes)) {
		if n := len(out); n == 0 || !strings.HasPrefix(p, out[n-1]) {
			out = append(out, p)
		}
	}
	if out == nil {
		return []string{""}
	}
	return out
}

func (g *Generator) check(p *Problems, report Report) {
	const field = "ManifestGenerator"
	p.addIn(field+".SourceBucket", g.Source.Validate())
	f := g.Filter
	for _, texts := range []struct {
		name string
		of   []string
	}{{"MatchAnyPrefix", f.Prefixes}, {"MatchAnySuffix", f.Suffixes}, {"MatchAnySubstring", f.Substrings}, {"MatchAnyStorageClass", f.Classes}} {
		at := field + ".Filter." + texts.name
		if len(texts.of) > maxFilterTexts {
			p.Addf(at, "has %d texts; at most %d are allowed.", len(texts.of), maxFilterTexts)
		}
		for _, t := range texts.of {
			switch {
			case t == "" || len(t) > maxFilterText:
				p.Addf(at, "has a text of %d bytes; give 1–%d.", len(t), maxFilterText)
			case !plain(t, "\t"):
				p.Addf(at, "has a text with control characters or bytes that are no UTF-8.")
			}
		}
	}
	if !f.CreatedAfter.IsZero() && !f.CreatedBefore.IsZero() && !f.CreatedAfter.Before(f.CreatedBefore) {
		p.Addf(field+".Filter.CreatedAfter", "is not before CreatedBefore; no object would fit.")
	}
	if f.LargerThan != nil && f.SmallerThan != nil && *f.LargerThan >= *f.SmallerThan-1 {
		p.Addf(field+".Filter.ObjectSizeGreaterThanBytes", "leaves no size below ObjectSizeLessThanBytes; no object would fit.")
	}
	for name, n := range map[string]*int64{"ObjectSizeGreaterThanBytes": f.LargerThan, "ObjectSizeLessThanBytes": f.SmallerThan} {
		if n != nil && *n < 0 {
			p.Addf(field+".Filter."+name, "is %d; give a number of bytes.", *n)
		}
	}
	const out = field + ".ManifestOutputLocation"
	switch {
	case g.Output.Bucket != "":
		p.addIn(out+".Bucket", g.Output.Bucket.Validate())
		p.addIn(out+".Region", g.Output.Region.Validate())
		if len(g.Output.Prefix) > MaxReportPrefix || !plain(g.Output.Prefix, "") {
			p.Addf(out+".ManifestPrefix", "must be at most %d bytes of plain text.", MaxReportPrefix)
		}
	case !report.Enabled || report.Bucket == "":
		p.Addf(out, "is missing, and there is no report beside which the list could be kept: give one of them.")
	}
}

// Kept is where a generated manifest goes.
func (s Spec) Kept() Place {
	out := Place{Region: s.Report.Region, Bucket: s.Report.Bucket, Prefix: s.Report.Prefix}
	if s.Generator.Output.Bucket != "" {
		out = s.Generator.Output
	}
	if out.Region == "" {
		out.Region = s.Region
	}
	return out
}
