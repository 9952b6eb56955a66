package localstore

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sentHeaders are the standard headers that are stored with an object.
var sentHeaders = []string{
	"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires",
}

const maxUserMetadata = 2048 // bytes of names and values

// attributes reads what a request sets beside the body.
func (c *call) attributes() (a attributes, err error) {
	if a.Class, err = parseClass(c.header("Storage-Class")); err != nil {
		return a, err
	}
	switch sse := c.header("Server-Side-Encryption"); sse {
	case "", "AES256":
		a.SSE = sse
	default:
		return a, errNotImplemented.because("This store does not encrypt with %s; AES256 is taken and echoed.", sse)
	}
	if text := c.header("Tagging"); text != "" {
		if a.Tags, err = parseTagQuery(text); err != nil {
			return a, err
		}
	}
	if a.ACL, err = c.s.aclFromHeaders(c.r.Header, c.d); err != nil {
		return a, err
	}
	return a, c.metadata(&a)
}

// metadata reads the standard and the user's headers.
func (c *call) metadata(a *attributes) error {
	a.Head, a.User = map[string]string{}, map[string]string{}
	for _, name := range sentHeaders {
		value := c.r.Header.Get(name)
		if name == "Content-Encoding" {
			value = withoutChunking(value)
		}
		if value != "" {
			a.Head[name] = value
		}
	}
	if a.Head["Content-Type"] == "" {
		a.Head["Content-Type"] = "binary/octet-stream"
		if c.d.cos() {
			a.Head["Content-Type"] = "application/octet-stream"
		}
	}
	size := 0
	for header, values := range c.r.Header {
		if name, ok := strings.CutPrefix(header, c.d.prefix+"Meta-"); ok {
			name, value := strings.ToLower(name), strings.Join(values, ",")
			a.User[name] = value
			size += len(name) + len(value)
		}
	}
	if size > maxUserMetadata {
		return errMetadataTooLarge
	}
	return nil
}

// withoutChunking takes aws-chunked, which is of the transfer, off a Content-Encoding.
func withoutChunking(encodings string) string {
	var kept []string
	for e := range strings.SplitSeq(encodings, ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			kept = append(kept, e)
		}
	}
	return strings.Join(kept, ",")
}

func (c *call) putObject() error {
	if _, err := c.s.bucket(c.bucket); err != nil {
		return err
	}
	a, err := c.attributes()
	if err != nil {
		return err
	}
	allowed, err := c.writeCondition()
	if err != nil {
		return err
	}
	p, err := c.payload()
	if err != nil {
		return err
	}
	staged, sum, err := c.stage(p)
	if err != nil {
		return err
	}
	v := &version{
		Key: c.key, Modified: c.s.now().UnixNano(), Size: staged.size, ETag: staged.etag, CRC64: staged.crc64, Sum: sum,
		attributes: a, Segments: staged.segments,
	}
	if err := c.s.put(c.bucket, v, staged, allowed); err != nil {
		return err
	}
	c.w.Header().Set("ETag", v.quotedETag())
	c.setChecksum(v.Sum)
	c.describeNew(v)
	return c.done(http.StatusOK)
}

// describeNew sets the headers that answers to writes share.
func (c *call) describeNew(v *version) {
	c.setVersion(v)
	c.set("Server-Side-Encryption", v.SSE)
	if c.d.cos() {
		c.set("Hash-Crc64ecma", strconv.FormatUint(v.CRC64, 10))
	}
}

// setVersion shows a version's id where the bucket keeps versions, or once did.
func (c *call) setVersion(v *version) {
	if b, err := c.s.bucket(c.bucket); err == nil && b.Versioning != "" {
		c.set("Version-Id", v.id())
	}
}

func (c *call) setChecksum(s *checksum) {
	if s != nil && !c.d.cos() {
		c.set("Checksum-"+s.Algorithm, s.Value)
		c.set("Checksum-Type", s.kind())
	}
}

