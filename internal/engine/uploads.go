package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/failpoint"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

func uploadKey(id job.ID, row int64) string {
	return "mpu." + string(id) + "." + strconv.FormatInt(row, 10)
}

// uploads remembers a job's unfinished copies by parts in the carrier's records, so that any worker can go on with them.
type uploads struct {
	records Records
	id      job.ID
}

var _ operation.Uploads = uploads{}

// Load implements operation.Uploads.
func (u uploads) Load(ctx context.Context, row int64) (operation.Upload, bool, error) {
	r, err := u.records.Get(ctx, Jobs, uploadKey(u.id, row))
	if errors.Is(err, ErrNotFound) {
		return operation.Upload{}, false, nil
	}
	if err != nil {
		return operation.Upload{}, false, err
	}
	up, err := decode[operation.Upload](r)
	return up, err == nil, err
}

// Save implements operation.Uploads.
func (u uploads) Save(ctx context.Context, row int64, up operation.Upload) error {
	failpoint.Hit(failpoint.UploadMade)
	_, err := u.records.Put(ctx, Jobs, uploadKey(u.id, row), encode(up))
	failpoint.Hit(failpoint.UploadSaved)
	return err
}

// Remove implements operation.Uploads.
func (u uploads) Remove(ctx context.Context, row int64) error {
	failpoint.Hit(failpoint.UploadJoined)
	err := u.records.Delete(ctx, Jobs, uploadKey(u.id, row))
	failpoint.Hit(failpoint.UploadForgotten)
	return err
}

// applyUpload keeps count of the unfinished copies; x.mu is held.
func (x *index) applyUpload(key string, r Record) {
	id, row, ok := strings.Cut(key, ".")
	n, err := strconv.ParseInt(row, 10, 64)
	if !ok || err != nil {
		return
	}
	rows := x.uploads[job.ID(id)]
	if r.Deleted {
		delete(rows, n)
		if len(rows) == 0 {
			delete(x.uploads, job.ID(id))
		}
		return
	}
	if rows == nil {
		rows = map[int64]bool{}
		x.uploads[job.ID(id)] = rows
	}
	rows[n] = true
}

// uploadsOf lists the rows of a job that have an unfinished copy.
func (x *index) uploadsOf(id job.ID) []int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	rows := make([]int64, 0, len(x.uploads[id]))
	for row := range x.uploads[id] {
		rows = append(rows, row)
	}
	return rows
}

// abortUploads drops what a job that is ending left unfinished: nobody will go on with it, and its parts cost money.
func (l *leader) abortUploads(ctx context.Context) error {
	rows := l.e.ix.uploadsOf(l.id)
	if len(rows) == 0 {
		return nil
	}
	store, err := l.e.targetStore(ctx, l.made.Spec)
	if err != nil {
		return err
	}
	if store == nil {
		store = l.store
	}
	remembered := uploads{l.e.o.Carrier, l.id}
	for _, row := range rows {
		up, ok, err := remembered.Load(ctx, row)
		if err != nil {
			return fmt.Errorf("read unfinished copy: %w", err)
		}
		if ok {
			err := store.AbortMultipart(ctx, object.Upload{Bucket: up.Bucket, Key: up.Key, ID: up.ID})
			if object.Retryable(err) {
				return fmt.Errorf("abort unfinished copy: %w", err)
			}
			if err != nil && object.CodeOf(err) != object.CodeNoSuchUpload {
				l.log.Warn("unfinished copy is left in its bucket", "bucket", up.Bucket, "upload", up.ID, "err", err)
			}
		}
		if err := remembered.Remove(ctx, row); err != nil {
			return fmt.Errorf("forget unfinished copy: %w", err)
		}
	}
	return nil
}

// Neighbours is what Stores can tell of regions: whether a store of the one can copy from the other by itself. Without
// it objects are carried between regions.
type Neighbours interface {
	CopiesFrom(target, source job.Region) bool
}

// targetStore opens the store that a copy to another region goes to; nil = the job's own.
func (e *Engine) targetStore(ctx context.Context, s specRecord) (object.Store, error) {
	op, err := s.operation()
	if err != nil {
		return nil, err
	}
	c, ok := op.(*operation.Copy)
	if !ok || c.TargetRegion == "" || c.TargetRegion == s.Region {
		return nil, nil
	}
	return e.o.Stores.Store(ctx, s.Account, s.Role, c.TargetRegion)
}

// carries reports whether a copy's bytes have to go through here.
func (e *Engine) carries(target, source job.Region) bool {
	n, ok := e.o.Stores.(Neighbours)
	return !ok || !n.CopiesFrom(target, source)
}
