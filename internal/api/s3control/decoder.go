package s3control

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/api/xmltree"
	"github.com/drover-batch/drover/internal/job"
)

// decoder reads elements. It keeps the first error and goes on, so that its callers need not look after every field.
type decoder struct{ err error }

func (d *decoder) fail(err error) {
	if d.err == nil && err != nil {
		d.err = err
	}
}

func malformed(field, format string, args ...any) error {
	return &job.Error{Code: job.MalformedXML, Field: field, Message: field + ": " + fmt.Sprintf(format, args...)}
}

// fields are an element's children by name, each of which may be missing.
type fields map[string]*xmltree.Node

// children finds an element's children by name. Those not named are refused: a misspelt one would change what a job does
// to every object. Their order is free, for botocore writes them as its caller has them.
func (d *decoder) children(n *xmltree.Node, path string, names ...string) fields {
	found := make(fields)
	if n == nil {
		return found
	}
	if len(n.Kids) == 0 && n.Value() != "" {
		d.fail(malformed(path, "has text where elements are expected."))
	}
	for _, k := range n.Kids {
		_, twice := found[k.Name]
		switch {
		case !slices.Contains(names, k.Name):
			d.fail(malformed(path, "the element %s is not known there; expected are %s.", job.Quote(k.Name), strings.Join(names, ", ")))
		case twice:
			d.fail(malformed(path+"."+k.Name, "stands there twice; give it once."))
		default:
			found[k.Name] = k
		}
	}
	return found
}

// refuse fails for the first of the named elements that is there. Empty ones ask for something too.
func (d *decoder) refuse(f fields, path string, names ...string) {
	for _, name := range names {
		if f[name] != nil {
			d.fail(job.FieldErrorf(path+"."+name, "is not supported here; leave it out."))
		}
	}
}

// refuseTrue is refuse for switches, which may be there when they are off.
func (d *decoder) refuseTrue(f fields, path string, names ...string) {
	for _, name := range names {
		if d.bool(f[name], path+"."+name) {
			d.refuse(f, path, name)
		}
	}
}

// members gives a list's items. Clients write each as member, AWS's documentation by its type's name: it is called
// member from here on, the one name that clients read.
func (d *decoder) members(n *xmltree.Node, path, name string) []*xmltree.Node {
	if n == nil {
		return nil
	}
	if len(n.Kids) == 0 && n.Value() != "" {
		d.fail(malformed(path, "has text where elements are expected."))
	}
	for _, k := range n.Kids {
		k.Name = name
	}
	return n.Kids
}

// bool reads true or false; an element that is not there is false.
func (d *decoder) bool(n *xmltree.Node, path string) bool {
	switch strings.ToLower(n.Value()) {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}
	if n != nil {
		d.fail(job.FieldErrorf(path, "%s is neither true nor false.", job.Quote(n.Value())))
	}
	return false
}

func (d *decoder) int(n *xmltree.Node, path string) int {
	i, err := strconv.ParseInt(n.Value(), 10, 32)
	if err != nil {
		d.fail(job.FieldErrorf(path, "%s is not a whole number.", job.Quote(n.Value())))
	}
	return int(i)
}

// time reads ISO 8601 with or without fractions of a second; nothing is no time.
func (d *decoder) time(n *xmltree.Node, path string) time.Time {
	if n.Absent() {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, n.Value())
	if err != nil {
		d.fail(job.FieldErrorf(path, "%s is not a time; give one like 2026-01-02T03:04:05Z.", job.Quote(n.Value())))
	}
	return t.UTC()
}

// word translates an enumerated value; "" gives the value of "" among the words.
func (d *decoder) word(n *xmltree.Node, path string, words map[string]string) string {
	to, ok := words[n.Value()]
	if !ok {
		var names []string
		for name := range words {
			if name != "" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		d.fail(job.FieldErrorf(path, "%s cannot be given there; use %s.", job.Quote(n.Value()), strings.Join(names, " or ")))
	}
	return to
}
