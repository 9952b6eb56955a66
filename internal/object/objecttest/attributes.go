package objecttest

import (
	"fmt"
	"slices"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

func (s *suite) tags() {
	s.put("k", "x")
	s.same("at first", len(s.tagsOf(s.ref("k"))), 0)
	many := make([]object.Tag, 10)
	for i := range many {
		many[i] = object.Tag{Key: fmt.Sprintf("key %d +-=._:/@", i), Value: "välue/" + fmt.Sprint(i)}
	}
	for _, tags := range [][]object.Tag{oldTags, many, {{Key: "only"}}} {
		status, err := s.Store.PutTags(s.ctx, s.ref("k"), tags)
		s.ok(err, "put tags")
		s.same("status", status, 200)
		s.same("tags", sorted(s.tagsOf(s.ref("k"))), sorted(tags))
	}
	s.same("count", s.head(s.ref("k")).TagCount, 1)
	for range 2 {
		status, err := s.Store.DeleteTags(s.ctx, s.ref("k"))
		s.ok(err, "delete tags")
		s.same("status", status, 204)
		s.same("tags", len(s.tagsOf(s.ref("k"))), 0)
	}
	_, err := s.Store.PutTags(s.ctx, s.ref("k"), append(many, object.Tag{Key: "eleventh"}))
	s.fails(err, "eleven tags", 400, "BadRequest", "InvalidTag", "InvalidArgument")
	_, err = s.Store.PutTags(s.ctx, s.ref("k"), []object.Tag{{Key: "a"}, {Key: "a"}})
	s.fails(err, "the same tag twice", 400, "InvalidTag", "BadRequest", "InvalidArgument", "MalformedXML")
}

func (s *suite) acl() {
	if !s.ACLs {
		return
	}
	s.put("k", "x")
	read := func() object.ACL {
		acl, err := s.Store.ACL(s.ctx, s.ref("k"))
		s.ok(err, "acl")
		return acl
	}
	public := func(g object.Grant) bool { return g.Grantee.URI != "" && g.Permission == "READ" }
	acl := read()
	if acl.Owner.ID == "" || slices.ContainsFunc(acl.Grants, public) {
		s.Errorf("at first: %+v", acl)
	}
	s.ok(s.Store.PutACL(s.ctx, s.ref("k"), "public-read", nil), "put canned")
	shared := read()
	if !slices.ContainsFunc(shared.Grants, public) {
		s.Errorf("public-read: %+v", shared)
	}
	s.ok(s.Store.PutACL(s.ctx, s.ref("k"), "private", nil), "put canned")
	if acl := read(); slices.ContainsFunc(acl.Grants, public) {
		s.Errorf("private: %+v", acl)
	}
	// What was read can be written, with a grant more.
	more := shared
	more.Grants = append(slices.Clone(more.Grants), object.Grant{Grantee: object.Grantee{ID: s.Grantee}, Permission: "READ_ACP"})
	s.ok(s.Store.PutACL(s.ctx, s.ref("k"), "", &more), "put list")
	got := read()
	s.same("owner", got.Owner, shared.Owner)
	s.same("grants to the new one", permissionsOf(got, s.Grantee), []string{"READ_ACP"})
	if !slices.ContainsFunc(got.Grants, public) {
		s.Errorf("the group's grant is gone: %+v", got)
	}
	_, err := s.Store.ACL(s.ctx, s.ref("none"))
	s.fails(err, "acl of no object", 404, object.CodeNoSuchKey)
}

func (s *suite) restore() {
	if s.Archive == "" {
		return
	}
	s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: "cold", Class: s.Archive}, "body")
	r := s.ref("cold")
	i := s.head(r)
	if i.Class != s.Archive || i.Restore != nil {
		s.Errorf("archived: %+v", i)
	}
	_, _, err := s.Store.Get(s.ctx, r, 0, -1)
	s.fails(err, "get of an archived object", 403, object.CodeInvalidObjectState)

	ask := object.RestoreRequest{Ref: r, Days: 2, Tier: "Standard"}
	status, err := s.Store.Restore(s.ctx, ask)
	s.ok(err, "restore")
	s.same("status", status, 202)
	if i := s.head(r); i.Restore == nil || !i.Restore.Ongoing || !i.Restore.Expiry.IsZero() {
		s.Errorf("restoring: %+v", i.Restore)
	}
	_, err = s.Store.Restore(s.ctx, ask)
	s.fails(err, "restore while restoring", 409, object.CodeRestoreInProgress)
	if s.Elapse == nil {
		return
	}
	s.Elapse(time.Hour)
	i = s.head(r)
	if i.Restore == nil || i.Restore.Ongoing || i.Restore.Expiry.Before(i.LastModified.Add(24*time.Hour)) || i.Class != s.Archive {
		s.Fatalf("restored: %+v, %+v", i, i.Restore)
	}
	s.same("body", s.get(r, 0, -1), "body")
	s.copy(object.CopyRequest{Source: r, Bucket: s.Other, Key: "warm"})
	ask.Days = 9
	status, err = s.Store.Restore(s.ctx, ask)
	s.ok(err, "restore again")
	if status != 200 && status != 202 {
		s.Errorf("restore again: status %d", status)
	}
	if later := s.head(r).Restore; later == nil || !later.Expiry.After(i.Restore.Expiry) {
		s.Errorf("the expiry did not move: %+v, %+v", i.Restore, later)
	}
	s.Elapse(30 * 24 * time.Hour)
	_, _, err = s.Store.Get(s.ctx, r, 0, -1)
	s.fails(err, "get after the expiry", 403, object.CodeInvalidObjectState)
}

