package carrier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

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

// exported are the buckets that jobs are moved with, in the order of an export.
var exported = []engine.Bucket{engine.Access, engine.Done, engine.Jobs}

// Export writes the records of Access, Done and Jobs as lines of JSON, those last that make jobs known. Chunks and results
// are not in it: collect results to the end first; chunks are made again. Nobody may write records meanwhile.
func (c *Carrier) Export(ctx context.Context, w io.Writer) error {
	enc := json.NewEncoder(w)
	if err := enc.Encode(exportLine{Format: exportFormat, Version: exportVersion}); err != nil {
		return fmt.Errorf("export records: %w", err)
	}
	n := 0
	var last []exportLine
	for _, b := range exported {
		err := c.Watch(ctx, b, func(r engine.Record) error {
			l := exportLine{Bucket: b, Key: r.Key, Value: r.Value}
			switch {
			case r.Key == "":
				return errAllSeen
			case r.Deleted || b == engine.Jobs && r.Key == engine.HoldKey:
				return nil
			case b == engine.Jobs && engine.IsJob(r.Key):
				last = append(last, l)
				return nil
			case b == engine.Jobs:
				var err error
				if l.Value, err = engine.Portable(r.Key, r.Value); err != nil {
					return err
				}
			}
			n++
			return enc.Encode(l)
		})
		if !errors.Is(err, errAllSeen) {
			return fmt.Errorf("export records of %s: %w", b, err)
		}
	}
	for _, l := range last {
		n++
		if err := enc.Encode(l); err != nil {
			return fmt.Errorf("export records: %w", err)
		}
	}
	if err := enc.Encode(exportLine{End: true, Records: n}); err != nil {
		return fmt.Errorf("export records: %w", err)
	}
	return nil
}

// Import creates the records of an export. It can be repeated after an error: a record that is there with the same value
// is left as it is; one of Jobs with another value is job.Conflict, one of the other buckets is written over. What is not
// a whole export is job.InvalidRequest, but the records before the fault may have been created.
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
		if !bytes.Equal(had.Value, v) && b != engine.Jobs {
			_, err := c.Put(ctx, b, key, v)
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
		case l.End || !slices.Contains(exported, l.Bucket) || checkKey(l.Key) != nil:
			return job.Errorf(job.InvalidRequest, "The export is damaged after %d records.", n)
		default:
			if err := f(l.Bucket, l.Key, l.Value); err != nil {
				return err
			}
		}
	}
}
