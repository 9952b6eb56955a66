package operation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// fakeObject is what the fake holds of an object.
type fakeObject struct {
	Info object.Info
	Tags []job.Tag
	ACL  object.ACL
	Body string // as GET gives it
}

func (o *fakeObject) clone() *fakeObject {
	c := *o
	c.Info.Meta.User = maps.Clone(o.Info.Meta.User)
	c.Tags, c.ACL.Grants = slices.Clone(o.Tags), slices.Clone(o.ACL.Grants)
	return &c
}

// fakeStore is an object store in memory that records its calls and answers as S3 does. One test owns it.
type fakeStore struct {
	objects map[object.Ref]*fakeObject
	buckets map[job.Bucket]bool
	owner   object.Grantee // of what is made in it
	now     time.Time
	calls   []string // "COPY", "HEAD bucket/key", …
	copies  []object.CopyRequest
	// restores are the requests to restore.
	restores []object.RestoreRequest
	// fail holds errors that the next calls of a kind answer, nil letting one through.
	fail map[string][]error
	// after is called when a call of a kind has had its effect; an error that it returns takes the answer's place.
	after map[string]func() error
	// uploads are the unfinished objects, by id; parts come side by side.
	uploads map[string]*fakeUpload
	mu      sync.Mutex // guards calls, fail and uploads
	// largest is the size of the largest object that one call copies.
	largest int64
	// newETags gives every copy an ETag of its own, as some kinds of encryption do.
	newETags bool
}

var (
	day     = time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)
	ownerS3 = object.Grantee{ID: "owner-id", DisplayName: "owner"}
)

func newFake() *fakeStore {
	return &fakeStore{
		objects: map[object.Ref]*fakeObject{}, buckets: map[job.Bucket]bool{"src": true, "dst": true},
		uploads: map[string]*fakeUpload{}, largest: object.MaxCopySize,
		owner: ownerS3, now: day, fail: map[string][]error{}, after: map[string]func() error{},
	}
}

// add stores an object as of day, with metadata, a tag and a private list.
func (f *fakeStore) add(r object.Ref, change ...func(*fakeObject)) {
	o := &fakeObject{
		Info: object.Info{
			Size: 5, ETag: "e1", LastModified: day, Class: "STANDARD",
			Meta: object.Metadata{ContentType: "text/plain", CacheControl: "no-cache", User: map[string]string{"old": "1", "both": "old"}},
		},
		Tags: []job.Tag{{Key: "old", Value: "1"}, {Key: "both", Value: "old"}},
		ACL:  object.ACL{Owner: f.owner, Grants: []object.Grant{{Grantee: f.owner, Permission: permFullControl}}},
	}
	for _, c := range change {
		c(o)
	}
	f.objects[r] = o
}

func (f *fakeStore) call(kind string, r object.Ref) error {
	line := kind + " " + string(r.Bucket) + "/" + string(r.Key)
	if r.Version != "" {
		line += "?" + string(r.Version)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, line)
	if q := f.fail[kind]; len(q) > 0 {
		f.fail[kind] = q[1:]
		return q[0]
	}
	return nil
}

func (f *fakeStore) done(kind string) error {
	if h := f.after[kind]; h != nil {
		return h()
	}
	return nil
}

func answer(code string, status int, message string) *object.Error {
	return &object.Error{Op: "Fake", Code: code, Status: status, Message: message}
}

func (f *fakeStore) find(r object.Ref) (*fakeObject, error) {
	if o := f.objects[r]; o != nil {
		return o, nil
	}
	if r.Version != "" {
		return nil, answer(object.CodeNoSuchVersion, 404, "The specified version does not exist.")
	}
	return nil, answer(object.CodeNoSuchKey, 404, "The specified key does not exist.")
}

func (f *fakeStore) Head(_ context.Context, r object.Ref) (object.Info, error) {
	if err := f.call("HEAD", r); err != nil {
		return object.Info{}, err
	}
	o, err := f.find(r)
	if err != nil {
		return object.Info{}, answer(object.CodeOf(err), 404, "")
	}
	return o.clone().Info, f.done("HEAD")
}

func (f *fakeStore) HeadBucket(_ context.Context, b job.Bucket) (object.BucketInfo, error) {
	if err := f.call("HEADBUCKET", object.Ref{Bucket: b}); err != nil {
		return object.BucketInfo{}, err
	}
	if !f.buckets[b] {
		return object.BucketInfo{}, answer(object.CodeNoSuchBucket, 404, "")
	}
	return object.BucketInfo{}, nil
}