func (c *call) headObject() error {
	v, err := c.s.lookup(c.bucket, c.key, c.query["versionid"])
	if err != nil {
		return err
	}
	_, length, err := c.describe(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	return c.done(c.status)
}

func (c *call) getObject() error {
	v, b, release, err := c.s.load(c.bucket, c.key, c.query["versionid"])
	if err != nil {
		return err
	}
	defer release()
	if !c.s.readable(c.bucket, v) {
		return errObjectArchived.with("storage-class", v.class())
	}
	offset, length, err := c.describe(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	r := c.s.blobs.reader(b, offset, length)
	defer r.Close()
	c.w.WriteHeader(c.status)
	io.Copy(c.w, r) // a short body is the connection's end: the length has been promised
	return nil
}

// describe checks a read's conditions and sets the headers of its answer and the status; it gives the bytes asked for.
func (c *call) describe(v *version) (offset, length int64, err error) {
	h := c.w.Header()
	h.Set("ETag", v.quotedETag())
	h.Set("Last-Modified", v.modified().Format(http.TimeFormat))
	if err := c.readCondition(v); err != nil {
		return 0, 0, err
	}
	offset, length, err = c.span(v)
	if err != nil {
		return 0, 0, err
	}
	h.Set("Accept-Ranges", "bytes")
	for name, value := range v.Head {
		h.Set(name, value)
	}
	for name, value := range v.User {
		h[c.d.prefix+"Meta-"+http.CanonicalHeaderKey(name)] = []string{value}
	}
	for _, name := range sentHeaders {
		if value := c.query["response-"+strings.ToLower(name)]; value != "" {
			h.Set(name, value)
		}
	}
	c.describeNew(v)
	now := c.s.now()
	if v.class() != classStandard {
		c.set("Storage-Class", v.class())
	}
	c.set("Restore", v.Restore.header(now))
	if b, err := c.s.bucket(c.bucket); err == nil && !c.d.cos() {
		c.set("Archive-Status", b.archiveTier(v, now))
	}
	if c.d.cos() && v.Restore.ongoing(now) {
		c.set("Restore-Status", `tier="`+strings.ToLower(v.Restore.Tier)+`"; request-date="`+v.Restore.Requested.UTC().Format(http.TimeFormat)+`"`)
	}
	if len(v.Tags) > 0 {
		c.set("Tagging-Count", strconv.Itoa(len(v.Tags)))
	}
	if strings.EqualFold(c.header("Checksum-Mode"), "ENABLED") && c.status == http.StatusOK {
		c.setChecksum(v.Sum)
	}
	return offset, length, nil
}

// span works out which bytes a read asks for, by partNumber or Range, and sets the status.
func (c *call) span(v *version) (offset, length int64, err error) {
	c.status = http.StatusPartialContent
	if text := c.query["partnumber"]; text != "" {
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 || number > maxParts {
			return 0, 0, errInvalidArgument.because("Part number must be an integer between 1 and %d, inclusive.", maxParts)
		}
		if !v.Parts && number == 1 {
			return 0, v.Size, nil
		}
		if !v.Parts || number > len(v.Segments) {
			return 0, 0, refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber", "The requested partnumber is not satisfiable.")
		}
		c.set("Mp-Parts-Count", strconv.Itoa(len(v.Segments)))
		for _, seg := range v.Segments[:number-1] {
			offset += seg.Size
		}
		length = v.Segments[number-1].Size
	} else {
		var whole bool
		offset, length, whole, err = parseRange(c.r.Header.Get("Range"), v.Size)
		if err != nil {
			c.w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(v.Size, 10))
			return 0, 0, err
		}
		if whole {
			c.status = http.StatusOK
			return 0, v.Size, nil
		}
	}
	c.w.Header().Set("Content-Range", "bytes "+strconv.FormatInt(offset, 10)+"-"+strconv.FormatInt(offset+length-1, 10)+"/"+strconv.FormatInt(v.Size, 10))
	return offset, length, nil
}

// parseRange reads a Range header of one range. What is no such range means the whole body (RFC 9110, 14.2).
func parseRange(text string, size int64) (offset, length int64, whole bool, err error) {
	spec, ok := strings.CutPrefix(text, "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return 0, size, true, nil
	}
	from, to, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || from == "" && to == "" {
		return 0, size, true, nil
	}
	last := size - 1
	if from == "" {
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < 0 {
			return 0, size, true, nil
		}
		offset = max(size-n, 0)
		if n == 0 || size == 0 {
			return 0, 0, false, errInvalidRange
		}
		return offset, size - offset, false, nil
	}
	if offset, err = strconv.ParseInt(from, 10, 64); err != nil || offset < 0 {
		return 0, size, true, nil
	}
	if to != "" {
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < offset {
			return 0, size, true, nil
		}
		last = min(n, last)
	}
	if offset >= size {
		return 0, 0, false, errInvalidRange
	}
	return offset, last - offset + 1, false, nil
}

// readCondition holds a version against If-Match and its sisters (RFC 9110, 13.2.2).
func (c *call) readCondition(v *version) error {
	h := c.r.Header
	if m := h.Get("If-Match"); m != "" {
		if !matchETag(m, v.ETag) {
			return errPrecondition
		}
	} else if t, err := http.ParseTime(h.Get("If-Unmodified-Since")); err == nil && v.modified().Truncate(time.Second).After(t) {
		return errPrecondition
	}
	if m := h.Get("If-None-Match"); m != "" {
		if matchETag(m, v.ETag) {
			return errNotModified
		}
	} else if t, err := http.ParseTime(h.Get("If-Modified-Since")); err == nil && !v.modified().Truncate(time.Second).After(t) {
		return errNotModified
	}
	return nil
}

// writeCondition reads a write's conditions, which its transaction asks of the latest version; nil when there are none.
func (c *call) writeCondition() (func(*version) error, error) {
	match, none := c.r.Header.Get("If-Match"), c.r.Header.Get("If-None-Match")
	switch {
	case none != "" && (none != "*" || match != ""):
		return nil, errNotImplemented.because("If-None-Match of a write takes *, and no If-Match beside it.")
	case none != "":
		return func(latest *version) error {
			if latest != nil {
				return errPrecondition
			}
			return nil
		}, nil
	case match != "":
		return func(latest *version) error {
			if latest == nil {
				return errNoSuchKey
			}
			if !matchETag(match, latest.ETag) {
				return errPrecondition
			}
			return nil
		}, nil
	}
	return nil, nil
}

// matchETag holds an ETag against a list of them, or *.
func matchETag(list, etag string) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.Trim(strings.TrimPrefix(strings.TrimSpace(item), "W/"), `"`)
		if item == "*" || item == etag {
			return true
		}
	}
	return false
}
