package objecttest

import (
	"fmt"
	"slices"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

var oldTags = []object.Tag{{Key: "old", Value: "1"}}

// source stores an object with metadata and tags under "src".
func (s *suite) source() object.PutResult {
	s.Helper()
	return s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: "src", Meta: meta(), Tags: oldTags}, "body")
}

// to begins a copy of "src" to "dst" of the second bucket.
func (s *suite) to() object.CopyRequest {
	return object.CopyRequest{Source: s.ref("src"), Bucket: s.Other, Key: "dst"}
}

func (s *suite) dst() object.Ref { return object.Ref{Bucket: s.Other, Key: "dst"} }

func (s *suite) copyPlain() {
	put := s.source()
	r := s.copy(s.to())
	i := s.head(s.dst())
	if r.HTTPStatus != 200 || i.ETag != put.ETag || i.LastModified.IsZero() {
		s.Errorf("copy: %+v, %+v of %+v", r, i, put)
	}
	s.same("metadata", i.Meta, meta())
	s.same("tags", s.tagsOf(s.dst()), oldTags)
	s.same("body", s.get(s.dst(), 0, -1), "body")
	s.copy(s.to())
	s.same("the same copy again", s.head(s.dst()).ETag, put.ETag)
}

func (s *suite) copyDirectives() {
	s.source()
	fresh := object.Metadata{ContentType: "text/new", User: map[string]string{"new": "yes"}}
	newTags := []object.Tag{{Key: "a b", Value: "c+d"}, {Key: "new", Value: "2"}}
	for _, md := range []object.Directive{"", object.DirectiveCopy, object.DirectiveReplace} {
		for _, td := range []object.Directive{"", object.DirectiveCopy, object.DirectiveReplace} {
			if td == object.DirectiveReplace && !s.NewTags {
				continue
			}
			name := fmt.Sprintf("metadata %q, tags %q", md, td)
			c := s.to()
			c.MetadataDirective, c.TaggingDirective, c.Meta, c.Tags = md, td, fresh, newTags
			s.copy(c)
			wantMeta, wantTags := meta(), oldTags
			if md == object.DirectiveReplace {
				wantMeta = fresh
			}
			if td == object.DirectiveReplace {
				wantTags = newTags
			}
			s.same(name, s.head(s.dst()).Meta, wantMeta)
			s.same(name, sorted(s.tagsOf(s.dst())), wantTags)
		}
	}
	if !s.NewTags {
		return
	}
	c := s.to()
	c.TaggingDirective = object.DirectiveReplace
	s.copy(c)
	s.same("tags replaced by none", len(s.tagsOf(s.dst())), 0)
}

func (s *suite) copyClass() {
	s.source()
	if s.Class != "" {
		c := s.to()
		c.Class = s.Class
		s.copy(c)
		s.same("class", s.head(s.dst()).Class, s.Class)
		entries := s.list(s.Other, object.ListOptions{})
		s.same("class in a listing", entries[0].Class, s.Class)
		// A copy's class is not its source's.
		s.copy(object.CopyRequest{Source: s.dst(), Bucket: s.Bucket, Key: "back"})
		s.same("class of a copy without one", s.head(s.ref("back")).Class, "STANDARD")
	}
	if s.SSE {
		c := s.to()
		c.SSE = "AES256"
		s.copy(c)
		s.same("encryption", s.head(s.dst()).SSE, "AES256")
		s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: "enc", SSE: "AES256", Class: s.Class}, "x")
		s.same("encryption of a put", s.head(s.ref("enc")).SSE, "AES256")
	}
	c := s.to()
	c.Class = "NO_SUCH_CLASS"
	_, err := s.Store.Copy(s.ctx, c)
	s.fails(err, "a class that is none", 400, "InvalidStorageClass", "InvalidArgument", "NotSupportedStorageClass")
}

func (s *suite) copyAccess() {
	if !s.ACLs {
		return
	}
	s.source()
	c := s.to()
	c.CannedACL = "public-read"
	s.copy(c)
	acl, err := s.Store.ACL(s.ctx, s.dst())
	s.ok(err, "acl")
	if !slices.ContainsFunc(acl.Grants, func(g object.Grant) bool { return g.Grantee.URI != "" && g.Permission == "READ" }) {
		s.Errorf("public-read: %+v", acl)
	}
	c = s.to()
	c.Grants = []object.Grant{
		{Grantee: object.Grantee{ID: s.Grantee}, Permission: "READ"},
		{Grantee: object.Grantee{ID: s.Grantee}, Permission: "WRITE_ACP"},
	}
	s.copy(c)
	acl, err = s.Store.ACL(s.ctx, s.dst())
	s.ok(err, "acl")
	s.same("grants", permissionsOf(acl, s.Grantee), []string{"READ", "WRITE_ACP"})
}

// permissionsOf lists what a list grants to an id.
func permissionsOf(acl object.ACL, id string) []string {
	var p []string
	for _, g := range acl.Grants {
		if g.Grantee.ID == id {
			p = append(p, g.Permission)
		}
	}
	slices.Sort(p)
	return p
}

func (s *suite) copySelf() {
	s.source()
	self := object.CopyRequest{Source: s.ref("src"), Bucket: s.Bucket, Key: "src"}
	_, err := s.Store.Copy(s.ctx, self)
	s.fails(err, "no change", 400, object.CodeInvalidRequest)
	replace := self
	replace.MetadataDirective, replace.Meta = object.DirectiveReplace, object.Metadata{ContentType: "text/other"}
	s.copy(replace)
	s.same("type", s.head(s.ref("src")).Meta, object.Metadata{ContentType: "text/other"})
	s.same("body", s.get(s.ref("src"), 0, -1), "body")
	if s.Class != "" {
		class := self
		class.Class = s.Class
		s.copy(class)
		s.same("class", s.head(s.ref("src")).Class, s.Class)
	}
}

