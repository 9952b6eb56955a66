package s3control

import (
	"slices"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/api/xmltree"
	"github.com/drover-batch/drover/internal/job"
)

// formatGenerated is the format of the manifests that a generator makes. It is none that a request may name as its
// Manifest's.
const formatGenerated = "S3InventoryReport_CSV_20211130"

// generator reads a ManifestGenerator. What a listing does not tell of objects cannot be asked for.
func (d *decoder) generator(n *xmltree.Node) *job.Generator {
	if n == nil {
		return nil
	}
	path := "ManifestGenerator"
	g := d.children(n, path, "S3JobManifestGenerator")["S3JobManifestGenerator"]
	if g == nil {
		d.fail(malformed(path, "must have an S3JobManifestGenerator."))
		return nil
	}
	f := d.children(g, path, "EnableManifestOutput", "ExpectedBucketOwner", "Filter", "ManifestOutputLocation", "SourceBucket")
	d.refuse(f, path, "ExpectedBucketOwner")
	if f["EnableManifestOutput"] == nil {
		d.fail(malformed(path+".EnableManifestOutput", "is missing; give true or false."))
	}
	var out job.Generator
	var err error
	out.Source, err = parseBucketARN(path+".SourceBucket", f["SourceBucket"].Value())
	d.fail(err)
	keep := d.bool(f["EnableManifestOutput"], path+".EnableManifestOutput")
	if keep == (f["ManifestOutputLocation"] == nil) {
		d.fail(job.FieldErrorf(path+".ManifestOutputLocation", "must be given where EnableManifestOutput is true, and only there. Without it the list is kept beside the report."))
	}
	out.Output = d.output(f["ManifestOutputLocation"], path+".ManifestOutputLocation")
	out.Filter = d.filter(f["Filter"], path+".Filter")
	return &out
}

func (d *decoder) output(n *xmltree.Node, path string) job.Place {
	f := d.children(n, path, "Bucket", "ExpectedManifestBucketOwner", "ManifestEncryption", "ManifestFormat", "ManifestPrefix")
	d.refuse(f, path, "ExpectedManifestBucketOwner", "ManifestEncryption")
	if n == nil {
		return job.Place{}
	}
	if format := f["ManifestFormat"].Value(); format != formatGenerated {
		d.fail(job.FieldErrorf(path+".ManifestFormat", "%s is no format that is made here; give %s.", job.Quote(format), formatGenerated))
	}
	bucket, err := parseBucketARN(path+".Bucket", f["Bucket"].Value())
	d.fail(err)
	return job.Place{Bucket: bucket, Prefix: f["ManifestPrefix"].Raw()}
}

func (d *decoder) filter(n *xmltree.Node, path string) job.ObjectFilter {
	f := d.children(n, path, "CreatedAfter", "CreatedBefore", "EligibleForReplication", "KeyNameConstraint", "MatchAnyObjectEncryption",
		"MatchAnyStorageClass", "ObjectReplicationStatuses", "ObjectSizeGreaterThanBytes", "ObjectSizeLessThanBytes")
	d.refuse(f, path, "EligibleForReplication", "MatchAnyObjectEncryption", "ObjectReplicationStatuses")
	keys := d.children(f["KeyNameConstraint"], path+".KeyNameConstraint", "MatchAnyPrefix", "MatchAnySubstring", "MatchAnySuffix")
	texts := func(name string) []string {
		var out []string
		for _, k := range d.members(keys[name], path+".KeyNameConstraint."+name, "member") {
			out = append(out, k.Raw())
		}
		return out
	}
	out := job.ObjectFilter{
		Prefixes: texts("MatchAnyPrefix"), Suffixes: texts("MatchAnySuffix"), Substrings: texts("MatchAnySubstring"),
		CreatedAfter:  d.time(f["CreatedAfter"], path+".CreatedAfter"),
		CreatedBefore: d.time(f["CreatedBefore"], path+".CreatedBefore"),
		LargerThan:    d.size(f["ObjectSizeGreaterThanBytes"], path+".ObjectSizeGreaterThanBytes"),
		SmallerThan:   d.size(f["ObjectSizeLessThanBytes"], path+".ObjectSizeLessThanBytes"),
	}
	for _, k := range d.members(f["MatchAnyStorageClass"], path+".MatchAnyStorageClass", "member") {
		out.Classes = append(out.Classes, strings.ToUpper(k.Value()))
	}
	return out
}

// size reads a number of bytes; nil when there is none.
func (d *decoder) size(n *xmltree.Node, path string) *int64 {
	if n.Absent() {
		return nil
	}
	i, err := strconv.ParseInt(n.Value(), 10, 64)
	if err != nil {
		d.fail(job.FieldErrorf(path, "%s is not a number of bytes.", job.Quote(n.Value())))
	}
	return &i
}

func generatorNode(g *job.Generator) *xmltree.Node {
	var output *xmltree.Node
	if g.Output.Bucket != "" {
		output = xmltree.Branch("ManifestOutputLocation",
			xmltree.Leaf("Bucket", resource{bucket: g.Output.Bucket}.String()),
			xmltree.Optional("ManifestPrefix", g.Output.Prefix),
			xmltree.Leaf("ManifestFormat", formatGenerated))
	}
	return xmltree.Branch("ManifestGenerator", xmltree.Branch("S3JobManifestGenerator",
		xmltree.Leaf("SourceBucket", resource{bucket: g.Source}.String()),
		output, filterNode(g.Filter),
		xmltree.Leaf("EnableManifestOutput", strconv.FormatBool(output != nil))))
}

func filterNode(f job.ObjectFilter) *xmltree.Node {
	list := func(name string, texts []string) *xmltree.Node {
		if len(texts) == 0 {
			return nil
		}
		n := xmltree.Branch(name)
		for _, t := range texts {
			n.Kids = append(n.Kids, xmltree.Leaf("member", t))
		}
		return n
	}
	size := func(name string, n *int64) *xmltree.Node {
		if n == nil {
			return nil
		}
		return xmltree.Leaf(name, strconv.FormatInt(*n, 10))
	}
	keys := xmltree.Branch("KeyNameConstraint",
		list("MatchAnyPrefix", f.Prefixes), list("MatchAnySuffix", f.Suffixes), list("MatchAnySubstring", f.Substrings))
	if len(keys.Kids) == 0 {
		keys = nil
	}
	n := xmltree.Branch("Filter",
		timeNode("CreatedAfter", f.CreatedAfter), timeNode("CreatedBefore", f.CreatedBefore), keys,
		size("ObjectSizeGreaterThanBytes", f.LargerThan), size("ObjectSizeLessThanBytes", f.SmallerThan),
		list("MatchAnyStorageClass", slices.Clone(f.Classes)))
	if len(n.Kids) == 0 {
		return nil
	}
	return n
}

// generatedNode tells where a generated manifest lies; nil until it is there.
func generatedNode(m job.Manifest) *xmltree.Node {
	if m.Location.Key == "" {
		return nil
	}
	return xmltree.Branch("GeneratedManifestDescriptor",
		xmltree.Leaf("Format", formatGenerated),
		xmltree.Branch("Location",
			xmltree.Leaf("ObjectArn", resource{m.Location.Bucket, m.Location.Key}.String()),
			xmltree.Optional("ObjectVersionId", string(m.Location.Version)),
			xmltree.Leaf("ETag", m.Location.ETag)))
}
