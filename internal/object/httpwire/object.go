package httpwire

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Head implements object.Reader. A HEAD's error has no body: its code is made from the status, NoSuchKey for a 404 and
// for an object whose latest version is a delete marker.
func (c *Client) Head(ctx context.Context, r object.Ref) (object.Info, error) {
	rq := c.onObject("Head", "HEAD", r)
	defer c.free(rq)
	rq.keeps = true
	a, err := c.call(ctx, rq)
	if err != nil {
		return object.Info{}, err
	}
	return c.d.info(a), nil
}

// HeadBucket implements object.Buckets. With a redirect's error comes the region that the bucket is in, where the store
// names it.
func (c *Client) HeadBucket(ctx context.Context, b job.Bucket) (object.BucketInfo, error) {
	var info object.BucketInfo
	a, err := c.call(ctx, c.onBucket("HeadBucket", "HEAD", b))
	if a != nil {
		info.Region = job.Region(bounded(a.header.get(c.d.bucketRegion), maxCode))
	}
	return info, err
}

// Put implements object.Writer. The body is read once more than it is sent, for its Content-MD5.
func (c *Client) Put(ctx context.Context, p object.PutRequest) (object.PutResult, error) {
	rq := c.onObject("Put", "PUT", object.Ref{Bucket: p.Bucket, Key: p.Key})
	rq.setBody(p.Body, p.Size)
	c.d.setMetadata(rq, p.Meta)
	rq.setIf(c.d.class, p.Class)
	c.d.setSSE(rq, p.SSE, p.SSEKey)
	if len(p.Tags) > 0 {
		rq.set(c.d.tagging, encodeTags(p.Tags))
	}
	rq.setIf(c.d.acl, p.CannedACL)
	c.d.setGrants(rq, p.Grants)
	a, err := c.call(ctx, rq)
	if err != nil {
		return object.PutResult{}, err
	}
	return object.PutResult{ETag: unquote(a.header.get("etag")), Version: c.d.versionOf(a)}, nil
}

// What explains itself by the call's own first attempt, whose answer was lost.
var (
	deleted   = []string{object.CodeNoSuchKey, object.CodeNoSuchVersion}
	restoring = []string{object.CodeRestoreInProgress}
)

// Delete implements object.Deleter.
func (c *Client) Delete(ctx context.Context, r object.Ref) (object.DeleteResult, error) {
	rq := c.onObject("Delete", "DELETE", r)
	defer c.free(rq)
	rq.settles, rq.settledStatus = deleted, 204
	a, err := c.call(ctx, rq)
	if err != nil {
		return object.DeleteResult{}, err
	}
	return object.DeleteResult{
		HTTPStatus: a.status, DeleteMarker: a.header.peek(c.d.deleteMarker) == "true",
		Version: c.d.versionOf(a),
	}, nil
}

// Restore implements object.Restorer.
func (c *Client) Restore(ctx context.Context, r object.RestoreRequest) (int, error) {
	rq := c.onObject("Restore", "POST", r.Ref)
	defer c.free(rq)
	rq.param("restore", "")
	if !validXML(r.Tier) {
		rq.refuse("The tier %q of a restore cannot be written as XML.", r.Tier)
	}
	at := len(rq.text.b)
	rq.text.join("<RestoreRequest", c.d.namespace, "><Days>")
	rq.text.b = strconv.AppendInt(rq.text.b, int64(r.Days), 10)
	rq.text.join("</Days><", c.d.tierElement, "><Tier>")
	rq.text.b = appendXML(rq.text.b, r.Tier)
	rq.text.join("</Tier></", c.d.tierElement, "></RestoreRequest>")
	rq.setXML(rq.text.b[at:])
	rq.settles, rq.settledStatus = restoring, 202
	a, err := c.call(ctx, rq)
	if err != nil {
		return 0, err
	}
	return a.status, nil
}

// setIf adds a header unless its value is empty.
func (rq *request) setIf(name, value string) {
	if value != "" {
		rq.set(name, value)
	}
}

// info reads an object's headers.
func (d *dialect) info(a *response) object.Info {
	i := object.Info{
		Size: a.size, Class: "STANDARD", Version: d.versionOf(a),
		Meta: object.Metadata{},
	}
	for _, f := range a.header {
		switch f.name {
		case "content-length":
			if n, err := strconv.ParseInt(f.value, 10, 64); err == nil {
				i.Size = n
			}
		case "etag":
			i.ETag = unquote(f.value)
		case "last-modified":
			i.LastModified, _ = parseHTTPDate(f.value)
		case d.class:
			if f.value != "" {
				i.Class = f.value
			}
		case d.sse:
			i.SSE = f.value
		case d.tagCount:
			i.TagCount, _ = strconv.Atoi(f.value)
		case d.restore:
			i.Restore = parseRestore(f.value)
		default:
			d.readMeta(&i.Meta, f)
		}
	}
	if total, ok := rangeTotal(a.header.peek("content-range")); ok {
		i.Size = total
	}
	return i
}

