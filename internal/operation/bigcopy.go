package operation

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Limits are where copies change their way. Zero fields take the defaults.
type Limits struct {
	Copy     int64 // bytes of the largest object that is copied in one call; default 5 GiB
	CopyPart int64 // bytes that one call copies of a larger one; default 128 MiB
	Put      int64 // bytes of the largest object that is carried to another store in one call; default 16 MiB
	PutPart  int64 // bytes that one call carries of a larger one; default 16 MiB
	Parts    int   // of one object that are under way at once; default 8, and 4 where they are carried
}

// Upload is what is remembered of an unfinished copy by parts, so that a later attempt can go on with it.
type Upload struct {
	Bucket   job.Bucket
	Key      job.Key
	ID       string
	ETag     string // of the source, as is the rest
	Size     int64
	Modified time.Time
	PartSize int64 // bytes of each part but the last
}

// Uploads remembers unfinished copies by the rows of one job's manifest. An error means that nothing is remembered: the
// copy is then made from its beginning. What is still there when the job ends is to be aborted.
type Uploads interface {
	Load(ctx context.Context, row int64) (Upload, bool, error)
	Save(ctx context.Context, row int64, u Upload) error
	Remove(ctx context.Context, row int64) error
}

const (
	// abortTime bounds the call that drops the parts of a copy that failed.
	abortTime = 30 * time.Second
	codeGone  = "UploadGone" // ours: it was completed or aborted, and nobody can tell
)

// partMaker makes one part of an upload.
type partMaker func(ctx context.Context, u object.Upload, number int, offset, length int64) (etag string, err error)

// assembly is a copy made by parts.
type assembly struct {
	w     *copying
	up    Upload
	made  []object.Part // by number, from 1; an empty ETag is a part still to be made
	kept  bool          // up is remembered
	limit int           // of parts under way at once
	part  partMaker
}

// copyParts copies an object that is too large for one call.
func (w *copying) copyParts(ctx context.Context) (object.CopyResult, error) {
	own := w.own()
	return own.assemble(ctx, cmp.Or(w.task.Limits.CopyPart, 128<<20), cmp.Or(w.task.Limits.Parts, 8), own.copyPart)
}

// own is a copy of w to be shared by parts side by side: w itself stays on its goroutine's stack, which keeps small copies
// cheap.
func (w *copying) own() *copying {
	own := *w
	return &own
}

func (w *copying) copyPart(ctx context.Context, u object.Upload, number int, offset, length int64) (string, error) {
	return w.target.UploadPartCopy(ctx, object.PartCopyRequest{
		Upload: u, Number: number, Source: w.req.Source, SourceRegion: w.req.SourceRegion,
		Offset: offset, Length: length, IfMatch: w.source.ETag,
	})
}

// assemble makes the copy by parts, going on with an earlier attempt's where there is one. The parts of a copy that
// failed are dropped; those of one whose ctx ended are kept, if they are remembered.
func (w *copying) assemble(ctx context.Context, partSize int64, parallel int, part partMaker) (object.CopyResult, error) {
	a := &assembly{w: w, limit: parallel, part: part}
	if err := a.open(ctx, partSize); err != nil {
		return object.CopyResult{}, err
	}
	res, err := a.finish(ctx)
	if err != nil && (!unknown(ctx, err) || !a.kept) {
		a.drop(ctx)
	}
	if err == nil {
		a.forget(ctx)
	}
	return res, err
}

