package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
)

const (
	previewRows = 10
	browseRows  = 100
	lookTime    = 15 * time.Second
)

// preview is what the wizard shows of a manifest.
type preview struct {
	Name    string
	Size    string
	ETag    string
	Rows    []previewRow
	More    bool
	Sizes   bool // the rows tell their objects' sizes
	Version bool // the rows name versions
	keys    []job.Key
	buckets []job.Bucket
}

type previewRow struct {
	Number, Bucket, Key, Version, Size string
}

// roleOf reads a role; what is none is left to the service to refuse.
func roleOf(arn string) job.Role {
	r, err := api.ParseRole("RoleArn", arn)
	if err != nil {
		return job.Role{ARN: arn}
	}
	return r
}

// reader opens the form's region as the role that it names.
func (s *server) reader(c *call, f form, arn string) (object.Store, error) {
	return s.as(c, arn, job.Region(f.Get("region")), f.Get("manifest-bucket"))
}

// as opens a region as a role, for a bucket. The role must be one that the caller may pass: nothing is read as another,
// nor as the server itself.
func (s *server) as(c *call, arn string, region job.Region, bucket string) (object.Store, error) {
	roles, err := s.roles(c)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(roles, func(r job.Role) bool { return r.ARN == arn })
	if i < 0 {
		return nil, job.Errorf(job.AccessDenied, "%s is no role that you may pass to a job.", job.Quote(arn))
	}
	s.o.Logger.LogAttrs(c.Context(), slog.LevelInfo, "console opens a store as a role", slog.String("principal", c.caller.Principal),
		slog.String("role", arn), slog.String("bucket", bucket), slog.String("requestID", c.requestID))
	return s.o.Stores.Store(c.Context(), c.caller.Account, roles[i], region)
}

// storeFiles opens manifest files in a store.
type storeFiles struct{ store object.Reader }

// Open implements manifest.Opener.
func (f storeFiles) Open(ctx context.Context, n manifest.Name, offset, length int64) (io.ReadCloser, manifest.Info, error) {
	body, info, err := f.store.Get(ctx, object.Ref{Bucket: n.Bucket, Key: n.Key, Version: n.Version}, offset, length)
	if err != nil {
		return nil, manifest.Info{}, err
	}
	return body, manifest.Info{ETag: info.ETag, Version: info.Version, Size: info.Size, LastModified: info.LastModified}, nil
}

// look reads a manifest's ETag and its first rows. A *job.Error with a field is about that input; the form's ETag is
// what the store says.
func (s *server) look(c *call, f form, arn string) (*preview, error) {
	store, err := s.reader(c, f, arn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context(), lookTime)
	defer cancel()
	m := f.manifest()
	info, err := store.Head(ctx, object.Ref{Bucket: m.Location.Bucket, Key: m.Location.Key, Version: m.Location.Version})
	if err != nil {
		return nil, c.unreadable(m.Location, err)
	}
	m.Location.ETag = info.ETag
	f.Set("manifest-etag", info.ETag)
	p := &preview{Name: visible(string(m.Location.Bucket) + "/" + string(m.Location.Key)), Size: size(info.Size), ETag: info.ETag}
	for e, err := range manifest.Rows(ctx, storeFiles{store}, m, manifest.Options{}) {
		if err != nil {
			return nil, c.badManifest(m.Location, err)
		}
		if len(p.Rows) == previewRows {
			p.More = true
			break
		}
		row := previewRow{
			Number: number(e.Row + 1), Bucket: visible(string(e.Bucket)), Key: shortened(string(e.Key), 160), Version: visible(string(e.Version)),
		}
		if m.Format == job.FormatInventory {
			row.Size, p.Sizes = size(e.Size), true
		}
		p.Version = p.Version || e.Version != ""
		p.Rows, p.keys, p.buckets = append(p.Rows, row), append(p.keys, e.Key), append(p.buckets, e.Bucket)
	}
	if len(p.Rows) == 0 {
		return nil, job.FieldErrorf("Manifest.Location.Key", "%s", c.lang.t("the list is empty: there is nothing to do."))
	}
	return p, nil
}

