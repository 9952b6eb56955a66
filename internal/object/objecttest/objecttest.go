// Package objecttest is the conformance suite of object.Store: what a driver on a store must do for the rest of the
// product to rely on it. It is imported by tests only.
package objecttest

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Fixture is a driver, the store it is opened on, and what that store can do. What is false or empty is not tested.
type Fixture struct {
	Store     object.Store
	Bucket    job.Bucket   // fresh, without versioning
	Other     job.Bucket   // another one
	Versioned job.Bucket   // fresh, with versioning switched on; "" = the store has none
	Missing   job.Bucket   // one that does not exist
	Region    job.Region   // that HeadBucket names; "" = none
	Forged    object.Store // the same store, the calls signed with a wrong secret

	Class   string // one beside STANDARD that is read at once; "" = the store keeps none
	Archive string // one that is read after a restore only; "" = the store has none
	// Elapse lets time pass for the store. nil = a restore's end cannot be waited for.
	Elapse func(d time.Duration)

	SSE        bool     // AES256 is echoed
	ACLs       bool     // access lists are kept
	Grantee    string   // an id that grants may name
	Conditions bool     // copies honour them
	NewTags    bool     // copies can replace tags
	Binary     bool     // keys may be bytes that are no UTF-8
	SkipKeys   []string // that the store is known not to hold
}

// Run runs the suite. open is called once a test, for a fixture with buckets of its own.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, v := range []struct {
		name string
		test func(s *suite)
	}{
		{"an object comes back as it was put", (*suite).roundTrip},
		{"metadata comes back", (*suite).metadata},
		{"a larger body is streamed both ways", (*suite).largeBody},
		{"ranges are cut", (*suite).ranges},
		{"a put replaces", (*suite).replace},
		{"odd keys are kept apart", (*suite).oddKeys},
		{"copy takes over", (*suite).copyPlain},
		{"copy with directives", (*suite).copyDirectives},
		{"copy sets class and encryption", (*suite).copyClass},
		{"copy sets access", (*suite).copyAccess},
		{"copy onto itself needs a change", (*suite).copySelf},
		{"copy under conditions", (*suite).copyConditions},
		{"copy of what is not there", (*suite).copyMissing},
		{"tags are set, read and deleted", (*suite).tags},
		{"access lists are set and read", (*suite).acl},
		{"an archived object is restored", (*suite).restore},
		{"restore refuses what is not archived", (*suite).restoreRefused},
		{"delete deletes, twice", (*suite).delete},
		{"versions", (*suite).versions},
		{"a delete marker is no object", (*suite).deleteMarker},
		{"listing in pages", (*suite).listing},
		{"listing of versions in pages", (*suite).listVersions},
		{"what is not there has its code", (*suite).missing},
		{"a wrong secret is refused", (*suite).forged},
		{"a bucket tells its region", (*suite).headBucket},
		{"calls side by side", (*suite).sideBySide},
		{"a cancelled call ends", (*suite).cancelled},
	} {
		t.Run(v.name, func(t *testing.T) {
			f := open(t)
			t.Parallel()
			v.test(&suite{T: t, Fixture: f, ctx: t.Context()})
		})
	}
}

// suite is one test's fixture with helpers that end the test when a call fails.
type suite struct {
	*testing.T
	Fixture
	ctx context.Context
}

func (s *suite) ref(key string) object.Ref { return object.Ref{Bucket: s.Bucket, Key: job.Key(key)} }

func (s *suite) ok(err error, what string, args ...any) {
	s.Helper()
	if err != nil {
		s.Fatalf(what+": %v", append(args, err)...)
	}
}

// put stores a body under a key of the first bucket.
func (s *suite) put(key, body string) object.PutResult {
	s.Helper()
	return s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: job.Key(key)}, body)
}

func (s *suite) putRequest(p object.PutRequest, body string) object.PutResult {
	s.Helper()
	p.Body, p.Size = strings.NewReader(body), int64(len(body))
	r, err := s.Store.Put(s.ctx, p)
	s.ok(err, "put %q", p.Key)
	return r
}

func (s *suite) head(r object.Ref) object.Info {
	s.Helper()
	i, err := s.Store.Head(s.ctx, r)
	s.ok(err, "head %q", r.Key)
	return i
}

func (s *suite) get(r object.Ref, offset, length int64) string {
	s.Helper()
	body, _, err := s.Store.Get(s.ctx, r, offset, length)
	s.ok(err, "get %q", r.Key)
	b, err := io.ReadAll(body)
	s.ok(err, "read %q", r.Key)
	s.ok(body.Close(), "close %q", r.Key)
	return string(b)
}

func (s *suite) copy(c object.CopyRequest) object.CopyResult {
	s.Helper()
	r, err := s.Store.Copy(s.ctx, c)
	s.ok(err, "copy %q to %q", c.Source.Key, c.Key)
	return r
}

func (s *suite) tagsOf(r object.Ref) []object.Tag {
	s.Helper()
	tags, err := s.Store.Tags(s.ctx, r)
	s.ok(err, "tags of %q", r.Key)
	return tags
}

func (s *suite) list(b job.Bucket, o object.ListOptions) []object.ListEntry {
	s.Helper()
	var all []object.ListEntry
	for e, err := range s.Store.List(s.ctx, b, o) {
		s.ok(err, "list %s", b)
		all = append(all, e)
	}
	return all
}

// same compares.
func (s *suite) same(what string, got, want any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("%s: (-want +got)\n%s", what, diff)
	}
}

// fails holds an error against a status and codes, and against being final.
func (s *suite) fails(err error, what string, status int, codes ...string) {
	s.Helper()
	if err == nil {
		s.Errorf("%s: no error, want %d %v", what, status, codes)
		return
	}
	if object.StatusOf(err) != status || object.Retryable(err) {
		s.Errorf("%s: got %v, want a final error of status %d", what, err, status)
	}
	for _, c := range codes {
		if object.CodeOf(err) == c {
			return
		}
	}
	s.Errorf("%s: got %v, want a code of %v", what, err, codes)
}
