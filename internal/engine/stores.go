package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/report"
)

// Stores gives access to the configured regions, as a role. Safe for concurrent use.
type Stores interface {
	// Store opens a region for a role of an account; "" is the default region. Errors are *job.Error: AccessDenied
	// when the account has no such role, InvalidArgument when the region is not configured.
	Store(ctx context.Context, a job.Account, r job.Role, region job.Region) (object.Store, error)
	// Default is the region of a job that names none.
	Default() job.Region
}

// Checker is what Stores may do beside: say before a job begins whether its role may do what the job needs, sources being
// the buckets that its manifest names. Its error is *job.Error AccessDenied, naming what is missing.
type Checker interface {
	Check(ctx context.Context, s job.Spec, sources []job.Bucket) error
}

// opener opens manifest files: objects of a store, or local files.
type opener struct{ store object.Store }

// Open implements manifest.Opener.
func (o opener) Open(ctx context.Context, n manifest.Name, offset, length int64) (io.ReadCloser, manifest.Info, error) {
	if n.Path != "" {
		return manifest.Local{}.Open(ctx, n, offset, length)
	}
	body, info, err := o.store.Get(ctx, object.Ref{Bucket: n.Bucket, Key: n.Key, Version: n.Version}, offset, length)
	if err != nil {
		return nil, manifest.Info{}, fmt.Errorf("read %s/%s: %w", n.Bucket, n.Key, err)
	}
	return body, manifest.Info{ETag: info.ETag, Version: info.Version, Size: info.Size, LastModified: info.LastModified}, nil
}

// bucketSink writes a report to a bucket.
type bucketSink struct {
	store  object.Store
	bucket job.Bucket
}

// BucketSink is where reports in a bucket lie.
func BucketSink(store object.Store, bucket job.Bucket) report.Sink { return bucketSink{store, bucket} }

// Put implements report.Sink.
func (s bucketSink) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, contentType string) error {
	_, err := s.store.Put(ctx, object.PutRequest{
		Bucket: s.bucket, Key: job.Key(name), Body: body, Size: size, Meta: object.Metadata{ContentType: contentType},
	})
	return err
}

// Get implements report.Sink.
func (s bucketSink) Get(ctx context.Context, name string) ([]byte, error) {
	body, _, err := s.store.Get(ctx, object.Ref{Bucket: s.bucket, Key: job.Key(name)}, 0, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, 64<<20))
}

// List implements report.Sink.
func (s bucketSink) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range s.store.List(ctx, s.bucket, object.ListOptions{Prefix: prefix}) {
			if !yield(string(e.Key), err) {
				return
			}
		}
	}
}

// Delete implements report.Sink.
func (s bucketSink) Delete(ctx context.Context, name string) error {
	_, err := s.store.Delete(ctx, object.Ref{Bucket: s.bucket, Key: job.Key(name)})
	return err
}

// sink opens a job's report; nil when the job wants none.
func (e *Engine) sink(ctx context.Context, s specRecord) (report.Sink, error) {
	switch {
	case !s.Report.Enabled:
		return nil, nil
	case s.Report.Path != "":
		return report.NewDir(s.Report.Path)
	}
	region := s.Report.Region
	if region == "" {
		region = s.Region
	}
	store, err := e.o.Stores.Store(ctx, s.Account, s.Role, region)
	if err != nil {
		return nil, err
	}
	return bucketSink{store, s.Report.Bucket}, nil
}

func putBytes(ctx context.Context, s report.Sink, name string, b []byte, contentType string) error {
	return s.Put(ctx, name, bytes.NewReader(b), int64(len(b)), contentType)
}