func (f *fakeStore) Copy(_ context.Context, c object.CopyRequest) (object.CopyResult, error) {
	f.copies = append(f.copies, c)
	if err := f.call("COPY", c.Source); err != nil {
		return object.CopyResult{}, err
	}
	src, err := f.find(c.Source)
	if err != nil {
		return object.CopyResult{}, err
	}
	if src.Info.Size > f.largest {
		return object.CopyResult{}, answer(object.CodeInvalidRequest, 400, "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
	}
	if err := copyRefusal(src, c); err != nil {
		return object.CopyResult{}, err
	}
	f.now = f.now.Add(time.Minute)
	dst := src.clone()
	dst.Info.LastModified, dst.Info.Restore, dst.Info.Class, dst.Info.SSE = f.now, nil, "STANDARD", c.SSE
	if c.Class != "" {
		dst.Info.Class = c.Class
	}
	if f.newETags {
		dst.Info.ETag = fmt.Sprintf("e-%d", f.now.Unix())
	}
	if c.MetadataDirective == object.DirectiveReplace {
		dst.Info.Meta = c.Meta
		dst.Info.Meta.User = maps.Clone(c.Meta.User)
		if c.Meta.ContentType == "" {
			dst.Info.Meta.ContentType = "binary/octet-stream"
		}
	}
	if c.TaggingDirective == object.DirectiveReplace {
		dst.Tags = slices.Clone(c.Tags)
	}
	dst.ACL = f.list(c.CannedACL, c.Grants)
	f.objects[object.Ref{Bucket: c.Bucket, Key: c.Key}] = dst
	return object.CopyResult{HTTPStatus: 200}, f.done("COPY")
}

func copyRefusal(src *fakeObject, c object.CopyRequest) error {
	self := c.Source == object.Ref{Bucket: c.Bucket, Key: c.Key}
	unmet := answer(object.CodePreconditionFailed, 412, "At least one of the pre-conditions you specified did not hold.")
	switch {
	case self && c.MetadataDirective != object.DirectiveReplace:
		return answer(object.CodeInvalidRequest, 400, "This copy request is illegal because it is trying to copy an object to itself.")
	case archived(src.Info.Class) && src.Info.Restore == nil:
		return answer(object.CodeInvalidObjectState, 403, "The operation is not valid for the object's storage class.")
	case c.IfMatch != "" && c.IfMatch != src.Info.ETag:
		return unmet
	case c.IfMatch == "" && !c.IfUnmodifiedSince.IsZero() && src.Info.LastModified.After(c.IfUnmodifiedSince):
		return unmet // S3 does not look at the time when the ETag matches
	case !c.IfModifiedSince.IsZero() && !src.Info.LastModified.After(c.IfModifiedSince):
		return unmet
	}
	return nil
}

func (f *fakeStore) list(canned string, grants []object.Grant) object.ACL {
	full := object.Grant{Grantee: f.owner, Permission: permFullControl}
	group := func(name string) object.Grant {
		return object.Grant{Grantee: object.Grantee{URI: groupsS3 + name}, Permission: permRead}
	}
	switch {
	case canned == aclPublicRead:
		return object.ACL{Owner: f.owner, Grants: []object.Grant{full, group(allUsers)}}
	case canned == aclAuthenticatedRead:
		return object.ACL{Owner: f.owner, Grants: []object.Grant{full, group(authenticatedUsers)}}
	case len(grants) > 0:
		return object.ACL{Owner: f.owner, Grants: slices.Clone(grants)}
	}
	return object.ACL{Owner: f.owner, Grants: []object.Grant{full}}
}

func (f *fakeStore) Restore(_ context.Context, r object.RestoreRequest) (int, error) {
	f.restores = append(f.restores, r)
	if err := f.call("RESTORE", r.Ref); err != nil {
		return 0, err
	}
	o, err := f.find(r.Ref)
	switch {
	case err != nil:
		return 0, err
	case !archived(o.Info.Class):
		return 0, answer(object.CodeInvalidObjectState, 403, "Restore is not allowed for the object's current storage class.")
	case o.Info.Restore != nil && o.Info.Restore.Ongoing:
		return 0, answer(object.CodeRestoreInProgress, 409, "Object restore is already in progress.")
	case o.Info.Restore != nil:
		o.Info.Restore.Expiry = f.now.AddDate(0, 0, r.Days)
		return 200, f.done("RESTORE")
	}
	o.Info.Restore = &object.RestoreState{Ongoing: true}
	return 202, f.done("RESTORE")
}

func (f *fakeStore) Tags(_ context.Context, r object.Ref) ([]job.Tag, error) {
	if err := f.call("GETTAGS", r); err != nil {
		return nil, err
	}
	o, err := f.find(r)
	if err != nil {
		return nil, err
	}
	return slices.Clone(o.Tags), f.done("GETTAGS")
}

func (f *fakeStore) PutTags(_ context.Context, r object.Ref, tags []job.Tag) (int, error) {
	return f.setTags("PUTTAGS", 200, r, tags)
}

func (f *fakeStore) DeleteTags(_ context.Context, r object.Ref) (int, error) {
	return f.setTags("DELETETAGS", 204, r, nil)
}

func (f *fakeStore) setTags(kind string, status int, r object.Ref, tags []job.Tag) (int, error) {
	if err := f.call(kind, r); err != nil {
		return 0, err
	}
	o, err := f.find(r)
	if err != nil {
		return 0, err
	}
	o.Tags = slices.Clone(tags)
	return status, f.done(kind)
}

func (f *fakeStore) ACL(_ context.Context, r object.Ref) (object.ACL, error) {
	if err := f.call("GETACL", r); err != nil {
		return object.ACL{}, err
	}
	o, err := f.find(r)
	if err != nil {
		return object.ACL{}, err
	}
	return o.clone().ACL, f.done("GETACL")
}

func (f *fakeStore) PutACL(_ context.Context, r object.Ref, canned string, acl *object.ACL) error {
	if err := f.call("PUTACL", r); err != nil {
		return err
	}
	o, err := f.find(r)
	if err != nil {
		return err
	}
	if canned != "" && acl == nil {
		full := object.Grant{Grantee: o.ACL.Owner, Permission: permFullControl}
		o.ACL.Grants = append([]object.Grant{full}, cannedGrants(canned, o.ACL.Owner)...)
		return f.done("PUTACL")
	}
	if canned != "" || acl == nil || acl.Owner != o.ACL.Owner {
		return answer(object.CodeAccessDenied, 403, "The owner of an object cannot be changed.")
	}
	o.ACL = object.ACL{Owner: acl.Owner, Grants: slices.Clone(acl.Grants)}
	return f.done("PUTACL")
}

func (f *fakeStore) Delete(_ context.Context, r object.Ref) (object.DeleteResult, error) {
	if err := f.call("DELETE", r); err != nil {
		return object.DeleteResult{}, err
	}
	if !f.buckets[r.Bucket] {
		return object.DeleteResult{}, answer(object.CodeNoSuchBucket, 404, "The specified bucket does not exist.")
	}
	delete(f.objects, r)
	return object.DeleteResult{HTTPStatus: 204}, f.done("DELETE")
}

var errNotUsed = errors.New("no operation makes this call")

// Get gives the object's ETag as its body, or what body says.
func (f *fakeStore) Get(_ context.Context, r object.Ref, _, _ int64) (io.ReadCloser, object.Info, error) {
	if err := f.call("GET", r); err != nil {
		return nil, object.Info{}, err
	}
	o, err := f.find(r)
	if err != nil {
		return nil, object.Info{}, err
	}
	text := o.Body
	if text == "" {
		text = o.Info.ETag
	}
	return io.NopCloser(strings.NewReader(text)), o.clone().Info, f.done("GET")
}

func (f *fakeStore) Put(context.Context, object.PutRequest) (object.PutResult, error) {
	return object.PutResult{}, errNotUsed
}

func (f *fakeStore) List(context.Context, job.Bucket, object.ListOptions) iter.Seq2[object.ListEntry, error] {
	return func(yield func(object.ListEntry, error) bool) { yield(object.ListEntry{}, errNotUsed) }
}

var _ object.Store = (*fakeStore)(nil)

// tagsAt is what an object has; nil when there is none.
func (f *fakeStore) tagsAt(r object.Ref) []job.Tag {
	if o := f.objects[r]; o != nil {
		return o.Tags
	}
	return nil
}

// made is the calls in one line.
func (f *fakeStore) made() string { return strings.Join(f.calls, ", ") }

// endingStore ends the context before each call that is to fail.
type endingStore struct {
	*fakeStore
	cancel func()
}

func (e *endingStore) end(kind string) {
	if len(e.fail[kind]) > 0 {
		e.cancel()
	}
}

func (e *endingStore) Copy(ctx context.Context, c object.CopyRequest) (object.CopyResult, error) {
	e.end("COPY")
	return e.fakeStore.Copy(ctx, c)
}

func (e *endingStore) Head(ctx context.Context, r object.Ref) (object.Info, error) {
	e.end("HEAD")
	return e.fakeStore.Head(ctx, r)
}

func (e *endingStore) ACL(ctx context.Context, r object.Ref) (object.ACL, error) {
	e.end("GETACL")
	return e.fakeStore.ACL(ctx, r)
}

func (e *endingStore) PutACL(ctx context.Context, r object.Ref, canned string, acl *object.ACL) error {
	e.end("PUTACL")
	return e.fakeStore.PutACL(ctx, r, canned, acl)
}

func (e *endingStore) Restore(ctx context.Context, r object.RestoreRequest) (int, error) {
	e.end("RESTORE")
	return e.fakeStore.Restore(ctx, r)
}

func (e *endingStore) Delete(ctx context.Context, r object.Ref) (object.DeleteResult, error) {
	e.end("DELETE")
	return e.fakeStore.Delete(ctx, r)
}

func (e *endingStore) Tags(ctx context.Context, r object.Ref) ([]job.Tag, error) {
	e.end("GETTAGS")
	return e.fakeStore.Tags(ctx, r)
}

func (e *endingStore) PutTags(ctx context.Context, r object.Ref, tags []job.Tag) (int, error) {
	e.end("PUTTAGS")
	return e.fakeStore.PutTags(ctx, r, tags)
}