func (s *suite) copyConditions() {
	if !s.Conditions {
		return
	}
	put := s.source()
	at := s.head(s.ref("src")).LastModified
	day := 24 * time.Hour
	for _, v := range []struct {
		what string
		set  func(c *object.CopyRequest)
		good bool
	}{
		{"modified since yesterday", func(c *object.CopyRequest) { c.IfModifiedSince = at.Add(-day) }, true},
		{"modified since it was", func(c *object.CopyRequest) { c.IfModifiedSince = at }, false},
		{"not modified since it was", func(c *object.CopyRequest) { c.IfUnmodifiedSince = at.Add(time.Second) }, true},
		{"not modified since yesterday", func(c *object.CopyRequest) { c.IfUnmodifiedSince = at.Add(-day) }, false},
		{"its ETag", func(c *object.CopyRequest) { c.IfMatch = put.ETag }, true},
		{"another ETag", func(c *object.CopyRequest) { c.IfMatch = "0123456789abcdef0123456789abcdef" }, false},
	} {
		c := s.to()
		v.set(&c)
		_, err := s.Store.Copy(s.ctx, c)
		if v.good {
			s.ok(err, "%s", v.what)
			continue
		}
		s.fails(err, v.what, 412, object.CodePreconditionFailed)
	}
}

func (s *suite) copyMissing() {
	_, err := s.Store.Copy(s.ctx, s.to())
	s.fails(err, "no source", 404, object.CodeNoSuchKey, "NoSuchCopySource")
	s.source()
	c := s.to()
	c.Source.Bucket = s.Missing
	_, err = s.Store.Copy(s.ctx, c)
	s.fails(err, "no source bucket", 404, object.CodeNoSuchBucket, "NoSuchCopySource")
	c = s.to()
	c.Bucket = s.Missing
	_, err = s.Store.Copy(s.ctx, c)
	s.fails(err, "no destination bucket", 404, object.CodeNoSuchBucket)
	if s.Archive == "" {
		return
	}
	s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: "cold", Class: s.Archive}, "x")
	c = s.to()
	c.Source = s.ref("cold")
	_, err = s.Store.Copy(s.ctx, c)
	s.fails(err, "archived source", 403, object.CodeInvalidObjectState)
}

func (s *suite) versions() {
	if s.Versioned == "" {
		return
	}
	v := func(n string) object.Ref { return object.Ref{Bucket: s.Versioned, Key: "k", Version: job.Version(n)} }
	put := func(body string) job.Version {
		return s.putRequest(object.PutRequest{Bucket: s.Versioned, Key: "k"}, body).Version
	}
	one, two := put("one"), put("two!")
	if one == "" || two == "" || one == two {
		s.Fatalf("versions %q, %q", one, two)
	}
	s.same("latest", s.get(v(""), 0, -1), "two!")
	s.same("first", s.get(v(string(one)), 0, -1), "one")
	s.same("head of the first", s.head(v(string(one))).Size, int64(3))
	s.same("version told", s.head(v("")).Version, two)

	_, err := s.Store.PutTags(s.ctx, v(string(one)), oldTags)
	s.ok(err, "tag the first")
	s.same("tags of the first", s.tagsOf(v(string(one))), oldTags)
	s.same("tags of the second", len(s.tagsOf(v(string(two)))), 0)

	c := object.CopyRequest{Source: v(string(one)), Bucket: s.Versioned, Key: "copy"}
	r := s.copy(c)
	if r.Version == "" {
		s.Error("the copy's version is not told")
	}
	s.same("copy of the first", s.get(object.Ref{Bucket: s.Versioned, Key: "copy"}, 0, -1), "one")

	d, err := s.Store.Delete(s.ctx, v(string(two)))
	s.ok(err, "delete the second")
	s.same("delete of a version", d, object.DeleteResult{HTTPStatus: 204, Version: two})
	s.same("latest now", s.get(v(""), 0, -1), "one")
	_, err = s.Store.Head(s.ctx, v(string(two)))
	s.fails(err, "head of a deleted version", 404, object.CodeNoSuchKey, object.CodeNoSuchVersion)
	_, _, err = s.Store.Get(s.ctx, v(string(two)), 0, -1)
	s.fails(err, "get of a deleted version", 404, object.CodeNoSuchVersion, object.CodeNoSuchKey)
	_, err = s.Store.Delete(s.ctx, v(string(two)))
	s.ok(err, "delete the second again")
}

func (s *suite) deleteMarker() {
	if s.Versioned == "" {
		return
	}
	r := object.Ref{Bucket: s.Versioned, Key: "k"}
	s.putRequest(object.PutRequest{Bucket: s.Versioned, Key: "k"}, "one")
	d, err := s.Store.Delete(s.ctx, r)
	s.ok(err, "delete")
	if !d.DeleteMarker || d.Version == "" || d.HTTPStatus != 204 {
		s.Errorf("delete: %+v", d)
	}
	_, err = s.Store.Head(s.ctx, r)
	s.fails(err, "head", 404, object.CodeNoSuchKey)
	_, _, err = s.Store.Get(s.ctx, r, 0, -1)
	s.fails(err, "get", 404, object.CodeNoSuchKey)
	r.Version = d.Version
	_, err = s.Store.Head(s.ctx, r)
	if object.CodeOf(err) != object.CodeNoSuchKey {
		s.Errorf("head of the marker: %v", err)
	}
	_, err = s.Store.Delete(s.ctx, r)
	s.ok(err, "delete the marker")
	r.Version = ""
	s.same("body", s.get(r, 0, -1), "one")
}
