package report

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Sink stores a report's files under slash-separated names. Implementations are safe for concurrent use; reporttest
// holds them to this contract.
type Sink interface {
	// Put stores size bytes of body, read from its present position, and replaces what was there. When it returns nil
	// they are durable; when it does not, the old content or none is there, never a part.
	Put(ctx context.Context, name string, body io.ReadSeeker, size int64, contentType string) error
	// Get reads a small file, of at most MaxGet bytes. A missing one is an error with fs.ErrNotExist in it.
	Get(ctx context.Context, name string) ([]byte, error)
	// List gives the names that begin with prefix, in byte order. An error ends it.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
	// Delete removes a file; a missing one is no error.
	Delete(ctx context.Context, name string) error
}

// MaxGet is the longest file that a Sink's Get reads, in bytes.
const MaxGet = 64 << 20

// Files being written stand in the root until they are whole; leftovers of a crash go when they are that old.
const (
	tempPrefix = ".drover-"
	tempAge    = time.Hour
)

// Dir is a Sink on a local folder. Names cannot lead out of it, nor can symbolic links in it.
type Dir struct{ root *os.Root }

var _ Sink = (*Dir)(nil)

// NewDir makes the folder when it is missing. Close releases it.
func NewDir(root string) (*Dir, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("make report folder: %w", err)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open report folder: %w", err)
	}
	d := &Dir{root: r}
	if err := d.sweep(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return d, nil
}

// Close releases the folder.
func (d *Dir) Close() error { return d.root.Close() }

func (d *Dir) sweep() error {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("read report folder: %w", err)
	}
	for _, e := range entries {
		if !temporary(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > tempAge {
			if err := d.root.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove leftover: %w", err)
			}
		}
	}
	return nil
}

func temporary(name string) bool { return strings.HasPrefix(name, tempPrefix) }

// check refuses names that are no plain path below the root.
func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !fs.ValidPath(name) || name == "." || temporary(name) || strings.ContainsRune(name, 0) {
		return job.Errorf(job.InvalidArgument, "%q cannot be the name of a file in a report folder.", name)
	}
	return nil
}

// Put implements Sink. The content type is not kept.
func (d *Dir) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, _ string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	temp := tempPrefix + rand.Text()
	if err := d.put(temp, name, body, size); err != nil {
		if e := d.root.Remove(temp); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func (d *Dir) put(temp, name string, body io.Reader, size int64) error {
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	n, err := io.CopyN(f, body, size)
	if err == io.EOF {
		err = fmt.Errorf("only %d of %d bytes were given: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	dir := path.Dir(name)
	if err := d.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := d.root.Rename(temp, name); err != nil {
		return err
	}
	for {
		if err := d.syncDir(dir); err != nil || dir == "." {
			return err
		}
		dir = path.Dir(dir)
	}
}

// syncDir makes a rename durable.
func (d *Dir) syncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Get implements Sink.
func (d *Dir) Get(ctx context.Context, name string) ([]byte, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read report file: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxGet+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read report file: %w", err)
	}
	if len(b) > MaxGet {
		return nil, job.Errorf(job.InvalidRequest, "The report file %q is longer than %d bytes.", name, MaxGet)
	}
	return b, nil
}

// List implements Sink.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := d.list(ctx, ".", prefix, yield); err != nil && err != fs.SkipAll {
			yield("", fmt.Errorf("list report files: %w", err))
		}
	}
}

// list walks a folder in the byte order of whole names: a folder sorts as if it ended with its slash.
func (d *Dir) list(ctx context.Context, dir, prefix string, yield func(string, error) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(d.root.FS(), dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			name += "/"
		}
		if !temporary(name) && (strings.HasPrefix(name, prefix) || e.IsDir() && strings.HasPrefix(prefix, name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if folder, ok := strings.CutSuffix(name, "/"); ok {
			if err := d.list(ctx, folder, prefix, yield); err != nil {
				return err
			}
		} else if !yield(name, nil) {
			return fs.SkipAll
		}
	}
	return nil
}

// Delete implements Sink.
func (d *Dir) Delete(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete report file: %w", err)
	}
	return nil
}
