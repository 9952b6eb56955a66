package xmltree

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drover-batch/drover/internal/job"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]*Node{
		"<a/>":     {Name: "a"},
		"<a> </a>": {Name: "a", Text: " "},
		"\ufeff<?xml version='1.0'?> <a xmlns='urn:x' b='c'> x&amp;<![CDATA[<y>]]> </a>\n": {Name: "a", Text: " x&<y> "},
		"<a>\n <p:b>1</p:b><!-- no --> <c/>\n</a>":                                         {Name: "a", Kids: []*Node{{Name: "b", Text: "1"}, {Name: "c"}}},
	} {
		got, err := Parse([]byte(body))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", body, err, diff)
		}
	}
	for body, says := range map[string]string{
		"":                        "ends early",
		"<a>":                     "tags",
		"<a></b>":                 "tags",
		"<a>&x;</a>":              "entities",
		"<a>\xff</a>":             "UTF-8",
		"<!DOCTYPE a><a/>":        "document type",
		"<a/><b/>":                "two root",
		"x<a/>":                   "outside",
		"<a/>x":                   "outside",
		"<a>x<b/></a>":            "both text and elements",
		strings.Repeat("<a>", 17): "too deeply",
	} {
		_, err := Parse([]byte(body))
		if job.CodeOf(err) != job.MalformedXML || !strings.Contains(job.MessageOf(err), says) {
			t.Errorf("%s: %v, want %q", body, err, says)
		}
	}
}

func TestNilAndEmptyNodes(t *testing.T) {
	t.Parallel()
	var none *Node
	if none.Raw() != "" || none.Value() != "" || !none.Absent() || !Branch("a", nil, Optional("b", "")).Absent() || Leaf("a", "x").Absent() {
		t.Error("a nil node is not as one that is absent")
	}
}

// What is written of a tree, read again, is that tree.
func TestWritingAndParsingAreInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringMatching(`[A-Za-z][A-Za-z0-9-]{0,5}`)
		text := rapid.StringMatching(`[ a-z<>&"'\t\r\né]{0,8}`)
		root := &Node{Name: "root"}
		open := []*Node{root}
		for range rapid.IntRange(0, 12).Draw(rt, "nodes") {
			at := open[rapid.IntRange(0, len(open)-1).Draw(rt, "under")]
			n := &Node{Name: name.Draw(rt, "name")}
			at.Kids = append(at.Kids, n)
			open = append(open[:min(len(open), 12)], n)
		}
		for _, n := range open {
			if len(n.Kids) == 0 {
				n.Text = text.Draw(rt, "text")
			}
		}
		got, err := Parse([]byte("<root>" + root.Inner() + "</root>"))
		if diff := cmp.Diff(root, got); err != nil || diff != "" {
			rt.Fatalf("%v\n%s", err, diff)
		}
	})
}
