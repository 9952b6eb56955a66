//go:build soak

package operation_test

import (
	"context"
	"crypto/sha256"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

// TestSoakFiveGigabytes copies 5 GiB and a byte on the embedded store with the sizes that are used in earnest, is killed
// in the middle, and goes on. It writes 10 GiB below the folder for temporary files.
func TestSoakFiveGigabytes(t *testing.T) {
	s := embedded(t, httpwire.S3)
	ctx := t.Context()
	const brick = 64 << 20
	e, body := s.put(t, "brick", brick)
	wall := object.Upload{Bucket: s.src, Key: "wall"}
	var err error
	if wall.ID, err = s.store.CreateMultipart(ctx, object.CreateMultipartRequest{Bucket: wall.Bucket, Key: wall.Key, Meta: meta, Tags: tags}); err != nil {
		t.Fatal(err)
	}
	var parts []object.Part
	for n := int64(1); n <= object.MaxCopySize/brick+1; n++ {
		length := int64(brick)
		if n > object.MaxCopySize/brick {
			length = 1
		}
		etag, err := s.store.UploadPartCopy(ctx, object.PartCopyRequest{
			Upload: wall, Number: int(n), Source: object.Ref{Bucket: s.src, Key: e.Key}, Length: length,
		})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, object.Part{Number: int(n), ETag: etag})
	}
	if _, err = s.store.CompleteMultipart(ctx, object.CompleteRequest{Upload: wall, Parts: parts}); err != nil {
		t.Fatal(err)
	}

	// The entry tells no size: the store refuses, as it holds to the limit.
	task := operation.Task{Entry: job.Entry{Row: 1, Bucket: s.src, Key: "wall"}, Uploads: memory{}}
	op := copyTo(s, func(c *operation.Copy) { c.Verify = operation.VerifyHead })
	killed, cancel := context.WithCancel(ctx)
	d := &dying{Store: s.store, after: 20, cancel: cancel}
	begun := time.Now()
	if got := op.Apply(killed, d, task); got != (job.Outcome{}) {
		t.Fatalf("a killed copy ends with %+v", got)
	}
	t.Logf("killed after %d of 41 parts and %v", d.parts.Load(), time.Since(begun))
	again := &dying{Store: s.store, after: -1}
	task.Repeat = true
	begun = time.Now()
	if got := op.Apply(ctx, again, task); got != job.Succeeded(200, "") {
		t.Fatalf("outcome %+v", got)
	}
	t.Logf("went on with %d parts in %v", again.parts.Load(), time.Since(begun))
	if d.parts.Load()+again.parts.Load() > 41+7 || d.parts.Load() < 20 {
		t.Errorf("%d and %d parts were made", d.parts.Load(), again.parts.Load())
	}

	want := sha256.New()
	for range object.MaxCopySize / brick {
		io.WriteString(want, body)
	}
	io.Copy(want, strings.NewReader(body[:1]))
	rc, info, err := s.store.Get(ctx, object.Ref{Bucket: s.dst, Key: "wall"}, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	got := sha256.New()
	if n, err := io.Copy(got, rc); err != nil || n != object.MaxCopySize+1 || string(got.Sum(nil)) != string(want.Sum(nil)) {
		t.Errorf("%d bytes came back, %v", n, err)
	}
	if info.Meta.User["colour"] != "blue" || info.Class != "STANDARD_IA" || s.uploads(t) != 0 {
		t.Errorf("copy %+v, %d uploads left", info, s.uploads(t))
	}
}
