package httpwire

import (
	"bytes"
	"context"
	"encoding/xml"

	"github.com/drover-batch/drover/internal/object"
)

type xmlTagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []xmlTag `xml:"TagSet>Tag"`
}

type xmlTag struct {
	Key   string `xml:"Key"`
	Value string `xml:"Value"`
}

// Tags implements object.Tagger. An object without tags has none; COS's NoSuchTagSet says that too.
func (c *Client) Tags(ctx context.Context, r object.Ref) ([]object.Tag, error) {
	rq := c.onObject("Tags", "GET", r)
	rq.param("tagging", "")
	var x xmlTagging
	rq.check = decode(&x)
	if _, err := c.call(ctx, rq); err != nil {
		if object.CodeOf(err) == "NoSuchTagSet" || object.CodeOf(err) == "NoSuchTagSetError" {
			return nil, nil
		}
		return nil, err
	}
	tags := make([]object.Tag, len(x.Tags))
	for i, t := range x.Tags {
		tags[i] = object.Tag{Key: t.Key, Value: t.Value}
	}
	return tags, nil
}

// PutTags implements object.Tagger.
func (c *Client) PutTags(ctx context.Context, r object.Ref, tags []object.Tag) (int, error) {
	rq := c.onObject("PutTags", "PUT", r)
	defer c.free(rq)
	rq.param("tagging", "")
	at := len(rq.text.b)
	rq.text.join("<Tagging", c.d.namespace, "><TagSet>")
	for _, t := range tags {
		if !validXML(t.Key) || !validXML(t.Value) {
			rq.refuse("The tag %q has characters that XML cannot carry.", t.Key)
		}
		rq.text.join("<Tag><Key>")
		rq.text.b = appendXML(rq.text.b, t.Key)
		rq.text.join("</Key><Value>")
		rq.text.b = appendXML(rq.text.b, t.Value)
		rq.text.join("</Value></Tag>")
	}
	rq.text.join("</TagSet></Tagging>")
	rq.setXML(rq.text.b[at:])
	a, err := c.call(ctx, rq)
	if err != nil {
		return 0, err
	}
	return a.status, nil
}

// DeleteTags implements object.Tagger.
func (c *Client) DeleteTags(ctx context.Context, r object.Ref) (int, error) {
	rq := c.onObject("DeleteTags", "DELETE", r)
	rq.param("tagging", "")
	a, err := c.call(ctx, rq)
	if err != nil {
		return 0, err
	}
	return a.status, nil
}

type xmlACL struct {
	XMLName xml.Name   `xml:"AccessControlPolicy"`
	Owner   xmlGrantee `xml:"Owner"`
	Grants  []xmlGrant `xml:"AccessControlList>Grant"`
}

type xmlGrant struct {
	Grantee    xmlGrantee `xml:"Grantee"`
	Permission string     `xml:"Permission"`
}

type xmlGrantee struct {
	ID          string `xml:"ID"`
	URI         string `xml:"URI"`
	DisplayName string `xml:"DisplayName"`
}

// ACL implements object.ACLer.
func (c *Client) ACL(ctx context.Context, r object.Ref) (object.ACL, error) {
	rq := c.onObject("ACL", "GET", r)
	rq.param("acl", "")
	var x xmlACL
	rq.check = decode(&x)
	if _, err := c.call(ctx, rq); err != nil {
		return object.ACL{}, err
	}
	acl := object.ACL{Owner: object.Grantee(x.Owner), Grants: make([]object.Grant, len(x.Grants))}
	for i, g := range x.Grants {
		acl.Grants[i] = object.Grant{Grantee: object.Grantee(g.Grantee), Permission: g.Permission}
	}
	return acl, nil
}

// PutACL implements object.ACLer: either a canned ACL, or a list that replaces the present one.
func (c *Client) PutACL(ctx context.Context, r object.Ref, canned string, acl *object.ACL) error {
	rq := c.onObject("PutACL", "PUT", r)
	rq.param("acl", "")
	switch {
	case (canned == "") == (acl == nil):
		rq.refuse("Setting an ACL takes either a canned one or a list of grants.")
	case canned != "":
		rq.set(c.d.acl, canned)
	default:
		c.d.setACLBody(rq, acl)
	}
	_, err := c.call(ctx, rq)
	return err
}

func (d *dialect) setACLBody(rq *request, acl *object.ACL) {
	var b bytes.Buffer
	text := func(name, s string) {
		if s == "" {
			return
		}
		if !validXML(s) {
			rq.refuse("The ACL's %s %q has characters that XML cannot carry.", name, s)
		}
		b.WriteString("<" + name + ">" + escapeXML(s) + "</" + name + ">")
	}
	b.WriteString("<AccessControlPolicy" + d.namespace + "><Owner>")
	text("ID", acl.Owner.ID)
	text("DisplayName", acl.Owner.DisplayName)
	b.WriteString("</Owner><AccessControlList>")
	for _, g := range acl.Grants {
		kind := "CanonicalUser"
		if g.Grantee.URI != "" {
			kind = "Group"
		}
		b.WriteString(`<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="` + kind + `">`)
		if kind == "Group" {
			text("URI", g.Grantee.URI)
		} else {
			text("ID", g.Grantee.ID)
			text("DisplayName", g.Grantee.DisplayName)
		}
		b.WriteString("</Grantee>")
		text("Permission", g.Permission)
		b.WriteString("</Grant>")
	}
	b.WriteString("</AccessControlList></AccessControlPolicy>")
	rq.setXML(b.Bytes())
}

// decode makes a check that parses the answer's body into x, anew for each attempt. A body that holds an error is that
// error, whatever the status.
func decode[T any](x *T) func(c *Client, rq *request, a *response) *object.Error {
	return func(c *Client, rq *request, a *response) *object.Error {
		*x = *new(T)
		if err := xml.Unmarshal(a.data, x); err != nil {
			var root struct{ XMLName xml.Name }
			if xml.Unmarshal(a.data, &root) == nil && root.XMLName.Local == "Error" {
				return c.failure(rq, a, a.data)
			}
			e := badAnswer(rq, a, "The store's answer does not parse.")
			e.Err = err
			return e
		}
		return nil
	}
}

// validXML reports whether XML 1.0 can carry s unchanged.
func validXML(s string) bool { return object.XMLCarries(s) }

func escapeXML(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a bytes.Buffer takes everything
	return b.String()
}
