package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/engine"
)

// accessRecords keeps principals, roles and limits of regions among the carrier's records.
type accessRecords struct{ records engine.Records }

var _ access.KV = accessRecords{}

func (a accessRecords) Create(ctx context.Context, key string, v []byte) (uint64, error) {
	rev, err := a.records.Create(ctx, engine.Access, key, v)
	if errors.Is(err, engine.ErrExists) {
		err = fmt.Errorf("%w: %w", access.ErrExists, err)
	}
	return rev, err
}

func (a accessRecords) Update(ctx context.Context, key string, v []byte, rev uint64) (uint64, error) {
	now, err := a.records.Update(ctx, engine.Access, key, v, rev)
	if errors.Is(err, engine.ErrConflict) {
		err = fmt.Errorf("%w: %w", access.ErrConflict, err)
	}
	return now, err
}

func (a accessRecords) Delete(ctx context.Context, key string) error {
	return a.records.Delete(ctx, engine.Access, key)
}

func (a accessRecords) Watch(ctx context.Context, f func(access.Entry) error) error {
	err := a.records.Watch(ctx, engine.Access, func(r engine.Record) error {
		return f(access.Entry{Key: r.Key, Value: r.Value, Rev: r.Rev, Deleted: r.Deleted})
	})
	if errors.Is(err, engine.ErrLost) {
		err = fmt.Errorf("%w: %w", access.ErrLost, err)
	}
	return err
}
