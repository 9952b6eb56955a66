// Package xmltree reads and writes the XML of the batch APIs as trees of elements. A tree tells an element that is absent
// from an empty one, and one that is not known from either, which struct tags do not; and it can be given back as sent.
package xmltree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// maxDepth bounds the nesting of a request; the deepest one documented has 9 levels.
const maxDepth = 16

// Node is an element: it has text or children, never both. Attributes and namespaces are dropped.
type Node struct {
	Name string
	Text string
	Kids []*Node
}

// Leaf makes an element with text.
func Leaf(name, text string) *Node { return &Node{Name: name, Text: text} }

// Branch makes an element with children; nil ones are left out.
func Branch(name string, kids ...*Node) *Node {
	n := &Node{Name: name}
	for _, k := range kids {
		if k != nil {
			n.Kids = append(n.Kids, k)
		}
	}
	return n
}

// Optional is Leaf, or nil without text.
func Optional(name, text string) *Node {
	if text == "" {
		return nil
	}
	return Leaf(name, text)
}

// Raw is the text as sent, "" for a nil node.
func (n *Node) Raw() string {
	if n == nil {
		return ""
	}
	return n.Text
}

// Value is the text without the blanks around it, "" for a nil node.
func (n *Node) Value() string { return strings.TrimSpace(n.Raw()) }

// Absent reports whether an element is not there, or is empty.
func (n *Node) Absent() bool {
	return n == nil || len(n.Kids) == 0 && n.Value() == ""
}

// inner writes what stands between an element's tags.
func (n *Node) inner(b *bytes.Buffer) {
	_ = xml.EscapeText(b, []byte(n.Text)) // a bytes.Buffer takes everything
	for _, k := range n.Kids {
		b.WriteString("<" + k.Name + ">")
		k.inner(b)
		b.WriteString("</" + k.Name + ">")
	}
}

// Inner is what stands between an element's tags, as XML.
func (n *Node) Inner() string {
	if n == nil {
		return ""
	}
	var b bytes.Buffer
	n.inner(&b)
	return b.String()
}

// Document writes an element as an XML document for people: a line an element, children indented. What stands between
// the tags of a leaf is as in Inner.
func (n *Node) Document() []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	n.indented(&b, "")
	return b.Bytes()
}

func (n *Node) indented(b *bytes.Buffer, by string) {
	if len(n.Kids) == 0 {
		b.WriteString(by + "<" + n.Name + ">")
		n.inner(b)
		b.WriteString("</" + n.Name + ">\n")
		return
	}
	b.WriteString(by + "<" + n.Name + ">\n")
	for _, k := range n.Kids {
		k.indented(b, by+"  ")
	}
	b.WriteString(by + "</" + n.Name + ">\n")
}

// Parse reads one document. Document types and entities other than XML's five are refused. Its errors are MalformedXML.
func Parse(body []byte) (*Node, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	malformed := func(what string) error {
		line, column := d.InputPos()
		return job.Errorf(job.MalformedXML, "The body is not well-formed XML at line %d, column %d: %s.", line, column, what)
	}
	var root *Node
	var open []*Node
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
			n := &Node{Name: t.Name.Local}
			switch {
			case len(open) == 0 && root != nil:
				return nil, malformed("it has two root elements")
			case len(open) == 0:
				root = n
			case len(open) == maxDepth:
				return nil, malformed("its elements are nested too deeply")
			default:
				parent := open[len(open)-1]
				parent.Kids = append(parent.Kids, n)
			}
			open = append(open, n)
		case xml.EndElement:
			n := open[len(open)-1]
			open = open[:len(open)-1]
			if len(n.Kids) > 0 {
				if n.Value() != "" {
					return nil, malformed("an element has both text and elements in it")
				}
				n.Text = ""
			}
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].Text += string(t)
			} else if len(bytes.TrimSpace(bytes.TrimPrefix(t, []byte("\ufeff")))) > 0 {
				return nil, malformed("there is text outside of the root element")
			}
		case xml.Directive:
			return nil, malformed("it has a document type, which is not accepted")
		}
	}
}
