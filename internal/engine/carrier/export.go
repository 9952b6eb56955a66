package carrier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

const (
	exportFormat  = "drover records"
	exportVersion = 1
)

// exportLine is one line of an export: its head, a record or its end.
type exportLine struct {
	Format  string        `json:"format,omitempty"`
	Version int           `json:"version,omitempty"`
	Bucket  engine.Bucket `json:"bucket,omitempty"`
	Key     string        `json:"key,omitempty"`
	Value   []byte        `json:"value,omitempty"`
	End     bool          `json:"end,omitempty"`
	Records int           `json:"records,omitempty"`
}

// errAllSeen ends a watch when all present records were seen.
var errAllSeen = errors.New("all records were seen")

// Export writes the records of Jobs and Done as lines of JSON. Chunks and results are not in it: collect results to the
// end first; chunks are made again. Nobody may write records meanwhile.
func (c *Carrier) Export(ctx context.Context, w io.Writer) error {
	enc := json.NewEncoder(w)
	if err := enc.Encode(exportLine{Format: exportFormat, Version: exportVersion}); err != nil {
		return fmt.Errorf("export records: %w", err)
	}
	n := 0
	for _, b := range []engine.Bucket{engine.Jobs, engine.Done} {
		err := c.Watch(ctx, b, func(r engine.Record) error {
			if r.Key == "" {
				return errAllSeen
			}
			n++
			return enc.Encode(exportLine{Bucket: b, Key: r.Key, Value: r.Value})
		})
		if !errors.Is(err, errAllSeen) {
			return fmt.Errorf("export records of %s: %w", b, err)
		}
	}
	if err := enc.Encode(exportLine{End: true, Records: n}); err != nil {
		return fmt.Errorf("export records: %w", err)
	}
	return nil
}

// Import creates the records of an export. It can be repeated after an error: a record that is there with the same value
// is left as it is; one with another value is job.Conflict. What is not a whole export is job.InvalidRequest, but the
// records before the fault may have been created.
func (c *Carrier) Import(ctx context.Context, r io.Reader) error {
	err := readExport(r, func(b engine.Bucket, key string, v []byte) error {
		_, err := c.Create(ctx, b, key, v)
		if !errors.Is(err, engine.ErrExists) {
			return err
		}
		had, err := c.Get(ctx, b, key)
		if err != nil {
			return err
		}
		if !bytes.Equal(had.Value, v) {
			return job.Errorf(job.Conflict, "The record %s %s is there already with another value. Import into an empty carrier.", b, key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("import records: %w", err)
	}
	return nil
}

// readExport calls f for each record.
func readExport(r io.Reader, f func(b engine.Bucket, key string, v []byte) error) error {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	for n := -1; ; n++ {
		var l exportLine
		if err := dec.Decode(&l); err != nil {
			return &job.Error{
				Code: job.InvalidRequest, Message: fmt.Sprintf("The export is cut off or damaged after %d records.", max(0, n)), Err: err,
			}
		}
		switch {
		case n < 0 && (l.Format != exportFormat || l.Version != exportVersion):
			return job.Errorf(job.InvalidRequest, "The file is not an export of records of version %d.", exportVersion)
		case n < 0:
		case l.End && l.Records == n:
			return nil
		case l.End || l.Bucket != engine.Jobs && l.Bucket != engine.Done || checkKey(l.Key) != nil:
			return job.Errorf(job.InvalidRequest, "The export is damaged after %d records.", n)
		default:
			if err := f(l.Bucket, l.Key, l.Value); err != nil {
				return err
			}
		}
	}
}
