package coscontrol

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// maxDepth bounds the nesting of a request; the deepest one documented has 8 levels.
const maxDepth = 16

// node is an element: it has text or children, never both. Attributes and namespaces are dropped.
type node struct {
	name string
	text string
	kids []*node
}

// leaf makes an element with text, branch one with children; nil children are left out.
func leaf(name, text string) *node { return &node{name: name, text: text} }

func branch(name string, kids ...*node) *node {
	n := &node{name: name}
	for _, k := range kids {
		if k != nil {
			n.kids = append(n.kids, k)
		}
	}
	return n
}

// optional is leaf, or nil without text.
func optional(name, text string) *node {
	if text == "" {
		return nil
	}
	return leaf(name, text)
}

// raw is the text as sent; value is without the blanks around it. Both are "" for a nil node.
func (n *node) raw() string {
	if n == nil {
		return ""
	}
	return n.text
}

func (n *node) value() string { return strings.TrimSpace(n.raw()) }

// absent reports whether an element is not there, or is an empty container, which clients send for what they leave out.
func (n *node) absent() bool {
	return n == nil || len(n.kids) == 0 && n.value() == ""
}

// inner writes what stands between an element's tags.
func (n *node) inner(b *bytes.Buffer) {
	_ = xml.EscapeText(b, []byte(n.text)) // a bytes.Buffer takes everything
	for _, k := range n.kids {
		b.WriteString("<" + k.name + ">")
		k.inner(b)
		b.WriteString("</" + k.name + ">")
	}
}

func (n *node) String() string {
	var b bytes.Buffer
	n.inner(&b)
	return b.String()
}

// parse reads one document. Document types and entities other than XML's five are refused.
func parse(body []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	malformed := func(what string) error {
		line, column := d.InputPos()
		return job.Errorf(job.MalformedXML, "The body is not well-formed XML at line %d, column %d: %s.", line, column, what)
	}
	var root *node
	var open []*node
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && len(open) == 0 && root != nil:
			return root, nil
		case errors.Is(err, io.EOF):
			return nil, malformed("it ends early")
		case err != nil:
			return nil, malformed("check the tags, the entities and the encoding, which must be UTF-8")
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := &node{name: t.Name.Local}
			switch {
			case len(open) == 0 && root != nil:
				return nil, malformed("it has two root elements")
			case len(open) == 0:
				root = n
			case len(open) == maxDepth:
				return nil, malformed("its elements are nested too deeply")
			default:
				parent := open[len(open)-1]
				parent.kids = append(parent.kids, n)
			}
			open = append(open, n)
		case xml.EndElement:
			n := open[len(open)-1]
			open = open[:len(open)-1]
			if len(n.kids) > 0 {
				if n.value() != "" {
					return nil, malformed("an element has both text and elements in it")
				}
				n.text = ""
			}
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(t)
			} else if len(bytes.TrimSpace(bytes.TrimPrefix(t, []byte("\ufeff")))) > 0 {
				return nil, malformed("there is text outside of the root element")
			}
		case xml.Directive:
			return nil, malformed("it has a document type, which is not accepted")
		}
	}
}