func (d *dialect) readMeta(m *object.Metadata, f field) {
	switch f.name {
	case "cache-control":
		m.CacheControl = f.value
	case "content-disposition":
		m.ContentDisposition = f.value
	case "content-encoding":
		m.ContentEncoding = f.value
	case "content-language":
		m.ContentLanguage = f.value
	case "content-type":
		m.ContentType = f.value
	case "expires":
		m.Expires = f.value
	default:
		if name, ok := strings.CutPrefix(f.name, d.meta); ok {
			if m.User == nil {
				m.User = map[string]string{}
			}
			m.User[name] = f.value
		}
	}
}

func (d *dialect) versionOf(a *response) job.Version { return job.Version(a.header.get(d.version)) }

func unquote(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

// parseRestore reads ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT".
func parseRestore(v string) *object.RestoreState {
	s := &object.RestoreState{Ongoing: strings.Contains(v, `ongoing-request="true"`)}
	if _, rest, ok := strings.Cut(v, `expiry-date="`); ok && !s.Ongoing {
		date, _, _ := strings.Cut(rest, `"`)
		s.Expiry, _ = parseHTTPDate(date)
	}
	return s
}

// rangeTotal reads the whole size from bytes 0-9/100.
func rangeTotal(v string) (int64, bool) {
	_, total, ok := strings.Cut(v, "/")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(total, 10, 64)
	return n, err == nil && n >= 0
}

// Get implements object.Reader. A body that breaks off is taken up again where it ended, as long as the object's ETag is
// the same and each new attempt brings some of it. The size told is -1 where a store tells none.
func (c *Client) Get(ctx context.Context, r object.Ref, offset, length int64) (io.ReadCloser, object.Info, error) {
	if offset < 0 {
		return nil, object.Info{}, &object.Error{
			Op: "Get", Code: object.CodeInvalidRequest, Class: object.Permanent, Message: "A range must not begin before the object does.",
		}
	}
	// No range is empty on the wire.
	if length == 0 {
		info, err := c.Head(ctx, r)
		return io.NopCloser(strings.NewReader("")), info, err
	}
	b := &objectBody{c: c, ctx: ctx, ref: r, at: offset, left: length}
	if err := b.open(); err != nil {
		return nil, object.Info{}, err
	}
	return b, b.info, nil
}

// objectBody reads an object, over several answers if it must. Owned by one goroutine.
type objectBody struct {
	c    *Client
	ctx  context.Context
	ref  object.Ref
	info object.Info
	body io.ReadCloser
	at   int64 // the next byte's place in the object
	left int64 // bytes still wanted; < 0 = to the end, until the first answer tells
	got  bool  // the present answer has brought something
}

// open asks for the rest.
func (b *objectBody) open() error {
	rq := b.c.onObject("Get", "GET", b.ref)
	rq.stream = true
	if b.left >= 0 {
		rq.set("range", fmt.Sprintf("bytes=%d-%d", b.at, b.at+b.left-1))
	} else if b.at > 0 {
		rq.set("range", fmt.Sprintf("bytes=%d-", b.at))
	}
	if b.info.ETag != "" {
		rq.set("if-match", `"`+b.info.ETag+`"`)
	}
	a, err := b.c.call(b.ctx, rq)
	if err != nil {
		return err
	}
	// A store that does not know ranges sends all of it.
	if rq.header.get("range") != "" && a.status != 206 && b.at > 0 {
		if _, err := io.CopyN(io.Discard, a.body, b.at); err != nil {
			a.body.Close()
			return noAnswer(rq, err)
		}
	}
	if b.info.ETag == "" {
		b.info = b.c.d.info(a)
	}
	if rest := b.info.Size - b.at; b.info.Size >= 0 && (b.left < 0 || b.left > rest) {
		b.left = max(0, rest)
	}
	b.body, b.got = a.body, false
	return nil
}

func (b *objectBody) Read(p []byte) (int, error) {
	for {
		if b.left == 0 {
			return 0, io.EOF
		}
		if b.left > 0 && int64(len(p)) > b.left {
			p = p[:b.left]
		}
		n, err := b.body.Read(p)
		if n > 0 {
			b.at, b.got = b.at+int64(n), true
			if b.left > 0 {
				b.left -= int64(n)
			}
			return n, nil
		}
		if err == nil {
			return 0, nil
		}
		if err == io.EOF {
			if b.left < 0 {
				return 0, io.EOF
			}
			err = io.ErrUnexpectedEOF
		}
		if !b.got || b.info.ETag == "" || b.ctx.Err() != nil {
			return 0, &object.Error{
				Op: "Get", Code: object.CodeConnection, Class: object.Transient, Message: "The object's body broke off.", Err: err,
			}
		}
		b.body.Close()
		if err := b.open(); err != nil {
			return 0, err
		}
	}
}

func (b *objectBody) Close() error { return b.body.Close() }