func (s *suite) restoreRefused() {
	if s.Archive == "" {
		return
	}
	s.put("warm", "x")
	_, err := s.Store.Restore(s.ctx, object.RestoreRequest{Ref: s.ref("warm"), Days: 1, Tier: "Bulk"})
	if code := object.CodeOf(err); code != object.CodeInvalidObjectState && code != "RestoreNonArchiveObject" || object.Retryable(err) {
		s.Errorf("restore of a readable object: %v", err)
	}
	_, err = s.Store.Restore(s.ctx, object.RestoreRequest{Ref: s.ref("none"), Days: 1, Tier: "Bulk"})
	s.fails(err, "restore of no object", 404, object.CodeNoSuchKey)
	s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: "cold", Class: s.Archive}, "x")
	_, err = s.Store.Restore(s.ctx, object.RestoreRequest{Ref: s.ref("cold"), Days: 1, Tier: "Sometime"})
	if object.StatusOf(err) != 400 {
		s.Errorf("restore with no tier: %v", err)
	}
}

func (s *suite) listing() {
	var want []string
	for i := range 25 {
		key := fmt.Sprintf("p/%02d é+%%", i)
		want = append(want, key)
		s.put(key, fmt.Sprint(i))
	}
	s.put("other", "x")
	keys := func(o object.ListOptions) (out []string) {
		for _, e := range s.list(s.Bucket, o) {
			out = append(out, string(e.Key))
		}
		return out
	}
	for _, size := range []int{0, 1, 5, 7, 25, 1000} {
		s.same(fmt.Sprintf("pages of %d", size), keys(object.ListOptions{Prefix: "p/", PageSize: size}), want)
	}
	s.same("after a key", keys(object.ListOptions{Prefix: "p/", StartAfter: job.Key(want[9]), PageSize: 4}), want[10:])
	s.same("of no such prefix", len(keys(object.ListOptions{Prefix: "q"})), 0)
	s.same("all", len(keys(object.ListOptions{PageSize: 10})), 26)
	s.same("an empty bucket", len(s.list(s.Other, object.ListOptions{})), 0)

	n := 0
	for e, err := range s.Store.List(s.ctx, s.Bucket, object.ListOptions{Prefix: "p/", PageSize: 2}) {
		s.ok(err, "list")
		i := s.head(s.ref(string(e.Key)))
		if e.ETag != i.ETag || e.Size != i.Size || e.LastModified.Sub(i.LastModified).Abs() > time.Second || e.Class != "STANDARD" || e.Version != "" {
			s.Errorf("entry %+v of %+v", e, i)
		}
		if n++; n == 3 {
			break
		}
	}
}

func (s *suite) listVersions() {
	if s.Versioned == "" {
		return
	}
	type row struct {
		Key    job.Key
		Marker bool
		Latest bool
	}
	var want []row
	ids := map[job.Key][]job.Version{}
	for i := range 4 {
		key := job.Key(fmt.Sprintf("v/%d &ü", i))
		for range 3 {
			ids[key] = append(ids[key], s.putRequest(object.PutRequest{Bucket: s.Versioned, Key: key}, "x").Version)
		}
		rows := []row{{key, false, true}, {key, false, false}, {key, false, false}}
		if i == 2 {
			d, err := s.Store.Delete(s.ctx, object.Ref{Bucket: s.Versioned, Key: key})
			s.ok(err, "delete")
			ids[key] = append(ids[key], d.Version)
			rows = []row{{key, true, true}, {key, false, false}, {key, false, false}, {key, false, false}}
		}
		slices.Reverse(ids[key])
		want = append(want, rows...)
	}
	for _, size := range []int{0, 1, 2, 3, 5} {
		var got []row
		seen := map[job.Key][]job.Version{}
		for _, e := range s.list(s.Versioned, object.ListOptions{Prefix: "v/", Versions: true, PageSize: size}) {
			got = append(got, row{e.Key, e.DeleteMarker, e.IsLatest})
			seen[e.Key] = append(seen[e.Key], e.Version)
		}
		s.same(fmt.Sprintf("rows in pages of %d", size), got, want)
		s.same(fmt.Sprintf("versions in pages of %d", size), seen, ids)
	}
	after := s.list(s.Versioned, object.ListOptions{Versions: true, StartAfter: "v/2 &ü", PageSize: 2})
	s.same("after a key", len(after), 3)
	plain := s.list(s.Versioned, object.ListOptions{})
	s.same("without versions", len(plain), 3)
}
