package operation

import (
	"context"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// copyTries bounds how often a copy is begun anew because its source changed after its metadata was read.
const copyTries = 3

const (
	codeKeyTooLong       = "KeyTooLongError"
	codeMetadataTooLarge = "MetadataTooLarge"
)

var copyHints = hints{
	object.CodeInvalidObjectState: "The source is archived and not restored; restore it first, then copy it.",
	object.CodePreconditionFailed: "The source does not meet the job's conditions, or it changed while it was copied.",
}

// copying is one copy on its way.
type copying struct {
	*Copy
	task   Task
	store  object.Store // the source's
	target object.Store // the copy's
	req    object.CopyRequest
	source *object.Info // as HEAD told it, where that had to be asked
	later  []object.Grant
	put    bool // put the access list later, in a call of its own
	called bool // the copy was asked for

	// What the copy is to have, where that had to be found out.
	foreseen bool
	meta     object.Metadata
	tags     []job.Tag
}

// Apply implements Operation.
func (c *Copy) Apply(ctx context.Context, s object.Store, t Task) job.Outcome {
	if t.Entry.DeleteMarker {
		return marker("which has nothing to copy.")
	}
	key, err := c.destination(t.Entry.Key)
	if err != nil {
		return copyHints.failed(ctx, err)
	}
	for try := 1; ; try++ {
		if ctx.Err() != nil {
			return job.Outcome{}
		}
		out, again := c.try(ctx, s, &t, key, try > 1)
		if !again || try == copyTries {
			return out
		}
	}
}

// try makes the copy once; again asks to begin anew.
func (c *Copy) try(ctx context.Context, s object.Store, t *Task, key job.Key, repeat bool) (out job.Outcome, again bool) {
	// Set field by field: as a literal it would be made twice, and is large.
	var w copying
	w.Copy, w.task, w.store, w.target = c, *t, s, s
	if t.Target != nil {
		w.target = t.Target
	}
	w.req.Source, w.req.SourceRegion = ref(t.Entry), t.SourceRegion
	w.req.Bucket, w.req.Key = c.TargetBucket, key
	w.req.Class, w.req.SSE, w.req.SSEKey = strings.ToUpper(c.StorageClass), c.SSE, c.SSEKey
	w.req.IfModifiedSince, w.req.IfUnmodifiedSince = c.IfModifiedSince, c.IfUnmodifiedSince
	return w.run(ctx, t.Repeat || repeat)
}

// Destination implements Mover.
func (c *Copy) Destination(e job.Entry) (object.Ref, error) {
	key, err := c.destination(e.Key)
	return object.Ref{Bucket: c.TargetBucket, Key: key}, err
}

// destination gives the copy's key (Tencent Cloud 436/32960: add, replace, delete a prefix).
func (c *Copy) destination(k job.Key) (job.Key, error) {
	to := k
	if rest, ok := strings.CutPrefix(string(k), c.PrefixFrom); ok && c.PrefixReplace {
		to = job.Key(c.PrefixTo + rest)
	}
	switch {
	case to == "":
		return "", refusef(object.CodeInvalidRequest, "Without the prefix %s nothing is left of the key; the copy would have none.", job.Quote(c.PrefixFrom))
	case len(to) > job.MaxKey:
		return "", refusef(codeKeyTooLong, "The copy's key would be %d bytes long; at most %d are allowed.", len(to), job.MaxKey)
	}
	return to, nil
}

// run makes the copy; again asks to begin anew.
func (w *copying) run(ctx context.Context, repeat bool) (out job.Outcome, again bool) {
	if err := w.prepare(ctx); err != nil {
		return copyHints.failed(ctx, err), false
	}
	res, err := w.call(ctx)
	note := ""
	if err != nil {
		// What could be read before the call, and is archived after it, was moved there by the call itself: its answer
		// got lost, and it was sent again.
		if object.CodeOf(err) == object.CodeInvalidObjectState && w.source != nil && !archived(w.source.Class) {
			repeat = true
		}
		var done bool
		var lookErr error
		note, done, lookErr = explain(ctx, w.store, copyExplained, repeat && w.task.Target == nil, w.req, err)
		if !done {
			if lookErr != nil && unknown(ctx, lookErr) {
				return job.Outcome{}, false
			}
			again = isGone(err) || object.CodeOf(err) == object.CodePreconditionFailed && w.overtaken(ctx)
			return copyHints.failed(ctx, err), again
		}
		res.HTTPStatus = object.StatusOf(err)
	}
	if err := w.putAccess(ctx, res.Version); err != nil {
		return copyHints.failed(ctx, during("setting the access list of the copy, which was made", err)), false
	}
	unproved, err := w.verify(ctx, res)
	if err != nil {
		return copyHints.failed(ctx, err), false
	}
	return job.Succeeded(res.HTTPStatus, strings.TrimSpace(note+" "+unproved)), false
}

// prepare finds out what the copy is to have.
func (w *copying) prepare(ctx context.Context) error {
	if err := w.selfCopy(ctx); err != nil {
		return err
	}
	if err := w.metadata(ctx); err != nil {
		return err
	}
	if err := w.tagging(ctx); err != nil {
		return err
	}
	if err := w.access(ctx); err != nil {
		return err
	}
	return w.prospect(ctx)
}

// prospect looks at the source first where its size, metadata and tags are needed: for a copy by parts, for one that is
// carried, and to hold the copy against them.
func (w *copying) prospect(ctx context.Context) error {
	if w.task.Carry || w.verifies() || w.task.Entry.Size > w.largest() {
		return w.foresee(ctx)
	}
	return nil
}

// call makes the copy: in one call, or by parts where it is too large for that or has to be carried.
func (w *copying) call(ctx context.Context) (object.CopyResult, error) {
	if err := w.conditions(); err != nil {
		return object.CopyResult{}, err
	}
	w.called = true
	switch {
	case w.task.Carry:
		return w.carry(ctx)
	case w.foreseen && w.source.Size > w.largest():
		return w.copyParts(ctx)
	}
	if w.req.Size = max(w.task.Entry.Size, 0); w.source != nil {
		w.req.Size = w.source.Size
	}
	res, err := w.target.Copy(ctx, w.req)
	if err == nil {
		return res, nil
	}
	large, lookErr := w.tooLarge(ctx, err)
	switch {
	case lookErr != nil:
		return object.CopyResult{}, lookErr
	case !large:
		return object.CopyResult{}, err
	}
	if err := w.conditions(); err != nil {
		return object.CopyResult{}, err
	}
	return w.copyParts(ctx)
}

// conditions compares the times of a source that was looked at. A store that is given an ETag and a time copies when the
// ETag matches, whatever the time says (AWS S3 API, CopyObject); parts have no times; and some stores do not look at
// conditions at all.
func (w *copying) conditions() error {
	if w.source == nil {
		return nil
	}
	at := w.source.LastModified.Truncate(time.Second)
	since, until := w.req.IfModifiedSince, w.req.IfUnmodifiedSince
	if (until.IsZero() || !at.After(until)) && (since.IsZero() || at.After(since)) {
		return nil
	}
	return &object.Error{
		Op: "Copy", Code: object.CodePreconditionFailed, Status: 412,
		Message: "The source was last modified at " + w.source.LastModified.UTC().Format(time.RFC3339) + ".",
	}
}

// overtaken reports whether the source was changed between HEAD and copy: the condition that was not met is then our
// own, and what was read is out of date.
func (w *copying) overtaken(ctx context.Context) bool {
	if !w.called || w.source == nil {
		return false
	}
	now, err := w.store.Head(ctx, w.req.Source)
	return err == nil && (now.ETag != w.source.ETag || !now.LastModified.Equal(w.source.LastModified))
}

// isSelf reports whether the object is copied onto itself. An old version copied over the latest one is a change.
func (w *copying) isSelf() bool {
	return w.task.Target == nil && w.req.Source == object.Ref{Bucket: w.req.Bucket, Key: w.req.Key}
}

// selfCopy refuses a copy onto itself that changes nothing, as stores do, and makes the others what stores accept: the
// source's own metadata is given anew.
func (w *copying) selfCopy(ctx context.Context) error {
	if !w.isSelf() {
		return nil
	}
	changes := w.req.Class != "" || w.SSE != "" ||
		changed(w.metadataDirective()) || changed(w.taggingDirective()) || changed(w.aclDirective())
	if !changes {
		return refusef(object.CodeInvalidRequest,
			"The copy's bucket and key are those of its source, and nothing is to be changed; name another bucket, prefix, class, metadata, tags or access rights.")
	}
	if w.metadataDirective() == DirectiveReplace {
		return nil
	}
	if err := w.head(ctx); err != nil {
		return err
	}
	w.req.MetadataDirective, w.req.Meta = object.DirectiveReplace, w.source.Meta
	return nil
}

func changed(d Directive) bool { return d == DirectiveReplace || d == DirectiveAdd }

// head reads the source's metadata, and lets the copy be made of that very object only.
func (w *copying) head(ctx context.Context) error {
	if w.source != nil {
		return nil
	}
	info, err := w.store.Head(ctx, w.req.Source)
	if err != nil {
		return during("reading the source's metadata", err)
	}
	w.source, w.req.IfMatch = &info, info.ETag
	return nil
}

func (c *Copy) metadataDirective() Directive {
	if c.Metadata == "" && !emptyMetadata(c.NewMetadata) {
		return DirectiveReplace
	}
	return c.Metadata
}

func (w *copying) metadata(ctx context.Context) error {
	switch w.metadataDirective() {
	case DirectiveCopy:
		if w.req.MetadataDirective == "" {
			w.req.MetadataDirective = object.DirectiveCopy
		}
	case DirectiveReplace:
		w.req.MetadataDirective, w.req.Meta = object.DirectiveReplace, w.NewMetadata
	case DirectiveAdd:
		if err := w.head(ctx); err != nil {
			return err
		}
		w.req.MetadataDirective, w.req.Meta = object.DirectiveReplace, mergeMetadata(w.source.Meta, w.NewMetadata)
		if n := userMetadataSize(w.req.Meta); n > maxUserMetadata {
			return refusef(codeMetadataTooLarge, "With the metadata to add the copy would have %d bytes of user metadata; at most %d are allowed.", n, maxUserMetadata)
		}
	}
	return nil
}

func (c *Copy) taggingDirective() Directive {
	if c.Tagging == "" && len(c.NewTags) > 0 {
		return DirectiveReplace
	}
	return c.Tagging
}

func (w *copying) tagging(ctx context.Context) error {
	switch w.taggingDirective() {
	case DirectiveCopy:
		w.req.TaggingDirective = object.DirectiveCopy
	case DirectiveReplace:
		w.req.TaggingDirective, w.req.Tags = object.DirectiveReplace, w.NewTags
	case DirectiveAdd:
		old, err := readTags(ctx, w.store, w.req.Source)
		if err != nil {
			return during("reading the source's tags", err)
		}
		w.req.TaggingDirective = object.DirectiveReplace
		w.req.Tags, err = mergeTags(old, w.NewTags)
		return err
	}
	return nil
}

func (c *Copy) aclDirective() Directive {
	if c.ACL == "" && (c.CannedACL != "" || len(c.Grants) > 0) {
		return DirectiveReplace
	}
	return c.ACL
}

// access settles the copy's access list. It travels with the copy where it can, so that no copy is ever open to more
// than it should be, and so that a copy onto itself loses nothing in between.
func (w *copying) access(ctx context.Context) error {
	d := w.aclDirective()
	switch d {
	case "":
		return nil
	case DirectiveReplace:
		if w.CannedACL != "" {
			w.req.CannedACL = w.CannedACL
			return nil
		}
		w.give(w.Grants)
		return nil
	}
	list, err := w.store.ACL(ctx, w.req.Source)
	if err != nil {
		return during("reading the source's access list", err)
	}
	grants := carried(list)
	if d == DirectiveAdd {
		grants = mergeGrants(grants, append(cannedGrants(w.CannedACL, list.Owner), w.Grants...))
	}
	if canned, ok := cannedFor(list.Owner, grants); ok {
		w.req.CannedACL = canned
		return nil
	}
	if w.task.Carry {
		return refusef(object.CodeInvalidRequest,
			"The source's access list names accounts or groups that another store does not know; use AccessControlDirective Replaced.")
	}
	w.give(grants)
	if w.put && w.isSelf() {
		// Between the copy and the call that puts the list the object would have lost it: a crash there would be final.
		return refusef(object.CodeInvalidRequest,
			"The access list names accounts and groups together, which a copy onto itself cannot keep in one call; use AccessControlDirective Replaced.")
	}
	return nil
}

func (w *copying) give(grants []object.Grant) {
	if inHeaders(grants) {
		w.req.Grants = grants
		return
	}
	w.req.CannedACL, w.later, w.put = aclPrivate, grants, true
}

// putAccess puts the list that could not travel with the copy. The list needs the copy's owner, who may be another
// than the source's.
func (w *copying) putAccess(ctx context.Context, v job.Version) error {
	if !w.put {
		return nil
	}
	made := object.Ref{Bucket: w.req.Bucket, Key: w.req.Key, Version: v}
	list, err := w.target.ACL(ctx, made)
	if err != nil {
		return err
	}
	list.Grants = w.later
	return w.target.PutACL(ctx, made, "", &list)
}