// open goes on with an upload, or begins one.
func (a *assembly) open(ctx context.Context, partSize int64) error {
	w := a.w
	want := Upload{
		Bucket: w.req.Bucket, Key: w.req.Key, ETag: w.source.ETag, Size: w.source.Size,
		Modified: w.source.LastModified, PartSize: partOf(w.source.Size, partSize),
	}
	if a.resume(ctx, want) {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var err error
	want.ID, err = w.target.CreateMultipart(ctx, object.CreateMultipartRequest{
		Bucket: want.Bucket, Key: want.Key, Class: w.req.Class, SSE: w.req.SSE, SSEKey: w.req.SSEKey,
		Meta: w.meta, Tags: w.tags, CannedACL: w.req.CannedACL, Grants: w.req.Grants,
	})
	if err != nil {
		return err
	}
	a.up, a.made = want, parts(want)
	if m := w.task.Uploads; m != nil {
		a.kept = m.Save(ctx, w.task.Entry.Row, want) == nil
	}
	return nil
}

// resume takes up what an earlier attempt left, if it is of this very source; else that is dropped.
func (a *assembly) resume(ctx context.Context, want Upload) bool {
	m := a.w.task.Uploads
	if m == nil {
		return false
	}
	old, ok, err := m.Load(ctx, a.w.task.Entry.Row)
	if err != nil || !ok {
		return false
	}
	a.up, a.made, a.kept = old, parts(old), true
	want.ID, want.PartSize = old.ID, old.PartSize
	same := old.PartSize > 0 && old.Modified.Equal(want.Modified)
	old.Modified = want.Modified
	if same = same && old == want; same {
		var stored []object.Part
		if stored, err = a.w.target.ListParts(ctx, a.name()); err == nil {
			a.take(stored)
			return true
		}
	}
	if !unknown(ctx, err) {
		a.drop(ctx)
	}
	return false
}

// take notes the parts that are there already.
func (a *assembly) take(stored []object.Part) {
	for _, p := range stored {
		if p.Number >= 1 && p.Number <= len(a.made) && p.Size == a.made[p.Number-1].Size {
			a.made[p.Number-1].ETag = p.ETag
		}
	}
}

// finish makes the parts that are missing, and the object.
func (a *assembly) finish(ctx context.Context) (object.CopyResult, error) {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(a.limit)
	for i := range a.made {
		p := &a.made[i]
		if p.ETag != "" {
			continue
		}
		group.Go(func() error {
			err := mayGoOn(within)
			if err != nil {
				return err
			}
			p.ETag, err = a.part(within, a.name(), p.Number, int64(i)*a.up.PartSize, p.Size)
			failpoint.Hit(failpoint.PartMade)
			return err
		})
	}
	err := group.Wait()
	if err == nil {
		failpoint.Hit(failpoint.UploadUnjoined)
		var done object.CompleteResult
		done, err = a.w.target.CompleteMultipart(ctx, object.CompleteRequest{Upload: a.name(), Parts: a.made})
		if err == nil && done.ETag == "" {
			return a.look(ctx)
		}
		if err == nil {
			return object.CopyResult{Version: done.Version, HTTPStatus: done.HTTPStatus}, nil
		}
	}
	if object.CodeOf(err) == object.CodeNoSuchUpload {
		err = a.gone(err)
	}
	return object.CopyResult{}, err
}

// mayGoOn says why no further part is to be begun: the context ended, or the caller gives the task up.
func mayGoOn(ctx context.Context) error {
	select {
	case <-object.WaitDone(ctx):
		return object.ErrWaitEnded
	default:
		return ctx.Err()
	}
}

// look finds out how a completion ended whose answer was lost.
func (a *assembly) look(ctx context.Context) (object.CopyResult, error) {
	info, err := a.w.target.Head(ctx, object.Ref{Bucket: a.up.Bucket, Key: a.up.Key})
	if err != nil && object.StatusOf(err) != 404 {
		return object.CopyResult{}, during("looking for the copy, whose completion had no answer", err)
	}
	if err != nil || info.Size != a.up.Size || info.ETag != composite(a.made) {
		return object.CopyResult{}, a.gone(err)
	}
	return object.CopyResult{Version: info.Version, HTTPStatus: 200}, nil
}

// gone is the error of an upload that somebody ended: the copy is to be begun anew.
func (a *assembly) gone(err error) error {
	return &object.Error{
		Op: "Copy", Code: codeGone, Status: object.StatusOf(err), Err: err,
		Message: "The unfinished copy vanished from the store: it was aborted, or its completion had no answer.",
	}
}

// drop aborts the upload, even when ctx has ended. What cannot be aborted stays remembered.
func (a *assembly) drop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	err := a.w.target.AbortMultipart(ctx, a.name())
	if err == nil || object.StatusOf(err) == 404 {
		a.forget(ctx)
	}
}

func (a *assembly) forget(ctx context.Context) {
	if a.kept {
		// A record that stays is of an upload that is no more: it does no harm, and goes with the job.
		_ = a.w.task.Uploads.Remove(context.WithoutCancel(ctx), a.w.task.Entry.Row)
		a.kept = false
	}
}

func (a *assembly) name() object.Upload {
	return object.Upload{Bucket: a.up.Bucket, Key: a.up.Key, ID: a.up.ID}
}

// partOf gives the size of an object's parts: the one wanted, or the smallest with which there are not too many.
func partOf(size, wanted int64) int64 {
	const step = 1 << 20
	least := (size + object.MaxParts - 1) / object.MaxParts
	if least <= wanted {
		return wanted
	}
	return (least + step - 1) / step * step
}

// parts cuts an upload's source.
func parts(u Upload) []object.Part {
	var all []object.Part
	for at := int64(0); at < u.Size && u.PartSize > 0; at += u.PartSize {
		all = append(all, object.Part{Number: len(all) + 1, Size: min(u.PartSize, u.Size-at)})
	}
	return all
}

// composite is the ETag that stores give an object made of parts: the MD5 of the parts' MD5s, and their number. It is
// "" where a part's ETag is no MD5.
func composite(made []object.Part) string {
	h := md5.New()
	for _, p := range made {
		sum, err := hex.DecodeString(p.ETag)
		if err != nil || len(sum) != md5.Size {
			return ""
		}
		h.Write(sum)
	}
	return fmt.Sprintf("%x-%d", h.Sum(nil), len(made))
}

// tooLarge reports whether a refused copy would be made by parts, now that the source's size is known.
func (w *copying) tooLarge(ctx context.Context, refused error) (bool, error) {
	switch object.CodeOf(refused) {
	case "EntityTooLarge", object.CodeInvalidRequest, "InvalidArgument":
	default:
		return false, nil
	}
	// The refusal may have another reason: the source's size tells.
	info, err := w.store.Head(ctx, w.req.Source)
	switch {
	case err != nil && unknown(ctx, err):
		return false, err
	case err != nil || info.Size <= w.largest():
		return false, nil
	}
	return true, w.foresee(ctx)
}

// largest is the size of the largest object that is copied in one call.
func (w *copying) largest() int64 { return cmp.Or(w.task.Limits.Copy, object.MaxCopySize) }

// isGone reports whether a copy's unfinished parts vanished.
func isGone(err error) bool {
	e, ok := errors.AsType[*object.Error](err)
	return ok && e.Code == codeGone
}