// unreadable explains why a store did not give an object.
func (c *call) unreadable(at job.Location, err error) error {
	switch object.StatusOf(err) {
	case http.StatusNotFound:
		return job.FieldErrorf("Manifest.Location.Key", "%s", c.lang.t("there is no object %s in the bucket %s, or no such bucket in this region.",
			job.Quote(string(at.Key)), job.Quote(string(at.Bucket))))
	case http.StatusForbidden:
		return &job.Error{Code: job.AccessDenied, Message: c.lang.t("The role may not read this object."), Err: err}
	}
	if code := object.CodeOf(err); code != "" {
		return &job.Error{Code: job.Unavailable, Message: c.lang.t("The store does not answer: %s.", visible(code)), Err: err}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &job.Error{Code: job.Unavailable, Message: c.lang.t("The store does not answer: %s.", "timeout"), Err: err}
	}
	return err
}

func (c *call) badManifest(at job.Location, err error) error {
	e, ok := errors.AsType[*manifest.Error](err)
	switch {
	case !ok:
		return c.unreadable(at, err)
	case e.Code == manifest.CodeUnknownColumn:
		return job.FieldErrorf("Manifest.Spec.Fields", "%s", e.Reason())
	case e.Code == manifest.CodeUnreadable && object.StatusOf(err) == http.StatusForbidden:
		return &job.Error{Code: job.AccessDenied, Message: e.Reason(), Err: err}
	}
	return job.FieldErrorf("Manifest.Location.Key", "%s", e.Reason())
}

// browser is a folder of a bucket, to pick the manifest from.
type browser struct {
	Bucket, Folder string
	Up             string
	Top            bool
	Entries        []browserEntry
	More           bool
}

type browserEntry struct {
	Text, Do, Size, Time string
	Folder               bool
}

// browse lists a folder. The store is asked for keys only: what lies deeper in a folder is stepped over.
func (s *server) browse(c *call, f form, folder string) (*browser, error) {
	store, err := s.reader(c, f, f.Get("preview-role"))
	if err != nil {
		return nil, err
	}
	bucket := job.Bucket(f.text("manifest-bucket"))
	if err := bucket.Validate(); err != nil {
		return nil, job.FieldErrorf("Manifest.Location.Bucket", "%s", job.MessageOf(err))
	}
	ctx, cancel := context.WithTimeout(c.Context(), lookTime)
	defer cancel()
	b := &browser{Bucket: string(bucket), Folder: folder, Top: folder == ""}
	b.Up = folder[:strings.LastIndexByte(strings.TrimSuffix(folder, "/"), '/')+1]
	after := job.Key("")
	for again := true; again; {
		again = false
		for e, err := range store.List(ctx, bucket, object.ListOptions{Prefix: folder, StartAfter: after, PageSize: browseRows}) {
			if err != nil {
				return nil, c.noBucket(bucket, err)
			}
			if len(b.Entries) == browseRows {
				b.More = true
				break
			}
			rest := strings.TrimPrefix(string(e.Key), folder)
			if name, _, deeper := strings.Cut(rest, "/"); deeper {
				b.Entries = append(b.Entries, browserEntry{Text: visible(name) + "/", Do: "folder:" + folder + name + "/", Folder: true})
				after, again = job.Key(folder+name+"/\U0010ffff"), true
				break
			}
			b.Entries = append(b.Entries, browserEntry{
				Text: visible(rest), Do: "pick:" + string(e.Key), Size: size(e.Size), Time: c.lang.moment(e.LastModified, s.o.Now()).Ago,
			})
		}
	}
	return b, nil
}

func (c *call) noBucket(b job.Bucket, err error) error {
	switch object.StatusOf(err) {
	case http.StatusNotFound:
		return job.FieldErrorf("Manifest.Location.Bucket", "%s", c.lang.t("there is no bucket %s in this region.", job.Quote(string(b))))
	case http.StatusForbidden:
		return job.FieldErrorf("Manifest.Location.Bucket", "%s", c.lang.t("the role may not list the bucket %s; type the path.", job.Quote(string(b))))
	}
	return c.unreadable(job.Location{Bucket: b}, err)
}
