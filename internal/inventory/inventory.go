// Package inventory makes inventory reports: it lists a bucket and writes what it finds as gzipped CSV files with a
// manifest.json, in the layout of COS (Tencent doc 436/30622), so that the report can be a job's manifest.
//
// It streams: a data file is spooled to a temporary file and stored when it is full; manifest.json comes last, so that
// where one lies its report is whole.
package inventory

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Options of Create.
type Options struct {
	SourceBucket job.Bucket // the bucket to list
	Region       job.Region // where DestBucket lies; it stands in Result.Manifest only
	DestBucket   job.Bucket // where the report goes
	Prefix       string     // of the report's keys; "" = at the bucket's root
	ConfigID     string     // the configuration's name, a part of the keys; "" = drover
	Versions     bool       // every version and delete marker (All); else the current objects (Current)
	Filter       string     // only keys that begin so
	RowsPerFile  int64      // 0 = 1,000,000
	Now          time.Time  // the report's date; zero = the present
	// AppID is the source's APPID; "" = the ten digits behind the last dash of its name. A bucket whose name does not
	// end with it, as on S3, is reported in COS's older layout, which has full names.
	AppID   string
	TempDir string // for the file being filled; "" = the system's
}

// Result is where a report lies and what is in it.
type Result struct {
	ManifestKey job.Key
	ETag        string // of the manifest.json, without quotes
	Rows        int64
	Files       int
	// Manifest is the report as a job's manifest.
	Manifest job.Manifest
}

// Create lists a bucket and writes the report. When it returns an error no manifest.json was written, though data
// files may have been. The errors of listing and storing are those of src and dst.
func Create(ctx context.Context, src object.Lister, dst object.Writer, o Options) (Result, error) {
	if err := o.complete(); err != nil {
		return Result{}, err
	}
	w := &writer{dst: dst, o: o, layout: layoutOf(o)}
	defer w.discard()
	for e, err := range src.List(ctx, o.SourceBucket, object.ListOptions{Prefix: o.Filter, Versions: o.Versions}) {
		if err != nil {
			return Result{}, fmt.Errorf("list bucket %s: %w", o.SourceBucket, err)
		}
		if err := w.add(ctx, e); err != nil {
			return Result{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if err := w.flush(ctx); err != nil {
		return Result{}, err
	}
	return w.finish(ctx)
}

// complete fills in defaults and refuses what cannot be.
func (o *Options) complete() error {
	if o.ConfigID == "" {
		o.ConfigID = "drover"
	}
	if o.RowsPerFile == 0 {
		o.RowsPerFile = 1_000_000
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	o.Now = o.Now.UTC()
	if o.Prefix != "" && !strings.HasSuffix(o.Prefix, "/") {
		o.Prefix += "/"
	}
	switch {
	case o.SourceBucket == "":
		return job.FieldErrorf("SourceBucket", "it is empty; name the bucket to list.")
	case o.DestBucket == "":
		return job.FieldErrorf("DestBucket", "it is empty; name the bucket that the report goes to.")
	case o.RowsPerFile < 0:
		return job.FieldErrorf("RowsPerFile", "%d is negative; use 1 or more.", o.RowsPerFile)
	case strings.ContainsAny(o.ConfigID, "/"):
		return job.FieldErrorf("ConfigID", "%q has a slash in it; it is one part of a key.", o.ConfigID)
	}
	return nil
}

// layout is where the files of a report lie, and how it names things.
type layout struct {
	full       bool   // the older layout with full bucket names
	appID      string // of the source; "" in the older layout
	bucket     string // as it stands in manifest.json and in the rows
	destAppID  string
	destBucket string
	data       string // folder of the data files
	manifest   string // folder of manifest.json
	columns    []string
}

func layoutOf(o Options) layout {
	columns := []string{"Bucket", "Key"}
	if o.Versions {
		columns = append(columns, "VersionId", "IsLatest", "IsDeleteMarker")
	}
	columns = append(columns, "Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded")
	short, appID := splitAppID(o.SourceBucket, o.AppID)
	if appID == "" {
		base := o.Prefix + string(o.SourceBucket) + "/" + o.ConfigID + "/"
		return layout{
			full: true, bucket: string(o.SourceBucket), destBucket: string(o.DestBucket), columns: columns,
			data: base + "data/", manifest: base + o.Now.Format("2006-01-02-15-04") + "/",
		}
	}
	base := o.Prefix + appID + "/" + short + "/" + o.ConfigID + "/"
	l := layout{
		appID: appID, bucket: short, columns: append([]string{"Appid"}, columns...),
		data: base, manifest: base + o.Now.Format("20060102") + "/",
	}
	l.destBucket, l.destAppID = splitAppID(o.DestBucket, "")
	return l
}

var appIDSuffix = regexp.MustCompile(`^(.+)-(\d{10})$`)

// splitAppID splits a COS bucket's name; the APPID is "" when the name does not end with one.
func splitAppID(b job.Bucket, appID string) (short, id string) {
	if appID != "" {
		if short, ok := strings.CutSuffix(string(b), "-"+appID); ok && short != "" {
			return short, appID
		}
		return string(b), ""
	}
	if m := appIDSuffix.FindStringSubmatch(string(b)); m != nil {
		return m[1], m[2]
	}
	return string(b), ""
}

// finish writes manifest.checksum and manifest.json.
func (w *writer) finish(ctx context.Context) (Result, error) {
	body, err := w.manifestJSON()
	if err != nil {
		return Result{}, err
	}
	sum := md5.Sum(body)
	k := job.Key(w.layout.manifest + "manifest.json")
	_, err = w.put(ctx, job.Key(w.layout.manifest+"manifest.checksum"), []byte(hex.EncodeToString(sum[:])), "text/plain")
	if err != nil {
		return Result{}, err
	}
	r, err := w.put(ctx, k, body, "application/json")
	if err != nil {
		return Result{}, err
	}
	etag := strings.Trim(r.ETag, `"`)
	return Result{
		ManifestKey: k, ETag: etag, Rows: w.rows, Files: len(w.files),
		Manifest: job.Manifest{
			Format:   job.FormatInventory,
			Location: job.Location{Region: w.o.Region, Bucket: w.o.DestBucket, Key: k, ETag: etag},
		},
	}, nil
}

func (w *writer) put(ctx context.Context, k job.Key, body []byte, contentType string) (object.PutResult, error) {
	r, err := w.dst.Put(ctx, object.PutRequest{
		Bucket: w.o.DestBucket, Key: k, Body: bytes.NewReader(body), Size: int64(len(body)),
		Meta: object.Metadata{ContentType: contentType},
	})
	if err != nil {
		return r, fmt.Errorf("store %s/%s: %w", w.o.DestBucket, k, err)
	}
	return r, nil
}
